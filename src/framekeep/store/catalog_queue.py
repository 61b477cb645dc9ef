"""What is still to be done with the catalog's media: to be segmented, to be labelled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from framekeep.store.catalog_select import matching_condition
from framekeep.store.database import Database
from framekeep.store.members import PICTURES, PICTURES_BY_STATE
from framekeep.store.tables import (
    FOUND,
    LIVE,
    REJECTED,
    annotation_table,
    files,
    media,
    segment_runs,
    segments,
)
from framekeep.types import Problem

if TYPE_CHECKING:
    from framekeep.filters import Filter


class QueuePart:
    """Part of `Catalog`: what is still to be done."""

    _db: Database

    def to_segment(
        self, where: Filter | None, segmenter_id: str, *, again: bool = False, retry: bool = False
    ) -> list[str]:
        """Live photos and frames that match and are still to be segmented.

        Without `again`, those without a live segment on which this segmenter has not run yet;
        where it failed before, only with `retry`.
        """
        query = sa.select(media.c.media_id).where(matching_condition(where, PICTURES))
        if not again:
            held = sa.exists().where(
                segments.c.media_id == media.c.media_id, segments.c.state != REJECTED
            )
            ran = sa.exists().where(
                segment_runs.c.media_id == media.c.media_id,
                segment_runs.c.segmenter_id == segmenter_id,
                *([segment_runs.c.state == "done"] if retry else []),
            )
            query = query.where(~held, ~ran)
        # The frames of a film by time, so that it is read onwards.
        in_order = (media.c.film_id, media.c.time_s, media.c.media_id)
        with self._db.read() as connection:
            return list(connection.scalars(query.order_by(*in_order)))

    def segment_problems(self, limit: int | None = None) -> list[Problem]:
        """Live media without segments on which a segmenter failed, by path."""
        path = (
            sa.select(sa.func.min(files.c.path))
            .where(
                files.c.media_id == sa.func.coalesce(media.c.film_id, media.c.media_id),
                files.c.state == LIVE,
            )
            .correlate(media)
            .scalar_subquery()
        )
        held = sa.exists().where(
            segments.c.media_id == segment_runs.c.media_id, segments.c.state != REJECTED
        )
        query = (
            sa.select(path.label("path"), segment_runs.c.reason)
            .join(media, media.c.media_id == segment_runs.c.media_id)
            .where(segment_runs.c.state == "failed", media.c.state.in_(FOUND), ~held)
            .order_by("path", segment_runs.c.segmenter_id)
            .limit(limit)
        )
        with self._db.read() as connection:
            rows = connection.execute(query)
            return [Problem(row.path, "failed", row.reason or "") for row in rows if row.path]

    def next_unlabelled(self, after: str | None, where: Filter | None = None) -> str | None:
        """The next live medium that matches and wants labels, newest first; None without one.

        That is one with a live object whose label is not a person's or an import's, or one in
        which nobody and nothing has seen an object or said a label. Behind the oldest the newest
        come again, but never `after` itself.
        """
        own = sa.exists().where(
            segments.c.media_id == media.c.media_id,
            segments.c.state != REJECTED,
            sa.func.coalesce(segments.c.label_source, "model") == "model",
        )
        any_object = sa.exists().where(segments.c.media_id == media.c.media_id)
        said = sa.exists().where(
            annotation_table.c.target_id == media.c.media_id, annotation_table.c.kind == "label"
        )
        # One query for each state, so that its index gives the order.
        queries = [
            sa.select(media.c.sort_at, media.c.media_id)
            .where(
                matching_condition(where, of, by_state=True),
                sa.or_(own, ~sa.or_(any_object, said)),
            )
            .order_by(media.c.sort_at.desc(), media.c.media_id.desc())
            .limit(1)
            for of in PICTURES_BY_STATE
        ]

        def newest(*conditions: sa.ColumnElement[bool]) -> str | None:
            found = [connection.execute(each.where(*conditions)).first() for each in queries]
            some_id: str | None = max((tuple(row) for row in found if row), default=(None, None))[1]
            return some_id

        with self._db.read() as connection:
            former = sa.select(media.c.sort_at).where(media.c.media_id == after)
            when = connection.scalar(former) if after is not None else None
            if when is None:
                return newest()
            older = sa.or_(
                media.c.sort_at < when,
                sa.and_(media.c.sort_at == when, media.c.media_id < str(after)),
            )
            return newest(older) or newest(media.c.media_id != after)
