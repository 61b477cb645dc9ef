"""Plans, paging and duplicates on a real catalog, with the exact and the real index."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.search_plans import run as run_plans
from framekeep import duplicates, search
from framekeep.errors import InputError, NotFoundError
from framekeep.search import Searcher
from framekeep.store.catalog import Catalog
from framekeep.store.chroma import ChromaStore
from framekeep.testing import HashEncoder, MemoryVectorStore
from framekeep.types import FileRecord, MediaItem, Query, Term

ENCODER = HashEncoder()
COUNT = 400


@pytest.fixture(scope="module", params=["memory", "chroma"])
def parts(request, tmp_path_factory):
    """A catalog and an index of 400 media in 20 clusters."""
    folder = tmp_path_factory.mktemp("search")
    catalog = Catalog.open(folder / "catalog.sqlite3")
    store = MemoryVectorStore() if request.param == "memory" else ChromaStore.local(folder / "c")
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(20, ENCODER.dim)).repeat(COUNT // 20, axis=0)
    rows = rows + 0.3 * rng.normal(size=rows.shape)
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    ids = [f"{n:064x}" for n in range(COUNT)]
    catalog.put_media(
        [
            MediaItem(media_id, "photo", n, (100 + n, 100), "jpeg", sharpness=float(n))
            for n, media_id in enumerate(ids)
        ]
    )
    space = ENCODER.info.space
    store.create(space, ENCODER.dim)
    catalog.put_vectors(space, ids, rows)
    store.upsert(space, ids, rows)
    catalog.record_files(
        [FileRecord(f"/p/{n}.jpg", n, 1, "indexed", None, i) for n, i in enumerate(ids)], 1
    )
    catalog.mark_indexed(space, ids)
    yield catalog, store, rows
    store.close()
    catalog.close()


def searcher(parts) -> Searcher:
    catalog, store, _ = parts
    return Searcher(catalog, store, ENCODER.info, lambda: ENCODER)


def truth(rows, query, kept, limit):
    scores = rows @ query
    return [f"{n:064x}" for n in sorted(kept, key=lambda n: -scores[n])[:limit]]


@pytest.mark.parametrize(
    ("where", "least", "exact_limit", "queries", "plan"),
    [
        (None, 0, 1500, (0, 150, 399), "index"),
        ("sharpness>=390", 390, 1500, (0, 150, 399), "exact"),
        ("sharpness>=100", 100, 50, (150, 250, 399), "widened"),
        ("sharpness>=340", 340, 10, (0, 150, 399), "restricted"),
        # A filter that keeps nothing of the query's own cluster.
        ("sharpness>=20", 20, 10, (0,), "restricted"),
    ],
)
def test_every_plan_finds_the_nearest(parts, monkeypatch, where, least, exact_limit, queries, plan):
    monkeypatch.setattr(search, "EXACT_LIMIT", exact_limit)
    monkeypatch.setattr(search, "PAGE_DEPTH", 10)
    if least == 340:
        monkeypatch.setattr(search, "WIDEST", 10)
    rows = parts[2]
    looker = searcher(parts)
    for n in queries:
        hits = looker.by_vector(rows[n], Query(where=where, limit=10))
        assert looker.plan.name == plan
        assert [hit.media_id for hit in hits] == truth(rows, rows[n], range(least, COUNT), 10)
        scores = [hit.score for hit in hits]
        assert np.allclose(scores, sorted(rows[least:] @ rows[n], reverse=True)[:10], atol=1e-5)


def test_pages_join(parts):
    rows = parts[2]
    looker = searcher(parts)
    pages = [
        hit.media_id
        for start in range(0, 440, 40)
        for hit in looker.by_vector(rows[7], Query(limit=40, offset=start))
    ]
    assert len(pages) == len(set(pages)) == COUNT


class ShortSighted(MemoryVectorStore):
    """Misses one in ten of the nearest unless it is asked for many."""

    def query(self, space, vector, limit, ids=None):
        found = super().query(space, vector, COUNT, ids)
        if limit < 200:
            found = [pair for pair in found if int(pair[0], 16) % 10]
        return found[:limit]


@pytest.mark.parametrize("where", [None, "sharpness<300"])
def test_pages_join_on_an_index_that_sees_more_when_asked_for_more(parts, monkeypatch, where):
    monkeypatch.setattr(search, "EXACT_LIMIT", 50)
    catalog, _, rows = parts
    store = ShortSighted()
    ids = [f"{n:064x}" for n in range(COUNT)]
    store.create(ENCODER.info.space, ENCODER.dim)
    store.upsert(ENCODER.info.space, ids, rows)
    looker = Searcher(catalog, store, ENCODER.info, lambda: ENCODER)
    pages = [
        hit.media_id
        for start in range(0, 440, 20)
        for hit in looker.by_vector(rows[7], Query(where=where, limit=20, offset=start))
    ]
    assert len(pages) == len(set(pages)) == (300 if where else COUNT)


def test_media_that_the_index_still_holds_leave_no_gap(parts):
    catalog, _, rows = parts
    gone = range(100, 130)
    ledger = [FileRecord(f"/p/{n}.jpg", n, 1, "missing", "gone", f"{n:064x}") for n in gone]
    catalog.record_files(ledger, 2)
    try:
        hits = searcher(parts).by_vector(rows[110], Query(limit=COUNT))
        assert len(hits) == COUNT - len(gone)
    finally:
        catalog.record_files(
            [FileRecord(f"/p/{n}.jpg", n, 1, "indexed", None, f"{n:064x}") for n in gone], 3
        )


def test_a_medium_that_is_gone_is_no_hit(parts, tmp_path):
    catalog, _, rows = parts
    gone = FileRecord("/p/5.jpg", 5, 1, "missing", "gone", f"{5:064x}")
    catalog.record_files([gone], 2)
    try:
        hits = searcher(parts).by_vector(rows[5], Query(limit=10))
        assert f"{5:064x}" not in [hit.media_id for hit in hits]
        assert len(hits) == 10
    finally:
        catalog.record_files([FileRecord("/p/5.jpg", 5, 1, "indexed", None, f"{5:064x}")], 3)


def test_similar_leaves_itself_out(parts):
    hits = searcher(parts).similar(f"{3:064x}", 5)
    assert len(hits) == 5
    assert f"{3:064x}" not in [hit.media_id for hit in hits]
    with pytest.raises(NotFoundError):
        searcher(parts).similar("f" * 64, 5)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["red", "blue", "green"]),
            st.floats(-3, 3).filter(lambda w: abs(w) > 0.01),
        ),
        min_size=1,
        max_size=4,
    )
)
@settings(deadline=None, max_examples=60)
def test_a_query_vector_is_the_renormalised_sum(weighted):
    catalog = None
    looker = Searcher(catalog, MemoryVectorStore(), ENCODER.info, lambda: ENCODER)
    terms = [Term("text", text, weight) for text, weight in weighted]
    total = sum(weight * ENCODER.encode_texts([text])[0] for text, weight in weighted)
    if np.linalg.norm(total) < 1e-4:
        return
    vector = looker.query_vector(terms)
    assert np.isclose(np.linalg.norm(vector), 1, atol=1e-5)
    assert np.allclose(vector, total / np.linalg.norm(total), atol=1e-3)


def test_parts_that_cancel_out_are_told():
    looker = Searcher(None, MemoryVectorStore(), ENCODER.info, lambda: ENCODER)
    with pytest.raises(InputError, match="cancel"):
        looker.query_vector([Term("text", "red", 1), Term("text", "red", -1)])
    with pytest.raises(InputError, match="weight"):
        Term("text", "red", 0)


def near_hashes(hashes: dict[str, int], bits: int) -> set[frozenset[str]]:
    """Every pair within the distance, the slow way."""
    names = sorted(hashes)
    return {
        frozenset((a, b))
        for i, a in enumerate(names)
        for b in names[i + 1 :]
        if (hashes[a] ^ hashes[b]).bit_count() <= bits
    }


@given(
    st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=12),
    st.lists(st.tuples(st.integers(0, 11), st.sets(st.integers(0, 63), max_size=8)), max_size=12),
    st.integers(0, 12),
)
@settings(deadline=None)
def test_near_hashes_finds_what_comparing_all_pairs_finds(values, edits, bits):
    hashes = {f"h{n}": value for n, value in enumerate(values)}
    for n, (which, flips) in enumerate(edits):
        hashes[f"e{n}"] = values[which % len(values)] ^ sum(1 << bit for bit in flips)
    found = {name: {name} for name in hashes}
    for a, b in map(tuple, near_hashes(hashes, bits)):
        joined = found[a] | found[b]
        for name in joined:
            found[name] = joined
    expected = {frozenset(group) for group in found.values() if len(group) > 1}
    groups = duplicates._alike_by_hash(list(hashes.items()), bits)
    assert {frozenset(group) for group in groups} == expected
    assert len(groups) == len(expected)


def test_index_and_comparing_all_find_the_same_groups(parts, monkeypatch):
    catalog, store, rows = parts
    space = ENCODER.info.space
    monkeypatch.setattr(duplicates, "TILE", 64)
    exact = duplicates.semantic(catalog, store, space, 0.9)
    monkeypatch.setattr(duplicates, "COMPARE_ALL", 0)
    monkeypatch.setattr(duplicates, "NEIGHBOURS", 60)
    assert duplicates.semantic(catalog, store, space, 0.9) == exact
    close = np.argwhere(np.triu(rows @ rows.T, 1) >= 0.9)
    assert {i for group in exact for i in group.media_ids} == {
        f"{n:064x}" for pair in close for n in pair
    }


def test_duplicates_are_kept_apart_and_the_best_comes_first(tmp_path):
    catalog = Catalog.open(tmp_path / "catalog.sqlite3")
    store = MemoryVectorStore()
    space = ENCODER.info.space
    store.create(space, ENCODER.dim)
    sizes = [(100, 100), (400, 300), (50, 50), (640, 480)]
    hashes = ["00000000000000ff", "00000000000000fe", "ffff000000000000", "0f0f0f0f0f0f0f0f"]
    ids = [f"{n:064x}" for n in range(4)]
    catalog.put_media(
        [
            MediaItem(i, "photo", 9, size, "jpeg", phash=phash)
            for i, size, phash in zip(ids, sizes, hashes, strict=True)
        ]
    )
    rows = np.eye(ENCODER.dim, dtype=np.float32)[:4]
    rows[3] = rows[2] * 0.99 + rows[1] * 0.05
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    catalog.put_vectors(space, ids, rows)
    store.upsert(space, ids, rows)
    files = [FileRecord(f"/p/{n}.jpg", 9, 1, "indexed", None, i) for n, i in enumerate(ids)]
    files.append(FileRecord("/p/copy.jpg", 9, 1, "indexed", None, ids[2]))
    catalog.record_files(files, 1)
    (same,) = duplicates.identical(catalog)
    assert same.paths == (Path("/p/2.jpg"), Path("/p/copy.jpg"))
    (alike,) = duplicates.perceptual(catalog)
    assert alike.media_ids == (ids[1], ids[0])
    assert duplicates.perceptual(catalog, 0) == []
    (meant,) = duplicates.semantic(catalog, store, space)
    assert meant.media_ids == (ids[3], ids[2])
    for wrong in (-1, 13):
        with pytest.raises(InputError):
            duplicates.perceptual(catalog, wrong)
    with pytest.raises(InputError):
        duplicates.semantic(catalog, store, space, 0)
    catalog.close()


def test_recall_of_the_plans_on_a_small_library(tmp_path):
    found = run_plans(4000, tmp_path)
    assert {name: recall for name, (recall, *_) in found.items() if recall < 0.99} == {}
    assert {plan for _, _, plan, _ in found.values()} >= {"index", "exact", "widened"}
