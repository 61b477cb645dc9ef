"""Proposals and segments for a catalog, made on the spot."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from framekeep.geometry import box_mask, proposal
from framekeep.object_types import BoxXyxy, Proposal
from framekeep.store.catalog import Catalog
from framekeep.store.tables import metadata

SIZE_WH = (640, 480)
OBJECT_SPACE = "hash@000000000000/p1:fp32:crop1-blur21@375-m0.1"


def boxed(
    box_xyxy: BoxXyxy,
    score: float = 0.9,
    label: str | None = None,
    label_score: float | None = None,
    size_wh: tuple[int, int] = SIZE_WH,
) -> Proposal:
    """An object that fills a box."""
    found = proposal(box_mask(box_xyxy, size_wh), score, label, label_score)
    assert found.bbox_xyxy == box_xyxy
    return found


def row_of_boxes(count: int, label: str | None = None) -> list[Proposal]:
    """Objects beside each other, each larger than the one before."""
    return [boxed((20 * n, 0, 20 * n + 10, 10 + n), 0.9, label) for n in range(count)]


def dump(catalog: Catalog, but: Sequence[str] = ("changes", "meta")) -> dict[str, list[object]]:
    """Every row of every table, to compare states of a catalog."""
    found = {}
    with catalog._db.read() as connection:
        for table in metadata.sorted_tables:
            if table.name not in but:
                rows = connection.execute(sa.select(table).order_by(*table.primary_key))
                found[table.name] = [tuple(row) for row in rows]
    return found
