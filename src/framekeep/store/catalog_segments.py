"""The catalog's segments as segmenters leave them, and what is still to be segmented."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from framekeep.errors import InputError, NotFoundError
from framekeep.object_types import Mask, Proposal, Segment
from framekeep.store.class_rows import class_ids
from framekeep.store.database import Database, pages
from framekeep.store.segment_rows import Row, doubt, mask_columns, model_label, read_segments
from framekeep.store.tables import (
    FOUND,
    GONE,
    REJECTED,
    annotation_table,
    media,
    segment_runs,
    segments,
    split_assignments,
)

# A proposal that overlaps an object which somebody has looked at by so much is that object.
SAME_IOU = 0.7


class SegmentsPart:
    """Part of `Catalog`: segments, runs of segmenters, assignments to splits."""

    _db: Database

    def put_segments(
        self, media_id: str, segmenter_id: str, proposals: Sequence[Proposal]
    ) -> list[str]:
        """Note what a segmenter found in a medium, and that it is done; gives an id for each.

        Replaces the medium's segments that nobody has touched. Those accepted, rejected, labelled
        or drawn by a person or an import stay, and a proposal that overlaps one of them (IoU of
        0.7) is that one. A mask that is there already keeps its segment, and so its vectors.
        Raises NotFoundError for an unknown medium, InputError for a mask of another size.
        """
        now = datetime.now(UTC)
        with self._db.write() as connection:
            check_masks(connection, {media_id: [found.mask for found in proposals]})
            labels = class_ids(
                connection, [p.label for p in proposals if p.label], segmenter_id, now
            )
            settled = _Settled(connection, media_id, segmenter_id)
            fresh, ids = [], []
            for found in proposals:
                label_id = labels.get(found.label) if found.label else None
                label = model_label(label_id, found.label_score)
                segment_id = settled.take(connection, found, label)
                if segment_id is None:
                    row = new_segment(media_id, segmenter_id, found, label, "model", "", now)
                    fresh.append(row)
                    segment_id = row["segment_id"]
                ids.append(segment_id)
            settled.drop_rest(connection)
            if fresh:
                connection.execute(sa.insert(segments), fresh)
            self._put_run(connection, media_id, segmenter_id, None, now)
        return ids

    def put_segment_failure(self, media_id: str, segmenter_id: str, reason: str) -> None:
        """Note that a segmenter could not work on a medium, and why; its segments stay."""
        with self._db.write() as connection:
            self._put_run(connection, media_id, segmenter_id, reason, datetime.now(UTC))

    def _put_run(
        self,
        connection: Connection,
        media_id: str,
        segmenter_id: str,
        reason: str | None,
        now: datetime,
    ) -> None:
        row = {
            "media_id": media_id, "segmenter_id": segmenter_id, "reason": reason, "run_at": now,
            "state": "done" if reason is None else "failed",
        }  # fmt: skip
        self._db.upsert(connection, segment_runs, [row])

    def segments(self, ids: Sequence[str]) -> dict[str, Segment]:
        """What is known of these segments, rejected ones too; unknown ids are left out."""
        with self._db.read() as connection:
            found = read_segments(connection, segments.c.segment_id, ids)
        return {each.segment_id: each for each in found}

    def owners(self, ids: Sequence[str]) -> dict[str, str]:
        """The medium of each of these segments; unknown ids are left out."""
        found: dict[str, str] = {}
        with self._db.read() as connection:
            for page in pages(ids):
                query = sa.select(segments.c.segment_id, segments.c.media_id)
                rows = connection.execute(query.where(segments.c.segment_id.in_(page)))
                found.update((row.segment_id, row.media_id) for row in rows)
        return found

    def segments_of(
        self, media_ids: Sequence[str], *, rejected: bool = False
    ) -> dict[str, list[Segment]]:
        """The segments of these media, the largest first; media without any are left out."""
        only = () if rejected else (segments.c.state != REJECTED,)
        found: dict[str, list[Segment]] = defaultdict(list)
        with self._db.read() as connection:
            for each in read_segments(connection, segments.c.media_id, media_ids, *only):
                found[each.media_id].append(each)
        return dict(found)

    def segment_counts(self) -> dict[str, Any]:
        """Of live media: `segments`, `media` that have any, `accepted`, `labelled`, `rejected`.

        All but `rejected` leave rejected ones out; `by_segmenter` is a dict of their numbers.
        """
        number, labelled = sa.func.count(), sa.func.count(segments.c.label_id)
        by = (segments.c.segmenter_id, segments.c.state)
        every = sa.select(*by, number, labelled).group_by(*by)
        gone = every.where(
            segments.c.media_id.in_(sa.select(media.c.media_id).where(media.c.state.in_(GONE)))
        )
        held = sa.exists().where(
            segments.c.media_id == media.c.media_id, segments.c.state != REJECTED
        )
        with_any = sa.select(number).select_from(media).where(media.c.state.in_(FOUND), held)
        counts: Counter[str] = Counter()
        by_segmenter: Counter[str] = Counter()
        with self._db.read() as connection:
            # Nearly all media are live: those that are not are counted apart and taken off.
            for sign, query in ((1, every), (-1, gone)):
                for segmenter_id, state, found, with_label in connection.execute(query):
                    if state != REJECTED:
                        counts["segments"] += sign * found
                        counts["labelled"] += sign * with_label
                        by_segmenter[segmenter_id] += sign * found
                    counts[state] += sign * found
            counts["media"] = connection.scalar(with_any) or 0
        names = ("segments", "media", "accepted", "labelled", "rejected")
        some = {name: count for name, count in sorted(by_segmenter.items()) if count}
        return {**{name: counts[name] for name in names}, "by_segmenter": some}

    def splits(self, key: str) -> dict[str, str]:
        """Which split each medium went to, under one key of a dataset's split."""
        query = sa.select(split_assignments.c.media_id, split_assignments.c.split).where(
            split_assignments.c.split_key == key
        )
        with self._db.read() as connection:
            return {row.media_id: row.split for row in connection.execute(query)}

    def put_splits(self, key: str, mapping: Mapping[str, str]) -> None:
        """Keep which split media went to; those not named stay as they are."""
        rows = [
            {"split_key": key, "media_id": media_id, "split": split}
            for media_id, split in mapping.items()
        ]
        with self._db.write() as connection:
            for page in pages(rows):
                self._db.upsert(connection, split_assignments, page)


class _Settled:
    """The segments of a medium while a segmenter's proposals are compared with them."""

    def __init__(self, connection: Connection, media_id: str, segmenter_id: str) -> None:
        query = sa.select(segments).where(segments.c.media_id == media_id).with_for_update()
        rows = [dict(row) for row in connection.execute(query).mappings()]
        said = sa.select(annotation_table.c.segment_id).where(
            annotation_table.c.media_id == media_id,
            annotation_table.c.segment_id.is_not(None),
            annotation_table.c.source != "model",
        )
        kept = set(connection.scalars(said))
        self._touched: list[Row] = []
        self._free: dict[tuple[str, str], list[Row]] = defaultdict(list)
        self._drop: set[str] = set()
        for row in rows:
            if row["state"] != "open" or row["mask_source"] != "model" or row["segment_id"] in kept:
                self._touched.append(row)
                continue
            self._drop.add(row["segment_id"])
            if row["segmenter_id"] == segmenter_id:
                self._free[(f"{row['width']}x{row['height']}", row["counts"])].append(row)

    def take(self, connection: Connection, found: Proposal, label: Row) -> str | None:
        """The segment that is this proposal, brought up to date; None where there is none."""
        width, height = found.mask.size_wh
        same = self._free.get((f"{width}x{height}", found.mask.counts))
        if same:
            said = {"score": float(found.score), **label}
            row = next((each for each in same if said.items() <= each.items()), same[0])
            same.remove(row)
            self._drop.discard(row["segment_id"])
            new = {**said, "doubt": doubt({**row, **said})}
            if any(row[name] != value for name, value in new.items()):
                here = segments.c.segment_id == row["segment_id"]
                connection.execute(sa.update(segments).where(here).values(new))
            return str(row["segment_id"])
        alike = next((row for row in self._touched if _is_same(row, found)), None)
        return None if alike is None else str(alike["segment_id"])

    def drop_rest(self, connection: Connection) -> None:
        """Delete the untouched segments that no proposal stands for."""
        for page in pages(sorted(self._drop)):
            connection.execute(sa.delete(segments).where(segments.c.segment_id.in_(page)))


def _is_same(row: Row, found: Proposal) -> bool:
    x0, y0, x1, y1 = found.bbox_xyxy
    apart = row["x0"] >= x1 or row["x1"] <= x0 or row["y0"] >= y1 or row["y1"] <= y0
    if apart or (row["width"], row["height"]) != found.mask.size_wh:
        return False
    if row["counts"] == found.mask.counts:
        return True
    # Loaded only here: reading a catalog does without pycocotools.
    from framekeep.geometry import mask_iou

    return mask_iou(Mask(found.mask.size_wh, row["counts"]), found.mask) >= SAME_IOU


def new_segment(
    media_id: str,
    segmenter_id: str,
    found: Proposal,
    label: Row,
    source: str,
    author: str,
    now: datetime,
) -> dict[str, Any]:
    """The row of a new segment."""
    row = {
        "segment_id": uuid4().hex, "media_id": media_id, "segmenter_id": segmenter_id,
        **mask_columns(found), "score": float(found.score), "mask_source": source, **label,
        "state": "open", "version": 1, "created_at": now, "changed_at": now,
        "changed_by": author or segmenter_id,
    }  # fmt: skip
    return {**row, "doubt": doubt(row)}


def check_masks(connection: Connection, masks: Mapping[str, Sequence[Mask]]) -> None:
    """Raise NotFoundError for a medium that is not there, InputError for a mask of another size."""
    sizes: dict[str, tuple[int, int]] = {}
    for page in pages(sorted(masks)):
        query = sa.select(media.c.media_id, media.c.width, media.c.height)
        for media_id, width, height in connection.execute(query.where(media.c.media_id.in_(page))):
            sizes[media_id] = (width, height)
    for media_id, of_medium in masks.items():
        if media_id not in sizes:
            raise NotFoundError(f"There is no medium {media_id[:64]!r} in this library.")
        for mask in of_medium:
            if mask.size_wh != sizes[media_id]:
                raise InputError(
                    f"The mask is {mask.size_wh[0]} x {mask.size_wh[1]} pixels and its picture "
                    f"{sizes[media_id][0]} x {sizes[media_id][1]}: a mask covers the whole picture."
                )
