"""The vector index on Chroma: in a folder of its own, or on a server."""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from framekeep.errors import FramekeepError, IndexUnavailableError, StoreError
from framekeep.store.chroma_client import (
    ID_PAGE,
    Session,
    find_collection,
    nearest,
    nearest_known,
    open_folder,
    open_server,
)
from framekeep.store.database import pages
from framekeep.store.index_guard import IndexGuard, Stamp, survives
from framekeep.types import Vectors

HNSW = {
    "space": "cosine",
    "ef_construction": 100,
    "max_neighbors": 24,
    "ef_search": 400,
    "sync_threshold": 256,
}
"""Chosen for recall at little cost in adding (Malkov & Yashunin 2016): many candidates when
searching rather than when building. Files are saved every 256 writes, so that a reader has few to
replay from the log."""

WRITE_PAGE = 2048
"""Vectors per request; Chroma takes at most 5,461 where SQLite is old, and says so itself."""
QUERY_ID_PAGE = 100_000
"""Ids a query is restricted to, per request: about 7 MB on the wire, a server takes 40."""

READ_THROUGH = "import sys; from framekeep.store.chroma import read_through as r; r(sys.argv[1])"


class ChromaStore:
    """A `VectorStore` on Chroma; thread-safe, and opened at first use.

    One collection per space and namespace; several libraries share a server by namespace. A local
    index is used by one thread and one process at a time, for as long as one call takes.
    """

    def __init__(self, place: str, folder: Path | None, namespace: str) -> None:
        self._place = place
        self._folder = folder
        self._namespace = namespace
        self._lock = threading.RLock()
        self._session: Session | None = None
        self._guard = None if folder is None else IndexGuard(folder)
        self._seen = Stamp("", whole=True)

    @classmethod
    def local(cls, folder: Path) -> ChromaStore:
        """An index in a folder of this machine, made when the first space is created."""
        return cls(str(folder), Path(folder), "")

    @classmethod
    def server(cls, url: str, namespace: str = "") -> ChromaStore:
        """An index on a Chroma server, such as "http://127.0.0.1:8000".

        Raises StoreError for what is no http or https address.
        """
        try:
            parts = urlsplit(url)
            usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            usable = False
        if not usable:
            raise StoreError(f"{url!r} is not the address of a server, as http://127.0.0.1:8000.")
        return cls(url, None, namespace)

    def spaces(self) -> list[str]:
        """The spaces that exist, sorted."""
        if self._absent():
            return []
        with self._client() as client:
            return sorted(str(c.metadata["space"]) for c in self._collections(client))

    def create(self, space: str, dim: int) -> None:
        """Make the space if it does not exist yet; StoreError where it has another dimension."""
        with self._client() as client:
            found = self._find(client, space)
            if found is None:
                with self._writing():
                    client.create_collection(
                        self._name(space),
                        metadata={"space": space, "namespace": self._namespace, "dim": dim},
                        configuration={"hnsw": HNSW},
                        embedding_function=None,  # its default would download a model
                    )
                return
            has = int(found.metadata["dim"])
            if has != dim:
                raise StoreError(f"The space {space} has vectors of {has} numbers, not {dim}.")

    def drop(self, space: str) -> None:
        """Remove the space and its vectors; nothing happens if there is none."""
        if self._absent():
            return
        with self._client() as client:
            if self._find(client, space) is not None:
                with self._writing():
                    client.delete_collection(self._name(space))

    @contextmanager
    def plain(self, name: str) -> Iterator[Any]:
        """A Chroma collection under a name of the caller's, made if new: the first version's."""
        with self._client() as client:
            configuration = {"hnsw": {"space": "cosine"}}
            yield client.get_or_create_collection(
                name, configuration=configuration, embedding_function=None
            )

    def count(self, space: str) -> int:
        """How many vectors the space holds."""
        with self._reading(space) as collection:
            return 0 if collection is None else int(collection.count())

    def ids(self, space: str) -> Iterator[list[str]]:
        """All ids, in pages; nobody may write meanwhile."""
        offset = 0
        while True:
            with self._reading(space) as collection:
                if collection is None:
                    return
                found = collection.get(limit=ID_PAGE, offset=offset, include=[])["ids"]
            if not found:
                return
            yield list(found)
            offset += len(found)

    def get(self, space: str, ids: Sequence[str]) -> dict[str, Vectors]:
        """The stored vectors, each (dim,) float32, of those ids that exist."""
        rows: dict[str, Vectors] = {}
        with self._reading(space) as collection:
            if collection is None:
                return rows
            for page in pages(list(dict.fromkeys(ids)), WRITE_PAGE):
                found = collection.get(ids=list(page), include=["embeddings"])
                for media_id, row in zip(found["ids"], found["embeddings"], strict=True):
                    rows[media_id] = np.asarray(row, dtype=np.float32)
        return rows

    def upsert(self, space: str, ids: Sequence[str], vectors: Vectors) -> None:
        """Add or replace vectors (N, dim) under their ids; any N. Durable when it returns."""
        with self._client() as client:
            collection = self._find(client, space)
            if collection is None:
                raise StoreError(f"There is no space {space}; create it before adding to it.")
            dim = int(collection.metadata["dim"])
            if vectors.shape != (len(ids), dim):
                raise StoreError(
                    f"The space {space} takes {len(ids)} vectors of {dim} numbers, "
                    f"not an array of shape {vectors.shape}."
                )
            # Chroma refuses an id twice in one request: the last one counts.
            last = {media_id: row for row, media_id in enumerate(ids)}
            step = min(WRITE_PAGE, int(client.get_max_batch_size()))
            with self._writing():
                for page in pages(list(last.items()), step):
                    collection.upsert(
                        ids=[media_id for media_id, _ in page],
                        embeddings=np.asarray(vectors[[row for _, row in page]], dtype=np.float32),
                    )

    def delete(self, space: str, ids: Sequence[str]) -> None:
        """Remove vectors; unknown ids are no error."""
        with self._reading(space) as collection:
            if collection is not None and ids:
                with self._writing():
                    for page in pages(list(dict.fromkeys(ids)), WRITE_PAGE):
                        collection.delete(ids=list(page))

    def query(
        self, space: str, vector: Vectors, limit: int, ids: Sequence[str] | None = None
    ) -> list[tuple[str, float]]:
        """The nearest vectors to the unit vector (dim,), as (id, cosine), best first.

        With `ids`, only among those; ids that the index does not hold cost a second look.
        """
        with self._reading(space) as collection:
            if collection is None:
                return []
            dim = int(collection.metadata["dim"])
            if vector.shape != (dim,):
                raise StoreError(
                    f"The space {space} has vectors of {dim} numbers, "
                    f"and the query is of shape {vector.shape}."
                )
            if ids is None:
                return nearest(collection, vector, limit, None)
            hits: list[tuple[str, float]] = []
            for page in pages(list(dict.fromkeys(ids)), QUERY_ID_PAGE):
                hits.extend(nearest_known(collection, vector, limit, page))
        return sorted(hits, key=lambda hit: -hit[1])[:limit]

    def reopen(self) -> None:
        """See what other processes have written: nothing to do, every use looks for that itself."""

    def close(self) -> None:
        """Let go of files and connections; the next use opens them again."""
        with self._lock:
            session, self._session = self._session, None
            if session is not None:
                session.close()

    def sound(self) -> bool:
        """Whether all of it can be read, tried where a crash hurts nobody; used by repair.

        A server looks after its own files and counts as sound.
        """
        if self._folder is None or self._guard is None or self._absent():
            return True
        with self._mapped(), self._lock, self._guard.turn():
            self.close()
            return not self._guard.torn() and survives(READ_THROUGH, self._folder)

    def reset(self) -> None:
        """Remove all spaces, even where the index cannot be opened any more; used by repair."""
        if self._folder is None or self._guard is None:
            for space in self.spaces():
                self.drop(space)
            return
        try:
            with self._lock, self._guard.turn():
                self.close()
                if self._folder.exists():
                    shutil.rmtree(self._folder)
        except OSError as exc:
            raise IndexUnavailableError(
                f"The damaged vector index {self._place} cannot be removed: {exc.strerror}; "
                "remove that folder yourself and run `framekeep repair` again."
            ) from exc

    def _name(self, space: str) -> str:
        key = f"{self._namespace}\n{space}" if self._namespace else space
        return "fk-" + hashlib.sha256(key.encode()).hexdigest()[:32]

    def _absent(self) -> bool:
        """True where reading would make the folder of an index that has nothing yet."""
        return self._folder is not None and not (self._folder / "chroma.sqlite3").exists()

    def _collections(self, client: Any) -> list[Any]:
        mine, offset, step = [], 0, 500
        while found := client.list_collections(limit=step, offset=offset):
            mine += [
                c
                for c in found
                if c.name.startswith("fk-")
                and (c.metadata or {}).get("namespace") == self._namespace
            ]
            offset += len(found)
        return mine

    def _find(self, client: Any, space: str) -> Any | None:
        return find_collection(client, self._name(space))

    @contextmanager
    def _reading(self, space: str) -> Iterator[Any | None]:
        if self._absent():
            yield None
            return
        with self._client() as client:
            yield self._find(client, space)

    @contextmanager
    def _client(self) -> Iterator[Any]:
        """The open client for one call, up to date; its errors are put into words."""
        with self._mapped():
            if self._guard is None:
                with self._lock:
                    client = self._opened()
                yield client
                return
            with self._lock, self._guard.turn():
                self._catch_up(self._guard)
                yield self._opened()

    def _catch_up(self, guard: IndexGuard) -> None:
        """Open anew where others have written: a client keeps what it has read (chroma #3792)."""
        found = guard.read()
        if guard.torn():
            self.close()
            raise IndexUnavailableError(
                f"The vector index {self._place} is damaged, as when a process is stopped while "
                "saving it; `framekeep repair` rebuilds it."
            )
        if not found.whole:
            with guard.writing() as found:
                pass  # cut short, but nothing is broken
        if found != self._seen:
            self.close()
            self._seen = found

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Within `_client`: change the index. After an error or a crash it counts as torn."""
        if self._guard is None:
            yield
            return
        with self._guard.writing() as stamp:
            yield
        self._seen = stamp

    def _opened(self) -> Any:
        if self._session is None:
            if self._folder is not None:
                self._session = open_folder(self._folder)
            else:
                self._session = open_server(self._place)
        return self._session.client

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        try:
            yield
        except (FramekeepError, GeneratorExit, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as exc:  # Chroma's Rust core panics outside of Exception
            raise self._in_words(exc) from exc

    def _in_words(self, exc: BaseException) -> StoreError:
        lines = str(exc).strip().splitlines()
        said = (lines[0] if lines else type(exc).__name__)[:200].rstrip(".")
        kind = f"{type(exc).__module__}.{type(exc).__name__}"
        if "disk is full" in said or "No space left" in said:
            return StoreError(f"The disk that holds the vector index {self._place} is full.")
        if kind in ("chromadb.errors.InvalidArgumentError", "chromadb.errors.InvalidDimension"):
            return StoreError(f"The vector index {self._place} refused a request: {said}.")
        if self._folder is None:
            return IndexUnavailableError(
                f"The Chroma server {self._place} cannot be used ({said}); check that it runs "
                "at this address, and where it lost its data, `framekeep repair` rebuilds it."
            )
        return IndexUnavailableError(
            f"The vector index {self._place} cannot be read ({said}); "
            "`framekeep repair` rebuilds it."
        )


def read_through(folder: str) -> None:
    """Touch every vector of every collection; raises, or ends the process, where that fails."""
    session = open_folder(Path(folder))
    for collection in session.client.list_collections():
        total = 0
        while ids := collection.get(limit=WRITE_PAGE, offset=total, include=[])["ids"]:
            rows = collection.get(ids=ids, include=["embeddings"])["embeddings"]
            if len(rows) != len(ids):
                raise IndexUnavailableError("vectors are lacking")
            if nearest(collection, rows[0], 1, None)[0][1] < 1 - 1e-3:
                raise IndexUnavailableError("a vector is not found")
            total += len(ids)
        if total != collection.count():
            raise IndexUnavailableError("the count is wrong")
    session.close()
