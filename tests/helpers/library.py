"""A library with a real catalog and an index in memory, for tests in which Chroma has no part."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from framekeep.library import Library
from framekeep.opening import CATALOG_FILE, settle_encoder
from framekeep.settings import Settings
from framekeep.store.catalog import Catalog
from framekeep.testing import HashEncoder, MemoryVectorStore


@contextmanager
def memory_library(
    folder: Path, vectors: MemoryVectorStore | None = None, **settings: object
) -> Iterator[Library]:
    """Open the library in a folder, made if new; what was in memory goes with `vectors`."""
    folder.mkdir(parents=True, exist_ok=True)
    encoder = HashEncoder()
    catalog = Catalog.open(folder / CATALOG_FILE)
    if catalog.get_meta("encoder_id") is None:
        settle_encoder(catalog, encoder.info)
    store = vectors or MemoryVectorStore()
    with Library(folder, catalog, store, Settings(**settings), encoder) as library:
        yield library
