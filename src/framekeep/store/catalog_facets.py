"""The catalog's facets: how many live media have which value, and the filter for each value."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import PurePath
from typing import Any

import sqlalchemy as sa

from framekeep.filters import And, Compare, Filter, parse_filter
from framekeep.store.catalog_select import matching_condition
from framekeep.store.database import Database
from framekeep.store.tables import (
    GONE,
    LIVE,
    REJECTED,
    SAID_OF_MEDIA,
    annotation_table,
    classes,
    files,
    media,
    segments,
    tags,
)
from framekeep.types import FacetValue, Month

MOST_VALUES = 30
SIZES = {
    "under 2 MP": "pixels<2mp",
    "2 to 8 MP": "pixels>=2mp and pixels<8mp",
    "8 to 20 MP": "pixels>=8mp and pixels<20mp",
    "over 20 MP": "pixels>=20mp",
}
SHARPNESS = {
    "soft": "sharpness<500",
    "medium": "sharpness>=500 and sharpness<2000",
    "sharp": "sharpness>=2000",
}
"""Of 500 everyday photos one in ten lies below 500, and half of them below 2,000."""
KINDS = {"photos": "kind:photo", "films": "kind:video"}
LENGTHS = {
    "under 10 s": "duration<10s",
    "10 s to 1 min": "duration>=10s and duration<1min",
    "1 to 10 min": "duration>=1min and duration<10min",
    "over 10 min": "duration>=10min",
}
OBJECTS = {
    "with objects": "has-object",
    "to review": "state:open",
    "no objects": "not has-object",
}
_SIZE_STEPS = (2e6, 8e6, 20e6)
_SHARPNESS_STEPS = (500, 2000)
_LENGTH_STEPS = (10, 60, 600)
_SHOWN = {"heic": "HEIC", "raw": "camera raw"}

Groups = list[tuple[tuple[Any, ...], int]]


class FacetsPart:
    """Part of `Catalog`: facets. All of them count live media that match a filter."""

    _db: Database
    count_matching: Callable[[Filter | None], int]

    def facets(self, where: Filter | None) -> dict[str, list[FacetValue]]:
        """Every facet's values with their counts; values without media are left out."""
        # One pass over the media for six facets: each has few values.
        columns = (
            media.c.format,
            media.c.shape,
            _step(media.c.pixels, _SIZE_STEPS),
            _step(media.c.sharpness, _SHARPNESS_STEPS),
            media.c.kind,
            # A photo has no length, which is none of the steps.
            sa.case(
                (media.c.duration_s.is_(None), sa.literal_column("-1")),
                else_=_step(media.c.duration_s, _LENGTH_STEPS),
            ),
        )
        counts = _by_column(self._grouped(columns, where), len(columns))
        formats, shapes, sizes, sharpnesses, kinds, lengths = counts
        return {
            "kind": _kinds(kinds),
            "length": _classes(LENGTHS, lengths),
            "year": self._years(where),
            "format": _named("format", formats),
            "size": _classes(SIZES, sizes),
            "orientation": _named("orientation", shapes),
            "sharpness": _classes(SHARPNESS, sharpnesses),
            "camera": self._cameras(where),
            "folder": self._folders(where),
            "tag": self._tags(where),
            "label": self._labels(where),
            "objects": self._objects(where),
        }

    def months(self, where: Filter | None) -> list[Month]:
        """How many media lie in which month, newest first."""
        year, month = (sa.extract(part, media.c.sort_at) for part in ("year", "month"))
        found = self._grouped((year, month), where)
        return sorted(
            (Month(int(y), int(m), count) for (y, m), count in found),
            key=lambda each: (-each.year, -each.month),
        )

    def _grouped(self, columns: Iterable[sa.ColumnElement[Any]], where: Filter | None) -> Groups:
        by = list(columns)
        query = (
            sa.select(*by, sa.func.count())
            .select_from(media)
            .where(matching_condition(where))
            .group_by(*by)
        )
        with self._db.read() as connection:
            return [(tuple(row[:-1]), int(row[-1])) for row in connection.execute(query)]

    def _count(self, where: Filter | None, value: str) -> int:
        narrower = parse_filter(value)
        return self.count_matching(narrower if where is None else And((where, narrower)))

    def _years(self, where: Filter | None) -> list[FacetValue]:
        year = sa.extract("year", media.c.taken_at_local)
        found = {row[0]: count for row, count in self._grouped([year], where)}
        without = found.pop(None, 0)
        values = [
            FacetValue(f"{int(y):04}", f"taken:{int(y):04}", found[y])
            for y in sorted(found, reverse=True)
        ]
        return [*values, *([FacetValue("no date", "not has-taken", without)] if without else [])]

    def _cameras(self, where: Filter | None) -> list[FacetValue]:
        found = {str(c): n for (c,), n in self._grouped([media.c.camera], where) if c and c.strip()}
        lowered = [(name.lower(), count) for name, count in found.items()]

        def count(name: str) -> int:
            # The filter finds a name within longer ones, too.
            return sum(n for other, n in lowered if name.lower() in other)

        return self._texts("camera", _most(found), where, count)

    def _tags(self, where: Filter | None) -> list[FacetValue]:
        query = (
            sa.select(tags.c.tag, sa.func.count())
            .join(media, media.c.media_id == tags.c.media_id)
            .where(matching_condition(where))
            .group_by(tags.c.tag)
        )
        with self._db.read() as connection:
            found = {str(tag): int(n) for tag, n in connection.execute(query)}
        spellings = Counter(tag.lower() for tag in found)

        def count(tag: str) -> int | None:
            # A medium may have a tag in two spellings, which the filter does not tell apart.
            return found[tag] if spellings[tag.lower()] == 1 else None

        return self._texts("tag", _most(found), where, count)

    def _labels(self, where: Filter | None) -> list[FacetValue]:
        """Labels that media carry themselves or on a live object, people's and models' alike."""
        matching = sa.select(media.c.media_id).where(matching_condition(where))
        gone = sa.select(media.c.media_id).where(media.c.state.in_(GONE))
        # Nearly all media are live: without a filter the others are counted apart and taken off.
        parts = [(1, None), (-1, gone)] if where is None else [(1, matching)]
        counts: Counter[int] = Counter()
        with self._db.read() as connection:
            for sign, of_media in parts:
                for query in _by_label(of_media):
                    for row in connection.execute(query):
                        counts[row[0]] += sign * int(row[1])
            names = sa.select(classes.c.class_id, classes.c.name)
            found = {row.name: counts[row.class_id] for row in connection.execute(names)}
        found = {name: number for name, number in found.items() if number}
        return self._texts("label", _most(found), where, found.get)

    def _objects(self, where: Filter | None) -> list[FacetValue]:
        with self._db.read() as connection:
            if not connection.scalar(sa.select(sa.exists().select_from(segments))):
                return []
        found = [
            FacetValue(name, fragment, self._count(where, fragment))
            for name, fragment in OBJECTS.items()
        ]
        return [value for value in found if value.count]

    def _folders(self, where: Filter | None) -> list[FacetValue]:
        joined = (
            sa.join(files, media, media.c.media_id == files.c.media_id),
            sa.and_(files.c.state == LIVE, matching_condition(where)),
        )
        folder, media_id = files.c.folder, files.c.media_id
        several = (
            sa.select(media_id).where(files.c.state == LIVE, media_id.is_not(None))
            .group_by(media_id).having(sa.func.count() > 1)
        )  # fmt: skip
        by_folder = sa.select(folder, sa.func.count(media_id.distinct())).group_by(folder)
        copies = sa.select(media_id, folder).where(media_id.in_(several))
        with self._db.read() as connection:
            rows = connection.execute(by_folder.select_from(joined[0]).where(joined[1]))
            found = {str(name): int(n) for name, n in rows}
            places: dict[str, set[str]] = {}
            for held, name in connection.execute(copies.select_from(joined[0]).where(joined[1])):
                places.setdefault(held, set()).add(name)
        shared = Counter(frozenset(names) for names in places.values() if len(names) > 1)

        def count(top: str) -> int | None:
            if not PurePath(top).is_absolute():
                return None
            below = {name for name in found if _lies_in(name, top)}
            # A medium with copies in several of these folders is one.
            twice = sum(n * max(0, len(names & below) - 1) for names, n in shared.items())
            return sum(found[name] for name in below) - twice

        return self._texts("folder", _most(found), where, count, _last_two)

    def _texts(
        self,
        field: str,
        names: Iterable[str],
        where: Filter | None,
        count: Callable[[str], int | None],
        label: Callable[[str], str] = str,
    ) -> list[FacetValue]:
        """Values of a text field, most frequent first; SQL counts what `count` cannot."""

        def value(name: str) -> FacetValue:
            fragment = str(Compare(field, "=", name))
            known = None if "*" in name or "?" in name else count(name)
            return FacetValue(
                label(name), fragment, self._count(where, fragment) if known is None else known
            )

        return sorted(map(value, names), key=lambda each: -each.count)


def _by_label(of_media: sa.Select[Any] | None) -> list[sa.Select[Any]]:
    """How many media have a live object of each class, and how many carry it on themselves alone.

    Of those media that a query selects, or of all there are.
    """
    label, medium, said = segments.c.label_id, segments.c.media_id, annotation_table.c
    kept = segments.c.state != REJECTED
    here = sa.exists().where(label == said.class_id, medium == said.media_id, kept)
    on_objects = sa.select(label, sa.func.count(medium.distinct())).where(label.is_not(None), kept)
    alone = sa.select(said.class_id, sa.func.count()).where(SAID_OF_MEDIA, ~here)
    if of_media is not None:
        on_objects = on_objects.where(medium.in_(of_media))
        alone = alone.where(said.media_id.in_(of_media))
    return [on_objects.group_by(label), alone.group_by(said.class_id)]


def _step(column: sa.Column[Any], bounds: Iterable[float]) -> sa.ColumnElement[int]:
    """0 below the first bound, 1 below the second, …"""
    # Written out: with bound values PostgreSQL would not see that GROUP BY names the same.
    steps: list[tuple[sa.ColumnElement[bool], sa.ColumnElement[int]]] = [
        (column < sa.literal_column(repr(bound)), sa.literal_column(str(number)))
        for number, bound in enumerate(bounds)
    ]
    return sa.case(*steps, else_=sa.literal_column(str(len(steps))))


def _by_column(grouped: Groups, columns: int) -> list[Counter[Any]]:
    """The counts of each column's values."""
    counters: list[Counter[Any]] = [Counter() for _ in range(columns)]
    for values, count in grouped:
        for counter, value in zip(counters, values, strict=True):
            counter[value] += count
    return counters


def _named(field: str, counted: Counter[Any]) -> list[FacetValue]:
    ordered = sorted(counted.items(), key=lambda pair: (-pair[1], str(pair[0])))
    return [
        FacetValue(_SHOWN.get(str(v), str(v)), str(Compare(field, "=", str(v))), n)
        for v, n in ordered
    ]


def _classes(classes: dict[str, str], counted: Counter[Any]) -> list[FacetValue]:
    numbered = enumerate(classes.items())
    return [FacetValue(name, w, counted[i]) for i, (name, w) in numbered if counted[i]]


def _kinds(counted: Counter[Any]) -> list[FacetValue]:
    """Photos and films; nothing to choose where there are no films."""
    found = {"photos": counted["photo"], "films": counted["video"]}
    return [FacetValue(n, KINDS[n], found[n]) for n in found if found[n]] if found["films"] else []


def _most(found: dict[str, int]) -> list[str]:
    return sorted(found, key=lambda name: (-found[name], name))[:MOST_VALUES]


def _lies_in(folder: str, top: str) -> bool:
    return folder == top or folder.startswith(top.rstrip(os.sep) + os.sep)


def _last_two(folder: str) -> str:
    path = PurePath(folder)
    return "/".join(path.relative_to(path.anchor).parts[-2:]) or folder
