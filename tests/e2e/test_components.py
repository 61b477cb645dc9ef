"""Components in a page whose loads overtake each other, as Streamlit's do under load."""

from __future__ import annotations

from importlib import resources
from typing import Any

import pytest
from playwright.sync_api import Page

from framekeep.app import components

PAGE = """
<div id=here></div>
<script>
class Kind {
  constructor(parent) { this.parent = parent; said.push("new"); }
  update({ data }) { this.parent.textContent = data.text; said.push(data.text); }
  destroy() { said.push("destroyed"); }
}
const said = [];
const ends = {};
const here = document.getElementById("here");
const load = (text, turn) => ends[text] = show({ parentElement: here, data: { text, turn } }, Kind);
</script>
"""


@pytest.fixture
def place(page: Page) -> Page:
    """A page with a place for one component."""
    script = (resources.files(components) / "base.js").read_text("utf-8")
    page.set_content(f"<script>{script}</script>{PAGE}")
    return page


def said(page: Page, steps: str) -> Any:
    return page.evaluate(f"() => {{ {steps}; return said }}")


def test_an_older_load_that_comes_late_replaces_nothing(place: Page) -> None:
    assert said(place, "load('new', 2); load('old', 1); ends.old()") == ["new", "new"]
    assert place.locator("#here").inner_text() == "new"


def test_a_load_that_was_overtaken_ends_no_component_that_lives_on(place: Page) -> None:
    assert said(place, "load('a', 1); load('b', 2); ends.a(); load('c', 3)") == [
        *("new", "a", "b", "c")
    ]


def test_a_component_ends_with_its_place_and_begins_nowhere_else(place: Page) -> None:
    gone = "load('a', 1); here.remove(); ends.a(); load('b', 2); ends.b()"
    assert said(place, gone) == ["new", "a", "destroyed"]


def test_the_same_data_again_is_shown_again(place: Page) -> None:
    assert said(place, "load('a', 1); load('b', 1)") == ["new", "a", "b"]
