"""Results as programs read them: JSON, and lists of paths, CSV or JSON Lines."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from framekeep.cli.moments import moment_json
from framekeep.object_types import Segment
from framekeep.types import Hit


class ListFormat(StrEnum):
    """The form of an exported list."""

    paths = "paths"
    csv = "csv"
    jsonl = "jsonl"


def hit_json(hit: Hit) -> dict[str, Any]:
    """A hit as JSON: path, score and id first, then what is known of the photo."""
    media = hit.media
    found = {} if hit.segment is None else {"object": _object_json(hit.segment)}
    return {
        "path": str(hit.path),
        "score": hit.score,
        "media_id": hit.media_id,
        "size_wh": list(media.size_wh),
        "bytes": media.bytes,
        "format": media.format,
        "taken": media.taken_at_local and media.taken_at_local.isoformat(),
        "camera": media.camera,
        "sharpness": media.sharpness,
        "brightness": media.brightness,
        "tags": list(hit.tags),
        "other_paths": [str(path) for path in hit.other_paths],
        **moment_json(hit),
        **found,
    }


def _object_json(segment: Segment) -> dict[str, Any]:
    """An object as JSON, without its mask."""
    return {
        "segment_id": segment.segment_id,
        "label": segment.label,
        "label_source": segment.label_source,
        "bbox_xyxy": list(segment.bbox_xyxy),
        "area_px": segment.area_px,
        "score": segment.score,
        "state": segment.state,
        "segmenter": segment.segmenter_id,
        "tags": list(segment.tags),
    }


def write_list(hits: Sequence[Hit], form: ListFormat, stream: Any, *, objects: bool) -> None:
    """Write the results of a search; with `objects` a CSV file has columns for them as well.

    A path that several objects share is listed once.
    """
    if form is ListFormat.paths:
        stream.writelines(f"{path}\n" for path in dict.fromkeys(hit.path for hit in hits))
    elif form is ListFormat.jsonl:
        for hit in hits:
            stream.write(json.dumps(hit_json(hit), ensure_ascii=False) + "\n")
    else:
        writer = csv.writer(stream)
        writer.writerow([*_COLUMNS, *(_OBJECT_COLUMNS if objects else ())])
        for hit in hits:
            row = hit_json(hit)
            size = row["size_wh"]
            tags = ",".join(hit.tags)
            told = [row["path"], hit.score, hit.media_id, *size, row["taken"], tags, hit.time_s]
            writer.writerow([*told, *(_object_cells(hit.segment) if objects else ())])


_COLUMNS = ("path", "score", "media_id", "width", "height", "taken", "tags", "time_s")
_OBJECT_COLUMNS = (
    *("segment_id", "label", "label_source", "state", "mask_score", "area_px"),
    *("left", "top", "right", "bottom", "object_tags"),
)


def _object_cells(segment: Segment | None) -> list[Any]:
    """What a row tells of an object, in pixels; empty cells for a whole photo."""
    if segment is None:
        return [""] * len(_OBJECT_COLUMNS)
    told = [segment.segment_id, segment.label, segment.label_source, segment.state, segment.score]
    return [*told, segment.area_px, *segment.bbox_xyxy, ",".join(segment.tags)]
