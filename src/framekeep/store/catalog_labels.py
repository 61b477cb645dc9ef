"""The labels of the catalog's media, many at a time."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from framekeep.store.database import Database, pages
from framekeep.store.tables import annotation_table, classes


class LabelsPart:
    """Part of `Catalog`: labels that media themselves carry."""

    _db: Database

    def media_labels(self, ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """The labels of these media; media without one are left out."""
        found: dict[str, list[str]] = {}
        said = annotation_table.c
        with self._db.read() as connection:
            for page in pages(ids):
                query = (
                    sa.select(said.target_id, classes.c.name)
                    .join(classes, classes.c.class_id == said.class_id)
                    .where(said.kind == "label", said.target_id.in_(page))
                    .order_by(said.target_id, said.key)
                )
                for media_id, name in connection.execute(query):
                    found.setdefault(media_id, []).append(name)
        return {media_id: tuple(names) for media_id, names in found.items()}
