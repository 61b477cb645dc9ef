"""Edits of media and objects: what they do, and that undoing them leaves no trace."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from framekeep.errors import InputError, NotFoundError
from framekeep.object_types import Annotation
from framekeep.store import journal
from framekeep.store.catalog import Catalog
from framekeep.store.segment_rows import NewSegment
from tests.helpers.catalog import DATABASES, catalog_on, fill, media_ids, unit
from tests.helpers.segments import OBJECT_SPACE, boxed, dump, row_of_boxes

A, B, C = media_ids(3)
ME = "me"


@pytest.fixture(params=DATABASES)
def catalog(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Catalog]:
    opened = catalog_on(request.param, tmp_path)
    fill(opened, [A, B, C])
    yield opened
    opened.close()


@pytest.fixture
def ids(catalog: Catalog) -> list[str]:
    """Three objects that a model calls dog."""
    return catalog.put_segments(A, "cutter@1", row_of_boxes(3, "dog"))


def label_of(catalog: Catalog, segment_id: str) -> tuple[str | None, str | None, float | None]:
    found = catalog.segments([segment_id])[segment_id]
    return found.label, found.label_source, found.label_score


def said(catalog: Catalog, target: str) -> list[tuple[str, str, str, str, str]]:
    found = catalog.annotations(target)
    return [(each.kind, each.key, each.value, each.source, each.author) for each in found]


def classes(catalog: Catalog) -> dict[str, tuple[int, int]]:
    return {each.name: (each.segments, each.media) for each in catalog.classes()}


def test_a_label_of_ones_own_hides_the_models_until_it_is_taken_away(
    catalog: Catalog, ids: list[str]
) -> None:
    catalog.put_segments(B, "cutter@1", [boxed((0, 0, 9, 9), 0.9, "cat", 0.75)])
    (cat,) = (each.segment_id for each in catalog.segments_of([B])[B])
    assert label_of(catalog, cat) == ("cat", "model", 0.75)
    assert said(catalog, cat) == [("label", "", "cat", "model", "cutter@1")]
    change = catalog.set_label([cat, C], "Löwe", author=ME)
    assert change is not None
    assert change.what == "Labelled 1 photo and 1 object as Löwe"
    assert label_of(catalog, cat) == ("Löwe", "person", None)
    assert said(catalog, cat) == said(catalog, C) == [("label", "", "Löwe", "person", ME)]
    assert classes(catalog) == {"Löwe": (1, 1)}
    (one,) = catalog.annotations(C)
    assert one == Annotation("media", C, "label", "", "Löwe", "person", ME, change.changed_at)
    now = catalog.segments([cat])[cat]
    assert (now.changed_at, now.changed_by) == (change.changed_at, ME)
    catalog.set_label([cat, C], None, author=ME)
    assert label_of(catalog, cat) == ("cat", "model", 0.75)
    assert said(catalog, C) == []


def test_labels_that_differ_in_case_are_one_class(catalog: Catalog, ids: list[str]) -> None:
    catalog.set_label(ids[:1], "ÄPFEL", author=ME)
    catalog.set_label(ids[1:], "äpfel", author=ME)
    assert classes(catalog) == {"ÄPFEL": (3, 0)}
    catalog.set_label([C], " DOG ", author=ME)
    assert classes(catalog) == {"dog": (0, 1), "ÄPFEL": (3, 0)}, "the model's spelling was first"


def test_a_model_labels_only_what_nobody_else_has(catalog: Catalog, ids: list[str]) -> None:
    by_person, by_model, by_import = ids
    catalog.set_label([by_person], "cat", author=ME)
    catalog.set_label([by_import], "cow", author="set", source="import")
    catalog.set_label([*ids, C], "horse", author="namer@1", source="model")
    assert [label_of(catalog, i)[:2] for i in ids] == [
        ("cat", "person"), ("horse", "model"), ("cow", "import"),
    ]  # fmt: skip
    catalog.set_label(ids, None, author="namer@1", source="model")
    assert [label_of(catalog, i)[0] for i in ids] == ["cat", "dog", "cow"]
    assert by_model in catalog.put_segments(A, "cutter@1", row_of_boxes(3, "dog"))


def test_who_accepts_an_object_accepts_its_label(catalog: Catalog, ids: list[str]) -> None:
    catalog.set_state(ids[:2], "accepted", author=ME)
    assert label_of(catalog, ids[0]) == ("dog", "person", None)
    assert said(catalog, ids[0]) == [("label", "", "dog", "person", ME)]
    assert classes(catalog) == {"dog": (2, 0)}
    catalog.set_state(ids[:2], "open", author=ME)
    assert label_of(catalog, ids[0]) == ("dog", "person", None)
    catalog.undo()
    change = catalog.undo()
    assert change is not None
    assert change.what == "Accepted 2 objects"
    assert label_of(catalog, ids[0]) == ("dog", "model", None)
    assert classes(catalog) == {}
    plain = catalog.put_segments(B, "cutter@1", row_of_boxes(1))
    catalog.set_state(plain, "accepted", author=ME)
    assert said(catalog, plain[0]) == []


def test_masks_are_drawn_and_corrected(catalog: Catalog, ids: list[str]) -> None:
    drawn = catalog.add_segment(B, boxed((5, 5, 10, 10), 1.0, "new"), author=ME)
    found = catalog.segments([drawn])[drawn]
    assert (found.mask_source, found.segmenter_id, found.label_source) == ("person",) * 3
    assert (found.changed_by, found.version, found.state) == (ME, 1, "open")
    before = catalog.segments(ids)[ids[0]]
    catalog.objects.put_vectors(OBJECT_SPACE, ids, unit(3))
    catalog.set_mask(ids[0], boxed((7, 7, 30, 30)), author=ME)
    after = catalog.segments(ids)[ids[0]]
    assert (after.mask, after.bbox_xyxy, after.area_px) == (
        boxed((7, 7, 30, 30)).mask, (7, 7, 30, 30), 23 * 23,
    )  # fmt: skip
    assert (after.version, after.mask_source, after.changed_by) == (2, "person", ME)
    assert (after.label, after.score, after.segmenter_id) == ("dog", before.score, "cutter@1")
    assert catalog.objects.have_vectors(OBJECT_SPACE, ids) == set(ids[1:])
    assert catalog.set_mask(ids[0], boxed((7, 7, 30, 30)), author=ME) is None
    change = catalog.undo()
    assert change is not None
    assert catalog.masks_of_change(change.change_id) == [ids[0]]
    assert catalog.segments(ids)[ids[0]] == before
    with pytest.raises(InputError, match="whole picture"):
        catalog.set_mask(ids[0], boxed((0, 0, 5, 5), size_wh=(64, 48)), author=ME)
    with pytest.raises(InputError, match="whole picture"):
        catalog.add_segment(B, boxed((0, 0, 5, 5), size_wh=(64, 48)), author=ME)


def test_many_objects_come_in_as_one_change(catalog: Catalog) -> None:
    items = [
        NewSegment(A, boxed((0, 0, 9, 9), 1.0, "dog"), (("pose", "left"), ("crowd", "no"))),
        NewSegment(B, boxed((0, 0, 9, 9), 1.0, "Dog")),
        NewSegment(B, boxed((20, 0, 29, 9), 1.0)),
    ]
    before = dump(catalog)
    ids = catalog.add_segments(items, "import@1", author="coco", source="import")
    found = catalog.segments(ids)
    assert [found[i].media_id for i in ids] == [A, B, B]
    assert [found[i].label for i in ids] == ["Dog", "Dog", None]
    assert found[ids[0]].attributes == (("crowd", "no"), ("pose", "left"))
    assert {found[i].mask_source for i in ids} == {"import"}
    assert [change.what for change in catalog.changes()] == ["Imported 3 objects"]
    catalog.undo()
    assert dump(catalog) == before
    (own,) = catalog.add_segments(items[:1], "namer@1", author=ME, source="model")
    assert label_of(catalog, own) == ("dog", "model", None)
    assert catalog.classes() == []


def test_tags_attributes_and_notes(catalog: Catalog, ids: list[str]) -> None:
    catalog.edit_tags(ids, ["best", "Best", "sea"], author=ME)
    catalog.edit_tags(ids[:1], ["BEST", "x"], ["SEA", "none"], author=ME)
    assert catalog.segments(ids)[ids[0]].tags == ("Best", "x")
    assert catalog.segments(ids)[ids[1]].tags == ("Best", "sea")
    catalog.set_attribute([*ids, A], "pose", "left", author=ME)
    catalog.set_attribute(ids[:1], "pose", "right", author=ME)
    catalog.set_attribute(ids[1:], "pose", None, author=ME)
    catalog.set_note([A, ids[0]], "two\nlines", author=ME)
    assert catalog.segments(ids)[ids[0]].attributes == (("pose", "right"),)
    assert catalog.segments(ids)[ids[0]].note == "two\nlines"
    assert catalog.segments(ids)[ids[1]].attributes == ()
    assert said(catalog, A) == [
        ("attribute", "pose", "left", "person", ME), ("note", "", "two\nlines", "person", ME),
    ]  # fmt: skip
    catalog.set_note([A], "", author=ME)
    assert len(said(catalog, A)) == 1


def test_what_changes_nothing_is_no_change(catalog: Catalog, ids: list[str]) -> None:
    catalog.set_label([*ids, A], "cat", author=ME)
    catalog.set_state(ids, "accepted", author=ME)
    catalog.edit_tags(ids, ["x"], author=ME)
    catalog.set_note([A], "n", author=ME)
    number, generation = len(catalog.changes()), catalog.generation()
    before = dump(catalog)
    assert catalog.set_label([*ids, A], "CAT", author="other") is None
    assert catalog.set_state(ids, "accepted", author="other") is None
    assert catalog.edit_tags(ids, ["X"], ["none"], author="other") is None
    assert catalog.set_note([A], "n", author="other") is None
    assert catalog.set_attribute([A], "pose", None, author="other") is None
    assert catalog.set_label([B], None, author="other") is None
    assert catalog.set_label([], "cat", author="other") is None
    assert dump(catalog) == before
    assert (len(catalog.changes()), catalog.generation()) == (number, generation)
    catalog.set_note([A], "m", author="other")
    assert catalog.generation() == generation + 1


def test_ids_that_are_not_there_stop_the_whole_edit(catalog: Catalog, ids: list[str]) -> None:
    before = dump(catalog)
    for call in (
        lambda: catalog.set_label([*ids, "f" * 32], "cat", author=ME),
        lambda: catalog.set_label([A, "f" * 64], "cat", author=ME),
        lambda: catalog.set_state(["f" * 32], "accepted", author=ME),
        lambda: catalog.edit_tags([*ids, A], ["x"], author=ME),
        lambda: catalog.set_mask("f" * 32, boxed((0, 0, 9, 9)), author=ME),
        lambda: catalog.add_segment("f" * 64, boxed((0, 0, 9, 9)), author=ME),
    ):
        with pytest.raises(NotFoundError, match="There is no"):
            call()
    assert dump(catalog) == before
    assert catalog.changes() == []


# Classes


def test_classes_have_colours_of_their_own_as_far_as_they_last(catalog: Catalog) -> None:
    made = [catalog.put_class(f"class {n}", author=ME) for n in range(20)]
    assert len({each.colour for each in made}) == 20
    assert catalog.put_class("one more", author=ME).colour == made[0].colour
    assert catalog.put_class("Class 3", author=ME) == made[3]
    assert catalog.put_class("class 3", "#000000", author=ME).colour == "#000000"
    catalog.colour_class("CLASS 3", "#ffffff", author=ME)
    assert {e.name: e.colour for e in catalog.classes()}["class 3"] == "#ffffff"


def test_renaming_keeps_all_labels(catalog: Catalog, ids: list[str]) -> None:
    catalog.set_label([ids[0], A], "cat", author=ME)
    catalog.rename_class("CAT", "Kater", author="other")
    assert label_of(catalog, ids[0]) == ("Kater", "person", None)
    assert said(catalog, A) == [("label", "", "Kater", "person", ME)], "who labelled stays"
    catalog.rename_class("kater", "KATER", author=ME)
    catalog.rename_class("dog", "Hund", author=ME)
    assert [label_of(catalog, i)[0] for i in ids] == ["KATER", "Hund", "Hund"], "the model's too"
    catalog.set_label([B], "cow", author=ME)
    with pytest.raises(InputError, match="merge"):
        catalog.rename_class("cow", "kater", author=ME)
    with pytest.raises(NotFoundError, match="no class"):
        catalog.rename_class("cat", "x", author=ME)
    assert classes(catalog) == {"cow": (0, 1), "Hund": (0, 0), "KATER": (1, 1)}


def test_merging_moves_labels(catalog: Catalog, ids: list[str]) -> None:
    catalog.set_label([ids[0], A], "puppy", author=ME)
    catalog.set_label([ids[1], B], "hound", author="other")
    catalog.merge_classes(["puppy", "Hound", "DOG"], "dog", author=ME)
    assert [label_of(catalog, i) for i in ids] == [
        ("dog", "person", None), ("dog", "person", None), ("dog", "model", None),
    ]  # fmt: skip
    assert said(catalog, B) == [("label", "", "dog", "person", "other")]
    assert classes(catalog) == {"dog": (2, 2)}
    catalog.set_label([ids[0]], None, author=ME)
    assert label_of(catalog, ids[0])[0] == "dog"
    catalog.merge_classes(["dog"], "animal", author=ME)
    assert classes(catalog) == {"animal": (1, 2)}
    with pytest.raises(NotFoundError, match="no class"):
        catalog.merge_classes(["animal", "none"], "x", author=ME)
    assert classes(catalog) == {"animal": (1, 2)}


def test_only_unused_classes_are_dropped(catalog: Catalog, ids: list[str]) -> None:
    catalog.put_class("empty", author=ME)
    catalog.drop_class("Empty", author=ME)
    catalog.set_label(ids[:1], "dog", author=ME)
    with pytest.raises(InputError, match="1 object"):
        catalog.drop_class("dog", author=ME)
    catalog.set_label(ids[:1], None, author=ME)
    catalog.drop_class("dog", author=ME)
    assert catalog.classes() == []
    assert label_of(catalog, ids[0])[0] == "dog", "the segmenter goes on using it"
    assert [each.name for each in catalog.classes(all_labels=True)] == ["dog"]


def test_counts_are_of_live_media_and_objects(catalog: Catalog, ids: list[str]) -> None:
    catalog.set_label([*ids, A, B], "cat", author=ME)
    catalog.set_state(ids[:1], "rejected", author=ME)
    assert classes(catalog) == {"cat": (2, 2)}
    catalog.record_files([], 1)
    catalog.mark_missing([f"/photos/{A}.jpg"], catalog.new_run())
    assert classes(catalog) == {"cat": (0, 1)}


# Taking back

NAMES = st.sampled_from(["dog", "DOG", "cat", "Löwe", "löwe", "hot dog", "a, b"])
TARGETS = st.lists(st.integers(0, 8), min_size=1, max_size=5, unique=True)
EDITS = st.one_of(
    st.tuples(st.just("label"), TARGETS, st.none() | NAMES, st.sampled_from(["person", "model"])),
    st.tuples(st.just("state"), TARGETS, st.sampled_from(["open", "accepted", "rejected"])),
    st.tuples(st.just("tags"), TARGETS, st.lists(NAMES), st.lists(NAMES)),
    st.tuples(st.just("attribute"), TARGETS, NAMES, st.none() | NAMES),
    st.tuples(st.just("note"), TARGETS, st.sampled_from(["", "x", "y\nz"])),
    st.tuples(st.just("mask"), st.integers(0, 5), st.integers(1, 100)),
    st.tuples(st.just("add"), st.integers(0, 2), st.none() | NAMES),
    st.tuples(st.just("class"), NAMES),
    st.tuples(st.just("rename"), NAMES, NAMES),
    st.tuples(st.just("merge"), st.lists(NAMES, min_size=1, max_size=3), NAMES),
    st.tuples(st.just("colour"), NAMES, st.sampled_from(["#000000", "#ffffff"])),
    st.tuples(st.just("drop"), NAMES),
)


@pytest.fixture(params=DATABASES)
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Catalog, list[str]]]:
    """A catalog with six objects; every example leaves it as it was."""
    opened = catalog_on(request.param, tmp_path)
    fill(opened, [A, B, C])
    ids = opened.put_segments(A, "cutter@1", row_of_boxes(3, "dog"))
    ids += opened.put_segments(B, "cutter@1", [*row_of_boxes(2, "wolf"), boxed((300, 0, 400, 9))])
    yield opened, ids
    opened.close()


def make_edit(catalog: Catalog, ids: list[str], edit: tuple) -> None:
    every = [*ids, A, B, C]
    what, *rest = edit
    chosen = [every[n] for n in rest[0]] if isinstance(rest[0], list) and what != "merge" else []
    objects = [each for each in chosen if len(each) == 32]
    if what == "label":
        catalog.set_label(chosen, rest[1], author=ME, source=rest[2])
    elif what == "state":
        catalog.set_state(objects, rest[1], author=ME)
    elif what == "tags":
        catalog.edit_tags(objects, rest[1], rest[2], author=ME)
    elif what == "attribute":
        catalog.set_attribute(chosen, rest[1], rest[2], author=ME)
    elif what == "note":
        catalog.set_note(chosen, rest[1], author=ME)
    elif what == "mask":
        catalog.set_mask(ids[rest[0]], boxed((0, 0, rest[1], 9)), author=ME)
    elif what == "add":
        catalog.add_segment([A, B, C][rest[0]], boxed((0, 0, 9, 9), 1.0, rest[1]), author=ME)
    else:
        edit_class(catalog, what, *rest)


def edit_class(catalog: Catalog, what: str, *rest) -> None:
    calls = {
        "class": catalog.put_class, "rename": catalog.rename_class,
        "merge": catalog.merge_classes, "colour": catalog.colour_class,
        "drop": catalog.drop_class,
    }  # fmt: skip
    calls[what](*rest, author=ME)


@given(edits=st.lists(EDITS, min_size=1, max_size=12))
@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_undoing_goes_back_through_every_former_state(shared, edits) -> None:
    catalog, ids = shared
    states = [dump(catalog)]
    for edit in edits:
        try:
            make_edit(catalog, ids, edit)
        except InputError:
            assert dump(catalog) == states[-1], "a refused edit does nothing"
        if dump(catalog) != states[-1]:
            states.append(dump(catalog))
    while len(states) > 1:
        states.pop()
        assert catalog.undo(ME) is not None
        assert dump(catalog) == states[-1]
    assert catalog.undo() is None


def test_changes_are_told_newest_first(catalog: Catalog, ids: list[str]) -> None:
    assert catalog.undo() is None
    catalog.set_label([A], "dog", author=ME)
    catalog.set_state(ids, "rejected", author="other")
    catalog.undo()
    found = catalog.changes()
    assert [(each.what, each.author, each.undone) for each in found] == [
        ("Rejected 3 objects", "other", True), ("Labelled 1 photo as dog", ME, False),
    ]  # fmt: skip
    assert catalog.changes(1) == found[:1]
    assert catalog.undo("other") is None
    assert catalog.undo(ME) is not None


def test_ones_own_change_is_taken_back_unless_others_built_on_it(
    catalog: Catalog, ids: list[str]
) -> None:
    catalog.set_label(ids[:1], "cat", author=ME)
    catalog.set_label(ids[1:], "cow", author="other")
    assert catalog.undo(ME) is not None
    assert [label_of(catalog, i)[0] for i in ids] == ["dog", "cow", "cow"]
    catalog.set_label(ids[:1], "cat", author=ME)
    catalog.set_state(ids[:1], "accepted", author="other")
    with pytest.raises(InputError, match="other has changed the same since"):
        catalog.undo(ME)
    assert label_of(catalog, ids[0])[0] == "cat"
    catalog.undo("other")
    assert catalog.undo(ME) is not None
    assert label_of(catalog, ids[0])[0] == "dog"


def test_a_class_that_others_use_by_now_stays(catalog: Catalog, ids: list[str]) -> None:
    catalog.set_label(ids[:1], "cat", author=ME)
    catalog.set_label(ids[1:2], "cat", author="other")
    catalog.undo(ME)
    assert [label_of(catalog, i)[0] for i in ids[:2]] == ["dog", "cat"]
    assert classes(catalog) == {"cat": (1, 0)}
    catalog.undo("other")
    catalog.set_label(ids[2:], "cow", author=ME)
    catalog.put_segments(B, "cutter@1", [boxed((0, 0, 9, 9), label="cow")])
    catalog.undo()
    assert "cow" not in classes(catalog)
    assert "cow" in {each.name for each in catalog.classes(all_labels=True)}


def test_names_that_were_taken_meanwhile(catalog: Catalog, ids: list[str]) -> None:
    catalog.rename_class("dog", "Hund", author=ME)
    new = catalog.put_segments(B, "cutter@1", [boxed((0, 0, 9, 9), label="dog")])
    catalog.undo()
    assert [label_of(catalog, i)[0] for i in [*ids, *new]] == ["dog"] * 4, "one class again"
    catalog.merge_classes(["dog"], "animal", author=ME)
    new = catalog.put_segments(C, "cutter@1", [boxed((0, 0, 9, 9), label="dog")])
    catalog.undo()
    assert [label_of(catalog, i)[0] for i in [*ids, *new]] == ["dog"] * 4
    catalog.rename_class("dog", "Hund", author=ME)
    catalog.put_class("dog", author="other")
    with pytest.raises(InputError, match="another class dog"):
        catalog.undo(ME)
    catalog.undo("other")
    assert catalog.undo(ME) is not None


def test_what_a_segmenter_did_meanwhile_does_not_stand_in_the_way(
    catalog: Catalog, ids: list[str]
) -> None:
    catalog.set_label(ids, "cat", author=ME)
    catalog.set_label(ids, None, author=ME)
    catalog.put_segments(A, "cutter@1", row_of_boxes(1, "wolf"))
    catalog.undo()
    assert catalog.segments(ids)[ids[0]].label == "cat"
    assert set(catalog.segments(ids)) == {ids[0]}
    catalog.undo()
    assert said(catalog, ids[1]) == []


def test_the_journal_is_bounded(
    catalog: Catalog, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "KEPT_CHANGES", 5)
    for n in range(8):
        catalog.set_note([A], f"note {n}", author=ME)
    assert [each.what for each in catalog.changes()] == ["Wrote a note on 1 photo"] * 5
    monkeypatch.setattr(journal, "KEPT_CHANGES", 1000)
    monkeypatch.setattr(journal, "KEPT_BYTES", 450)
    for n in range(8):
        catalog.set_note([A], f"note {n} {'long ' * n}", author=ME)
    assert 1 < len(catalog.changes()) < 5
    for _ in catalog.changes():
        assert catalog.undo() is not None
    assert catalog.undo() is None
    monkeypatch.setattr(journal, "KEPT_BYTES", 1)
    catalog.set_note([A], "last", author=ME)
    assert [each.undone for each in catalog.changes()] == [False], "the newest always stays"


EDITING = """
import sys
from framekeep.store.catalog import Catalog
place = sys.argv[1]
catalog = Catalog.open(place)
author, ids = sys.argv[2], sys.argv[3:]
print("ready", flush=True)
sys.stdin.readline()
for n in range(20):
    catalog.edit_tags(ids, [f"{author} {n}"], author=author)
    catalog.set_label([ids[n % len(ids)]], f"class {n}", author=author)
    catalog.set_note(ids, f"{author} {n}", author=author)
catalog.close()
"""


def test_two_processes_at_once_lose_nothing(catalog: Catalog, ids: list[str]) -> None:
    path = catalog._db.url.render_as_string(hide_password=False)
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", EDITING, path, author, *ids],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for author in ("one", "two")
    ]  # fmt: skip
    for run in runs:
        assert run.stdout.readline() == "ready\n"
    for run in runs:
        run.stdin.write("go\n")
        run.stdin.flush()
    for run in runs:
        run.communicate(timeout=120)
        assert run.returncode == 0
    wanted = {f"{author} {n}" for author in ("one", "two") for n in range(20)}
    assert all(set(each.tags) == wanted for each in catalog.segments(ids).values())
    assert {each.name for each in catalog.classes()} == {f"class {n}" for n in range(20)}
    authors = [each.author for each in catalog.changes(1000)]
    assert min(authors.count("one"), authors.count("two")) >= 40
    while catalog.undo():
        pass
    assert catalog.classes() == []
    assert {each.tags for each in catalog.segments(ids).values()} == {()}
