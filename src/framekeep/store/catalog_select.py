"""The catalog's filters: which live media, or objects, match an expression."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from framekeep.store.database import Database, pages
from framekeep.store.members import MEDIA, Members, Order
from framekeep.store.tables import REJECTED, media, segments

if TYPE_CHECKING:
    from framekeep.filters import Filter

FEW = 2000


class SelectPart:
    """Part of `Catalog` and `ObjectIndex`: selection.

    Filters mean live members only; None matches all of them.
    """

    _db: Database
    _members: Members

    def select_ids(
        self,
        where: Filter | None,
        limit: int | None = None,
        offset: int = 0,
        order: Order | None = "newest",
    ) -> list[str]:
        """Live members that match, by id, in any order (None), or newest first.

        Newest goes by capture time, or by the time of adding where the camera told none, and
        among the objects of one medium by size. `doubt`, for objects only, puts first what most
        needs a look (see `framekeep.store.segment_rows.doubt`).
        """
        of = self._members
        few = self._few(where) if of.of == "objects" and where is not None and order else None
        by_state = order == "newest" and few is None
        matches = (
            matching_condition(where, of, by_state=by_state) if few is None else of.id.in_(few)
        )
        query = sa.select(of.id).select_from(of.rows).where(matches).limit(limit).offset(offset)
        if order is not None:
            query = query.order_by(*of.orders[order])
        with self._db.read() as connection:
            return list(connection.scalars(query))

    def _few(self, where: Filter | None) -> list[str] | None:
        """All that match, in no order, where they are few; None where they are many.

        For few the database begins with what the filter names; in order it would begin with the
        first of all objects, and pass over a million to find a rare label.
        """
        found = self.select_ids(where, FEW + 1, order=None)
        return found if len(found) <= FEW else None

    def count_matching(self, where: Filter | None) -> int:
        """How many live members match."""
        of = self._members
        query = sa.select(sa.func.count()).select_from(of.rows)
        with self._db.read() as connection:
            return connection.scalar(query.where(matching_condition(where, of))) or 0

    def matching(self, ids: Sequence[str], where: Filter | None) -> set[str]:
        """Those of these members that are live and match."""
        of = self._members
        condition = matching_condition(where, of)
        found: set[str] = set()
        with self._db.read() as connection:
            for page in pages(ids):
                query = sa.select(of.id).select_from(of.rows).where(of.id.in_(page), condition)
                found.update(connection.scalars(query))
        return found

    def live_ids(self, ids: Sequence[str]) -> set[str]:
        """Those of these members that are live."""
        return self.matching(ids, None)


def matching_condition(
    where: Filter | None, of: Members = MEDIA, *, by_state: bool = False
) -> sa.ColumnElement[bool]:
    """Live and matching. `by_state` lets the database begin with the index of live media.

    Objects that were rejected are there only for a filter that names them (`state:rejected`).
    """
    if where is None:
        return of.live
    from framekeep.store.where_sql import asks_for, compile_filter

    # Nearly all media are live, so beginning with that index reads nearly everything: an
    # expression instead of the column keeps SQLite's planner from it.
    state = media.c.state if by_state else media.c.state.concat("")
    held = state == of.states[0] if len(of.states) == 1 else state.in_(of.states)
    conditions = [held, compile_filter(where, datetime.now(), of.of)]
    if of.of == "pictures":
        conditions.append(media.c.kind != "video")
    if of.of == "objects" and not asks_for(where, "state", REJECTED):
        conditions.append(segments.c.state != REJECTED)
    return sa.and_(*conditions)
