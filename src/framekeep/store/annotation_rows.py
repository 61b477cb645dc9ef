"""What is said of media and segments, as rows, within an edit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from framekeep.errors import NotFoundError
from framekeep.object_types import Source
from framekeep.store.class_rows import known_classes, name_key, new_class, tidy
from framekeep.store.database import pages
from framekeep.store.journal import Edit, Row
from framekeep.store.segment_rows import doubt
from framekeep.store.tables import annotation_table, classes, media, segments

Said = dict[tuple[str, str], Row]
"""Rows of one kind of annotation, by target and key."""

SEGMENT_ID_LENGTH = 32
_BUT_MASK = [column for column in segments.c if column.name != "counts"]


def segment_rows(edit: Edit, ids: Sequence[str], *, masks: bool = False) -> list[Row]:
    """These segments, locked, in this order; the runs of their masks only on request.

    Raises NotFoundError where one is not there.
    """
    columns = list(segments.c) if masks else _BUT_MASK
    return _locked(edit, "object", segments.c.segment_id, columns, ids)


def target_rows(edit: Edit, ids: Sequence[str]) -> list[Row]:
    """These media and segments, locked, a medium as its `media_id` alone; media come first.

    Raises NotFoundError where one is not there.
    """
    of_media = [each for each in ids if len(each) != SEGMENT_ID_LENGTH]
    of_segments = [each for each in ids if len(each) == SEGMENT_ID_LENGTH]
    rows = _locked(edit, "medium", media.c.media_id, [media.c.media_id], of_media)
    return rows + segment_rows(edit, of_segments)


def _locked(
    edit: Edit, what: str, column: sa.Column[str], columns: Sequence[Any], ids: Sequence[str]
) -> list[Row]:
    wanted = list(dict.fromkeys(ids))
    found: dict[str, Row] = {}
    for page in pages(wanted):
        query = sa.select(*columns).where(column.in_(page)).order_by(column).with_for_update()
        for row in edit.connection.execute(query).mappings():
            found[row[column.name]] = row
    for each in wanted:
        if each not in found:
            raise NotFoundError(f"There is no {what} {each[:64]!r} in this library.")
    return [found[each] for each in wanted]


def in_words(rows: Sequence[Row]) -> str:
    """How many objects and photos these are, rows of `target_rows` or of annotations."""
    objects = sum(row.get("segment_id") is not None for row in rows)
    photos = len(rows) - objects
    said = [number_of(photos, "photo")] if photos else []
    return " and ".join([*said, *([number_of(objects, "object")] if objects or not said else [])])


def number_of(count: int, what: str) -> str:
    """A number of things in words: "1 object", "1,200 objects"."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def target_id(row: Row) -> str:
    """The id of a row of `target_rows`."""
    return str(row.get("segment_id") or row["media_id"])


def change_segments(edit: Edit, news: Iterable[tuple[Row, Mapping[str, Any]]]) -> int:
    """Change segments, with what follows: their doubt, who and when. Gives how many did change."""
    changed = []
    for row, new in news:
        if any(row[name] != value for name, value in new.items()):
            seen = {"doubt": doubt({**row, **new}), "changed_at": edit.now}
            changed.append((row, {**new, **seen, "changed_by": edit.author}))
    edit.update(segments, changed)
    return len(changed)


def labelled(class_id: int, source: Source) -> dict[str, Any]:
    """A segment's columns where somebody has given it a label."""
    return {"label_id": class_id, "label_source": source, "label_score": None}


def said_of(edit: Edit, ids: Sequence[str], kind: str) -> Said:
    """The annotations of one kind that these targets have."""
    found: Said = {}
    for page in pages(ids):
        query = sa.select(annotation_table).where(
            annotation_table.c.target_id.in_(page), annotation_table.c.kind == kind
        )
        for row in edit.connection.execute(query.with_for_update()).mappings():
            found[(row["target_id"], row["key"])] = row
    return found


def said_row(
    edit: Edit,
    row: Row,
    kind: str,
    source: Source,
    key: str = "",
    value: str = "",
    class_id: int | None = None,
) -> dict[str, Any]:
    """An annotation's row about a row of `target_rows`."""
    return {
        "target_id": target_id(row), "kind": kind, "key": key, "media_id": row["media_id"],
        "segment_id": row.get("segment_id"), "class_id": class_id, "value": value,
        "source": source, "author": edit.author, "set_at": edit.now,
    }  # fmt: skip


def put_said(edit: Edit, rows: Sequence[dict[str, Any]], former: Said) -> list[Row]:
    """Write annotations beside or over the former ones; gives those that are new or different."""
    fresh, changed = [], []
    for row in rows:
        old = former.get((row["target_id"], row["key"]))
        if old is None:
            fresh.append(row)
        elif any(old[name] != row[name] for name in ("value", "class_id", "source")):
            changed.append((old, row))
    edit.insert(annotation_table, fresh)
    edit.update(annotation_table, changed)
    return [*fresh, *(new for _, new in changed)]


def take_said(edit: Edit, former: Said, keys: Iterable[str]) -> list[Row]:
    """Remove annotations with these keys; gives them."""
    wanted = set(keys)
    gone = [
        row for (_, key), row in sorted(former.items(), key=lambda each: each[0]) if key in wanted
    ]
    edit.remove(annotation_table, gone)
    return gone


def named_classes(edit: Edit, names: Iterable[str]) -> dict[str, int]:
    """The classes of labels that are being given, by the names as given; new ones are made."""
    given = sorted(set(names))
    known: dict[str, Row] = dict(known_classes(edit.connection, given))
    ids: dict[str, int] = {}
    for name in given:
        row = known.get(name_key(tidy(name)))
        if row is None:
            row = new_class(edit.connection, name, None, edit.author, edit.now, kept=True)
            edit.made(classes, [dict(row)])
            known[row["name_key"]] = row
        ids[name] = int(row["class_id"])
    keep_classes(edit, ids.values())
    return ids


def keep_classes(edit: Edit, class_ids: Iterable[int]) -> None:
    """Make classes that only a segmenter had used a person's as well."""
    query = sa.select(classes).where(classes.c.class_id.in_(set(class_ids)), ~classes.c.kept)
    rows = edit.connection.execute(query.with_for_update()).mappings().all()
    new = {"kept": True, "set_at": edit.now, "set_by": edit.author}
    edit.update(classes, [(row, new) for row in rows])
