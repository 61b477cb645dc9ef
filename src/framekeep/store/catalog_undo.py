"""The catalog's journal of edits, newest first, and taking them back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from framekeep.errors import InputError
from framekeep.object_types import Change
from framekeep.store.catalog_meta import count_up
from framekeep.store.database import Database, pages
from framekeep.store.journal import Image, images_of, put_back, touched
from framekeep.store.tables import annotation_table, changes, classes, segment_vectors, segments

_CHANGE = (
    changes.c.change_id,
    changes.c.what,
    changes.c.author,
    changes.c.changed_at,
    changes.c.undone,
)


class UndoPart:
    """Part of `Catalog`: the journal."""

    _db: Database

    def changes(self, limit: int = 50) -> list[Change]:
        """The newest edits, undone ones too, newest first."""
        query = sa.select(*_CHANGE).order_by(changes.c.change_id.desc()).limit(limit)
        with self._db.read() as connection:
            return [Change(*row) for row in connection.execute(query)]

    def undo(self, author: str | None = None) -> Change | None:
        """Take back the newest edit (of that author) that has not been undone; None without one.

        Everything it touched is as it was before, but for what has gone meanwhile; vectors of
        masks that change are dropped. Raises InputError where others have since changed the same.
        """
        newest = sa.select(changes).where(changes.c.undone.is_(False)).limit(1)
        newest = newest.order_by(changes.c.change_id.desc()).with_for_update()
        if author is not None:
            newest = newest.where(changes.c.author == author)
        with self._db.write() as connection:
            row = connection.execute(newest).one_or_none()
            if row is None:
                return None
            if author is not None:
                _check_alone(connection, row.change_id, row.images)
            images = images_of(row.images)
            _take_back(connection, images)
            _drop_vectors(connection, _with_masks(images))
            done = sa.update(changes).where(changes.c.change_id == row.change_id)
            connection.execute(done.values(undone=True))
            count_up(self._db, connection, "generation")
        return Change(row.change_id, row.what, row.author, row.changed_at, undone=True)

    def masks_of_change(self, change_id: int) -> list[str]:
        """The segments whose mask an edit changed."""
        query = sa.select(changes.c.images).where(changes.c.change_id == change_id)
        with self._db.read() as connection:
            packed = connection.scalar(query)
        return _with_masks(images_of(packed)) if packed else []


def _check_alone(connection: Connection, change_id: int, packed: bytes) -> None:
    """Raise InputError where a later edit that still holds touched the same rows."""
    mine = touched(packed)
    later = sa.select(changes.c.images, changes.c.author, changes.c.what).where(
        changes.c.change_id > change_id, changes.c.undone.is_(False)
    )
    for images, author, what in connection.execute(later.order_by(changes.c.change_id.desc())):
        if mine & touched(images):
            raise InputError(
                f"{author} has changed the same since ({what}): that has to be undone first."
            )


def _with_masks(images: Sequence[Image]) -> list[str]:
    return [
        key[0]
        for name, key, before, _ in images
        if name == segments.name and before is not None and "counts" in before
    ]


def _drop_vectors(connection: Connection, ids: Sequence[str]) -> None:
    for page in pages(ids):
        connection.execute(sa.delete(segment_vectors).where(segment_vectors.c.segment_id.in_(page)))


def _take_back(connection: Connection, images: Sequence[Image]) -> None:
    """Classes come back before the labels that need them, and go after those."""
    of_classes = [image for image in images if image[0] == classes.name]
    made = [key[0] for _, key, before, _ in of_classes if before is None]
    former = [image for image in of_classes if image[2] is not None]
    ousted = [_make_room(connection, key[0], before) for _, key, before, _ in former if before]
    put_back(connection, former)
    for class_id, other in ousted:
        if other is not None:
            _fold(connection, other, class_id)
    put_back(connection, [image for image in images if image[0] != classes.name])
    for class_id in made:
        _drop_or_keep(connection, class_id)
    named = sa.exists().where(annotation_table.c.class_id == classes.c.class_id)
    here = classes.c.class_id.in_([key[0] for _, key, _, _ in of_classes])
    # Somebody else may have used the class meanwhile.
    connection.execute(sa.update(classes).where(here, named).values(kept=True))


def _make_room(
    connection: Connection, class_id: int, before: Mapping[str, Any]
) -> tuple[int, int | None]:
    """Free a name that a class shall have again: gives the class and the one that had the name."""
    taken = sa.select(classes.c.class_id, classes.c.name, classes.c.kept).where(
        classes.c.name_key == before.get("name_key"), classes.c.class_id != class_id
    )
    row = connection.execute(taken).one_or_none()
    if row is None:
        return class_id, None
    if row.kept:
        raise InputError(f"There is another class {row.name} by now: rename that first.")
    here = sa.update(classes).where(classes.c.class_id == row.class_id)
    connection.execute(here.values(name_key=f"\x01{row.class_id}"))
    return class_id, row.class_id


def _fold(connection: Connection, other: int, into: int) -> None:
    for column in (segments.c.label_id, segments.c.model_label_id):
        change = sa.update(segments).where(column == other)
        connection.execute(change.values({column.name: into}))
    connection.execute(sa.delete(classes).where(classes.c.class_id == other))


def _drop_or_keep(connection: Connection, class_id: int) -> None:
    """Remove a class; one that a segmenter has used meanwhile stays as that one's."""
    used = sa.select(
        sa.exists().where(
            sa.or_(segments.c.label_id == class_id, segments.c.model_label_id == class_id)
        )
    )
    named = sa.select(sa.exists().where(annotation_table.c.class_id == class_id))
    here = classes.c.class_id == class_id
    if connection.scalar(used) or connection.scalar(named):
        connection.execute(sa.update(classes).where(here).values(kept=False))
    else:
        connection.execute(sa.delete(classes).where(here))
