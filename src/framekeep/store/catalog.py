"""The catalog: what framekeep knows, in SQL. It is the truth; the vector index follows it."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from framekeep.store.catalog_facets import FacetsPart
from framekeep.store.catalog_files import FilesPart
from framekeep.store.catalog_media import MediaPart
from framekeep.store.catalog_searches import SearchesPart
from framekeep.store.catalog_select import SelectPart
from framekeep.store.catalog_tags import TagsPart
from framekeep.store.catalog_vectors import VectorsPart
from framekeep.store.database import Database
from framekeep.store.tables import meta, precision_checks
from framekeep.types import PrecisionReport


class Catalog(FilesPart, MediaPart, VectorsPart, TagsPart, SelectPart, FacetsPart, SearchesPart):
    """Files, media, vectors, tags and settings of one library.

    Thread-safe; every method is one transaction, or one per page where it yields pages. Lists of
    ids may have any length. Raises StoreError (LibraryLockedError where another process holds
    the database too long) and nothing else of the backend.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    @classmethod
    def open(cls, url_or_path: str | Path) -> Catalog:
        """Open the SQLite file, or the database at the URL, and bring its tables up to date."""
        return cls(Database(url_or_path))

    def close(self) -> None:
        """Let go of all connections."""
        self._db.close()

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
            read = sa.select(meta.c.value).where(meta.c.key == key).with_for_update()
            value = int(connection.scalar(read) or 0) + 1
            self._db.upsert(connection, meta, [{"key": key, "value": str(value)}])
        return value

    def put_check(self, report: PrecisionReport) -> None:
        """Keep how well a precision agrees with fp32."""
        row = {
            "encoder_id": report.encoder_id,
            "precision": report.precision,
            "sample": report.sample,
            "mean_cosine": report.mean_cosine,
            "top10_overlap": report.top10_overlap,
            "checked_at": report.checked_at,
        }
        with self._db.write() as connection:
            self._db.upsert(connection, precision_checks, [row])

    def get_check(self, encoder_id: str, precision: str) -> PrecisionReport | None:
        """The kept check of an encoder's precision, if there is one."""
        found = [r for r in self.checks() if (r.encoder_id, r.precision) == (encoder_id, precision)]
        return found[0] if found else None

    def checks(self) -> list[PrecisionReport]:
        """All kept checks, by encoder and precision."""
        table = precision_checks
        order = sa.select(table).order_by(table.c.encoder_id, table.c.precision)
        with self._db.read() as connection:
            return [PrecisionReport(**row) for row in connection.execute(order).mappings()]
