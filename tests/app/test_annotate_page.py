"""The annotation page's logic: which photo it shows, and in which order it goes through photos."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import framekeep
from framekeep.app import asgi, state
from framekeep.app.views.annotate import _ORDER
from framekeep.geometry import box_mask

DEMO = sorted(Path(str(resources.files("framekeep") / "data" / "demo")).glob("*.jpg"))[:4]


@pytest.fixture
def library(tmp_path: Path) -> Iterator[framekeep.Library]:
    """Four photos; the app's parts run on them."""
    with framekeep.open(tmp_path / "library", encoder="starter") as made:
        list(made.add(*DEMO))
    yield state.start(tmp_path / "library").library
    state.stop()


def opened(**params: str) -> AppTest:
    test = AppTest.from_file(str(asgi.SCRIPT), default_timeout=60)
    test.switch_page("app_pages/annotate.py")
    for name, value in params.items():
        test.query_params[name] = value
    test.run()
    assert not test.exception
    return test


def said(test: AppTest) -> str:
    kinds = (test.markdown, test.error, test.info, test.success)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def test_the_first_photo_that_wants_labels(library: framekeep.Library) -> None:
    test = opened()
    assert test.query_params["open"] == library.next_unlabelled()
    for path in DEMO:
        library.label(path, "seen")
    assert "Every photo has its labels" in said(opened())


def test_a_photo_that_is_gone(library: framekeep.Library) -> None:
    test = opened(open="0" * 64)
    assert "no longer in the library" in said(test)
    test.button(key="annotate_back").click().run()
    assert not test.exception


def test_the_order_is_that_of_the_search_and_stays_while_labels_change(
    library: framekeep.Library,
) -> None:
    newest = [hit.media_id for hit in library.search(limit=10)]
    test = opened(open=newest[1], where="not tag:done")
    assert test.session_state[_ORDER][1] == newest
    library.tag(newest[0], add="done")
    test.run()
    assert test.session_state[_ORDER][1] == newest
    assert opened(open=newest[1], where="not tag:done").session_state[_ORDER][1] == newest[1:]


def test_the_order_of_the_review(library: framekeep.Library) -> None:
    for path, x in ((DEMO[2], 0), (DEMO[0], 50)):
        size_wh = library.hits([library.media_id(path)])[0].media.size_wh
        mask = box_mask((x, 0, x + 20, 20), size_wh)
        library.draw(path, mask)
    queue = [segment.media_id for segment in library.review()]
    test = opened(open=queue[1], **{"from": "review"})
    assert test.session_state[_ORDER][1] == queue
    assert len(queue) == 2


def test_an_empty_library_says_what_to_do(tmp_path: Path) -> None:
    state.start(tmp_path / "empty")
    try:
        assert "Nothing here yet" in said(opened())
    finally:
        state.stop()
