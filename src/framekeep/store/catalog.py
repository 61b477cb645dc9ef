"""The catalog: what framekeep knows, in SQL. It is the truth; the vector index follows it."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from framekeep.store.catalog_classes import ClassesPart
from framekeep.store.catalog_edits import EditsPart
from framekeep.store.catalog_facets import FacetsPart
from framekeep.store.catalog_files import FilesPart
from framekeep.store.catalog_films import FilmsPart
from framekeep.store.catalog_labels import LabelsPart
from framekeep.store.catalog_media import MediaPart
from framekeep.store.catalog_meta import MetaPart
from framekeep.store.catalog_queue import QueuePart
from framekeep.store.catalog_searches import SearchesPart
from framekeep.store.catalog_segments import SegmentsPart
from framekeep.store.catalog_select import SelectPart
from framekeep.store.catalog_tags import TagsPart
from framekeep.store.catalog_undo import UndoPart
from framekeep.store.catalog_vectors import VectorsPart
from framekeep.store.database import Database
from framekeep.store.members import MEDIA, PICTURES
from framekeep.store.object_index import ObjectIndex, PictureIndex
from framekeep.store.tables import precision_checks
from framekeep.types import PrecisionReport


class Catalog(
    FilesPart,
    FilmsPart,
    MediaPart,
    VectorsPart,
    SelectPart,
    TagsPart,
    SegmentsPart,
    EditsPart,
    ClassesPart,
    LabelsPart,
    UndoPart,
    QueuePart,
    FacetsPart,
    SearchesPart,
    MetaPart,
):
    """Files, media, vectors, objects, tags and settings of one library.

    Selections are of photos and films, vectors of pictures: photos and the frames of films.
    `pictures` selects among these; `objects` has the vectors, ledger and selections of objects.

    Thread-safe; every method is one transaction, or one per page where it yields pages. Lists of
    ids may have any length. Raises StoreError (LibraryLockedError where another process holds
    the database too long) and nothing else of the backend.
    """

    _members = MEDIA
    _holders = PICTURES

    def __init__(self, db: Database) -> None:
        self._db = db
        self.objects = ObjectIndex(db)
        self.pictures = PictureIndex(db)

    @classmethod
    def open(cls, url_or_path: str | Path) -> Catalog:
        """Open the SQLite file, or the database at the URL, and bring its tables up to date."""
        return cls(Database(url_or_path))

    def close(self) -> None:
        """Let go of all connections."""
        self._db.close()

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
