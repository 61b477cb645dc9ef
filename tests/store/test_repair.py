"""Whatever happens to the index, the catalog brings it back, without encoding."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from framekeep.errors import IndexUnavailableError
from framekeep.store.catalog import Catalog
from framekeep.store.chroma import ChromaStore
from framekeep.store.repair import check_index, repair, replay
from framekeep.store.vectors import VectorStore
from framekeep.testing import MemoryVectorStore
from framekeep.types import RepairReport, Vectors
from tests.helpers.catalog import SPACE, file_of, fill, item, media_ids, unit

IDS = media_ids(300)
STRANGERS = media_ids(20, start=10_000)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    opened = Catalog.open(tmp_path / "catalog.sqlite3")
    yield opened
    opened.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "chroma"


@pytest.fixture(params=["memory", "chroma"])
def vectors(request: pytest.FixtureRequest, folder: Path) -> Iterator[VectorStore]:
    store = MemoryVectorStore() if request.param == "memory" else ChromaStore.local(folder)
    yield store
    store.close()


@pytest.fixture
def chroma(folder: Path) -> Iterator[ChromaStore]:
    store = ChromaStore.local(folder)
    yield store
    store.close()


def index_all(catalog: Catalog, vectors: VectorStore) -> Vectors:
    rows = fill(catalog, IDS)
    vectors.create(SPACE, rows.shape[1])
    vectors.upsert(SPACE, IDS, rows)
    catalog.mark_indexed(SPACE, IDS)
    return rows


def assert_same(catalog: Catalog, vectors: VectorStore, rows: Vectors) -> None:
    held = vectors.get(SPACE, [*IDS, *STRANGERS])
    assert sorted(held) == IDS
    np.testing.assert_allclose(np.stack([held[i] for i in IDS]), rows, atol=1e-6)
    assert vectors.count(SPACE) == len(IDS)
    assert vectors.query(SPACE, rows[7], 1)[0][0] == IDS[7]
    assert catalog.unindexed(SPACE) == []
    assert catalog.stale(SPACE) == []
    assert catalog.count_indexed(SPACE) == len(IDS)


def test_a_sound_index_is_left_alone(catalog: Catalog, vectors: VectorStore) -> None:
    rows = index_all(catalog, vectors)
    before = catalog.generation()
    report = repair(catalog, vectors, SPACE, 8)
    assert report == RepairReport(checked=300)
    assert report.clean
    assert catalog.generation() == before
    assert_same(catalog, vectors, rows)


def test_every_difference_is_mended(catalog: Catalog, vectors: VectorStore) -> None:
    rows = index_all(catalog, vectors)
    vectors.delete(SPACE, IDS[10:40])
    vectors.upsert(SPACE, STRANGERS, unit(20, seed=3))
    vectors.upsert(SPACE, IDS[100:105], unit(5, seed=4))
    before = catalog.generation()
    report = repair(catalog, vectors, SPACE, 8)
    assert report == RepairReport(checked=300, added=30, replaced=5, removed=20)
    assert catalog.generation() > before
    assert_same(catalog, vectors, rows)
    assert repair(catalog, vectors, SPACE, 8).clean


def test_a_small_difference_counts_and_rounding_does_not(catalog: Catalog) -> None:
    vectors = MemoryVectorStore()
    rows = index_all(catalog, vectors)
    vectors.upsert(SPACE, IDS[:2], rows[:2] + np.array([[2e-7], [1e-5]], np.float32))
    assert repair(catalog, vectors, SPACE).replaced == 1


def test_media_that_are_gone_leave_the_index(catalog: Catalog, vectors: VectorStore) -> None:
    index_all(catalog, vectors)
    catalog.record_files([file_of(IDS[0], state="missing")], catalog.new_run())
    assert repair(catalog, vectors, SPACE) == RepairReport(checked=299, removed=1)
    assert vectors.get(SPACE, IDS[:1]) == {}
    assert catalog.stale(SPACE) == []
    catalog.record_files([file_of(IDS[0])], catalog.new_run())
    assert repair(catalog, vectors, SPACE) == RepairReport(checked=300, added=1)


def test_a_ledger_that_is_wrong_is_set_right(catalog: Catalog, vectors: VectorStore) -> None:
    rows = index_all(catalog, vectors)
    catalog.mark_unindexed(SPACE, IDS[:50])
    assert repair(catalog, vectors, SPACE).clean
    assert_same(catalog, vectors, rows)


def test_nothing_to_repair(catalog: Catalog, vectors: VectorStore) -> None:
    assert repair(catalog, vectors, SPACE) == RepairReport()
    vectors.create(SPACE, 8)
    vectors.upsert(SPACE, STRANGERS, unit(20))
    assert repair(catalog, vectors, SPACE, 8) == RepairReport(removed=20)


def test_an_index_of_another_dimension_is_built_anew(
    catalog: Catalog, vectors: VectorStore
) -> None:
    rows = fill(catalog, IDS)
    vectors.create(SPACE, 5)
    vectors.upsert(SPACE, IDS, unit(300, dim=5))
    assert repair(catalog, vectors, SPACE).added == 300
    assert_same(catalog, vectors, rows)


def test_a_removed_folder(catalog: Catalog, chroma: ChromaStore, folder: Path) -> None:
    rows = index_all(catalog, chroma)
    check_index(catalog, chroma, SPACE)
    shutil.rmtree(folder)
    with pytest.raises(IndexUnavailableError, match="framekeep repair"):
        check_index(catalog, chroma, SPACE)
    assert repair(catalog, chroma, SPACE).added == 300
    assert_same(catalog, chroma, rows)
    assert repair(catalog, chroma, SPACE).clean


@pytest.mark.parametrize("content", [b"", b"rubbish" * 1000])
def test_a_damaged_database(
    catalog: Catalog, chroma: ChromaStore, folder: Path, content: bytes
) -> None:
    rows = index_all(catalog, chroma)
    chroma.close()
    (folder / "chroma.sqlite3").write_bytes(content)
    assert repair(catalog, chroma, SPACE).added == 300
    assert_same(catalog, chroma, rows)
    assert repair(catalog, chroma, SPACE).clean


def test_repair_of_one_space_leaves_the_others_to_replay(
    catalog: Catalog, chroma: ChromaStore, folder: Path
) -> None:
    index_all(catalog, chroma)
    catalog.put_vectors("other", IDS[:5], unit(5, dim=3))
    replay(catalog, chroma, "other")
    assert chroma.count("other") == 5
    chroma.close()
    (folder / "chroma.sqlite3").write_bytes(b"rubbish" * 1000)
    repair(catalog, chroma, SPACE)
    assert catalog.unindexed("other") == IDS[:5]
    replay(catalog, chroma, "other")
    assert chroma.count("other") == 5
    assert chroma.count(SPACE) == 300


def test_replay_finishes_what_was_cut_short(catalog: Catalog, vectors: VectorStore) -> None:
    rows = fill(catalog, IDS)
    vectors.create(SPACE, 8)
    vectors.upsert(SPACE, IDS[:200], rows[:200])
    catalog.mark_indexed(SPACE, IDS[:100])
    before = catalog.generation()
    replay(catalog, vectors, SPACE)
    assert catalog.generation() == before + 1
    assert_same(catalog, vectors, rows)
    replay(catalog, vectors, SPACE)
    assert catalog.generation() == before + 1, "nothing changed"


def test_replay_takes_out_what_never_became_live(catalog: Catalog, vectors: VectorStore) -> None:
    rows = index_all(catalog, vectors)
    catalog.put_media([item(STRANGERS[0])])
    catalog.put_vectors(SPACE, STRANGERS[:1], unit(1, seed=5))
    vectors.upsert(SPACE, STRANGERS[:1], unit(1, seed=5))
    replay(catalog, vectors, SPACE)
    assert catalog.have_vectors(SPACE, STRANGERS) == set(STRANGERS[:1]), "no encoding is lost"
    catalog.delete_media(STRANGERS[:1])
    assert_same(catalog, vectors, rows)


def test_replay_makes_the_space_where_there_is_none(catalog: Catalog, vectors: VectorStore) -> None:
    replay(catalog, vectors, SPACE)
    rows = fill(catalog, IDS)
    replay(catalog, vectors, SPACE)
    assert_same(catalog, vectors, rows)


def test_replay_repairs_an_index_that_lost_data(
    catalog: Catalog, chroma: ChromaStore, folder: Path
) -> None:
    rows = index_all(catalog, chroma)
    shutil.rmtree(folder)
    replay(catalog, chroma, SPACE)
    assert_same(catalog, chroma, rows)
    chroma.close()
    (folder / "chroma.sqlite3").write_bytes(b"rubbish" * 1000)
    replay(catalog, chroma, SPACE)
    assert_same(catalog, chroma, rows)


def garble(folder: Path) -> None:
    [vector_file] = folder.rglob("data_level0.bin")
    vector_file.write_bytes(b"\xff" * vector_file.stat().st_size)


def index_with_vector_files(catalog: Catalog, chroma: ChromaStore) -> Vectors:
    """Beyond 256 writes Chroma saves its vector files."""
    rows = index_all(catalog, chroma)
    for _ in range(4):
        chroma.upsert(SPACE, IDS, rows)
    chroma.close()
    return rows


def tear(folder: Path) -> None:
    stamp = folder / "framekeep.stamp"
    stamp.write_text(stamp.read_text().replace("whole", "torn"))


def test_a_write_cut_short_before_files_are_saved_is_finished_from_the_log(
    catalog: Catalog, chroma: ChromaStore, folder: Path
) -> None:
    rows = index_with_vector_files(catalog, chroma)
    time.sleep(0.1)
    tear(folder)
    assert_same(catalog, chroma, rows)


def test_a_write_cut_short_while_files_are_saved_is_noticed_before_they_are_read(
    catalog: Catalog, chroma: ChromaStore, folder: Path
) -> None:
    """Reading torn vector files can end the process."""
    rows = index_with_vector_files(catalog, chroma)
    tear(folder)
    garble(folder)
    for _ in range(2):
        with pytest.raises(IndexUnavailableError, match="framekeep repair"):
            chroma.query(SPACE, rows[0], 1)
    replay(catalog, chroma, SPACE)
    assert_same(catalog, chroma, rows)


def test_repair_survives_vector_files_that_end_the_process_that_reads_them(
    catalog: Catalog, chroma: ChromaStore, folder: Path
) -> None:
    rows = index_with_vector_files(catalog, chroma)
    garble(folder)
    assert not chroma.sound()
    assert repair(catalog, chroma, SPACE).added == 300
    assert chroma.sound()
    assert_same(catalog, chroma, rows)
