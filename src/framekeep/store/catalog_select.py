"""The catalog's filters: which live media match an expression."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Literal

import sqlalchemy as sa

from framekeep.store.database import Database, pages
from framekeep.store.tables import LIVE, media

if TYPE_CHECKING:
    from framekeep.filters import Filter

Order = Literal["newest", "id"]


class SelectPart:
    """Part of `Catalog`: selection. Filters mean live media only; None matches all of them."""

    _db: Database

    def select_ids(
        self,
        where: Filter | None,
        limit: int | None = None,
        offset: int = 0,
        order: Order | None = "newest",
    ) -> list[str]:
        """Live media that match, by id, in any order (None), or newest first.

        Newest goes by capture time, or by the time of adding where the camera told none.
        """
        matches = matching_condition(where, by_state=order == "newest")
        query = sa.select(media.c.media_id).where(matches).limit(limit).offset(offset)
        if order == "newest":
            query = query.order_by(media.c.sort_at.desc(), media.c.media_id.desc())
        elif order == "id":
            query = query.order_by(media.c.media_id)
        with self._db.read() as connection:
            return list(connection.scalars(query))

    def count_matching(self, where: Filter | None) -> int:
        """How many live media match."""
        query = sa.select(sa.func.count()).select_from(media).where(matching_condition(where))
        with self._db.read() as connection:
            return connection.scalar(query) or 0

    def matching(self, ids: Sequence[str], where: Filter | None) -> set[str]:
        """Those of these media that are live and match."""
        condition = matching_condition(where)
        found: set[str] = set()
        with self._db.read() as connection:
            for page in pages(ids):
                query = sa.select(media.c.media_id).where(media.c.media_id.in_(page), condition)
                found.update(connection.scalars(query))
        return found


def matching_condition(where: Filter | None, *, by_state: bool = False) -> sa.ColumnElement[bool]:
    """Live and matching. `by_state` lets the database begin with the index of live media."""
    if where is None:
        return media.c.state == LIVE
    from framekeep.store.where_sql import compile_filter

    # Nearly all media are live, so beginning with that index reads nearly everything: an
    # expression instead of the column keeps SQLite's planner from it.
    state = media.c.state if by_state else media.c.state.concat("")
    return sa.and_(state == LIVE, compile_filter(where, datetime.now()))
