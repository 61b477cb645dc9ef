"""The catalog, method by method, on real database files (and on PostgreSQL where one is named)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from framekeep.errors import InputError, StoreError
from framekeep.store.catalog import Catalog
from framekeep.types import FileRecord, PrecisionReport, Problem
from tests.helpers.catalog import (
    DATABASES,
    SPACE,
    catalog_on,
    file_of,
    fill,
    item,
    media_ids,
    unit,
)

A, B, C = media_ids(3)


@pytest.fixture(params=DATABASES)
def catalog(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Catalog]:
    opened = catalog_on(request.param, tmp_path)
    yield opened
    opened.close()


def test_meta(catalog: Catalog) -> None:
    assert catalog.get_meta("encoder") is None
    catalog.set_meta("encoder", "a")
    catalog.set_meta("encoder", "b")
    assert catalog.get_meta("encoder") == "b"
    catalog.set_meta("encoder", None)
    catalog.set_meta("encoder", None)
    assert catalog.get_meta("encoder") is None


def test_generation_and_runs_count_up(catalog: Catalog) -> None:
    assert catalog.generation() == 0
    assert [catalog.bump_generation(), catalog.bump_generation()] == [1, 2]
    assert catalog.generation() == 2
    assert catalog.new_run() < catalog.new_run()


def test_files_come_back_as_recorded(catalog: Catalog) -> None:
    catalog.put_media([item(A)])
    records = [
        file_of(A, "/p/a.jpg"),
        FileRecord("/p/b.txt", 0, -5, "skipped", "not a picture"),
        FileRecord("/p/\udcff\udc80 ä 日本.jpg", 2**40, 2**62, "failed", "damaged"),
    ]
    catalog.record_files(records, catalog.new_run())
    asked = [record.path for record in records]
    assert catalog.files_at([*asked, "/p/none"]) == {record.path: record for record in records}
    assert catalog.files_at([]) == {}
    changed = FileRecord("/p/b.txt", 7, 8, "failed", "other")
    catalog.record_files([changed], catalog.new_run())
    assert catalog.files_at(["/p/b.txt"])["/p/b.txt"] == changed
    assert catalog.media_of_path("/p/a.jpg") == A
    assert catalog.media_of_path("/p/b.txt") is None
    assert catalog.media_of_path("/p/none") is None


def test_counts_problems_and_failed_paths(catalog: Catalog) -> None:
    catalog.put_media([item(A)])
    run = catalog.new_run()
    catalog.record_files(
        [
            file_of(A, "/p/z.jpg"),
            FileRecord("/p/c", 1, 1, "failed", "damaged"),
            FileRecord("/p/B", 1, 1, "skipped", "a text"),
            FileRecord("/p/a", 1, 1, "failed", None),
        ],
        run,
    )
    assert catalog.file_counts() == {"indexed": 1, "failed": 2, "skipped": 1}
    problems = [
        Problem("/p/B", "skipped", "a text"),
        Problem("/p/a", "failed", ""),
        Problem("/p/c", "failed", "damaged"),
    ]
    assert catalog.problems() == problems
    assert catalog.problems(limit=1, offset=1) == problems[1:2]
    assert catalog.problems(offset=2) == problems[2:]
    assert catalog.failed_paths() == ["/p/a", "/p/c"]


def test_media_are_live_as_long_as_a_file_is_there(catalog: Catalog) -> None:
    catalog.put_media([item(A), item(B)])
    assert catalog.count_media() == 0
    assert catalog.count_media(live=False) == 2
    run = catalog.new_run()
    catalog.record_files([file_of(A, "/p/1"), file_of(A, "/p/2"), file_of(B, "/p/3")], run)
    assert catalog.live_ids([A, B, C]) == {A, B}
    assert catalog.paths([A, B, C]) == {A: ["/p/1", "/p/2"], B: ["/p/3"]}
    assert catalog.identical_files() == [(A, ["/p/1", "/p/2"])]

    catalog.record_files([file_of(A, "/p/1", state="missing")], run)
    assert catalog.live_ids([A, B]) == {A, B}
    assert catalog.identical_files() == []
    catalog.record_files([file_of(A, "/p/2", state="missing")], run)
    assert catalog.live_ids([A, B]) == {B}
    assert catalog.missing_ids() == [A]
    assert catalog.paths([A]) == {}
    catalog.record_files([file_of(A, "/other/1")], run)
    assert catalog.live_ids([A, B]) == {A, B}
    assert catalog.missing_ids() == []


def test_changed_content_takes_the_file_from_the_old_medium(catalog: Catalog) -> None:
    catalog.put_media([item(A), item(B)])
    catalog.record_files([file_of(A, "/p/1")], catalog.new_run())
    assert catalog.unreferenced() == [B]
    catalog.record_files([file_of(B, "/p/1")], catalog.new_run())
    assert catalog.live_ids([A, B]) == {B}
    assert catalog.unreferenced() == [A]


def test_missing_files_are_those_under_the_roots_not_seen_in_this_run(catalog: Catalog) -> None:
    paths = ["/p/a", "/p/b", "/p/sub/c", "/p-other/d", "/p", "/q/e", "/p0", "/p/%_x/f"]
    ids = dict(zip(paths, media_ids(len(paths)), strict=True))
    catalog.put_media([item(i) for i in ids.values()])
    catalog.record_files([file_of(ids[path], path) for path in paths], catalog.new_run())
    run = catalog.new_run()
    catalog.touch_files(["/p/a", "/p/never seen"], run)
    catalog.record_files([file_of(ids["/p/sub/c"], "/p/sub/c")], run)
    gone = catalog.mark_missing(["/p"], run)
    assert [record.path for record in gone] == ["/p", "/p/%_x/f", "/p/b"]
    assert {record.state for record in gone} == {"missing"}
    assert all(record.reason for record in gone)
    assert {r.state for r in catalog.files_at(["/p/b", "/p"]).values()} == {"missing"}
    assert catalog.mark_missing(["/p"], run) == []
    assert catalog.file_counts() == {"indexed": 5, "missing": 3}
    assert len(catalog.mark_missing(["/p/", "/q/e", "/q"], catalog.new_run())) == 3
    assert catalog.live_ids(list(ids.values())) == {ids["/p-other/d"], ids["/p0"]}
    assert len(catalog.mark_missing(["/"], catalog.new_run())) == 2
    assert catalog.missing_ids() == sorted(ids.values())


def test_a_moved_file_is_no_problem(catalog: Catalog) -> None:
    catalog.put_media([item(A)])
    catalog.record_files([file_of(A, "/p/old")], catalog.new_run())
    run = catalog.new_run()
    catalog.record_files([file_of(A, "/p/new")], run)
    assert [record.path for record in catalog.mark_missing(["/p"], run)] == ["/p/old"]
    assert catalog.problems() == []
    assert catalog.file_counts() == {"indexed": 1}


def test_known_paths(catalog: Catalog) -> None:
    catalog.record_files([FileRecord("/p/sub/c", 1, 1, "failed", "x")], 1)
    assert all(catalog.knows_path(path) for path in ("/p/sub/c", "/p/sub", "/p/sub/", "/p", "/"))
    assert not any(catalog.knows_path(path) for path in ("/p/su", "/p/sub/c/d", "/q", "/p/sub/cc"))


def test_media_come_back_as_put(catalog: Catalog) -> None:
    bare = item(B, taken_at_local=None, camera=None, phash="", added_at=None)
    catalog.put_media([item(A), bare])
    found = catalog.media([A, B, C])
    assert found[A] == item(A)
    added_at = found[B].added_at
    assert added_at is not None
    assert added_at.tzinfo is UTC
    assert abs(added_at - datetime.now(UTC)) < timedelta(minutes=1)
    assert found[B].taken_at_local is None
    assert C not in found


def test_added_at_stays_and_the_rest_changes(catalog: Catalog) -> None:
    catalog.put_media([item(A)])
    catalog.record_files([file_of(A)], catalog.new_run())
    catalog.put_media([item(A, camera="other", added_at=datetime(2030, 1, 1, tzinfo=UTC))])
    assert catalog.media([A])[A] == item(A, camera="other")
    assert catalog.live_ids([A]) == {A}


def test_times_of_other_zones(catalog: Catalog) -> None:
    zone = timezone(timedelta(hours=9))
    catalog.put_media([item(A, added_at=datetime(2024, 1, 1, 5, tzinfo=zone))])
    assert catalog.media([A])[A].added_at == datetime(2023, 12, 31, 20, tzinfo=UTC)


def test_deleting_media_takes_all_but_the_files(catalog: Catalog) -> None:
    fill(catalog, [A, B])
    catalog.mark_indexed(SPACE, [A, B])
    catalog.add_tags([A, B], ["x"])
    catalog.delete_media([A, C])
    assert set(catalog.media([A, B])) == {B}
    assert catalog.have_vectors(SPACE, [A, B]) == {B}
    assert catalog.count_indexed(SPACE) == 1
    assert catalog.tag_counts() == {"x": 1}
    assert catalog.files_at([f"/photos/{A}.jpg"])[f"/photos/{A}.jpg"].media_id is None


def test_vectors_come_back_bit_for_bit(catalog: Catalog) -> None:
    rows = fill(catalog, [A, B])
    ids, found = catalog.get_vectors(SPACE, [B, A, C])
    assert found.dtype == np.float32
    assert {i: row.tobytes() for i, row in zip(ids, found, strict=True)} == {
        A: rows[0].tobytes(),
        B: rows[1].tobytes(),
    }
    ids, found = catalog.get_vectors(SPACE, [C])
    assert (ids, len(found)) == ([], 0)
    catalog.put_vectors(SPACE, [A], rows[1:])
    np.testing.assert_array_equal(catalog.get_vectors(SPACE, [A])[1], rows[1:])


def test_vectors_that_cannot_be_kept(catalog: Catalog) -> None:
    catalog.put_media([item(A)])
    with pytest.raises(InputError, match="shape"):
        catalog.put_vectors(SPACE, [A], unit(2))
    with pytest.raises(StoreError, match="does not know"):
        catalog.put_vectors(SPACE, [B], unit(1))
    assert catalog.count_vectors(SPACE, live_only=False) == 0


def test_pages_of_vectors(catalog: Catalog) -> None:
    ids = media_ids(25)
    rows = fill(catalog, ids)
    catalog.record_files([file_of(ids[3], state="missing")], catalog.new_run())
    pages = list(catalog.vector_pages(SPACE, page=10))
    assert [len(page_ids) for page_ids, _ in pages] == [10, 10, 4]
    assert [i for page_ids, _ in pages for i in page_ids] == ids[:3] + ids[4:]
    np.testing.assert_array_equal(
        np.concatenate([page for _, page in pages]), np.delete(rows, 3, axis=0)
    )
    assert sum(len(page) for _, page in catalog.vector_pages(SPACE, live_only=False)) == 25
    assert list(catalog.vector_pages("no such space")) == []


def test_counting_and_lacking_vectors(catalog: Catalog) -> None:
    fill(catalog, [A, B])
    catalog.put_media([item(C)])
    assert catalog.count_vectors(SPACE) == 2
    assert catalog.lacking_vectors("other") == [A, B]
    assert catalog.lacking_vectors("other", limit=1) == [A]
    assert catalog.lacking_vectors(SPACE, live_only=False) == [C]
    assert catalog.lacking_vectors(SPACE) == []
    catalog.record_files([file_of(A, state="missing")], catalog.new_run())
    assert catalog.count_vectors(SPACE) == 1
    assert catalog.count_vectors(SPACE, live_only=False) == 2


def test_spaces(catalog: Catalog) -> None:
    assert catalog.spaces() == []
    fill(catalog, [A, B])
    catalog.put_vectors("b", [A], unit(1))
    catalog.put_vectors("a", [A], unit(1))
    catalog.mark_indexed("a", [A])
    assert catalog.spaces() == ["a", "b", SPACE]
    catalog.drop_space("a")
    assert catalog.spaces() == ["b", SPACE]
    assert catalog.count_indexed("a") == 0


def test_the_ledger_tells_what_to_replay(catalog: Catalog) -> None:
    fill(catalog, [A, B, C])
    assert catalog.unindexed(SPACE) == [A, B, C]
    catalog.mark_indexed(SPACE, [A, B])
    catalog.mark_indexed(SPACE, [B])
    assert catalog.unindexed(SPACE) == [C]
    catalog.mark_indexed(SPACE, [C])
    catalog.put_vectors(SPACE, [A], unit(1))
    assert catalog.unindexed(SPACE) == [A], "a replaced vector is not what the index has"
    catalog.record_files([file_of(B, state="missing")], catalog.new_run())
    assert catalog.stale(SPACE) == [B]
    catalog.mark_unindexed(SPACE, [B])
    assert catalog.stale(SPACE) == []
    assert catalog.count_indexed(SPACE) == 1
    catalog.mark_unindexed(SPACE)
    assert catalog.unindexed(SPACE) == [A, C]


def test_media_whose_adding_was_cut_short_are_stale(catalog: Catalog) -> None:
    catalog.put_media([item(A)])
    catalog.put_vectors(SPACE, [A], unit(1))
    assert catalog.stale(SPACE) == [A], "the index may hold it"
    assert catalog.unindexed(SPACE) == []


def test_samples_are_live_have_vectors_and_repeat(catalog: Catalog) -> None:
    ids = media_ids(40)
    fill(catalog, ids)
    catalog.record_files([file_of(ids[0], state="missing")], catalog.new_run())
    sample = catalog.sample_ids(SPACE, 10, seed=1)
    assert sample == catalog.sample_ids(SPACE, 10, seed=1)
    assert sample != catalog.sample_ids(SPACE, 10, seed=2)
    assert len(set(sample)) == 10
    assert sorted(catalog.sample_ids(SPACE, 1000, seed=0)) == ids[1:]


def test_tags(catalog: Catalog) -> None:
    catalog.put_media([item(A), item(B), item(C)])
    catalog.record_files([file_of(A), file_of(B)], 1)
    catalog.add_tags([A, B], ["trip", "sea"])
    catalog.add_tags([A], ["trip"])
    assert catalog.tags_of([A, B, C]) == {A: ("sea", "trip"), B: ("sea", "trip")}
    assert catalog.tag_counts() == {"sea": 2, "trip": 2}
    catalog.remove_tags([A, C], ["sea", "none"])
    assert catalog.tags_of([A]) == {A: ("trip",)}
    catalog.copy_tags(B, A)
    assert catalog.tags_of([A]) == {A: ("sea", "trip")}
    catalog.add_tags([], ["x"])
    catalog.add_tags([A], [])
    with pytest.raises(StoreError, match="does not know"):
        catalog.add_tags(["f" * 64], ["x"])


def test_renaming_a_tag_into_one_that_is_there(catalog: Catalog) -> None:
    catalog.put_media([item(A), item(B)])
    catalog.record_files([file_of(A), file_of(B)], 1)
    catalog.add_tags([A, B], ["old"])
    catalog.add_tags([A], ["new"])
    catalog.rename_tag("old", "new")
    assert catalog.tags_of([A, B]) == {A: ("new",), B: ("new",)}
    catalog.rename_tag("new", "new")
    catalog.rename_tag("none", "other")
    assert catalog.tag_counts() == {"new": 2}


def test_selection_without_a_filter_is_all_live_media_newest_first(catalog: Catalog) -> None:
    catalog.put_media(
        [
            item(A, taken_at_local=datetime(2020, 1, 1)),
            item(B, taken_at_local=None, added_at=datetime(2022, 1, 1, tzinfo=UTC)),
            item(C, taken_at_local=datetime(2021, 1, 1)),
            item("f" * 64),
        ]
    )
    catalog.record_files([file_of(i) for i in (A, B, C)], catalog.new_run())
    assert catalog.select_ids(None) == [B, C, A]
    assert catalog.select_ids(None, limit=1, offset=1) == [C]
    assert catalog.select_ids(None, order="id") == [A, B, C]
    assert sorted(catalog.select_ids(None, order=None)) == [A, B, C]
    assert catalog.count_matching(None) == 3
    assert catalog.matching([A, "f" * 64, "e" * 64], None) == {A}
    catalog.put_media([item(A, taken_at_local=datetime(2023, 1, 1))])
    assert catalog.select_ids(None) == [A, B, C]
    catalog.put_media([item(A, taken_at_local=None)])
    assert catalog.select_ids(None)[0] == A, "it was added in 2024"


def test_phashes(catalog: Catalog) -> None:
    catalog.put_media([item(A), item(B, phash=""), item(C)])
    catalog.record_files([file_of(A), file_of(B)], catalog.new_run())
    assert catalog.phashes() == [(A, "00ff00ff00ff00ff")]


def test_precision_checks(catalog: Catalog) -> None:
    report = PrecisionReport("e", "int8", 100, 0.995, 0.95, datetime(2024, 1, 1, tzinfo=UTC))
    assert catalog.get_check("e", "int8") is None
    catalog.put_check(report)
    assert catalog.get_check("e", "int8") == report
    better = PrecisionReport("e", "int8", 200, 0.999, 0.99, datetime(2024, 2, 1, tzinfo=UTC))
    other = PrecisionReport("e", "bf16", 200, 0.999, 0.99, datetime(2024, 2, 1, tzinfo=UTC))
    catalog.put_check(better)
    catalog.put_check(other)
    assert catalog.checks() == [other, better]


def test_lists_longer_than_sql_takes(catalog: Catalog) -> None:
    """20,000 media, and lists of 40,000 ids: more than SQL has variables."""
    ids = media_ids(20_000)
    rows = fill(catalog, ids, dim=4)
    unknown = media_ids(20_000, start=1_000_000)
    many = ids + unknown
    assert catalog.count_media() == 20_000
    assert catalog.live_ids(many) == set(ids)
    assert set(catalog.media(many)) == set(ids)
    assert set(catalog.paths(many)) == set(ids)
    assert catalog.have_vectors(SPACE, many) == set(ids)
    assert catalog.matching(many, None) == set(ids)
    found, vectors = catalog.get_vectors(SPACE, many)
    assert vectors.shape == (20_000, 4)
    np.testing.assert_array_equal(vectors[np.argsort(found)], rows)
    catalog.mark_indexed(SPACE, ids)
    assert catalog.unindexed(SPACE) == []
    catalog.add_tags(ids, ["x", "y"])
    catalog.remove_tags(many, ["y"])
    assert catalog.tag_counts() == {"x": 20_000}
    assert len(catalog.tags_of(many)) == 20_000
    run = catalog.new_run()
    catalog.touch_files([f"/photos/{i}.jpg" for i in ids[:10_000]], run)
    assert len(catalog.mark_missing(["/photos"], run)) == 10_000
    assert len(catalog.stale(SPACE)) == 10_000
    assert len(catalog.missing_ids()) == 10_000
    assert len(catalog.select_ids(None)) == 10_000
    catalog.mark_unindexed(SPACE, ids)
    catalog.delete_media(many)
    assert catalog.count_media(live=False) == 0


FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)


@settings(deadline=None, max_examples=15)
@given(
    rows=hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 6), st.integers(1, 9)),
        elements=FINITE,
    )
)
def test_any_float32_vector_survives(
    rows: np.ndarray, tmp_path_factory: pytest.TempPathFactory
) -> None:
    catalog = Catalog.open(tmp_path_factory.mktemp("vectors") / "catalog.sqlite3")
    try:
        ids = media_ids(len(rows))
        catalog.put_media([item(i) for i in ids])
        catalog.put_vectors(SPACE, ids, rows)
        found, back = catalog.get_vectors(SPACE, ids)
        order = np.argsort(found)
        assert back[order].tobytes() == rows.tobytes()
    finally:
        catalog.close()


# Names as operating systems have them: any character but NUL and the separator, and lone
# surrogates for bytes that are not UTF-8.
NAMES = st.text(st.characters(exclude_characters="\0/"), min_size=1, max_size=30).filter(
    lambda name: not any(0x10D800 <= ord(letter) < 0x10E000 for letter in name)
)


@settings(deadline=None, max_examples=25)
@given(
    names=st.lists(NAMES, min_size=1, max_size=8, unique=True),
    size=st.integers(0, 2**62),
    mtime_ns=st.integers(-(2**62), 2**62),
)
def test_any_file_record_survives(
    names: list[str], size: int, mtime_ns: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    catalog = Catalog.open(tmp_path_factory.mktemp("files") / "catalog.sqlite3")
    try:
        records = [
            FileRecord(f"/photos/{name}", size, mtime_ns, "failed", "reason") for name in names
        ]
        catalog.record_files(records, catalog.new_run())
        assert catalog.files_at([r.path for r in records]) == {r.path: r for r in records}
        gone = catalog.mark_missing(["/photos"], catalog.new_run())
        assert {r.path for r in gone} == {r.path for r in records}
    finally:
        catalog.close()
