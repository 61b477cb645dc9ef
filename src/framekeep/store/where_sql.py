"""From a filter's tree to SQL; values only ever travel as bound parameters."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from framekeep.filters import And, Compare, Filter, Not, Or, Period, number, period
from framekeep.store.column_types import PathText
from framekeep.store.tables import (
    LIVE,
    REJECTED,
    annotation_table,
    classes,
    files,
    media,
    segments,
    tags,
)

_ALIASES = {"jpg": "jpeg", "tif": "tiff", "heif": "heic"}
_COLUMNS: dict[str, sa.Column[float]] = {
    "bytes": media.c.bytes,
    "pixels": media.c.pixels,
    "width": media.c.width,
    "height": media.c.height,
    "sharpness": media.c.sharpness,
    "brightness": media.c.brightness,
    "duration": media.c.duration_s,
    "fps": media.c.fps,
}

_OBJECT_COLUMNS: dict[str, sa.Column[float]] = {
    "score": segments.c.score,
    "area": segments.c.area_px,
}
_OF_FILMS = ("duration", "fps")
# Values of a field of media that speak of objects.
_OF_OBJECTS = {("has", "object"), ("has", "label")}

Condition = sa.ColumnElement[bool]
Of = Literal["media", "pictures", "objects"]


class _PathValue(PathText):
    """A value to compare paths with, in whatever collation the other side has."""

    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> Any:
        return dialect.type_descriptor(sa.Text())


class _Lowered(sa.sql.functions.FunctionElement[str]):
    """A text in lower case, letters beyond A to Z included."""

    type = sa.Text()
    inherit_cache = True


@compiles(_Lowered)
def _lowered(element: _Lowered, compiler: SQLCompiler, **options: Any) -> str:
    return f"lower({compiler.process(element.clauses, **options)})"


@compiles(_Lowered, "postgresql")
def _lowered_by_icu(element: _Lowered, compiler: SQLCompiler, **options: Any) -> str:
    # Under the paths' own collation PostgreSQL would lower A to Z only.
    return f'lower(({compiler.process(element.clauses, **options)}) COLLATE "und-x-icu")'


def compile_filter(where: Filter, now: datetime, of: Of = "media") -> Condition:
    """A condition that is true or false, never NULL; `now` is local, without a zone.

    `of` media it speaks of photos and films in `media`, `of` pictures of photos and frames; what is
    asked of objects holds where a live object in the medium, or in a frame of it, fulfils it. `of`
    objects it speaks of `segments` joined to their `media`. What is known of a film's file, and its
    tags, hold for its frames.
    """
    match where:
        case And(parts):
            return sa.and_(*(compile_filter(part, now, of) for part in parts))
        case Or(parts):
            return sa.or_(*(compile_filter(part, now, of) for part in parts))
        case Not(inner):
            return sa.not_(compile_filter(inner, now, of))
        case Compare(field, op, value):
            if op == "!=":
                return sa.not_(_compare(field, "=", value, now, of))
            return _compare(field, op, value, now, of)


def asks_for(where: Filter | None, field: str, value: str) -> bool:
    """True where an expression names this value of this field anywhere."""
    match where:
        case And(parts) | Or(parts):
            return any(asks_for(part, field, value) for part in parts)
        case Not(inner):
            return asks_for(inner, field, value)
        case Compare():
            return where.field == field and where.value.lower() == value
    return False


def _compare(field: str, op: str, value: str, now: datetime, of: Of) -> Condition:
    if field == "taken":
        return _in_period(media.c.taken_at_local, op, period(value, now))
    if field == "added":
        span = period(value, now)
        return _in_period(media.c.added_at, op, Period(_utc(span.start), _utc(span.end)))
    if field in _COLUMNS:
        condition = _ordered(_COLUMNS[field], op, number(field, value))
        # What only films have is never NULL under `not`.
        return sa.and_(_COLUMNS[field].is_not(None), condition) if field in _OF_FILMS else condition
    if field in _TEXTS and (field, value.lower()) not in _OF_OBJECTS:
        return _TEXTS[field](value, of)
    condition = _object(field, op, value)
    return condition if of == "objects" else _some_object(field, value, condition, of)


def _object(field: str, op: str, value: str) -> Condition:
    """What is asked of an object, as a condition on `segments`."""
    match field:
        case "score" | "area":
            return _ordered(_OBJECT_COLUMNS[field], op, number(field, value))
        case "state":
            return segments.c.state == value.lower()
        case "source":
            return sa.func.coalesce(segments.c.label_source, "") == value.lower()
        case "segmenter":
            return _like(segments.c.segmenter_id, value, whole=_has_wildcard(value))
        case "otag":
            said = sa.select(annotation_table.c.segment_id).where(
                annotation_table.c.kind == "tag",
                annotation_table.c.segment_id.is_not(None),
                _key_matches(annotation_table.c.key, value),
            )
            return segments.c.segment_id.in_(said)
        case "label":
            return sa.and_(segments.c.label_id.is_not(None), segments.c.label_id.in_(_named(value)))
        case _:  # has-object, has-label
            return segments.c.label_id.is_not(None) if value.lower() == "label" else sa.true()


def _some_object(field: str, value: str, condition: Condition, of: Of) -> Condition:
    """Media with a live object that fulfils a condition, or that carry the label themselves."""
    rejected = field == "state" and value.lower() == REJECTED
    live = sa.true() if rejected else segments.c.state != REJECTED
    if field == "state" or (field, value.lower()) == ("has", "object"):
        # Most media have such an object: looking them up is quicker than listing all objects.
        here = sa.exists().where(segments.c.media_id == media.c.media_id, live, condition)
        return here if of == "pictures" else sa.or_(here, _some_frame(live, condition))
    held = _itself_or_a_frame(sa.select(segments.c.media_id).where(live, condition), of)
    said = annotation_table.c
    own = sa.select(said.media_id).where(said.kind == "label", said.segment_id.is_(None))
    if field == "label":
        own = own.where(said.class_id.in_(_named(value)))
    elif field == "source":
        own = own.where(said.source == value.lower())
    elif (field, value.lower()) != ("has", "label"):
        return held
    return sa.or_(held, _itself_or_a_frame(own, of))


_FRAMES = media.alias("frames")
# Of films alone: as a range, which an index answers; SQLite reads a whole table for "not null".
_IS_FRAME = _FRAMES.c.film_id > ""


def _some_frame(*conditions: Condition) -> Condition:
    """Films with a frame on which there is an object such as this."""
    held = sa.exists().where(segments.c.media_id == _FRAMES.c.media_id, *conditions)
    films = sa.select(_FRAMES.c.film_id).where(_IS_FRAME, held.correlate(_FRAMES))
    return media.c.media_id.in_(films)


def _itself_or_a_frame(ids: sa.Select[Any], of: Of) -> Condition:
    """Media that are among these, and films with a frame that is."""
    if of != "media":
        return media.c.media_id.in_(ids)
    films = sa.select(_FRAMES.c.film_id).where(_IS_FRAME, _FRAMES.c.media_id.in_(ids))
    # In one list: with an OR for each, long filters would nest more deeply than SQLite reads.
    return media.c.media_id.in_(sa.union_all(ids, films))


def _itself_or_its_film(ids: sa.Select[Any], of: Of) -> Condition:
    """Media that are among these, and frames whose film is."""
    if of == "media":
        return media.c.media_id.in_(ids)
    frames = sa.select(_FRAMES.c.media_id).where(_FRAMES.c.film_id.in_(ids))
    return media.c.media_id.in_(sa.union_all(ids, frames))


def _named(value: str) -> sa.Select[tuple[int]]:
    return sa.select(classes.c.class_id).where(_key_matches(classes.c.name_key, value))


def _key_matches(column: sa.Column[str], value: str) -> Condition:
    """Compare with a column that holds texts without regard to case."""
    key = value.casefold()
    if not _has_wildcard(value):
        return column == _bound(key)
    return column.like(_bound(_pattern(key)), escape="\\")


def _utc(local: datetime) -> datetime:
    try:
        return local.astimezone().astimezone(UTC)
    except (OverflowError, ValueError, OSError):
        return local.replace(tzinfo=UTC)


def _in_period(column: sa.Column[datetime], op: str, span: Period) -> Condition:
    match op:
        case "<":
            condition = column < span.start
        case "<=":
            condition = column < span.end if span.end > span.start else column <= span.start
        case ">":
            condition = column >= span.end if span.end > span.start else column > span.start
        case ">=":
            condition = column >= span.start
        case _:
            condition = sa.and_(column >= span.start, column < span.end)
    return sa.and_(column.is_not(None), condition)


def _ordered(column: sa.Column[float], op: str, value: float) -> Condition:
    match op:
        case "<":
            return column < value
        case "<=":
            return column <= value
        case ">":
            return column > value
        case ">=":
            return column >= value
        case _:
            return column == value


def _like(column: sa.ColumnElement[str], value: str, *, whole: bool) -> Condition:
    """LIKE without regard to case; * and ? are the wildcards."""
    pattern = _pattern(value)
    lowered = (pattern if whole else f"%{pattern}%").lower()
    return _Lowered(column).like(_bound(lowered), escape="\\")


def _pattern(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%").replace("?", "_")


def _bound(value: str) -> sa.BindParameter[str]:
    """A text as the database keeps paths, so that names that are not UTF-8 are found too."""
    return sa.bindparam(None, value, type_=_PathValue())


def _has_wildcard(value: str) -> bool:
    return "*" in value or "?" in value


def _format(value: str, of: Of) -> Condition:  # noqa: ARG001
    name = value.lower()
    return media.c.format == _bound(_ALIASES.get(name, name))


def _camera(value: str, of: Of) -> Condition:  # noqa: ARG001
    matches = _like(media.c.camera, value, whole=_has_wildcard(value))
    return sa.and_(media.c.camera.is_not(None), matches)


def _codec(value: str, of: Of) -> Condition:  # noqa: ARG001
    matches = _like(media.c.codec, value, whole=_has_wildcard(value))
    return sa.and_(media.c.codec.is_not(None), matches)


def _tag(value: str, of: Of) -> Condition:
    matches = (
        _like(tags.c.tag, value, whole=True)
        if _has_wildcard(value)
        else _Lowered(tags.c.tag) == _bound(value.lower())
    )
    return _itself_or_its_film(sa.select(tags.c.media_id).where(matches), of)


def _of_a_file(condition: Condition, of: Of, state: str = LIVE) -> Condition:
    held = sa.select(files.c.media_id).where(
        files.c.state == state, files.c.media_id.is_not(None), condition
    )
    return _itself_or_its_film(held, of)


def _name(value: str, of: Of) -> Condition:
    return _of_a_file(_like(files.c.name, value, whole=_has_wildcard(value)), of)


def _folder(value: str, of: Of) -> Condition:
    """An absolute folder with all below it, or any folder of that name."""
    if Path(value).is_absolute() and not _has_wildcard(value):
        below = value.rstrip(os.sep) + os.sep
        end = below[:-1] + chr(ord(os.sep) + 1)
        return _of_a_file(sa.and_(files.c.path >= below, files.c.path < end), of)
    parts = sa.literal(os.sep) + files.c.folder + sa.literal(os.sep)
    return _of_a_file(_like(parts, f"{os.sep}{value.strip(os.sep)}{os.sep}", whole=False), of)


def _has(value: str, of: Of) -> Condition:
    match value.lower():
        case "problem":
            return _of_a_file(sa.true(), of, "failed")
        case "tag":
            return _itself_or_its_film(sa.select(tags.c.media_id), of)
        case "taken":
            return media.c.taken_at_local.is_not(None)
        case "audio":
            return sa.func.coalesce(media.c.has_audio, sa.false())
        case _:
            return media.c.camera.is_not(None)


def _kind(value: str, of: Of) -> Condition:  # noqa: ARG001
    """A film's frames are of its kind."""
    if value.lower() == "video":
        return media.c.kind.in_(("video", "frame"))
    return media.c.kind == value.lower()


def _film(value: str, of: Of) -> Condition:  # noqa: ARG001
    """One film and its frames, by its media id or how that begins."""
    start = value.lower().rstrip("*")
    end = f"{start}g"  # behind all hexadecimal digits
    within = sa.and_(media.c.film_id.is_not(None), media.c.film_id >= start, media.c.film_id < end)
    itself = sa.and_(media.c.kind == "video", media.c.media_id >= start, media.c.media_id < end)
    return sa.or_(within, itself)


_TEXTS: dict[str, Callable[[str, Of], Condition]] = {
    "format": _format,
    "camera": _camera,
    "codec": _codec,
    "film": _film,
    "tag": _tag,
    "name": _name,
    "folder": _folder,
    "has": _has,
    "orientation": lambda value, _of: media.c.shape == value.lower(),
    "kind": _kind,
}
