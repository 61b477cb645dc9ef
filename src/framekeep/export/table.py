"""Tables of images and objects with their vectors: CSV, JSON Lines and Parquet.

A vector's numbers are float32. In text they have as few digits as tell them from all others.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from framekeep.export.records import Dataset, ExportImage
from framekeep.lookahead import batched
from framekeep.types import Vectors

TableFormat = Literal["csv", "jsonl", "parquet"]
Row = dict[str, Any]
IMAGES, OBJECTS = "images", "objects"
"""The two tables' file names, without suffix; one row per image, and one per object."""

_ROWS = 2048


def write_tables(
    dataset: Dataset, vectors: Mapping[str, Vectors], kind: TableFormat, folder: Path
) -> list[str]:
    """Write both tables into a folder; gives their names.

    `vectors` has a row (dim,) float32 for each media id and segment id that has a vector; without
    one, the field is empty. Raises OSError.
    """
    write = {"csv": _write_csv, "jsonl": _write_jsonl, "parquet": _write_parquet}[kind]
    names = []
    for name, rows in ((IMAGES, image_rows(dataset)), (OBJECTS, object_rows(dataset))):
        names.append(f"{name}.{kind}")
        write(folder / names[-1], name, rows, vectors)
    return names


def image_rows(dataset: Dataset) -> Iterator[Row]:
    """One row per image, without its vector."""
    for image in dataset.images:
        width, height = image.size_wh
        taken = image.taken_at_local
        yield {
            **_place(image), "width": width, "height": height,
            "taken": taken.isoformat() if taken else None,
            "labels": list(image.labels), "tags": list(image.tags), "objects": len(image.objects),
        }  # fmt: skip


def object_rows(dataset: Dataset) -> Iterator[Row]:
    """One row per object, without its vector; box along pixel edges, mask as COCO's RLE."""
    for image in dataset.images:
        for thing in image.objects:
            left, top, right, bottom = thing.bbox_xyxy
            width, height = thing.mask.size_wh
            yield {
                "segment_id": thing.segment_id, **_place(image), "label": thing.label,
                "source": thing.source, "score": thing.score,
                "left": left, "top": top, "right": right, "bottom": bottom,
                "area_px": thing.area_px, "mask_width": width, "mask_height": height,
                "mask_counts": thing.mask.counts, "attributes": dict(thing.attributes),
            }  # fmt: skip


def _place(image: ExportImage) -> Row:
    return {
        "media_id": image.media_id, "path": str(image.source), "split": image.split,
        "film_id": image.film_id, "time_s": image.time_s,
    }  # fmt: skip


def _key(table: str) -> str:
    return "media_id" if table == IMAGES else "segment_id"


def _numbers(row: Vectors | None) -> list[float] | None:
    """As few digits as tell a float32 from all others, in Python's own floats."""
    return None if row is None else [float(str(number)) for number in row.astype(np.float32)]


def _write_csv(path: Path, table: str, rows: Iterator[Row], vectors: Mapping[str, Vectors]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer: csv.DictWriter[str] | None = None
        for row in rows:
            row["vector"] = _numbers(vectors.get(row[_key(table)]))
            if writer is None:
                writer = csv.DictWriter(file, list(row), lineterminator="\n")
                writer.writeheader()
            writer.writerow({name: _cell(value) for name, value in row.items()})
        if writer is None:
            csv.writer(file, lineterminator="\n").writerow([*_columns(table), "vector"])


def _cell(value: Any) -> Any:
    """Lists and attributes as JSON, so that no separator can be mistaken."""
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    return "" if value is None else value


def _write_jsonl(
    path: Path, table: str, rows: Iterator[Row], vectors: Mapping[str, Vectors]
) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            row["vector"] = _numbers(vectors.get(row[_key(table)]))
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _write_parquet(
    path: Path, table: str, rows: Iterator[Row], vectors: Mapping[str, Vectors]
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = _columns(table)
    dim = _dim(vectors, 64 if table == IMAGES else 32)
    schema = pa.schema([
        *((name, _arrow_type(pa, kind)) for name, kind in columns.items()),
        ("vector", pa.list_(pa.float32(), dim)),
    ])  # fmt: skip
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in batched(rows, _ROWS):
            for row in batch:
                if "attributes" in row:
                    row["attributes"] = json.dumps(row["attributes"], ensure_ascii=False)
            arrays = [
                pa.array([row[field.name] for row in batch], field.type)
                for field in list(schema)[:-1]
            ]
            kept = [vectors.get(row[_key(table)]) for row in batch]
            arrays.append(_arrow_vectors(pa, kept, dim))
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def _arrow_vectors(pa: Any, rows: list[Vectors | None], dim: int) -> Any:
    flat = np.zeros((len(rows), dim), np.float32)
    for number, row in enumerate(rows):
        if row is not None:
            flat[number] = row
    lacking = pa.array([row is None for row in rows], pa.bool_())
    return pa.FixedSizeListArray.from_arrays(pa.array(flat.ravel()), dim, mask=lacking)


def _dim(vectors: Mapping[str, Vectors], id_digits: int) -> int:
    """The length of the vectors of media (ids of 64 digits) or segments (32)."""
    return next((len(row) for key, row in vectors.items() if len(key) == id_digits), 1)


def _columns(table: str) -> dict[str, type]:
    """The columns of a table, without its vector, and what they hold."""
    place: dict[str, type] = {
        "media_id": str, "path": str, "split": str, "film_id": str, "time_s": float,
    }  # fmt: skip
    if table == IMAGES:
        more: dict[str, type] = {"width": int, "height": int, "taken": str}
        return {**place, **more, "labels": list, "tags": list, "objects": int}
    edges = dict.fromkeys(("left", "top", "right", "bottom"), float)
    mask = {"area_px": int, "mask_width": int, "mask_height": int, "mask_counts": str}
    said: dict[str, type] = {"label": str, "source": str, "score": float}
    return {"segment_id": str, **place, **said, **edges, **mask, "attributes": str}


def _arrow_type(pa: Any, kind: type) -> Any:
    types = {str: pa.string(), int: pa.int64(), float: pa.float64(), list: pa.list_(pa.string())}
    return types[kind]
