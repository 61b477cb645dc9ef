"""Each page's logic, run by Streamlit's own tester, against a real library."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import framekeep
from framekeep.app import asgi, state
from framekeep.errors import StoreError
from framekeep.library import Library

DEMO = sorted(Path(str(resources.files("framekeep") / "data" / "demo")).glob("*.jpg"))[:8]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of eight demo photos and a broken one."""
    folder = tmp_path_factory.mktemp("pages")
    (folder / "photos").mkdir()
    for path in DEMO:
        shutil.copy(path, folder / "photos")
    (folder / "photos" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 broken")
    with framekeep.open(folder / "library", encoder="starter") as library:
        list(library.add(folder / "photos"))
    return folder / "library"


@pytest.fixture
def library(made: Path, tmp_path: Path) -> Iterator[Path]:
    """The library with the app's parts running on a copy of it."""
    copy = Path(shutil.copytree(made, tmp_path / "library"))
    state.start(copy)
    yield copy
    state.stop()


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Path]:
    state.start(tmp_path / "empty")
    yield tmp_path / "empty"
    state.stop()


def opened(page: str = "", **params: str) -> AppTest:
    test = AppTest.from_file(str(asgi.SCRIPT), default_timeout=60)
    if page:
        test.switch_page(f"app_pages/{page}.py")
    for name, value in params.items():
        test.query_params[name] = value
    test.run()
    assert not test.exception
    return test


def said(test: AppTest) -> str:
    """All that stands on the page as text."""
    kinds = (test.markdown, test.error, test.info, test.success, test.caption, test.title)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def test_search_puts_the_words_into_the_address_and_history(library: Path) -> None:
    test = opened()
    assert "**8 photos**, newest first" in said(test)
    test.text_input(key="box").set_value("a cat").run()
    assert test.query_params["q"] == "a cat"
    assert "best first" in said(test)
    assert [s.query for s in state.context().library.recent_searches()] == ["q=a+cat"]
    assert len(state.context().latencies_s) == 1
    test.text_input(key="box").set_value("").run()
    assert "q" not in test.query_params
    assert "newest first" in said(test)


def test_an_address_fills_the_box_and_the_chips(library: Path) -> None:
    test = opened(q="a dog", **{"not": "a cat"}, where="orientation:landscape")
    assert test.text_input(key="box").value == "a dog"
    labels = [button.label for button in test.button]
    assert any("a cat" in label for label in labels)
    test.button(key="where_chip").click().run()
    assert "where" not in test.query_params
    assert test.query_params["q"] == "a dog"


def test_a_filter_that_cannot_be_read_is_told(library: Path) -> None:
    test = opened(where="colour:red")
    assert "There is no field colour" in said(test)


def test_no_result_offers_the_way_out(library: Path) -> None:
    test = opened(where="taken<1900")
    assert "No photo matches" in said(test)
    (way_out,) = [b for b in test.button if b.label == "Search without filters"]
    way_out.click().run()
    assert "**8 photos**" in said(test)


def test_an_empty_library_says_what_to_do(empty: Path) -> None:
    assert "Nothing here yet" in said(opened())
    assert "Nothing here yet" in said(opened("library"))
    assert "Nothing here yet" in said(opened("statistics"))


def test_a_failing_search_is_a_sentence_and_the_next_one_works(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = opened()

    def fails(*_: object, **__: object) -> None:
        raise StoreError("The index is *busy*; try <b>again</b>.")

    with monkeypatch.context() as patch:
        patch.setattr(Library, "search", fails)
        test.text_input(key="box").set_value("a cat").run()
        assert not test.exception
        assert "The index is \\*busy\\*; try \\<b\\>again\\</b\\>" in said(test)
    test.text_input(key="box").set_value("a dog").run()
    assert "best first" in said(test)


def test_a_photo_is_shown_with_what_is_known_of_it(library: Path) -> None:
    hit = state.context().library.search(limit=1)[0]
    test = opened(open=hit.media_id)
    assert [s.value for s in test.subheader] == [
        "About this photo",
        "Tags",
        "Where it lies",
        "Similar photos",
    ]
    assert test.code[0].value == str(hit.path)
    (field,) = [field for field in test.text_input if field.label == "Add tags"]
    field.set_value("one, two")
    (add,) = [button for button in test.button if button.label == "Add"]
    add.click().run()
    assert state.context().library.tags() == {"one": 1, "two": 1}
    test.button(key="untag_one").click().run()
    assert state.context().library.tags() == {"two": 1}


def test_an_unknown_photo_is_told(library: Path) -> None:
    test = opened(open="0" * 64)
    assert "no longer in the library" in said(test)
    test.button(key="detail_back").click().run()
    assert "open" not in test.query_params


def test_the_add_page_takes_allowed_folders_only(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    monkeypatch.setenv("FRAMEKEEP_APP_ROOTS", str(allowed))
    state.stop()
    state.start(library)
    test = opened("add")
    (button,) = [button for button in test.button if button.label == "Add the folder"]
    test.text_input(key="folder_path").set_value("/etc")
    button.click().run()
    assert "lies outside" in said(test)
    assert state.context().jobs.states() == []
    test.text_input(key="folder_path").set_value(str(allowed))
    (button,) = [button for button in test.button if button.label == "Add the folder"]
    button.click().run()
    assert [job.title for job in state.context().jobs.states()] == [f"Adding {allowed}"]


def test_the_library_tells_its_problems_and_tries_again(library: Path) -> None:
    test = opened("library", view="problems")
    assert "**1 problem**: 1 cannot be read" in said(test)
    (again,) = [button for button in test.button if button.label == "Try again"]
    again.click().run()
    assert [job.title for job in state.context().jobs.states()] == ["Trying the failed files again"]


def test_statistics_tell_the_numbers(library: Path) -> None:
    test = opened("statistics")
    assert {metric.label: metric.value for metric in test.metric}["Photos"] == "8"
    assert {metric.label: metric.value for metric in test.metric}["Problems"] == "1"
    assert {metric.label: metric.value for metric in test.metric}["Dimensions"] == "384"
    assert "No search has been made" in said(test)


def test_clearing_asks_for_the_words(library: Path) -> None:
    test = opened("settings")
    (clear,) = [button for button in test.button if button.label == "Clear the library"]
    clear.click().run()
    assert "This forgets 8 photos" in said(test)
    assert test.text_input(key="clear_typed").label == "Type “clear the library” to go on"
    assert state.context().library.count() == 8


def test_settings_tell_every_encoder(library: Path) -> None:
    text = said(opened("settings"))
    for name in ("starter", "clip\\-vit\\-b\\-32", "clip\\-vit\\-l\\-14"):
        assert name in text
    assert "not on this machine yet" in text


def test_settings_tell_every_segmenter_below_the_encoders(library: Path) -> None:
    test = opened("settings")
    text = said(test).replace("\\", "")
    encoders, segmenters = text.split("They find the objects")
    for name in ("sam2.1-tiny", "sam2.1-large", "sam-vit-h"):
        assert f"**{name}** · " in segmenters
        assert f"**{name}** · " not in encoders
    assert "**starter** · 12.3 MB · on this machine" in segmenters
    assert "not on this machine yet" in segmenters
    keys = [button.key for button in test.button]
    assert "pull_sam2.1-tiny" in keys
    assert "use_sam2.1-tiny" not in keys
    assert "pull_starter" not in keys


def test_the_sidebar_always_tells_photos_dimensions_and_mode(library: Path) -> None:
    for page in ("", "add", "library", "statistics", "settings"):
        text = said(opened(page))
        assert "**8** photos · **384** dimensions" in text
        assert "Mode: starter" in text
