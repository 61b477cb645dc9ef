"""The catalog's settings, and the numbers that count its changes."""

from __future__ import annotations

import sqlalchemy as sa

from framekeep.store.database import Database
from framekeep.store.tables import meta


class MetaPart:
    """Part of `Catalog` and `ObjectIndex`: settings and counters."""

    _db: Database

    def get_meta(self, key: str) -> str | None:
        """A setting of this library."""
        with self._db.read() as connection:
            return connection.scalar(sa.select(meta.c.value).where(meta.c.key == key))

    def set_meta(self, key: str, value: str | None) -> None:
        """Keep a setting; None removes it."""
        with self._db.write() as connection:
            if value is None:
                connection.execute(sa.delete(meta).where(meta.c.key == key))
            else:
                self._db.upsert(connection, meta, [{"key": key, "value": value}])

    def generation(self) -> int:
        """Changes whenever the index has changed; readers then reopen it."""
        return int(self.get_meta("generation") or 0)

    def bump_generation(self) -> int:
        """Tell readers that the index has changed."""
        return self._count_up("generation")

    def new_run(self) -> int:
        """The number of a new run of adding files, higher than any before."""
        return self._count_up("run")

    def _count_up(self, key: str) -> int:
        with self._db.write() as connection:
            return count_up(self._db, connection, key)


def count_up(db: Database, connection: sa.Connection, key: str) -> int:
    """Make a counter one higher, within a transaction; gives its new value."""
    read = sa.select(meta.c.value).where(meta.c.key == key).with_for_update()
    value = int(connection.scalar(read) or 0) + 1
    db.upsert(connection, meta, [{"key": key, "value": str(value)}])
    return value
