"""One edit: the rows it touches, as they were and as they became, so that it can be undone.

Rows travel as JSON. An image is [table, key, before, after]: the columns that changed, or all of a
row that was made (before is null) or removed (after is null).
"""

from __future__ import annotations

import json
import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from framekeep.object_types import Change
from framekeep.store.catalog_meta import count_up
from framekeep.store.column_types import UtcDateTime
from framekeep.store.database import Database, pages
from framekeep.store.tables import annotation_table, changes, classes, segments

Row = Mapping[Any, Any]
Image = tuple[str, list[Any], dict[str, Any] | None, dict[str, Any] | None]

KEPT_CHANGES = 10_000
KEPT_BYTES = 256_000_000
"""The journal forgets its oldest changes beyond either."""

TABLES = {table.name: table for table in (segments, annotation_table, classes)}


class Edit:
    """The rows that one edit makes, changes and removes, within one transaction."""

    def __init__(self, db: Database, connection: Connection, author: str) -> None:
        self.connection = connection
        self.author = author
        self.now = datetime.now(UTC)
        self.images: list[Image] = []
        self._db = db

    def insert(self, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
        """Make rows, each with all its columns."""
        if rows:
            self.connection.execute(sa.insert(table), list(rows))
        self.made(table, rows)

    def made(self, table: sa.Table, rows: Iterable[dict[str, Any]]) -> None:
        """Note rows that have just been made."""
        self.images += [(table.name, _key(table, row), None, _plain(row)) for row in rows]

    def remove(self, table: sa.Table, rows: Sequence[Row]) -> None:
        """Remove rows, each given with all its columns."""
        keys = [_key(table, row) for row in rows]
        _delete(self.connection, table, keys)
        self.images += [
            (table.name, key, _plain(row), None) for key, row in zip(keys, rows, strict=True)
        ]

    def update(self, table: sa.Table, news: Sequence[tuple[Row, Mapping[str, Any]]]) -> None:
        """Change rows, each given as it is, to new values; what is the same is left alone."""
        changed = []
        for row, new in news:
            after = {name: value for name, value in new.items() if row[name] != value}
            if after:
                key = _key(table, row)
                before = {name: row[name] for name in after}
                self.images.append((table.name, key, _plain(before), _plain(after)))
                changed.append((key, after))
        _update(self.connection, table, changed)

    def close(self, what: str) -> Change | None:
        """Write the journal and tell readers; None where the edit changed nothing."""
        if not self.images:
            return None
        packed = zlib.compress(json.dumps(self.images, separators=(",", ":")).encode())
        row = {
            "what": what, "author": self.author, "changed_at": self.now, "undone": False,
            "bytes": len(packed), "images": packed,
        }  # fmt: skip
        made = self.connection.execute(sa.insert(changes).values(row))
        _prune(self.connection)
        count_up(self._db, self.connection, "generation")
        change_id = int(made.inserted_primary_key[0])  # type: ignore[index]
        return Change(change_id, what, self.author, self.now)


def images_of(packed: bytes) -> list[Image]:
    """What a change has kept of the rows it touched, times as times again."""
    return [
        (name, key, _typed(TABLES[name], before), _typed(TABLES[name], after))
        for name, key, before, after in json.loads(zlib.decompress(packed))
    ]


def touched(packed: bytes) -> set[tuple[str, ...]]:
    """The tables and keys of the rows that a change touched."""
    return {(name, *map(str, key)) for name, key, _, _ in json.loads(zlib.decompress(packed))}


def put_back(connection: Connection, images: Sequence[Image]) -> None:
    """Make rows what they were before; rows that have gone meanwhile stay gone."""
    # Alike images in a row travel together, so that a large edit is undone quickly.
    for name, group in _grouped(list(reversed(images))):
        table = TABLES[name]
        made = [key for key, before, _ in group if before is None]
        _delete(connection, table, made)
        gone = [before for _, before, after in group if after is None and before is not None]
        _insert_again(connection, table, gone)
        changed = [(key, before) for key, before, after in group if before and after]
        _update(connection, table, changed)


def _grouped(
    images: Sequence[Image],
) -> list[tuple[str, list[tuple[list[Any], dict[str, Any] | None, dict[str, Any] | None]]]]:
    groups: list[tuple[str, list[Any]]] = []
    former = None
    for name, key, before, after in images:
        kind = (name, before is None, after is None)
        if kind != former:
            groups.append((name, []))
            former = kind
        groups[-1][1].append((key, before, after))
    return groups


def _insert_again(connection: Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    """Bring removed rows back, but for those whose medium, segment or class is gone."""
    for foreign in table.foreign_keys:
        here, there = foreign.parent.name, foreign.column
        wanted = sorted({row[here] for row in rows if row[here] is not None})
        present: set[Any] = set()
        for page in pages(wanted):
            present.update(connection.scalars(sa.select(there).where(there.in_(page))))
        rows = [row for row in rows if row[here] is None or row[here] in present]
    if rows:
        _delete(connection, table, [_key(table, row) for row in rows])
        connection.execute(sa.insert(table), rows)


def _delete(connection: Connection, table: sa.Table, keys: Sequence[Sequence[Any]]) -> None:
    if keys:
        here = [column == sa.bindparam(f"k_{column.name}") for column in table.primary_key]
        names = [f"k_{column.name}" for column in table.primary_key]
        bound = [dict(zip(names, key, strict=True)) for key in keys]
        connection.execute(sa.delete(table).where(*here), bound)


def _update(
    connection: Connection, table: sa.Table, changed: Sequence[tuple[Sequence[Any], Row]]
) -> None:
    alike: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    names = [f"k_{column.name}" for column in table.primary_key]
    for key, new in changed:
        values = {f"v_{name}": value for name, value in new.items()}
        alike[tuple(new)].append({**dict(zip(names, key, strict=True)), **values})
    here = [column == sa.bindparam(f"k_{column.name}") for column in table.primary_key]
    for columns, bound in alike.items():
        values = {name: sa.bindparam(f"v_{name}", type_=table.c[name].type) for name in columns}
        connection.execute(sa.update(table).where(*here).values(values), bound)


def _prune(connection: Connection) -> None:
    newest = connection.scalar(sa.select(sa.func.max(changes.c.change_id))) or 0
    oldest = newest - KEPT_CHANGES
    if (connection.scalar(sa.select(sa.func.sum(changes.c.bytes))) or 0) > KEPT_BYTES:
        total = 0
        query = sa.select(changes.c.change_id, changes.c.bytes)
        for change_id, size in connection.execute(query.order_by(changes.c.change_id.desc())):
            total += size
            if total > KEPT_BYTES and change_id != newest:
                oldest = max(oldest, change_id)
                break
    connection.execute(sa.delete(changes).where(changes.c.change_id <= oldest))


def _key(table: sa.Table, row: Row) -> list[Any]:
    return [row[column.name] for column in table.primary_key]


def _plain(row: Row) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in row.items()
    }


def _typed(table: sa.Table, row: dict[str, Any] | None) -> dict[str, Any] | None:
    if row is None:
        return None
    return {
        name: datetime.fromisoformat(value)
        if isinstance(table.c[name].type, UtcDateTime) and value
        else value
        for name, value in row.items()
    }
