"""The catalog's searches to come back to, and the names of uploaded files."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import sqlalchemy as sa

from framekeep.store.database import Database, pages
from framekeep.store.tables import searches, uploads
from framekeep.types import SavedSearch

KEPT_FORMER = 200


class SearchesPart:
    """Part of `Catalog`: searches and uploads."""

    _db: Database

    def searches(self, *, named: bool, limit: int | None = None) -> list[SavedSearch]:
        """Those kept under a name, or the former ones; the last used first."""
        given = searches.c.name != "" if named else searches.c.name == ""
        query = (
            sa.select(searches)
            .where(given)
            .order_by(searches.c.used_at.desc(), searches.c.search_id.desc())
            .limit(limit)
        )
        with self._db.read() as connection:
            return [
                SavedSearch(row.search_id, row.query, row.used_at, row.name or None)
                for row in connection.execute(query)
            ]

    def put_search(self, name: str, query: str) -> None:
        """Keep a search under a name, or ("") among the former ones, of which there are few."""
        same = searches.c.name == name
        same = same if name else sa.and_(same, searches.c.query == query)
        with self._db.write() as connection:
            connection.execute(sa.delete(searches).where(same))
            row = {"name": name, "query": query, "used_at": datetime.now(UTC)}
            connection.execute(sa.insert(searches).values(row))
            if not name:
                recent = (
                    sa.select(searches.c.search_id)
                    .where(searches.c.name == "")
                    .order_by(searches.c.search_id.desc())
                    .limit(KEPT_FORMER)
                )
                former = sa.delete(searches).where(searches.c.name == "")
                connection.execute(former.where(searches.c.search_id.not_in(recent)))

    def drop_searches(self, search_id: int | None = None) -> None:
        """Forget one search, or all former ones."""
        which = searches.c.name == "" if search_id is None else searches.c.search_id == search_id
        with self._db.write() as connection:
            connection.execute(sa.delete(searches).where(which))

    def put_upload(self, path: str, shown_name: str) -> None:
        """Note the name that a file had where it was uploaded from."""
        row = {"path": path, "shown_name": shown_name, "uploaded_at": datetime.now(UTC)}
        with self._db.write() as connection:
            self._db.upsert(connection, uploads, [row])

    def shown_names(self, paths: Sequence[str]) -> dict[str, str]:
        """The names that uploaded files had; other paths are left out."""
        found: dict[str, str] = {}
        with self._db.read() as connection:
            for page in pages(paths):
                query = sa.select(uploads.c.path, uploads.c.shown_name)
                rows = connection.execute(query.where(uploads.c.path.in_(page)))
                found.update((path, name) for path, name in rows)
        return found
