"""Chroma's clients and calls as they are. Only this file imports chromadb."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from framekeep.settings import no_telemetry
from framekeep.store.database import pages
from framekeep.store.index_guard import own_spelling
from framekeep.types import Vectors

ID_PAGE = 5000
"""Ids per request: Chroma puts each into one SQL variable, of which SQLite allows 32,766."""

_UNKNOWN_ID = "Error finding id"


@dataclass(frozen=True)
class Session:
    """One open client, and what is to be done when it is closed."""

    client: Any
    release: Callable[[], None]

    def close(self) -> None:
        """Let go of files and connections."""
        self.client.close()
        self.release()


def _settings() -> Any:
    no_telemetry()
    from chromadb.config import Settings

    # Without _env_file, Chroma would read whatever .env the user happens to stand in.
    return Settings(_env_file=None, anonymized_telemetry=False)


def open_folder(folder: Path) -> Session:
    """A client on a folder of this machine."""
    settings = _settings()
    import chromadb

    # Where this fails, the spelling stays taken: Chroma remembers a half-open system under it.
    path, release = own_spelling(folder)
    return Session(chromadb.PersistentClient(path, settings=settings), release)


def open_server(url: str) -> Session:
    """A client of a server, such as "http://127.0.0.1:8000"."""
    settings = _settings()
    import chromadb

    parts = urlsplit(url)
    ssl = parts.scheme == "https"
    port = parts.port or (443 if ssl else 8000)
    client = chromadb.HttpClient(parts.hostname or "", port, ssl=ssl, settings=settings)
    return Session(client, lambda: _hang_up(client))


def _hang_up(client: Any) -> None:
    """Close the connections, which Chroma's own `close` leaves to the garbage collector."""
    for each in (client, getattr(client, "_admin_client", None)):
        session = getattr(getattr(each, "_server", None), "_session", None)
        if session is not None:
            session.close()


def find_collection(client: Any, name: str) -> Any | None:
    """The collection of that name, if there is one."""
    from chromadb.errors import NotFoundError

    try:
        return client.get_collection(name, embedding_function=None)
    except NotFoundError:
        return None


def nearest_known(
    collection: Any, vector: Vectors, limit: int, ids: Sequence[str]
) -> list[tuple[str, float]]:
    """Chroma fails for an id that it does not hold: then leave those out."""
    from chromadb.errors import ChromaError

    try:
        return nearest(collection, vector, limit, ids)
    except ChromaError as exc:
        if _UNKNOWN_ID not in str(exc):
            raise
    held: list[str] = []
    for page in pages(ids, ID_PAGE):
        held += collection.get(ids=list(page), include=[])["ids"]
    return nearest(collection, vector, limit, held)


def nearest(
    collection: Any, vector: Vectors, limit: int, ids: Sequence[str] | None
) -> list[tuple[str, float]]:
    """The nearest vectors as (id, cosine), best first; with `ids`, all known, among those."""
    if limit < 1 or (ids is not None and not ids):
        return []
    found = collection.query(
        query_embeddings=np.asarray(vector, dtype=np.float32)[None],
        n_results=limit if ids is None else min(limit, len(ids)),
        ids=None if ids is None else list(ids),
        include=["distances"],
    )
    return [
        (i, 1.0 - float(d)) for i, d in zip(found["ids"][0], found["distances"][0], strict=True)
    ]
