"""Segments as segmenters leave them: kept, replaced, counted, gone with their media."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from framekeep.errors import InputError, NotFoundError
from framekeep.filters import parse_filter
from framekeep.object_types import Segment
from framekeep.store.catalog import Catalog
from framekeep.store.segment_rows import doubt
from framekeep.store.tables import metadata
from framekeep.types import Problem
from tests.helpers.catalog import DATABASES, SPACE, catalog_on, file_of, fill, media_ids, unit
from tests.helpers.segments import OBJECT_SPACE, boxed, dump, row_of_boxes

A, B, C = media_ids(3)
ME = "me"


@pytest.fixture(params=DATABASES)
def catalog(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Catalog]:
    opened = catalog_on(request.param, tmp_path)
    fill(opened, [A, B, C])
    yield opened
    opened.close()


def ids_of(catalog: Catalog, media_id: str) -> list[str]:
    return [each.segment_id for each in catalog.segments_of([media_id]).get(media_id, [])]


def test_segments_come_back_as_put(catalog: Catalog) -> None:
    found = [boxed((0, 0, 10, 10), 0.75, "dog", 0.5), boxed((100, 50, 300, 250), 0.25)]
    ids = catalog.put_segments(A, "cutter@1", found)
    assert len(set(ids)) == 2
    large, small = catalog.segments_of([A, B])[A]
    assert (small.segment_id, large.segment_id) == tuple(ids)
    assert small.created_at == small.changed_at
    assert small == Segment(
        segment_id=ids[0], media_id=A, mask=found[0].mask, bbox_xyxy=(0, 0, 10, 10), area_px=100,
        score=0.75, segmenter_id="cutter@1", label="dog", label_source="model", label_score=0.5,
        created_at=small.created_at, changed_at=small.changed_at, changed_by="cutter@1",
    )  # fmt: skip
    assert (large.label, large.label_source, large.label_score) == (None, None, None)
    assert catalog.segments([*ids, "f" * 32]) == {ids[0]: small, ids[1]: large}
    assert catalog.owners([*ids, "f" * 32]) == dict.fromkeys(ids, A)


def test_the_same_run_again_changes_nothing(catalog: Catalog) -> None:
    found = [*row_of_boxes(4, "dog"), *row_of_boxes(2)]
    ids = catalog.put_segments(A, "cutter@1", found)
    catalog.put_segments(B, "cutter@1", found)
    before = dump(catalog, but=("segment_runs",))
    assert catalog.put_segments(A, "cutter@1", found) == ids
    assert dump(catalog, but=("segment_runs",)) == before
    again = catalog.put_segments(A, "cutter@1", list(reversed(found)))
    assert sorted(again) == sorted(ids)


def test_what_nobody_touched_is_replaced_and_keeps_its_vector_where_the_mask_stays(
    catalog: Catalog,
) -> None:
    first, second = catalog.put_segments(A, "cutter@1", row_of_boxes(2, "dog"))
    catalog.objects.put_vectors(OBJECT_SPACE, [first, second], unit(2))
    kept, new = catalog.put_segments(
        A, "cutter@1", [boxed((0, 0, 10, 10), 0.5, "cat"), boxed((300, 0, 350, 30))]
    )
    assert kept == first
    assert set(ids_of(catalog, A)) == {first, new}
    now = catalog.segments([first])[first]
    assert (now.score, now.label, now.label_source) == (0.5, "cat", "model")
    assert catalog.objects.have_vectors(OBJECT_SPACE, [first, second, new]) == {first}
    (other,) = catalog.put_segments(A, "other@1", [boxed((0, 0, 10, 10))])
    assert other != first, "another segmenter's mask is another segment"
    assert ids_of(catalog, A) == [other]
    catalog.put_segments(A, "other@1", [])
    assert catalog.segments_of([A]) == {}


def test_what_somebody_touched_stays_and_is_not_found_again_beside_it(catalog: Catalog) -> None:
    found = row_of_boxes(8)
    ids = catalog.put_segments(A, "cutter@1", found)
    accepted, rejected, labelled, tagged, noted, corrected, imported, untouched = ids
    catalog.set_state([accepted], "accepted", author=ME)
    catalog.set_state([rejected], "rejected", author=ME)
    catalog.set_label([labelled], "dog", author=ME)
    catalog.edit_tags([tagged], ["x"], author=ME)
    catalog.set_note([noted], "odd", author=ME)
    catalog.set_mask(corrected, boxed((100, 0, 110, 13)), author=ME)
    catalog.set_attribute([imported], "pose", "left", author=ME, source="import")
    drawn = catalog.add_segment(A, boxed((500, 400, 600, 470)), author=ME)
    assert catalog.put_segments(A, "cutter@1", found) == ids
    # Nearly the same masks by another segmenter are those objects as well; a far one is not.
    shifted = [boxed((x0, y0, x1, y1 + 1)) for x0, y0, x1, y1 in (p.bbox_xyxy for p in found)]
    again = catalog.put_segments(A, "other@1", [*shifted, boxed((100, 300, 200, 400))])
    assert again[:7] == ids[:7]
    assert again[7] != untouched
    held = catalog.segments_of([A], rejected=True)[A]
    assert {each.segment_id for each in held} == {*ids[:7], drawn, *again[7:]}
    assert rejected not in ids_of(catalog, A)


def test_masks_that_do_not_fit_and_media_that_are_not_there(catalog: Catalog) -> None:
    for bad in (boxed((0, 0, 5, 5), size_wh=(480, 640)), boxed((0, 0, 5, 5), size_wh=(64, 48))):
        with pytest.raises(InputError, match="whole picture"):
            catalog.put_segments(A, "cutter@1", [bad])
    with pytest.raises(NotFoundError, match="no medium"):
        catalog.put_segments("f" * 64, "cutter@1", [])
    assert catalog.segment_counts()["segments"] == 0
    assert catalog.to_segment(None, "cutter@1") == [A, B, C]


def test_what_is_still_to_be_segmented(catalog: Catalog) -> None:
    catalog.put_segments(A, "cutter@1", row_of_boxes(1))
    catalog.put_segments(B, "cutter@1", [])
    catalog.put_segment_failure(C, "cutter@1", "no memory")
    assert catalog.to_segment(None, "cutter@1") == []
    assert catalog.to_segment(None, "cutter@1", retry=True) == [C]
    assert catalog.to_segment(None, "other@1") == [B, C], "A has objects"
    assert catalog.to_segment(None, "other@1", again=True) == [A, B, C]
    assert catalog.to_segment(parse_filter("has-object"), "other@1", again=True) == [A]
    catalog.set_state(ids_of(catalog, A), "rejected", author=ME)
    assert catalog.to_segment(None, "other@1") == [A, B, C]
    catalog.record_files([file_of(B, state="missing")], catalog.new_run())
    assert catalog.to_segment(None, "other@1") == [A, C]


def test_problems_are_those_of_media_that_have_no_objects(catalog: Catalog) -> None:
    catalog.put_segment_failure(C, "cutter@1", "no memory")
    catalog.put_segment_failure(A, "cutter@1", "torn")
    wanted = [
        Problem(f"/photos/{A}.jpg", "failed", "torn"),
        Problem(f"/photos/{C}.jpg", "failed", "no memory"),
    ]
    assert catalog.segment_problems() == wanted
    assert catalog.segment_problems(1) == wanted[:1]
    catalog.put_segments(A, "other@1", row_of_boxes(1))
    assert catalog.segment_problems() == wanted[1:]
    catalog.put_segments(C, "cutter@1", [])
    assert catalog.segment_problems() == []


def test_counts(catalog: Catalog) -> None:
    assert catalog.segment_counts() == {
        "segments": 0, "media": 0, "accepted": 0, "labelled": 0, "rejected": 0, "by_segmenter": {},
    }  # fmt: skip
    first, second, third = catalog.put_segments(A, "cutter@1", row_of_boxes(3))
    catalog.put_segments(B, "other@1", row_of_boxes(2, "dog"))
    catalog.put_segments(C, "other@1", row_of_boxes(1, "dog"))
    catalog.set_state([first], "accepted", author=ME)
    catalog.set_state([second], "rejected", author=ME)
    catalog.set_label([third, second], "cat", author=ME)
    catalog.record_files([file_of(C, state="missing")], catalog.new_run())
    assert catalog.segment_counts() == {
        "segments": 4, "media": 2, "accepted": 1, "labelled": 3, "rejected": 1,
        "by_segmenter": {"cutter@1": 2, "other@1": 2},
    }  # fmt: skip


def test_all_goes_with_its_medium_and_the_index_hears_of_it(catalog: Catalog) -> None:
    ids = catalog.put_segments(A, "cutter@1", row_of_boxes(2, "dog"))
    kept = catalog.put_segments(B, "cutter@1", row_of_boxes(1))
    catalog.objects.put_vectors(OBJECT_SPACE, [*ids, *kept], unit(3))
    catalog.objects.mark_indexed(OBJECT_SPACE, [*ids, *kept])
    catalog.set_label([A, *ids], "cat", author=ME)
    catalog.put_splits("p", {A: "train", B: "val"})
    catalog.put_segment_failure(A, "other@1", "x")
    catalog.delete_media([A])
    assert set(catalog.segments([*ids, *kept])) == set(kept)
    assert catalog.objects.have_vectors(OBJECT_SPACE, [*ids, *kept]) == set(kept)
    assert catalog.annotations(A) == catalog.annotations(ids[0]) == []
    assert catalog.splits("p") == {B: "val"}
    assert catalog.objects.stale(OBJECT_SPACE) == sorted(ids)
    assert catalog.undo() is not None, "what is gone stays gone"
    with catalog._db.read() as connection:
        for table in metadata.sorted_tables:
            if "media_id" in table.c and table.name != "files":
                here = sa.select(sa.func.count()).where(table.c.media_id == A)
                assert connection.scalar(here) == 0, table.name


def test_what_is_said_of_a_photo_follows_to_its_new_content(catalog: Catalog) -> None:
    catalog.set_label([A], "beach", author=ME)
    catalog.set_note([A], "by the sea", author=ME)
    catalog.set_attribute([A], "place", "Rome", author=ME)
    catalog.set_note([B], "mine", author="other")
    catalog.put_segments(A, "cutter@1", row_of_boxes(1))
    catalog.copy_annotations(A, B)
    found = {(each.kind, each.key): (each.value, each.author) for each in catalog.annotations(B)}
    assert found == {
        ("label", ""): ("beach", ME), ("attribute", "place"): ("Rome", ME),
        ("note", ""): ("mine", "other"),
    }  # fmt: skip
    assert catalog.segments_of([B]) == {}, "other pixels have other objects"
    catalog.copy_annotations(C, B)
    assert len(catalog.annotations(B)) == 3


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({}, (0.2 + 1) / 2),
        ({"score": 0.5}, 1.0),
        ({"score": 1.0, "label_id": 1, "label_source": "model", "label_score": 1.0}, 0.0),
        ({"label_id": 1, "label_source": "model", "label_score": 0.3}, (0.2 + 0.6) / 2),
        ({"label_id": 1, "label_source": "model"}, (0.2 + 1) / 2),
        ({"label_id": 1, "label_source": "person"}, 0.1),
        ({"label_id": 1, "label_source": "import", "mask_source": "import"}, 0.0),
        ({"mask_source": "person"}, 0.5),
        ({"state": "accepted", "score": 0.5}, 0.0),
        ({"state": "rejected", "score": 0.5}, 0.0),
        ({"score": 3.0}, 0.5),
    ],
)
def test_doubt(change: dict[str, object], wanted: float) -> None:
    row = {
        "state": "open", "score": 0.9, "mask_source": "model", "label_id": None,
        "label_source": None, "label_score": None,
    }  # fmt: skip
    assert doubt(row | change) == pytest.approx(wanted)


def test_the_review_order_is_by_doubt_and_follows_edits(catalog: Catalog) -> None:
    scores = [0.95, 0.5, 0.7, 0.1]
    ids = catalog.put_segments(
        A, "cutter@1", [boxed((50 * n, 0, 50 * n + 9, 9), s) for n, s in enumerate(scores)]
    )
    by_doubt = [ids[n] for n in (1, 2, 3, 0)]
    assert catalog.objects.select_ids(None, order="doubt") == by_doubt
    assert catalog.objects.select_ids(None, 2, 1, order="doubt") == by_doubt[1:3]
    catalog.set_state([ids[1]], "accepted", author=ME)
    catalog.set_label([ids[2]], "dog", author=ME)
    after = catalog.objects.select_ids(None, order="doubt")
    assert after == [ids[3], ids[0], ids[2], ids[1]]
    still = parse_filter("state:open")
    assert catalog.objects.select_ids(still, order="doubt") == after[:3]


def test_splits(catalog: Catalog) -> None:
    assert catalog.splits("a") == {}
    catalog.put_splits("a", {A: "train", B: "val"})
    catalog.put_splits("a", {B: "test", C: "train"})
    catalog.put_splits("b", {A: "val"})
    assert catalog.splits("a") == {A: "train", B: "test", C: "train"}
    assert catalog.splits("b") == {A: "val"}


def test_next_unlabelled_goes_from_new_to_old_and_round(catalog: Catalog) -> None:
    assert [catalog.next_unlabelled(i) for i in (None, C, B, A, "f" * 64)] == [C, B, A, C, C]
    ids = catalog.put_segments(B, "cutter@1", row_of_boxes(2, "dog"))
    catalog.put_segments(A, "cutter@1", [])
    catalog.set_label([C], "beach", author=ME)
    assert [catalog.next_unlabelled(i) for i in (None, C, B, A)] == [B, B, A, B]
    catalog.set_state(ids[:1], "rejected", author=ME)
    assert catalog.next_unlabelled(None) == B
    catalog.set_label(ids[1:], "cat", author=ME)
    assert catalog.next_unlabelled(None) == A
    assert catalog.next_unlabelled(A) is None, "none but itself is left"
    assert catalog.next_unlabelled(None, parse_filter("has-object")) is None
    catalog.undo()
    assert catalog.next_unlabelled(None, parse_filter("has-object")) == B


def test_more_ids_than_sql_takes(catalog: Catalog) -> None:
    found = [boxed((n % 600, n // 600, n % 600 + 1, n // 600 + 1), 0.5) for n in range(1000)]
    ids = catalog.put_segments(A, "cutter@1", found)
    assert len(set(ids)) == 1000
    many = [*ids, *(f"{n:032x}" for n in range(40_000))]
    assert set(catalog.segments(many)) == set(ids)
    assert set(catalog.owners(many)) == set(ids)
    assert catalog.objects.live_ids(many) == set(ids)
    assert len(catalog.segments_of([A, *media_ids(40_000)])[A]) == 1000
    catalog.set_label(ids, "dot", author=ME)
    assert catalog.classes()[0].segments == 1000
    assert catalog.put_segments(A, "cutter@1", found[:10]) == ids[:10]
    assert len(ids_of(catalog, A)) == 1000, "all are labelled by a person"
    catalog.undo()
    catalog.put_segments(A, "cutter@1", found[:10])
    assert sorted(ids_of(catalog, A)) == sorted(ids[:10])


def test_vectors_of_media_and_objects_do_not_meet(catalog: Catalog) -> None:
    ids = catalog.put_segments(A, "cutter@1", row_of_boxes(1))
    catalog.objects.put_vectors(SPACE, ids, unit(1))
    assert catalog.count_vectors(SPACE) == 3
    assert catalog.objects.count_vectors(SPACE) == 1
    catalog.mark_indexed(SPACE, [A])
    catalog.objects.mark_indexed(SPACE, ids)
    catalog.objects.mark_unindexed(SPACE)
    assert catalog.count_indexed(SPACE) == 1
    catalog.objects.mark_indexed(SPACE, ids)
    catalog.mark_all_unindexed()
    assert catalog.count_indexed(SPACE) == catalog.objects.count_indexed(SPACE) == 0
