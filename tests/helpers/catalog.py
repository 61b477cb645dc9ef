"""Records for a catalog, made on the spot."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from framekeep.store.catalog import Catalog
from framekeep.types import FileRecord, MediaItem, Vectors

DATABASES = ["sqlite", "postgresql"]
POSTGRES = os.environ.get("FRAMEKEEP_TEST_POSTGRES_URL")
SPACE = "hash@000000000000/p1:fp32"


def media_ids(count: int, start: int = 0) -> list[str]:
    """Ids of 64 hex digits, in order."""
    return [f"{n:064x}" for n in range(start, start + count)]


def item(media_id: str, **change: Any) -> MediaItem:
    """A medium with plausible attributes."""
    known: dict[str, Any] = {
        "media_id": media_id,
        "kind": "photo",
        "bytes": 1234,
        "size_wh": (640, 480),
        "format": "jpeg",
        "taken_at_local": datetime(2024, 5, 6, 7, 8, 9),
        "camera": "Nikon F3",
        "exif_orientation": 6,
        "sharpness": 12.5,
        "brightness": 0.25,
        "phash": "00ff00ff00ff00ff",
        "added_at": datetime(2024, 6, 1, tzinfo=UTC),
    }
    return MediaItem(**(known | change))


def file_of(media_id: str | None, path: str | None = None, **change: Any) -> FileRecord:
    """An indexed file with that content."""
    known: dict[str, Any] = {
        "path": path or f"/photos/{media_id}.jpg",
        "bytes": 1234,
        "mtime_ns": 1_700_000_000_123_456_789,
        "state": "indexed",
        "media_id": media_id,
    }
    return FileRecord(**(known | change))


def unit(count: int, dim: int = 8, seed: int = 0) -> Vectors:
    """Unit rows (count, dim) float32."""
    rows = np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def fill(catalog: Catalog, ids: Sequence[str], *, dim: int = 8, space: str = SPACE) -> Vectors:
    """Make live media with vectors, not yet in any index; returns the vectors."""
    rows = unit(len(ids), dim)
    catalog.put_media([item(media_id) for media_id in ids])
    catalog.put_vectors(space, ids, rows)
    catalog.record_files([file_of(media_id) for media_id in ids], catalog.new_run())
    return rows


def catalog_on(database: str, folder: Path) -> Catalog:
    """A new catalog in a file, or on the PostgreSQL that FRAMEKEEP_TEST_POSTGRES_URL names."""
    if database == "sqlite":
        return Catalog.open(folder / "catalog.sqlite3")
    if POSTGRES is None:
        pytest.skip("FRAMEKEEP_TEST_POSTGRES_URL names no PostgreSQL database")
    engine = sa.create_engine(POSTGRES)
    with engine.begin() as connection:
        connection.execute(sa.text("DROP SCHEMA public CASCADE"))
        connection.execute(sa.text("CREATE SCHEMA public"))
    engine.dispose()
    return Catalog.open(POSTGRES)
