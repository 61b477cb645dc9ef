"""The logic of the pages of objects and datasets, run by Streamlit's own tester."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

import framekeep
from framekeep.app import state
from framekeep.app.components.gallery import GalleryEdit, sent_edits
from framekeep.app.views.classes import class_line
from framekeep.app.views.dataset_list import list_exports
from framekeep.app.views.dataset_report import class_rows, left_out_rows
from framekeep.app.views.work import ended_text, progress_text
from framekeep.export.reports import ExportReport, LeftOut
from framekeep.library import Library
from framekeep.object_types import LabelClass, Segment
from framekeep.testing import GridSegmenter
from tests.app.test_pages import DEMO, empty, opened, said

__all__ = ["empty"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of eight demo photos with two objects each."""
    folder = tmp_path_factory.mktemp("object-pages") / "library"
    with framekeep.open(folder, encoder="starter") as library:
        list(library.add(*DEMO))
        assert list(library.segment(segmenter=GridSegmenter(2, 1)))[-1].counts.failed == 0
    return folder


@pytest.fixture
def library(made: Path, tmp_path: Path) -> Iterator[Library]:
    copy = Path(shutil.copytree(made, tmp_path / "library"))
    yield state.start(copy).library
    state.stop()


def found(library: Library, where: str | None = None) -> list[Segment]:
    hits = library.search(where=where, of="objects", limit=100)
    return [hit.segment for hit in hits if hit.segment]


def press(test: AppTest, label: str) -> AppTest:
    (button,) = [button for button in test.button if button.label == label]
    return button.click().run()


def until_idle() -> None:
    deadline = time.monotonic() + 60
    while state.context().jobs.current() is not None:
        assert time.monotonic() < deadline
        time.sleep(0.05)


# Searching


def test_objects_are_searched_for_by_the_address(library: Library) -> None:
    test = opened(of="objects")
    assert "**16 objects**, newest first" in said(test)
    test.text_input(key="box").set_value("a cat").run()
    assert test.query_params["of"] == "objects"
    assert "**16 objects**, best first" in said(test)
    test = opened(of="both", q="a cat")
    assert "**8 photos and 16 objects**, best first" in said(test)
    assert "**8 photos**, newest first" in said(opened())


def test_a_search_of_objects_can_become_a_dataset(library: Library) -> None:
    test = opened(q="a cat", of="objects", where="name:demo-0*")
    press(test, "Dataset")
    assert test.title[0].value == "Export a dataset"
    assert test.query_params["q"] == "a cat"
    assert test.text_input(key="ds_where").value == "name:demo-0*"


def test_without_objects_the_way_to_them_is_shown(library: Library) -> None:
    library.reject([segment.segment_id for segment in found(library)])
    assert "No objects have been found" in said(opened(of="objects"))
    assert "There are no objects to export yet" in said(opened("datasets"))


def test_more_objects_like_one_and_those_that_show_the_same(library: Library) -> None:
    segment = found(library)[0]
    test = opened(like=f"segment:{segment.segment_id}", of="objects")
    assert "best first" in said(test)
    test = opened(copies=segment.segment_id)
    assert "other object" in said(test)
    assert "no longer in the library" in said(opened(copies="0" * 32))


def test_a_photo_tells_its_objects(library: Library) -> None:
    segment = found(library)[0]
    test = opened(open=segment.media_id, object=segment.segment_id)
    assert "Objects" in [subheader.value for subheader in test.subheader]
    assert "**2 objects** in this photo" in said(test)


def test_a_photo_tells_its_own_label_and_who_set_it(library: Library) -> None:
    hit = library.search(limit=1)[0]
    library.label(hit, "holiday <b>", author="Ann")
    library.set_attribute(hit, "weather", "rain", author="Bob")
    test = opened(open=hit.media_id)
    text = "".join(str(element.proto.body) for element in test.get("html"))
    assert "holiday &lt;b&gt; (Ann, " in text
    assert "<dt>weather</dt><dd>rain (Bob, " in text


def test_the_best_of_objects_that_show_the_same_is_kept(library: Library, tmp_path: Path) -> None:
    with Image.open(DEMO[1]) as image:
        image.resize((image.width * 2, image.height * 2)).save(tmp_path / "again.png")
    list(library.add(tmp_path / "again.png"))
    list(library.segment(segmenter=GridSegmenter(2, 1)))
    test = opened("library", view="duplicates")
    (kind,) = [choice for choice in test.segmented_control if choice.key == "dup_kind"]
    kind.set_value("objects").run()
    assert "beside the best" in said(test)
    press(test, "Keep the best of all")
    groups = library.duplicates("semantic", of="objects")
    beside = {some for group in groups for some in group.media_ids[1:]}
    assert {segment.segment_id for segment in found(library, "otag:duplicate")} == beside
    assert beside
    test.run()
    assert "No duplicates of this kind" in str(test.success[0].value)


# The Objects page


def test_the_page_counts_objects_and_orders_a_search_for_them(library: Library) -> None:
    test = opened("objects")
    counts = {metric.label: metric.value for metric in test.metric}
    assert counts == {
        "Objects": "16",
        "Photos with objects": "8 of 8",
        "Labelled": "16",
        "Accepted": "0",
        "Rejected": "0",
    }
    test.text_input(key="segment_where").set_value("name:demo-01.jpg")
    test.checkbox(key="segment_again").check()
    test.button(key="segment_go").click().run()
    (job,) = state.context().jobs.states()
    assert (job.kind, job.title) == ("segment", "Drafting the main object of each photo")
    until_idle()
    (job,) = state.context().jobs.states()
    assert (job.status, job.counts.indexed, job.counts.found) == ("done", 1, 1)
    assert ended_text(job) == "1 segmented"
    assert len({segment.segmenter_id for segment in found(library)}) == 2


def test_a_filter_that_cannot_be_read_orders_nothing(library: Library) -> None:
    test = opened("objects")
    test.text_input(key="segment_where").set_value("colour:red")
    test.button(key="segment_go").click().run()
    assert "There is no field colour" in said(test)
    assert state.context().jobs.states() == []


def test_starter_is_called_a_draft_of_the_main_object(library: Library) -> None:
    test = opened("objects")
    text = test.radio(key="segmenter").proto.captions
    assert any("A draft of the main object" in caption for caption in text)


def test_an_empty_library_says_what_to_do(empty: Path) -> None:
    for page in ("objects", "datasets"):
        assert "Nothing here yet" in said(opened(page))


def test_the_review_keeps_its_batch_until_the_next_is_asked_for(library: Library) -> None:
    test = opened("objects", view="review")
    assert "**16 of 16 left** in this batch" in said(test)
    ids = [segment.segment_id for segment in library.review()]
    library.accept(ids[:3])
    library.reject(ids[3:5])
    test.run()
    assert "**11 of 16 left** in this batch" in said(test)
    press(test, "Next batch")
    assert "**11 of 11 left** in this batch" in said(test)
    library.accept(ids[5:])
    test.run()
    assert test.success[0].value == "The whole batch is judged."
    press(test, "Go on")
    assert test.success[0].value == "Nothing is left to look over."


def test_problems_of_segmenting_are_told_and_tried_again(library: Library, tmp_path: Path) -> None:
    assert "No problems" in str(opened("objects", view="problems").success[0].value)
    gone = tmp_path / "gone.jpg"
    shutil.copy(DEMO[0].with_name("demo-20.jpg"), gone)
    list(library.add(gone))
    gone.unlink()
    list(library.segment(segmenter="starter"))
    test = opened("objects", view="problems")
    assert "**1 photo** could not be segmented" in said(test)
    press(test, "Try again")
    assert [job.kind for job in state.context().jobs.states()] == ["segment"]


def test_a_class_is_added_and_its_dialog_offers_the_others(library: Library) -> None:
    ids = [segment.segment_id for segment in found(library)]
    library.label(ids[:2], "dog")
    library.label(ids[2], "puppy")
    test = opened("objects", view="classes")
    test.text_input(key="class_new").set_value("<b>cat</b>")
    press(test, "Add the class")
    known = {each.name: each for each in library.classes()}
    assert set(known) == {"dog", "puppy", "<b>cat</b>"}
    test.button(key=f"class_edit_{known['puppy'].class_id}").click().run()
    assert test.selectbox(key="class_into").options == ["<b>cat</b>", "dog"]
    assert test.text_input(key="class_name").value == "puppy"
    assert test.color_picker(key="class_colour").value == known["puppy"].colour
    test.button(key="undo_go").click().run()
    assert {each.name for each in library.classes()} == {"dog", "puppy"}


def test_an_unused_class_alone_can_be_dropped(library: Library) -> None:
    library.label(found(library)[0].segment_id, "dog")
    used, unused = library.classes()[0], library.add_class("unused")
    test = opened("objects", view="classes")
    test.button(key=f"class_edit_{used.class_id}").click().run()
    assert "class_drop" not in [button.key for button in test.button]
    test = opened("objects", view="classes")
    test.button(key=f"class_edit_{unused.class_id}").click().run()
    assert "class_drop" in [button.key for button in test.button]


def test_an_undo_takes_back_only_what_was_done_last(library: Library) -> None:
    ids = [segment.segment_id for segment in found(library)]
    test = opened("objects", view="classes")
    test.text_input(key="class_new").set_value("cat")
    press(test, "Add the class")
    # A click is not lost where the library has changed since the page was shown.
    library.label(ids[0], "somebody's")
    test.button(key="undo_go").click().run()
    assert "Something else was edited since" in test.toast[0].value
    assert {each.name for each in library.classes()} == {"cat", "somebody's"}
    assert "undo_go" not in [button.key for button in test.button]


def test_a_class_is_html_whatever_its_name() -> None:
    line = class_line(LabelClass(1, 'a"><script>', "#ff0000", 1, 2))
    assert "<script>" not in line
    assert "1 object · 2 photos" in line
    assert "of=objects" in line


def test_statistics_count_objects_and_labels(library: Library) -> None:
    library.label(found(library)[0].segment_id, "dog")
    counts = {metric.label: metric.value for metric in opened("statistics").metric}
    assert (counts["Objects"], counts["Labelled objects"], counts["Classes"]) == ("16", "16", "1")


# Datasets


def test_a_preview_counts_and_writes_nothing(library: Library) -> None:
    library.label([segment.segment_id for segment in found(library)[:4]], "dog")
    test = opened("datasets")
    assert "8 photos match." in said(test)
    test.selectbox(key="ds_split").set_value("60/20/20").run()
    test.multiselect(key="ds_classes").set_value(["dog"]).run()
    test.button(key="ds_look").click().run()
    assert "**4 objects** in 1 class" in said(test)
    assert not (library.path / "exports").exists()
    kept = test.session_state["ds_preview"]
    assert len(kept[2]) == len(kept[1].samples) > 0
    assert all(state.context().parts.samples.get(sample) for sample in kept[2])
    test.selectbox(key="ds_labels").set_value("person").run()
    assert "The preview shows the counts" in said(test)  # it was of something else


def test_an_export_is_ordered_with_everything_that_was_chosen(library: Library) -> None:
    test = opened("datasets")
    test.selectbox(key="ds_format").set_value("yolo").run()
    assert "reference" not in test.selectbox(key="ds_images_yolo").options
    test.selectbox(key="ds_task").set_value("detect").run()
    test.selectbox(key="ds_split").set_value("own").run()
    test.text_input(key="ds_split_own").set_value("50/50").run()
    test.number_input(key="ds_seed").set_value(7).run()
    test.text_input(key="ds_out_yolo").set_value("mine").run()
    test.button(key="ds_go").click().run()
    until_idle()
    (job,) = state.context().jobs.states()
    assert job.status == "done", job.message
    manifest = json.loads((library.path / "exports" / "mine" / "manifest.json").read_text("utf-8"))
    options = manifest["options"]
    assert (options["format"], options["task"], options["split"], options["seed"]) == (
        "yolo",
        "detect",
        "50/50",
        7,
    )
    test.run()
    assert "holds a former export" in said(test)
    assert "ds_go" not in [button.key for button in test.button]
    test.checkbox(key="ds_overwrite").check().run()
    assert "ds_go" in [button.key for button in test.button]


def test_what_a_dataset_says_of_itself_is_asked_for(library: Library) -> None:
    test = opened("datasets")
    test.text_input(key="ds_licence").set_value("CC0").run()
    test.text_input(key="ds_licence_url").set_value("cc0.html").run()
    assert "A licence's address begins with" in said(test)
    assert "ds_go" not in [button.key for button in test.button]
    test.text_input(key="ds_licence_url").set_value("https://example.org/cc0").run()
    test.text_input(key="ds_contributor").set_value("Ann").run()
    test.text_input(key="ds_out_coco").set_value("told").run()
    test.button(key="ds_go").click().run()
    until_idle()
    document = json.loads(
        (library.path / "exports" / "told" / "annotations.json").read_text("utf-8")
    )
    assert document["licenses"][0]["name"] == "CC0"
    assert document["info"]["contributor"] == "Ann"


def test_the_best_of_a_search_and_no_more_go_in(library: Library) -> None:
    test = opened("datasets", q="a cat", of="objects")
    test.number_input(key="ds_limit").set_value(1).run()
    test.button(key="ds_look").click().run()
    assert "**1 photo** with **2 objects**" in said(test)
    (search,) = [button for button in test.button if "a cat" in button.label]
    search.click().run()
    assert "q" not in test.query_params
    assert "8 photos match." in said(test)


@pytest.mark.parametrize(
    "named", ["/etc/set", "../set", "{library}/chroma", "{library}", "{library}/../photos"]
)
def test_a_dataset_goes_nowhere_else(
    named: str, library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "dear.jpg").touch()
    monkeypatch.setenv("FRAMEKEEP_APP_ROOTS", str(tmp_path))
    state.stop()
    state.start(library.path)
    test = opened("datasets")
    test.text_input(key="ds_out_coco").set_value(named.format(library=library.path)).run()
    assert len(test.error) == 1
    assert "ds_go" not in [button.key for button in test.button]
    assert (tmp_path / "photos" / "dear.jpg").exists()


def test_former_exports_are_listed_wherever_they_lie(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "home" / "sets"
    monkeypatch.setenv("FRAMEKEEP_APP_ROOTS", str(tmp_path / "home"))
    state.stop()
    library = state.start(library.path).library
    assert "No dataset has been exported yet" in said(opened("datasets", view="former"))
    test = opened("datasets")
    test.text_input(key="ds_out_coco").set_value(str(elsewhere / "dogs")).run()
    test.button(key="ds_go").click().run()
    until_idle()
    list(library.export("csv", library.path / "exports" / "table"))
    (library.path / "exports" / "broken").mkdir()
    for name in ("manifest.json", "report.json"):
        (library.path / "exports" / "broken" / name).write_text("{", encoding="utf-8")
    former = list_exports(state.context())
    assert {each.folder.name for each in former} == {"dogs", "table"}
    test = opened("datasets", view="former")
    assert "COCO · 8 photos, 16 objects" in said(test)
    again = next(n for n, each in enumerate(former) if each.folder.name == "dogs")
    test.button(key=f"again_{again}").click().run()
    until_idle()
    first, second = elsewhere / "dogs", elsewhere / "dogs-again-1"
    for path in first.rglob("*.*"):
        assert path.read_bytes() == (second / path.relative_to(first)).read_bytes()
    assert len(list_exports(state.context())) == 3


def test_an_import_names_an_allowed_folder_and_its_form(library: Library) -> None:
    list(library.export("coco", library.path / "exports" / "mine"))
    test = opened("datasets", view="import")
    test.text_input(key="import_path").set_value("/etc")
    press(test, "Import")
    assert "lies outside" in said(test)
    test.text_input(key="import_path").set_value(str(library.path / "exports" / "mine"))
    press(test, "Import")
    until_idle()
    (job,) = state.context().jobs.states()
    assert job.status == "done", job.message
    assert "16 were there already" in str(job.message)
    assert progress_text(job) == "8 of 8 photos"


def test_a_report_as_rows() -> None:
    report = ExportReport(
        "coco",
        ("dog", "cat"),
        ("train", "val"),
        {"train": 3, "val": 1},
        {"dog": {"train": 2, "val": 0}, "cat": {"train": 1, "val": 1}},
        left_out=(LeftOut("object", "It has no label.", 2, ("a.jpg", "b.jpg")),),
    )
    assert class_rows(report) == [
        {"Class": "dog", "train": "2", "val": "0"},
        {"Class": "cat", "train": "1", "val": "1"},
    ]
    assert left_out_rows(report) == [
        {"What": "2 objects", "Why": "It has no label.", "Such as": "a.jpg\nb.jpg"}
    ]


def test_quick_edits_come_once_and_in_order() -> None:
    sent = {
        "edits": [
            {"number": 9, "what": "class", "ids": ["b"], "value": "dog"},
            {"number": 7, "what": "accept", "ids": ["a"], "value": ""},
            {"number": 8, "what": "drop everything", "ids": ["a"], "value": ""},
            {"number": 5, "what": "reject", "ids": ["a"], "value": ""},
        ]
    }
    assert sent_edits(sent, 5) == [
        GalleryEdit(7, "accept", ("a",)),
        GalleryEdit(9, "class", ("b",), "dog"),
    ]
    assert sent_edits(None, 0) == []
    assert sent_edits({}, 0) == []


def sends_edits() -> None:
    import streamlit as st

    from framekeep.app.views.desk import desk, handle_quick_edits

    st.session_state["gallery"] = {"edits": st.session_state["sent"]}
    handle_quick_edits("gallery")
    st.write(desk().handled, desk().failed or "", desk().undoable)


def test_each_quick_edit_is_made_once_whatever_becomes_of_the_others(library: Library) -> None:
    ids = [segment.segment_id for segment in found(library)]
    sent = [
        {"number": 1, "what": "accept", "ids": ids[:2], "value": ""},
        {"number": 2, "what": "class", "ids": ["0" * 32], "value": "dog"},
        {"number": 3, "what": "class", "ids": ids[4:5], "value": "cat"},
        {"number": 4, "what": "reject", "ids": ids[5:6], "value": ""},
        {"number": 5, "what": "undo", "ids": [], "value": ""},
    ]
    test = AppTest.from_function(sends_edits, default_timeout=60)
    for until in (2, 4, 5, 5):
        test.session_state["sent"] = sent[:until]
        test.run()
        assert not test.exception
    assert test.session_state["desk"].handled == {"gallery": 5}
    assert "There is no object" in test.session_state["desk"].failed
    assert test.session_state["desk"].undoable is None
    assert test.session_state["gallery_mark"] == 1  # two at once were judged: they are let go
    assert len(found(library, "state:accepted")) == 2
    assert [segment.segment_id for segment in found(library, "label:cat")] == ids[4:5]
    assert found(library, "state:rejected") == []
    assert [change.what for change in library.changes() if not change.undone] == [
        "Labelled 1 object as cat",
        "Accepted 2 objects",
    ]
