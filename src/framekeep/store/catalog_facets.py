"""The catalog's facets: how many live media have which value, and the filter for each value."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import PurePath
from typing import Any

import sqlalchemy as sa

from framekeep.filters import And, Compare, Filter, parse_filter
from framekeep.store.catalog_select import matching_condition
from framekeep.store.database import Database
from framekeep.store.tables import LIVE, files, media, tags
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
_UPPER = {"heic": "HEIC", "raw": "camera raw"}


class FacetsPart:
    """Part of `Catalog`: facets. All of them count live media that match a filter."""

    _db: Database
    count_matching: Callable[[Filter | None], int]

    def facets(self, where: Filter | None) -> dict[str, list[FacetValue]]:
        """Every facet's values with their counts; those without media are left out."""
        return {
            "year": self._years(where),
            "format": self._by_column(media.c.format, "format", where),
            "size": self._classes(SIZES, where),
            "orientation": self._by_column(media.c.shape, "orientation", where),
            "sharpness": self._classes(SHARPNESS, where),
            "camera": self._cameras(where),
            "folder": self._folders(where),
            "tag": self._tags(where),
        }

    def months(self, where: Filter | None) -> list[Month]:
        """How many media lie in which month, newest first."""
        year, month = (sa.extract(part, media.c.sort_at) for part in ("year", "month"))
        found = self._grouped((year, month), where)
        return sorted(
            (Month(int(y), int(m), count) for (y, m), count in found),
            key=lambda each: (-each.year, -each.month),
        )

    def _grouped(
        self, columns: Iterable[sa.ColumnElement[Any]], where: Filter | None
    ) -> list[tuple[tuple[Any, ...], int]]:
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

    def _by_column(
        self, column: sa.Column[str], field: str, where: Filter | None
    ) -> list[FacetValue]:
        counted = sorted(self._grouped([column], where), key=lambda pair: (-pair[1], str(pair[0])))
        return [
            FacetValue(_UPPER.get(str(v), str(v)), str(Compare(field, "=", str(v))), count)
            for (v,), count in counted
        ]

    def _classes(self, classes: dict[str, str], where: Filter | None) -> list[FacetValue]:
        counted = [FacetValue(n, w, self._count(where, w)) for n, w in classes.items()]
        return [value for value in counted if value.count]

    def _cameras(self, where: Filter | None) -> list[FacetValue]:
        found = {str(c): n for (c,), n in self._grouped([media.c.camera], where) if c}
        frequent = sorted(found, key=lambda name: (-found[name], name))[:MOST_VALUES]
        values = []
        for name in frequent:
            fragment = str(Compare("camera", "=", name))
            # The filter finds a name within longer ones, too.
            values.append(FacetValue(name, fragment, self._count(where, fragment)))
        return values

    def _folders(self, where: Filter | None) -> list[FacetValue]:
        query = (
            sa.select(files.c.folder, sa.func.count(files.c.media_id.distinct()).label("n"))
            .join(media, media.c.media_id == files.c.media_id)
            .where(files.c.state == LIVE, matching_condition(where))
            .group_by(files.c.folder)
            .order_by(sa.desc("n"), files.c.folder)
            .limit(MOST_VALUES)
        )
        with self._db.read() as connection:
            folders = [str(row.folder) for row in connection.execute(query)]
        values = []
        for folder in folders:
            fragment = str(Compare("folder", "=", folder))
            label = "/".join(PurePath(folder).parts[-2:])
            values.append(FacetValue(label, fragment, self._count(where, fragment)))
        return values

    def _tags(self, where: Filter | None) -> list[FacetValue]:
        query = (
            sa.select(tags.c.tag, sa.func.count().label("n"))
            .join(media, media.c.media_id == tags.c.media_id)
            .where(matching_condition(where))
            .group_by(tags.c.tag)
            .order_by(sa.desc("n"), tags.c.tag)
            .limit(MOST_VALUES)
        )
        with self._db.read() as connection:
            found = [str(row.tag) for row in connection.execute(query)]
        fragments = [(tag, str(Compare("tag", "=", tag))) for tag in found]
        return [FacetValue(tag, text, self._count(where, text)) for tag, text in fragments]
