"""What the catalog has of media, for objects and for pictures: vectors, ledger, selections."""

from __future__ import annotations

import sqlalchemy as sa

from framekeep.store.catalog_meta import MetaPart
from framekeep.store.catalog_select import SelectPart
from framekeep.store.catalog_vectors import VectorsPart
from framekeep.store.database import Database
from framekeep.store.members import OBJECTS, PICTURES
from framekeep.store.tables import segment_vectors, segments


class ObjectIndex(VectorsPart, SelectPart, MetaPart):
    """`Catalog.objects`: the members here are segments, named by their segment ids.

    A segment is live where its medium is and nobody has rejected it.
    """

    _members = OBJECTS
    _holders = OBJECTS

    def __init__(self, db: Database) -> None:
        self._db = db

    def owners_lacking(self, space: str) -> list[str]:
        """The media with a live object that has no vector in the space, by id."""
        has = sa.exists().where(
            segment_vectors.c.space == space,
            segment_vectors.c.segment_id == segments.c.segment_id,
        )
        query = (
            sa.select(segments.c.media_id)
            .select_from(OBJECTS.rows)
            .where(OBJECTS.live, ~has)
            .distinct()
            .order_by(segments.c.media_id)
        )
        return self._scalars(query)


class PictureIndex(VectorsPart, SelectPart):
    """`Catalog.pictures`: what is seen and searched, photos and the frames of films."""

    _members = PICTURES
    _holders = PICTURES

    def __init__(self, db: Database) -> None:
        self._db = db
