"""The catalog's classes: what objects and media are labelled with, kept in one place.

Changing them is an edit like any other (see `framekeep.store.catalog_edits`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from framekeep.errors import InputError, NotFoundError
from framekeep.object_types import Change, LabelClass
from framekeep.store.class_rows import known_classes, name_key, new_class, tidy
from framekeep.store.database import Database
from framekeep.store.journal import Edit, Row
from framekeep.store.tables import (
    GONE,
    SAID_OF_MEDIA,
    SAID_OF_OBJECTS,
    annotation_table,
    classes,
    media,
    segments,
)


class ClassesPart:
    """Part of `Catalog`: classes. Names are compared regardless of case."""

    _db: Database

    def classes(self, *, all_labels: bool = False) -> list[LabelClass]:
        """The classes by name, with counts of live objects and media.

        Names that only a segmenter has used are left out without `all_labels`.
        """
        query = sa.select(classes)
        if not all_labels:
            query = query.where(classes.c.kept)
        with self._db.read() as connection:
            rows = connection.execute(query).all()
            on_media, on_segments = _counts(connection, of_segments=False), _counts(connection)
        found = [
            LabelClass(
                row.class_id,
                row.name,
                row.colour,
                on_segments[row.class_id],
                on_media[row.class_id],
            )
            for row in rows
        ]
        return sorted(found, key=lambda each: (each.name.casefold(), each.class_id))

    def put_class(self, name: str, colour: str | None = None, *, author: str) -> LabelClass:
        """Make a class; one that is there keeps its name, and its colour unless one is given."""
        with self._db.write() as connection:
            edit = Edit(self._db, connection, author)
            row: Row | None = known_classes(connection, [name]).get(name_key(tidy(name)))
            if row is None:
                row = new_class(connection, name, colour, author, edit.now, kept=True)
                edit.made(classes, [dict(row)])
            else:
                row = _changed(edit, row, kept=True, **({"colour": colour} if colour else {}))
            edit.close(f"Added the class {row['name']}")
        return LabelClass(row["class_id"], row["name"], row["colour"])

    def rename_class(self, old: str, new: str, *, author: str) -> Change | None:
        """Give a class another name; what carries it keeps it.

        Raises NotFoundError where there is no class `old`, InputError where there is one `new`.
        """
        with self._db.write() as connection:
            edit = Edit(self._db, connection, author)
            row = _row(connection, old)
            key = name_key(tidy(new))
            if key != row["name_key"] and key in known_classes(connection, [new]):
                raise InputError(
                    f"There is a class {tidy(new)} already: merge {row['name']} into it instead."
                )
            _changed(edit, row, name=tidy(new), name_key=key, kept=True)
            return edit.close(f"Renamed the class {row['name']} to {tidy(new)}")

    def merge_classes(self, names: Sequence[str], into: str, *, author: str) -> Change | None:
        """Give everything labelled with one of `names` the label `into`, and drop those classes.

        `into` is made where there is none. Raises NotFoundError for a name that is no class.
        """
        with self._db.write() as connection:
            edit = Edit(self._db, connection, author)
            rows = {(row := _row(connection, name))["class_id"]: row for name in names}
            target: Row | None = known_classes(connection, [into]).get(name_key(tidy(into)))
            if target is None:
                first = next(iter(rows.values()), None)
                colour = first["colour"] if first else None
                target = new_class(connection, into, colour, author, edit.now, kept=True)
                edit.made(classes, [dict(target)])
            else:
                _changed(edit, target, kept=True)
            rows.pop(target["class_id"], None)
            for class_id in rows:
                _move(edit, class_id, target["class_id"])
            edit.remove(classes, list(rows.values()))
            said = ", ".join(str(row["name"]) for row in rows.values())
            return edit.close(f"Merged {said or 'nothing'} into {target['name']}")

    def colour_class(self, name: str, colour: str, *, author: str) -> Change | None:
        """Give a class another colour, "#rrggbb". Raises NotFoundError."""
        with self._db.write() as connection:
            edit = Edit(self._db, connection, author)
            row = _row(connection, name)
            _changed(edit, row, colour=colour)
            return edit.close(f"Coloured the class {row['name']}")

    def drop_class(self, name: str, *, author: str) -> Change | None:
        """Remove a class that nothing carries; a segmenter may go on using its name.

        Raises InputError where a person or an import has used it, NotFoundError.
        """
        with self._db.write() as connection:
            edit = Edit(self._db, connection, author)
            row = _row(connection, name)
            here = annotation_table.c.class_id == row["class_id"]
            used = sa.select(sa.func.count()).select_from(annotation_table).where(here)
            number = connection.scalar(used) or 0
            if number:
                raise InputError(
                    f"The class {row['name']} is the label of {number:,} objects and photos: "
                    f"merge it into another, or take the label from them first."
                )
            by_model = sa.or_(
                segments.c.label_id == row["class_id"], segments.c.model_label_id == row["class_id"]
            )
            if connection.scalar(sa.select(sa.exists().where(by_model))):
                _changed(edit, row, kept=False)
            else:
                edit.remove(classes, [row])
            return edit.close(f"Removed the class {row['name']}")


def _row(connection: Connection, name: str) -> Row:
    row = known_classes(connection, [name]).get(name_key(tidy(name)))
    if row is None:
        raise NotFoundError(f"There is no class {name!r}; `framekeep classes` lists them.")
    return row


def _changed(edit: Edit, row: Row, **new: object) -> Row:
    """Change a class, noting who and when; gives the row as it is then."""
    if all(row[name] == value for name, value in new.items()):
        return row
    new |= {"set_at": edit.now, "set_by": edit.author}
    edit.update(classes, [(row, new)])
    return {**row, **new}


def _move(edit: Edit, class_id: int, into: int) -> None:
    """Let what carries one class carry another; who labelled it and when stays."""
    said = annotation_table.c
    query = sa.select(said.target_id, said.kind, said.key, said.class_id)
    rows = edit.connection.execute(query.where(said.class_id == class_id)).mappings().all()
    edit.update(annotation_table, [(row, {"class_id": into}) for row in rows])
    for column in (segments.c.label_id, segments.c.model_label_id):
        query = sa.select(segments.c.segment_id, column).where(column == class_id)
        rows = edit.connection.execute(query).mappings().all()
        edit.update(segments, [(row, {column.name: into}) for row in rows])


def _counts(connection: Connection, *, of_segments: bool = True) -> Counter[int]:
    """How many live segments, or media, carry each class by a person's or an import's word."""
    number = sa.func.count()
    if of_segments:
        of = segments
        query = sa.select(of.c.label_id, number).where(SAID_OF_OBJECTS).group_by(of.c.label_id)
    else:
        of = annotation_table
        query = sa.select(of.c.class_id, number).where(SAID_OF_MEDIA).group_by(of.c.class_id)
        query = query.where(of.c.source != "model")
    found = Counter({row[0]: int(row[1]) for row in connection.execute(query)})
    gone = sa.select(media.c.media_id).where(media.c.state.in_(GONE))
    found.subtract(
        {row[0]: int(row[1]) for row in connection.execute(query.where(of.c.media_id.in_(gone)))}
    )
    return found
