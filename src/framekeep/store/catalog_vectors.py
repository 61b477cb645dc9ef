"""The catalog's vectors, and the ledger of what the vector index has acknowledged."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import numpy as np
import sqlalchemy as sa

from framekeep.errors import InputError, StoreError
from framekeep.store.database import Database, pages
from framekeep.store.tables import LIVE, ledger, media, vectors
from framekeep.types import Vectors

WIRE = np.dtype("<f4")
"""How a vector's numbers lie in its blob: float32, little-endian, on every machine."""


class VectorsPart:
    """Part of `Catalog`: vectors and ledger."""

    _db: Database

    def put_vectors(self, space: str, ids: Sequence[str], rows: Vectors) -> None:
        """Add or replace vectors, (N, dim) float32, of media that are known.

        A replaced vector counts as not indexed again.
        """
        if rows.ndim != 2 or len(rows) != len(ids):
            raise InputError(f"{len(ids)} media need as many vectors, not shape {rows.shape}.")
        wire = np.ascontiguousarray(rows, dtype=WIRE)
        values = [
            {"space": space, "media_id": media_id, "vector": row.tobytes()}
            for media_id, row in zip(ids, wire, strict=True)
        ]
        with self._db.write() as connection:
            _forget(connection, space, ids)
            self._db.upsert(connection, vectors, values)

    def get_vectors(self, space: str, ids: Sequence[str]) -> tuple[list[str], Vectors]:
        """The ids that have a vector, and their vectors (N, dim) float32, in the same order."""
        found: list[tuple[str, bytes]] = []
        with self._db.read() as connection:
            for page in pages(ids):
                query = sa.select(vectors.c.media_id, vectors.c.vector).where(
                    vectors.c.space == space, vectors.c.media_id.in_(page)
                )
                found.extend((i, blob) for i, blob in connection.execute(query))
        return _unpack(found)

    def have_vectors(self, space: str, ids: Sequence[str]) -> set[str]:
        """Those of these media that have a vector in the space."""
        found: set[str] = set()
        with self._db.read() as connection:
            for page in pages(ids):
                query = sa.select(vectors.c.media_id).where(
                    vectors.c.space == space, vectors.c.media_id.in_(page)
                )
                found.update(connection.scalars(query))
        return found

    def vector_pages(
        self, space: str, live_only: bool = True, page: int = 4096
    ) -> Iterator[tuple[list[str], Vectors]]:
        """All vectors of a space by media id, page by page: ids and (N, dim) float32.

        Each page is its own transaction, so writers go on meanwhile.
        """
        last = ""
        while True:
            query = (
                sa.select(vectors.c.media_id, vectors.c.vector)
                .where(vectors.c.space == space, vectors.c.media_id > last)
                .order_by(vectors.c.media_id)
                .limit(page)
            )
            if live_only:
                query = query.join(media).where(media.c.state == LIVE)
            with self._db.read() as connection:
                found = [(i, blob) for i, blob in connection.execute(query)]
            if not found:
                return
            yield _unpack(found)
            last = found[-1][0]

    def count_vectors(self, space: str, live_only: bool = True) -> int:
        """How many media have a vector in the space."""
        query = sa.select(sa.func.count()).select_from(vectors).where(vectors.c.space == space)
        if live_only:
            query = query.join(media).where(media.c.state == LIVE)
        with self._db.read() as connection:
            return connection.scalar(query) or 0

    def lacking_vectors(
        self, space: str, live_only: bool = True, limit: int | None = None, after: str = ""
    ) -> list[str]:
        """Media without a vector in the space, by id, beginning behind the id `after`."""
        has = sa.exists().where(vectors.c.space == space, vectors.c.media_id == media.c.media_id)
        query = sa.select(media.c.media_id).where(media.c.media_id > after, ~has)
        query = query.order_by(media.c.media_id).limit(limit)
        return self._scalars(query.where(media.c.state == LIVE) if live_only else query)

    def sample_ids(self, space: str, n: int, seed: int) -> list[str]:
        """At most `n` live media with a vector, at random but the same for the same seed."""
        query = (
            sa.select(vectors.c.media_id)
            .join(media)
            .where(vectors.c.space == space, media.c.state == LIVE)
            .order_by(vectors.c.media_id)
        )
        ids = self._scalars(query)
        return random.Random(seed).sample(ids, min(n, len(ids)))  # noqa: S311 (no secret)

    def spaces(self) -> list[str]:
        """The spaces that hold a vector, sorted."""
        # A loose index scan: DISTINCT would read a million entries to find two names.
        found: list[str] = []
        with self._db.read() as connection:
            while True:
                query = sa.select(sa.func.min(vectors.c.space))
                if found:
                    query = query.where(vectors.c.space > found[-1])
                space = connection.scalar(query)
                if space is None:
                    return found
                found.append(space)

    def drop_space(self, space: str) -> None:
        """Forget all vectors of a space, and what the index has of them."""
        with self._db.write() as connection:
            connection.execute(sa.delete(ledger).where(ledger.c.space == space))
            connection.execute(sa.delete(vectors).where(vectors.c.space == space))

    def mark_indexed(self, space: str, ids: Sequence[str]) -> None:
        """Note that the index holds these media's present vectors. Written last."""
        rows = [{"space": space, "media_id": media_id} for media_id in ids]
        with self._db.write() as connection:
            self._db.upsert(connection, ledger, rows)

    def mark_unindexed(self, space: str, ids: Sequence[str] | None = None) -> None:
        """Note that the index does not hold these media, or with None any media of the space."""
        with self._db.write() as connection:
            if ids is None:
                connection.execute(sa.delete(ledger).where(ledger.c.space == space))
            else:
                _forget(connection, space, ids)

    def count_indexed(self, space: str) -> int:
        """How many vectors the index should hold, by the ledger."""
        query = sa.select(sa.func.count()).select_from(ledger).where(ledger.c.space == space)
        with self._db.read() as connection:
            return connection.scalar(query) or 0

    def unindexed(self, space: str) -> list[str]:
        """Live media with a vector that the index has not acknowledged, by id."""
        query = (
            sa.select(vectors.c.media_id)
            .join(media)
            .where(vectors.c.space == space, media.c.state == LIVE, ~_acknowledged())
            .order_by(vectors.c.media_id)
        )
        return self._scalars(query)

    def stale(self, space: str) -> list[str]:
        """Media that may be in the index and should not be, by id.

        Those in the ledger that are no longer live, and those whose adding was cut short, which
        the index may hold without the ledger's knowing.
        """
        gone = (
            sa.select(ledger.c.media_id)
            .join(media)
            .where(ledger.c.space == space, media.c.state != LIVE)
        )
        cut_short = (
            sa.select(vectors.c.media_id)
            .join(media)
            .where(vectors.c.space == space, media.c.state == "pending")
        )
        return sorted(self._scalars(gone.union(cut_short)))

    def _scalars(self, query: sa.Select[tuple[str]] | sa.CompoundSelect[tuple[str]]) -> list[str]:
        with self._db.read() as connection:
            return list(connection.scalars(query))


def _acknowledged() -> sa.ColumnElement[bool]:
    return sa.exists().where(
        ledger.c.space == vectors.c.space, ledger.c.media_id == vectors.c.media_id
    )


def _forget(connection: sa.Connection, space: str, ids: Sequence[str]) -> None:
    for page in pages(ids):
        connection.execute(
            sa.delete(ledger).where(ledger.c.space == space, ledger.c.media_id.in_(page))
        )


def _unpack(found: Sequence[tuple[str, bytes]]) -> tuple[list[str], Vectors]:
    if not found:
        return [], np.zeros((0, 0), np.float32)
    width = len(found[0][1])
    if any(len(blob) != width for _, blob in found) or width % WIRE.itemsize:
        raise StoreError("The catalog holds vectors of several lengths in one space; re-encode it.")
    rows = np.frombuffer(b"".join(blob for _, blob in found), dtype=WIRE)
    ids = [media_id for media_id, _ in found]
    return ids, rows.reshape(len(found), -1).astype(np.float32)
