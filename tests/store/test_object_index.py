"""Vectors, ledger and selections: the same for media and for objects, so tested together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from framekeep.errors import InputError, StoreError
from framekeep.filters import parse_filter
from framekeep.store.catalog import Catalog
from framekeep.store.object_index import ObjectIndex
from framekeep.store.repair import Part, repair
from framekeep.testing import MemoryVectorStore
from tests.helpers.catalog import DATABASES, SPACE, catalog_on, file_of, item, media_ids, unit
from tests.helpers.segments import OBJECT_SPACE, boxed

COUNT = 25


@dataclass(frozen=True)
class Members:
    """A kind of members: their index, their ids in order, and how one ceases to be live."""

    index: Part
    ids: list[str]
    space: str
    lose: Callable[[str], object]
    find: Callable[[str], object]


@pytest.fixture(params=DATABASES)
def catalog(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Catalog]:
    opened = catalog_on(request.param, tmp_path)
    opened.put_media([item(media_id) for media_id in media_ids(COUNT)])
    opened.record_files([file_of(media_id) for media_id in media_ids(COUNT)], opened.new_run())
    yield opened
    opened.close()


@pytest.fixture(params=["media", "objects", "objects of media that go"])
def of(request: pytest.FixtureRequest, catalog: Catalog) -> Members:
    owners = media_ids(COUNT)

    def lose_file(media_id: str) -> None:
        catalog.record_files([file_of(media_id, state="missing")], catalog.new_run())

    def find_file(media_id: str) -> None:
        catalog.record_files([file_of(media_id)], catalog.new_run())

    if request.param == "media":
        return Members(catalog, owners, SPACE, lose_file, find_file)
    put = [catalog.put_segments(i, "cutter@1", [boxed((0, 0, 9, 9))])[0] for i in owners]
    owner = dict(zip(put, owners, strict=True))
    if request.param == "objects":
        return Members(
            catalog.objects, sorted(put), OBJECT_SPACE,
            lambda i: catalog.set_state([i], "rejected", author="me"),
            lambda i: catalog.set_state([i], "open", author="me"),
        )  # fmt: skip
    return Members(
        catalog.objects, sorted(put), OBJECT_SPACE,
        lambda i: lose_file(owner[i]), lambda i: find_file(owner[i]),
    )  # fmt: skip


def test_vectors_come_back_bit_for_bit(of: Members) -> None:
    rows = unit(COUNT)
    of.index.put_vectors(of.space, of.ids, rows)
    ids, found = of.index.get_vectors(of.space, [*reversed(of.ids), "f" * 32])
    assert found.dtype == np.float32
    by_id = dict(zip(ids, found, strict=True))
    np.testing.assert_array_equal(np.stack([by_id[i] for i in of.ids]), rows)
    assert of.index.have_vectors(of.space, [of.ids[0], "f" * 32]) == {of.ids[0]}
    of.index.put_vectors(of.space, of.ids[:1], rows[1:2])
    np.testing.assert_array_equal(of.index.get_vectors(of.space, of.ids[:1])[1], rows[1:2])
    with pytest.raises(InputError, match="shape"):
        of.index.put_vectors(of.space, of.ids[:1], rows)
    with pytest.raises(StoreError, match="does not know"):
        of.index.put_vectors(of.space, ["f" * 32], rows[:1])


def test_pages_counts_and_samples_are_of_live_members(of: Members) -> None:
    rows = unit(COUNT)
    of.index.put_vectors(of.space, of.ids, rows)
    of.lose(of.ids[3])
    pages = list(of.index.vector_pages(of.space, page=10))
    assert [len(ids) for ids, _ in pages] == [10, 10, 4]
    assert [i for ids, _ in pages for i in ids] == of.ids[:3] + of.ids[4:]
    held = np.concatenate([page for _, page in pages])
    np.testing.assert_array_equal(held, np.delete(rows, 3, axis=0))
    assert sum(len(ids) for ids, _ in of.index.vector_pages(of.space, live_only=False)) == COUNT
    assert of.index.count_vectors(of.space) == COUNT - 1
    assert of.index.count_vectors(of.space, live_only=False) == COUNT
    assert list(of.index.vector_pages("none")) == []
    sample = of.index.sample_ids(of.space, 10, seed=1)
    assert sample == of.index.sample_ids(of.space, 10, seed=1)
    assert len(set(sample)) == 10
    assert sorted(of.index.sample_ids(of.space, 100, seed=1)) == of.ids[:3] + of.ids[4:]


def test_what_lacks_a_vector(of: Members) -> None:
    of.index.put_vectors(of.space, of.ids[:5], unit(5))
    of.lose(of.ids[9])
    assert of.index.lacking_vectors(of.space) == [*of.ids[5:9], *of.ids[10:]]
    assert of.index.lacking_vectors(of.space, limit=2) == of.ids[5:7]
    assert of.index.lacking_vectors(of.space, after=of.ids[7], limit=2) == [of.ids[8], of.ids[10]]
    assert of.index.lacking_vectors(of.space, live_only=False) == of.ids[5:]


def test_spaces(of: Members) -> None:
    assert of.index.spaces() == []
    for space in ("b", "a", of.space):
        of.index.put_vectors(space, of.ids[:2], unit(2))
    of.index.mark_indexed("a", of.ids[:1])
    assert of.index.spaces() == sorted(["a", "b", of.space])
    of.index.drop_space("a")
    assert of.index.spaces() == sorted(["b", of.space])
    assert of.index.count_indexed("a") == 0


def test_the_ledger_tells_what_to_replay(of: Members) -> None:
    a, b, c = of.ids[:3]
    of.index.put_vectors(of.space, [a, b, c], unit(3))
    assert of.index.unindexed(of.space) == [a, b, c]
    of.index.mark_indexed(of.space, [a, b])
    of.index.mark_indexed(of.space, [b])
    assert of.index.unindexed(of.space) == [c]
    of.index.mark_indexed(of.space, [c])
    of.index.put_vectors(of.space, [a], unit(1))
    assert of.index.unindexed(of.space) == [a], "a replaced vector is not what the index has"
    of.lose(b)
    assert of.index.stale(of.space) == [b]
    of.index.mark_unindexed(of.space, [b])
    assert of.index.stale(of.space) == []
    assert of.index.count_indexed(of.space) == 1
    of.find(b)
    of.index.mark_unindexed(of.space)
    assert of.index.unindexed(of.space) == [a, b, c]


def test_selections_are_of_live_members(of: Members) -> None:
    assert of.index.select_ids(None, order="id") == of.ids
    assert sorted(of.index.select_ids(None)) == of.ids
    of.lose(of.ids[0])
    assert of.index.select_ids(None, order="id") == of.ids[1:]
    assert sorted(of.index.select_ids(None, order=None)) == of.ids[1:]
    assert of.index.count_matching(None) == COUNT - 1
    assert of.index.live_ids([*of.ids, "f" * 32]) == set(of.ids[1:])
    where = parse_filter("width:640 and has-object or kind:photo")
    assert of.index.matching(of.ids, where) == set(of.ids[1:])
    assert of.index.select_ids(parse_filter("width>640")) == []
    every = of.index.select_ids(where)
    assert [i for start in range(0, 30, 10) for i in of.index.select_ids(where, 10, start)] == every


def test_an_index_is_repaired(of: Members, catalog: Catalog) -> None:
    rows, vectors = unit(COUNT), MemoryVectorStore()
    of.index.put_vectors(of.space, of.ids, rows)
    vectors.create(of.space, 8)
    vectors.upsert(of.space, [*of.ids[:20], "f" * 32], unit(21, seed=9))
    of.lose(of.ids[0])
    objects_in = of.space if isinstance(of.index, ObjectIndex) else None
    report = repair(catalog, vectors, SPACE, 8, objects_in)
    assert (report.checked, report.added, report.replaced, report.removed) == (24, 5, 19, 2)
    assert sorted(vectors.get(of.space, of.ids)) == of.ids[1:]
    assert of.index.unindexed(of.space) == of.index.stale(of.space) == []
    assert repair(catalog, vectors, SPACE, 8, objects_in).clean


def test_objects_come_with_the_newest_photo_and_the_largest_first(catalog: Catalog) -> None:
    old, new = media_ids(2)
    late = item(new, taken_at_local=item(new).taken_at_local.replace(year=2030))
    catalog.put_media([late])
    large, small = (0, 0, 50, 50), (100, 100, 105, 105)
    first = catalog.put_segments(old, "cutter@1", [boxed(small), boxed(large)])
    last = catalog.put_segments(new, "cutter@1", [boxed(small), boxed(large)])
    assert catalog.objects.select_ids(None) == [last[1], last[0], first[1], first[0]]


def test_a_corrected_mask_leaves_the_index(catalog: Catalog) -> None:
    (media_id,) = media_ids(1)
    (segment_id,) = catalog.put_segments(media_id, "cutter@1", [boxed((0, 0, 9, 9))])
    objects = catalog.objects
    objects.put_vectors(OBJECT_SPACE, [segment_id], unit(1))
    objects.mark_indexed(OBJECT_SPACE, [segment_id])
    catalog.set_mask(segment_id, boxed((0, 0, 20, 20)), author="me")
    assert objects.count_vectors(OBJECT_SPACE) == 0
    assert objects.lacking_vectors(OBJECT_SPACE) == [segment_id]
    assert objects.stale(OBJECT_SPACE) == [segment_id], "what the index has is of the former mask"
    objects.put_vectors(OBJECT_SPACE, [segment_id], unit(1, seed=1))
    assert objects.unindexed(OBJECT_SPACE) == [segment_id]
    assert objects.stale(OBJECT_SPACE) == []
    catalog.undo()
    assert objects.count_vectors(OBJECT_SPACE) == 0


def test_rejected_objects_are_found_by_naming_them(catalog: Catalog) -> None:
    (media_id,) = media_ids(1)
    ids = catalog.put_segments(media_id, "s@1", [boxed((0, 0, 9, 9)), boxed((50, 0, 99, 99))])
    catalog.set_state(ids[:1], "rejected", author="me")
    objects = catalog.objects
    assert objects.select_ids(None) == ids[1:]
    assert objects.select_ids(parse_filter("area>0")) == ids[1:]
    assert objects.select_ids(parse_filter("state:rejected")) == ids[:1]
    assert objects.matching(ids, parse_filter("not state:rejected")) == set(ids[1:])
    assert objects.count_matching(parse_filter("state!=rejected and area<100")) == 0
    assert catalog.select_ids(parse_filter("state:rejected")) == [media_id]
