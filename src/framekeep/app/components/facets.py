"""Filters by facet, with counts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from framekeep.app.components import keeping, mounted, sent
from framekeep.types import FacetValue

TITLES = {
    "kind": "Kind",
    "length": "Length",
    "year": "Date",
    "format": "Format",
    "size": "Size",
    "orientation": "Orientation",
    "sharpness": "Sharpness",
    "camera": "Camera",
    "folder": "Folder",
    "tag": "Tags",
    "label": "Labels",
    "objects": "Objects",
}


@dataclass(frozen=True, slots=True)
class FacetChange:
    """A value chosen or let go, or all filters cleared."""

    facet: str = ""
    where: str = ""
    on: bool = False
    reset: bool = False


def facets(
    groups: Mapping[str, Sequence[FacetValue]],
    chosen: Collection[tuple[str, str]],
    *,
    key: str,
    filtered: bool = False,
) -> FacetChange | None:
    """Show the facets; gives what the user changed in this run."""
    mounted("facets")(
        key=key,
        data={
            "groups": [
                {
                    "key": facet,
                    "title": TITLES.get(facet, facet),
                    "values": _values(facet, values, chosen),
                }
                for facet, values in groups.items()
            ],
            "filtered": filtered,
        },
        **keeping(key, "toggle", "reset"),
    )
    if found := sent(key, "toggle"):
        return FacetChange(str(found["key"]), str(found["where"]), bool(found["on"]))
    return FacetChange(reset=True) if sent(key, "reset") else None


def _values(
    facet: str, values: Sequence[FacetValue], chosen: Collection[tuple[str, str]]
) -> list[dict[str, object]]:
    listed = list(values)
    # What is chosen stays in sight, also where other filters leave nothing of it.
    known = {value.where for value in listed}
    listed += [
        FacetValue(where, where, 0) for key, where in chosen if key == facet and where not in known
    ]
    return [
        {
            "label": value.label,
            "where": value.where,
            "count": value.count,
            "on": (facet, value.where) in chosen,
        }
        for value in listed
    ]
