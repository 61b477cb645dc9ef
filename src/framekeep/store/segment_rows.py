"""Segments between records and rows, and the order in which they want to be looked over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from framekeep.object_types import Mask, Proposal, Segment
from framekeep.store.database import pages
from framekeep.store.tables import annotation_table, classes, segments

Row = Mapping[Any, Any]


@dataclass(frozen=True, slots=True)
class NewSegment:
    """One object to add to a medium, with its attributes' names and values."""

    media_id: str
    found: Proposal
    attributes: tuple[tuple[str, str], ...] = ()


_RECORD = sa.select(segments, classes.c.name.label("label")).join(
    classes, classes.c.class_id == segments.c.label_id, isouter=True
)


def doubt(row: Row) -> float:
    """How much a segment wants to be looked over, 0..1.

    Nothing where a person has accepted or rejected it. Else the mean of two parts: how near the
    mask's score is to a half, as 1 - |2 score - 1|, and likewise the label's (Lewis and Gale
    1994). A mask or label that no model gave adds nothing, no label at all adds 1, and a label
    without a score counts as one of a half.
    """
    if row["state"] != "open":
        return 0.0
    of_mask = _unsure(row["score"]) if row["mask_source"] == "model" else 0.0
    of_label = 1.0
    if row["label_id"] is not None:
        score = 0.5 if row["label_score"] is None else row["label_score"]
        of_label = _unsure(score) if row["label_source"] == "model" else 0.0
    return (of_mask + of_label) / 2


def _unsure(score: float) -> float:
    return min(1.0, max(0.0, 1.0 - abs(2.0 * float(score) - 1.0)))


def model_label(label_id: int | None, score: float | None) -> dict[str, Any]:
    """The columns of a label that the segmenter gave and nobody has overruled."""
    return {
        "model_label_id": label_id,
        "model_label_score": score,
        "label_id": label_id,
        "label_source": None if label_id is None else "model",
        "label_score": None if label_id is None else score,
    }


def mask_columns(found: Proposal) -> dict[str, Any]:
    """The columns of a mask with its box and area."""
    x0, y0, x1, y1 = (float(edge) for edge in found.bbox_xyxy)
    width, height = found.mask.size_wh
    return {
        "width": width, "height": height, "counts": found.mask.counts,
        "x0": x0, "y0": y0, "x1": x1, "y1": y1, "area_px": int(found.area_px),
    }  # fmt: skip


def read_segments(
    connection: Connection, column: sa.Column[str], ids: Sequence[str], *where: Any
) -> list[Segment]:
    """The segments whose `column` is one of these, the largest of a medium first."""
    rows: list[Row] = []
    for page in pages(ids):
        query = _RECORD.where(column.in_(page), *where)
        rows.extend(connection.execute(query).mappings())
    said = _said_of(connection, [row["segment_id"] for row in rows])
    found = [_record(row, said.get(row["segment_id"], ())) for row in rows]
    return sorted(found, key=lambda each: (each.media_id, -each.area_px, each.segment_id))


def _said_of(connection: Connection, ids: Sequence[str]) -> dict[str, list[tuple[str, str, str]]]:
    """Kind, key and value of each segment's tags, attributes and note."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    table = annotation_table.c
    for page in pages(ids):
        query = sa.select(table.target_id, table.kind, table.key, table.value).where(
            table.target_id.in_(page), table.kind != "label"
        )
        for target, kind, key, value in connection.execute(query):
            found.setdefault(target, []).append((kind, key, value))
    return found


def _record(row: Row, said: Iterable[tuple[str, str, str]]) -> Segment:
    said = sorted(said)
    notes = [value for kind, _, value in said if kind == "note"]
    return Segment(
        segment_id=row["segment_id"],
        media_id=row["media_id"],
        mask=Mask((row["width"], row["height"]), row["counts"]),
        bbox_xyxy=(row["x0"], row["y0"], row["x1"], row["y1"]),
        area_px=row["area_px"],
        score=row["score"],
        segmenter_id=row["segmenter_id"],
        mask_source=row["mask_source"],
        label=row["label"],
        label_source=row["label_source"],
        label_score=row["label_score"],
        state=row["state"],
        tags=tuple(sorted(value for kind, _, value in said if kind == "tag")),
        attributes=tuple((key, value) for kind, key, value in said if kind == "attribute"),
        note=notes[0] if notes else "",
        version=row["version"],
        created_at=row["created_at"],
        changed_at=row["changed_at"],
        changed_by=row["changed_by"],
    )
