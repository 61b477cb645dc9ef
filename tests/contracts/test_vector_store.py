"""What every vector store does: the fake, Chroma in a folder, Chroma on a server."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from framekeep.errors import StoreError
from framekeep.store.chroma import ChromaStore
from framekeep.store.vectors import VectorStore
from framekeep.testing import MemoryVectorStore
from framekeep.types import Vectors

SPACE = "clip-vit-b-32@40d365715913/p1:fp32"
DIM = 8


def unit(count: int, seed: int = 0, dim: int = DIM) -> Vectors:
    rows = np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def names(count: int, start: int = 0) -> list[str]:
    return [f"{n:064x}" for n in range(start, start + count)]


@pytest.fixture(params=["memory", "local", "server"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], VectorStore]]:
    """Opens the store of this test; again and again the same one, except for the fake."""
    opened: list[VectorStore] = []
    url = request.getfixturevalue("chroma_url") if request.param == "server" else ""
    namespace = uuid.uuid4().hex
    memory = MemoryVectorStore()

    def opens() -> VectorStore:
        store: VectorStore
        if request.param == "memory":
            store = memory
        elif request.param == "local":
            store = ChromaStore.local(tmp_path / "chroma")
        else:
            store = ChromaStore.server(url, namespace)
        opened.append(store)
        return store

    yield opens
    for store in opened:
        store.close()


@pytest.fixture
def store(make: Callable[[], VectorStore]) -> VectorStore:
    return make()


def test_keeps_the_protocol(store: VectorStore) -> None:
    assert isinstance(store, VectorStore)


def test_reading_a_space_that_does_not_exist_is_like_an_empty_one(store: VectorStore) -> None:
    assert store.spaces() == []
    assert store.count(SPACE) == 0
    assert list(store.ids(SPACE)) == []
    assert store.get(SPACE, names(2)) == {}
    assert store.query(SPACE, unit(1)[0], 5) == []
    assert store.query(SPACE, unit(1)[0], 5, names(2)) == []
    store.delete(SPACE, names(2))
    store.drop(SPACE)
    assert store.spaces() == []


def test_an_empty_space(store: VectorStore) -> None:
    store.create(SPACE, DIM)
    assert store.spaces() == [SPACE]
    assert store.count(SPACE) == 0
    assert list(store.ids(SPACE)) == []
    assert store.get(SPACE, names(2)) == {}
    assert store.query(SPACE, unit(1)[0], 5) == []
    assert store.query(SPACE, unit(1)[0], 5, names(2)) == []
    store.upsert(SPACE, [], np.zeros((0, DIM), np.float32))
    assert store.count(SPACE) == 0


def test_create_twice_and_with_another_dimension(store: VectorStore) -> None:
    store.create(SPACE, DIM)
    store.create(SPACE, DIM)
    with pytest.raises(StoreError, match=r"8 numbers, not 9"):
        store.create(SPACE, DIM + 1)


def test_wrong_shapes_are_refused(store: VectorStore) -> None:
    with pytest.raises(StoreError, match="no space"):
        store.upsert(SPACE, names(1), unit(1))
    store.create(SPACE, DIM)
    with pytest.raises(StoreError, match="shape"):
        store.upsert(SPACE, names(2), unit(1))
    with pytest.raises(StoreError, match="shape"):
        store.upsert(SPACE, names(1), unit(1, dim=DIM + 1))
    store.upsert(SPACE, names(1), unit(1))
    with pytest.raises(StoreError, match="shape"):
        store.query(SPACE, unit(1, dim=DIM + 1)[0], 1)


def test_get_gives_back_what_was_put(store: VectorStore) -> None:
    store.create(SPACE, DIM)
    ids, rows = names(50), unit(50)
    store.upsert(SPACE, ids, rows)
    found = store.get(SPACE, [*ids, "nobody"])
    assert set(found) == set(ids)
    for media_id, row in zip(ids, rows, strict=True):
        assert found[media_id].dtype == np.float32
        assert found[media_id].shape == (DIM,)
        np.testing.assert_allclose(found[media_id], row, atol=1e-6)


def test_upsert_replaces(store: VectorStore) -> None:
    store.create(SPACE, DIM)
    ids = names(3)
    store.upsert(SPACE, ids, unit(3, seed=1))
    new = unit(3, seed=2)
    store.upsert(SPACE, ids, new)
    assert store.count(SPACE) == 3
    np.testing.assert_allclose(store.get(SPACE, ids)[ids[1]], new[1], atol=1e-6)
    assert store.query(SPACE, new[1], 1)[0][0] == ids[1]


def test_an_id_given_twice_keeps_the_last_vector(store: VectorStore) -> None:
    store.create(SPACE, DIM)
    rows = unit(2)
    store.upsert(SPACE, ["a", "a"], rows)
    assert store.count(SPACE) == 1
    np.testing.assert_allclose(store.get(SPACE, ["a", "a"])["a"], rows[1], atol=1e-6)


def test_query_is_exact_here_and_scores_are_cosines(store: VectorStore) -> None:
    store.create(SPACE, DIM)
    ids, rows = names(300), unit(300)
    store.upsert(SPACE, ids, rows)
    vector = unit(1, seed=9)[0]
    cosines = rows @ vector
    best = [ids[n] for n in np.argsort(-cosines)[:10]]
    found = store.query(SPACE, vector, 10)
    assert [media_id for media_id, _ in found] == best
    np.testing.assert_allclose([s for _, s in found], np.sort(cosines)[::-1][:10], atol=1e-5)


def test_query_among_ids(store: VectorStore) -> None:
    store.create(SPACE, DIM)
    ids, rows = names(300), unit(300)
    store.upsert(SPACE, ids, rows)
    vector = unit(1, seed=9)[0]
    among = ids[::7]
    cosines = rows[::7] @ vector
    best = [among[n] for n in np.argsort(-cosines)[:5]]
    assert [i for i, _ in store.query(SPACE, vector, 5, among)] == best
    assert [i for i, _ in store.query(SPACE, vector, 5, [*among, *among])] == best
    assert [i for i, _ in store.query(SPACE, vector, 5, [*among, "nobody"])] == best
    assert store.query(SPACE, vector, 5, ["nobody"]) == []
    assert store.query(SPACE, vector, 5, []) == []


def test_limit_beyond_what_is_there(store: VectorStore) -> None:
    store.create(SPACE, DIM)
    store.upsert(SPACE, names(20), unit(20))
    store.delete(SPACE, names(5))
    vector = unit(1, seed=9)[0]
    assert len(store.query(SPACE, vector, 1000)) == 15
    assert len(store.query(SPACE, vector, 1000, names(20))) == 15
    assert len({i for i, _ in store.query(SPACE, vector, 15)}) == 15


def test_delete_and_drop(store: VectorStore) -> None:
    store.create(SPACE, DIM)
    store.create("other", 3)
    store.upsert(SPACE, names(10), unit(10))
    store.delete(SPACE, [*names(4), "nobody"])
    store.delete(SPACE, [])
    assert store.count(SPACE) == 6
    assert sorted(i for page in store.ids(SPACE) for i in page) == names(6, 4)
    store.upsert(SPACE, names(1), unit(1))
    assert store.count(SPACE) == 7
    store.drop(SPACE)
    assert store.spaces() == ["other"]
    store.create(SPACE, DIM + 2)
    assert store.count(SPACE) == 0


def test_spaces_are_apart(store: VectorStore) -> None:
    store.create("a", DIM)
    store.create("b", DIM)
    store.upsert("a", names(3), unit(3))
    store.upsert("b", names(3), unit(3, seed=5))
    store.delete("a", names(3))
    assert (store.count("a"), store.count("b")) == (0, 3)
    assert store.spaces() == ["a", "b"]


def test_long_lists_are_paged(store: VectorStore) -> None:
    """More than one request takes (5,461 vectors), and more ids than SQL has variables."""
    store.create(SPACE, 2)
    count = 34_000
    angles = np.linspace(0, np.pi, count)
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    ids = names(count)
    store.upsert(SPACE, ids[:7000], rows[:7000])
    assert store.count(SPACE) == 7000
    pages = list(store.ids(SPACE))
    assert sorted(i for page in pages for i in page) == ids[:7000]
    assert len(pages) > 1
    found = store.get(SPACE, ids)
    assert len(found) == 7000
    np.testing.assert_allclose(found[ids[6999]], rows[6999], atol=1e-6)
    hits = store.query(SPACE, rows[3500], 3, ids)
    assert len(hits) == 3
    assert min(score for _, score in hits) > 0.9999
    store.delete(SPACE, ids[10:])
    assert store.count(SPACE) == 10


def test_what_was_written_is_there_after_reopening(make: Callable[[], VectorStore]) -> None:
    store = make()
    store.create(SPACE, DIM)
    store.upsert(SPACE, names(20), unit(20))
    store.close()
    again = make()
    assert again.spaces() == [SPACE]
    assert again.count(SPACE) == 20
    assert again.query(SPACE, unit(20)[4], 1)[0][0] == names(20)[4]


def test_reopen_shows_what_another_store_wrote(make: Callable[[], VectorStore]) -> None:
    writer, reader = make(), make()
    writer.create(SPACE, DIM)
    writer.upsert(SPACE, names(20), unit(20))
    assert reader.query(SPACE, unit(20)[0], 1)[0][0] == names(1)[0]
    writer.upsert(SPACE, names(1, 20), unit(1, seed=7))
    reader.reopen()
    assert reader.query(SPACE, unit(1, seed=7)[0], 1)[0][0] == names(1, 20)[0]
    reader.close()
    assert writer.count(SPACE) == 21


def test_queries_in_threads_survive_reopening(store: VectorStore) -> None:
    store.create(SPACE, DIM)
    ids, rows = names(200), unit(200)
    store.upsert(SPACE, ids, rows)
    wrong: list[object] = []

    def ask(seed: int) -> None:
        for n in np.random.default_rng(seed).integers(0, 200, 40):
            try:
                if store.query(SPACE, rows[n], 1)[0][0] != ids[n]:
                    wrong.append(n)
            except StoreError as exc:
                wrong.append(exc)

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        store.reopen()
        time.sleep(0.005)
    assert wrong == []
