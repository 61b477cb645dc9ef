"""What can be selected, and what has vectors: photos and films, pictures, objects in these."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import sqlalchemy as sa

from framekeep.store.tables import (
    FOUND,
    LIVE,
    REJECTED,
    ledger,
    media,
    segment_ledger,
    segment_vectors,
    segments,
    vectors,
)

Order = Literal["newest", "id", "doubt"]


@dataclass(frozen=True, slots=True)
class Members:
    """Where one kind of member stands in the database.

    `rows` joins its table to what its filters speak of, `live` holds for those that can be found,
    `states` are those of the media that hold them, and `cut_short` selects the ids of a space that
    the index may hold by no fault of the ledger.
    """

    of: Literal["media", "pictures", "objects"]
    states: tuple[str, ...]
    id: sa.Column[str]
    rows: sa.FromClause
    live: sa.ColumnElement[bool]
    vectors: sa.Table
    ledger: sa.Table
    cut_short: Callable[[str], sa.Select[tuple[str]]]
    orders: Mapping[str, Sequence[sa.ColumnElement[Any]]]

    @property
    def vector_id(self) -> sa.Column[str]:
        """The column of ids among the vectors."""
        return self.vectors.c[self.id.name]

    @property
    def ledger_id(self) -> sa.Column[str]:
        """The column of ids in the index's ledger."""
        return self.ledger.c[self.id.name]

    def with_vectors(self) -> sa.FromClause:
        """The members' rows, each with its vectors."""
        return sa.join(self.rows, self.vectors, self.vector_id == self.id)


def _half_added(space: str) -> sa.Select[tuple[str]]:
    return (
        sa.select(vectors.c.media_id)
        .join(media)
        .where(vectors.c.space == space, media.c.state == "pending")
    )


def _without_vector(space: str) -> sa.Select[tuple[str]]:
    """Objects whose mask has changed since the index took their vector."""
    kept = sa.exists().where(
        segment_vectors.c.space == space,
        segment_vectors.c.segment_id == segment_ledger.c.segment_id,
    )
    return sa.select(segment_ledger.c.segment_id).where(segment_ledger.c.space == space, ~kept)


MEDIA = Members(
    of="media",
    states=(LIVE,),
    id=media.c.media_id,
    rows=media,
    live=media.c.state == LIVE,
    vectors=vectors,
    ledger=ledger,
    cut_short=_half_added,
    orders={
        "newest": (media.c.sort_at.desc(), media.c.media_id.desc()),
        "id": (media.c.media_id,),
    },
)

# What is seen and searched: photos, and the frames of films instead of the films themselves.
PICTURES = replace(
    MEDIA,
    of="pictures",
    states=FOUND,
    live=sa.and_(media.c.state.in_(FOUND), media.c.kind != "video"),
)

PICTURES_BY_STATE = tuple(
    replace(
        PICTURES,
        states=(state,),
        live=sa.and_(media.c.state == state, media.c.kind != "video"),
    )
    for state in FOUND
)

OBJECTS = Members(
    of="objects",
    states=FOUND,
    id=segments.c.segment_id,
    rows=sa.join(segments, media, segments.c.media_id == media.c.media_id),
    live=sa.and_(segments.c.state != REJECTED, media.c.state.in_(FOUND)),
    vectors=segment_vectors,
    ledger=segment_ledger,
    cut_short=_without_vector,
    orders={
        "newest": (
            media.c.sort_at.desc(),
            media.c.media_id.desc(),
            segments.c.area_px.desc(),
            segments.c.segment_id,
        ),
        "id": (segments.c.segment_id,),
        "doubt": (segments.c.doubt.desc(), segments.c.segment_id.desc()),
    },
)
