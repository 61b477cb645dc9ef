"""What the catalog has of media, for objects: vectors, the index's ledger, selections."""

from __future__ import annotations

from framekeep.store.catalog_meta import MetaPart
from framekeep.store.catalog_select import SelectPart
from framekeep.store.catalog_vectors import VectorsPart
from framekeep.store.database import Database
from framekeep.store.members import OBJECTS


class ObjectIndex(VectorsPart, SelectPart, MetaPart):
    """`Catalog.objects`: the members here are segments, named by their segment ids.

    A segment is live where its medium is and nobody has rejected it.
    """

    _members = OBJECTS

    def __init__(self, db: Database) -> None:
        self._db = db
