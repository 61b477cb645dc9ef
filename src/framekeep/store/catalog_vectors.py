"""The catalog's vectors, and the ledger of what the vector index has acknowledged."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import sqlalchemy as sa

from framekeep.errors import InputError, StoreError
from framekeep.store.database import Database, pages
from framekeep.store.members import Members
from framekeep.store.tables import ledger, segment_ledger
from framekeep.types import Vectors

WIRE = np.dtype("<f4")
"""How a vector's numbers lie in its blob: float32, little-endian, on every machine."""


class VectorsPart:
    """Part of `Catalog` and `ObjectIndex`: vectors and ledger of their members."""

    _db: Database
    _holders: Members

    def put_vectors(self, space: str, ids: Sequence[str], rows: Vectors) -> None:
        """Add or replace vectors, (N, dim) float32, of members that are known.

        A replaced vector counts as not indexed again.
        """
        if rows.ndim != 2 or len(rows) != len(ids):
            raise InputError(f"{len(ids)} ids need as many vectors, not shape {rows.shape}.")
        wire = np.ascontiguousarray(rows, dtype=WIRE)
        key = self._holders.id.name
        values = [
            {"space": space, key: member, "vector": row.tobytes()}
            for member, row in zip(ids, wire, strict=True)
        ]
        with self._db.write() as connection:
            self._forget(connection, space, ids)
            self._db.upsert(connection, self._holders.vectors, values)

    def get_vectors(self, space: str, ids: Sequence[str]) -> tuple[list[str], Vectors]:
        """The ids that have a vector, and their vectors (N, dim) float32, in the same order."""
        of, found = self._holders, list[tuple[str, bytes]]()
        with self._db.read() as connection:
            for page in pages(ids):
                query = sa.select(of.vector_id, of.vectors.c.vector).where(
                    of.vectors.c.space == space, of.vector_id.in_(page)
                )
                found.extend((i, blob) for i, blob in connection.execute(query))
        return _unpack(found)

    def have_vectors(self, space: str, ids: Sequence[str]) -> set[str]:
        """Those of these members that have a vector in the space."""
        return self._among(self._holders.vectors, self._holders.vector_id, space, ids)

    def vector_pages(
        self, space: str, live_only: bool = True, page: int = 4096
    ) -> Iterator[tuple[list[str], Vectors]]:
        """All vectors of a space by id, page by page: ids and (N, dim) float32.

        Each page is its own transaction, so writers go on meanwhile.
        """
        of, last = self._holders, ""
        while True:
            query = sa.select(of.vector_id, of.vectors.c.vector).where(
                of.vectors.c.space == space, of.vector_id > last
            )
            if live_only:
                query = query.select_from(of.with_vectors()).where(of.live)
            with self._db.read() as connection:
                rows = connection.execute(query.order_by(of.vector_id).limit(page))
                found = [(i, blob) for i, blob in rows]
            if not found:
                return
            yield _unpack(found)
            last = found[-1][0]

    def count_vectors(self, space: str, live_only: bool = True) -> int:
        """How many members have a vector in the space."""
        of = self._holders
        source = of.with_vectors() if live_only else of.vectors
        query = sa.select(sa.func.count()).select_from(source).where(of.vectors.c.space == space)
        with self._db.read() as connection:
            return connection.scalar(query.where(of.live) if live_only else query) or 0

    def lacking_vectors(
        self, space: str, live_only: bool = True, limit: int | None = None, after: str = ""
    ) -> list[str]:
        """Members without a vector in the space, by id, beginning behind the id `after`."""
        of = self._holders
        has = sa.exists().where(of.vectors.c.space == space, of.vector_id == of.id)
        query = sa.select(of.id).select_from(of.rows).where(of.id > after, ~has)
        query = query.order_by(of.id).limit(limit)
        return self._scalars(query.where(of.live) if live_only else query)

    def sample_ids(self, space: str, n: int, seed: int) -> list[str]:
        """At most `n` live members with a vector, at random but the same for the same seed."""
        of = self._holders
        query = (
            sa.select(of.vector_id)
            .select_from(of.with_vectors())
            .where(of.vectors.c.space == space, of.live)
            .order_by(of.vector_id)
        )
        ids = self._scalars(query)
        return random.Random(seed).sample(ids, min(n, len(ids)))  # noqa: S311 (no secret)

    def spaces(self) -> list[str]:
        """The spaces that hold a vector, sorted."""
        # A loose index scan: DISTINCT would read a million entries to find two names.
        column, found = self._holders.vectors.c.space, list[str]()
        with self._db.read() as connection:
            while True:
                query = sa.select(sa.func.min(column))
                if found:
                    query = query.where(column > found[-1])
                space = connection.scalar(query)
                if space is None:
                    return found
                found.append(space)

    def drop_space(self, space: str) -> None:
        """Forget all vectors of a space, and what the index has of them."""
        of = self._holders
        with self._db.write() as connection:
            connection.execute(sa.delete(of.ledger).where(of.ledger.c.space == space))
            connection.execute(sa.delete(of.vectors).where(of.vectors.c.space == space))

    def mark_indexed(self, space: str, ids: Sequence[str]) -> None:
        """Note that the index holds these members' present vectors. Written last."""
        rows = [{"space": space, self._holders.id.name: member} for member in ids]
        with self._db.write() as connection:
            self._db.upsert(connection, self._holders.ledger, rows)

    def mark_unindexed(self, space: str, ids: Sequence[str] | None = None) -> None:
        """Note that the index does not hold these members, or with None any of the space."""
        table = self._holders.ledger
        with self._db.write() as connection:
            if ids is None:
                connection.execute(sa.delete(table).where(table.c.space == space))
            else:
                self._forget(connection, space, ids)

    def mark_all_unindexed(self) -> None:
        """Note that the index, shared by media and objects, holds nothing at all."""
        with self._db.write() as connection:
            for table in (ledger, segment_ledger):
                connection.execute(sa.delete(table))

    def count_indexed(self, space: str) -> int:
        """How many vectors the index should hold, by the ledger."""
        table = self._holders.ledger
        query = sa.select(sa.func.count()).select_from(table).where(table.c.space == space)
        with self._db.read() as connection:
            return connection.scalar(query) or 0

    def unindexed(self, space: str) -> list[str]:
        """Live members with a vector that the index has not acknowledged, by id."""
        of = self._holders
        acknowledged = sa.exists().where(of.ledger.c.space == space, of.ledger_id == of.vector_id)
        query = (
            sa.select(of.vector_id)
            .select_from(of.with_vectors())
            .where(of.vectors.c.space == space, of.live, ~acknowledged)
            .order_by(of.vector_id)
        )
        return self._scalars(query)

    def unacknowledged(self, space: str, ids: Sequence[str]) -> list[str]:
        """Those of these members that the index has not acknowledged, in order."""
        known = self._among(self._holders.ledger, self._holders.ledger_id, space, ids)
        return [some for some in ids if some not in known]

    def stale(self, space: str) -> list[str]:
        """Members that may be in the index and should not be, by id.

        Those in the ledger that are no longer live, or whose vector is gone, and those whose
        adding was cut short, which the index may hold without the ledger's knowing.
        """
        of = self._holders
        live = sa.exists(
            sa.select(of.id).select_from(of.rows).where(of.id == of.ledger_id, of.live)
        )
        gone = sa.select(of.ledger_id).where(of.ledger.c.space == space, ~live)
        return sorted(self._scalars(gone.union(of.cut_short(space))))

    def _among(
        self, table: sa.Table, member: sa.Column[str], space: str, ids: Sequence[str]
    ) -> set[str]:
        """Those of these members that a table has in a space."""
        found: set[str] = set()
        with self._db.read() as connection:
            for page in pages(ids):
                query = sa.select(member).where(table.c.space == space, member.in_(page))
                found.update(connection.scalars(query))
        return found

    def _forget(self, connection: sa.Connection, space: str, ids: Sequence[str]) -> None:
        of = self._holders
        for page in pages(ids):
            connection.execute(
                sa.delete(of.ledger).where(of.ledger.c.space == space, of.ledger_id.in_(page))
            )

    def _scalars(self, query: sa.Select[Any] | sa.CompoundSelect[Any]) -> list[str]:
        with self._db.read() as connection:
            return list(connection.scalars(query))


def _unpack(found: Sequence[tuple[str, bytes]]) -> tuple[list[str], Vectors]:
    if not found:
        return [], np.zeros((0, 0), np.float32)
    width = len(found[0][1])
    if any(len(blob) != width for _, blob in found) or width % WIRE.itemsize:
        raise StoreError("The catalog holds vectors of several lengths in one space; re-encode it.")
    rows = np.frombuffer(b"".join(blob for _, blob in found), dtype=WIRE)
    ids = [media_id for media_id, _ in found]
    return ids, rows.reshape(len(found), -1).astype(np.float32)
