"""Components in a page whose loads overtake each other, as Streamlit's do under load."""

from __future__ import annotations

from importlib import resources
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import Page

from framekeep.app import components
from framekeep.app.components import annotator

COMPONENTS: dict[str, tuple[str, ...]] = {
    "annotator": annotator.SCRIPTS,
    "dropzone": (),
    "facets": (),
    "gallery": ("outlines", "tiles"),
    "player": ("outlines", "player_line"),
    "scatter": (),
    "ticket": (),
    "timeline": (),
    "viewer": ("outlines",),
}
PLAYER_SCRIPTS = ("base", *COMPONENTS["player"], "player")
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
const load = (text, turn) =>
  ends[text] = mount({ parentElement: here, data: { text, turn } }, Kind);
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


def test_the_scripts_of_every_component_can_be_loaded(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripts: dict[str, str] = {}

    def register(name: str, **parts: str) -> None:
        scripts[name] = parts["js"]

    v2 = SimpleNamespace(component=register)
    monkeypatch.setattr(components.st, "components", SimpleNamespace(v2=v2))
    for name, before in COMPONENTS.items():
        components.mounted.__wrapped__(name, *before)
    assert len(scripts) == len(COMPONENTS)
    files = {path.name for path in resources.files(components).iterdir()}
    used = {"base", *COMPONENTS, *(part for parts in COMPONENTS.values() for part in parts)}
    assert {f"{name}.js" for name in used} == {name for name in files if name.endswith(".js")}
    for name, script in scripts.items():
        kind = page.evaluate(
            """async (script) => {
              const place = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
              return typeof (await import(place)).default;
            }""",
            script,
        )
        assert kind == "function", name


PLAYER = """
<div id=here><div class=fk-root></div></div>
<script type=module>
SCRIPT
const film = (moment, at, name) => ({
  id: moment, film: "f", moment, at, name, path: "", previous: null, next: null, place: "",
  size: [160, 90], duration: 20, format: "gif", scored: [], objects: [], chosen: null, base: "",
});
const here = document.getElementById("here");
const player = new Player(here);
const update = (moment, at, name) =>
  player.update({ data: film(moment, at, name), setTriggerValue: (...sent) => asked.push(sent) });
const asked = [];
Object.assign(window, { player, update });
</script>
"""


def test_a_page_that_knows_nothing_of_a_step_does_not_take_the_player_back(page: Page) -> None:
    folder = resources.files(components)
    parts = [(folder / f"{part}.js").read_text("utf-8") for part in PLAYER_SCRIPTS]
    script = "\n".join(parts).replace("export default", "const made =")
    # Of a film that cannot be sought the player shows pictures: nothing has to be played here.
    page.route("**/*", lambda route: route.fulfill(status=404))
    page.set_content(PLAYER.replace("SCRIPT", script))
    stepped = page.evaluate(
        """() => {
          update("a", 1, "first");
          player.moment = "b"; player.time = 7;   // the user has stepped on
          update("a", 1, "of the same moment");   // a page that was made before the step
          const kept = [player.moment, player.time];
          update("c", 12, "elsewhere");
          return [kept, [player.moment, player.time]];
        }"""
    )
    assert stepped == [["b", 7], ["c", 12]]
