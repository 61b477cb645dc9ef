"""Tables of images and objects with their vectors."""

from __future__ import annotations

import csv
import json
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from framekeep.export.records import Dataset, ExportImage, ExportObject
from framekeep.export.table import write_tables
from framekeep.geometry import encode_mask, mask_area, mask_bbox

DIM = 5
MASK = encode_mask(np.eye(6, dtype=bool))


def thing(number: int, label: str) -> ExportObject:
    attributes = (("pose", 'sits, "up"'), ("größe", "2\n3"))
    return ExportObject(
        f"{number:032x}", label, MASK, mask_bbox(MASK), mask_area(MASK), 0.1 + 0.2, "model",
        attributes if number == 1 else (),
    )  # fmt: skip


@pytest.fixture
def dataset() -> Dataset:
    first = ExportImage(
        "a" * 64, Path("/photos/ä, b.jpg"), "x.jpg", (6, 6),
        (thing(1, "Kätzchen"), thing(2, 'a "dog", big')),
        labels=("beach",), tags=("trip", "x,y"), split="train",
        taken_at_local=datetime(2024, 5, 6, 7, 8, 9),
    )  # fmt: skip
    second = ExportImage("b" * 64, Path("/photos/empty.jpg"), "y.jpg", (6, 6), split="val")
    return Dataset(('a "dog", big', "Kätzchen"), (first, second), ("train", "val"))


@pytest.fixture
def vectors() -> dict[str, np.ndarray]:
    rows = np.random.default_rng(3).normal(size=(3, DIM)).astype(np.float32)
    return {"a" * 64: rows[0], f"{1:032x}": rows[1], f"{2:032x}": rows[2]}


def read(folder: Path, kind: str, name: str) -> list[dict]:
    """The rows of a table as plain values, whatever it was written as."""
    path = folder / f"{name}.{kind}"
    if kind == "parquet":
        rows = pq.read_table(path).to_pylist()
        return [{**r, "attributes": json.loads(r["attributes"])} if "attributes" in r else r for r in rows]  # fmt: skip # noqa: E501
    if kind == "jsonl":
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    numbers = {"left", "top", "right", "bottom", "score", "area_px", "mask_width", "mask_height"}
    numbers |= {"width", "height", "objects"}
    nested = {"labels", "tags", "attributes", "vector"}
    with path.open(encoding="utf-8", newline="") as file:
        rows = []
        for row in csv.DictReader(file):
            plain = {k: json.loads(v) if k in nested and v else v or None for k, v in row.items()}
            rows.append({k: float(v) if k in numbers else v for k, v in plain.items()})
        return rows


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_every_format_holds_the_same_exactly(tmp_path, dataset, vectors, kind):
    names = write_tables(dataset, vectors, kind, tmp_path)
    assert names == [f"images.{kind}", f"objects.{kind}"]
    first, second = read(tmp_path, kind, "images")
    assert first["media_id"] == "a" * 64
    assert first["path"] == "/photos/ä, b.jpg"
    assert first["labels"] == ["beach"]
    assert first["tags"] == ["trip", "x,y"]
    assert first["taken"] == "2024-05-06T07:08:09"
    assert (first["width"], first["height"], first["objects"]) == (6, 6, 2)
    np.testing.assert_array_equal(np.array(first["vector"], np.float32), vectors["a" * 64])
    assert second["vector"] is None
    assert second["taken"] is None
    assert second["split"] == "val"

    one, two = read(tmp_path, kind, "objects")
    assert one["label"] == "Kätzchen"
    assert two["label"] == 'a "dog", big'
    assert one["attributes"] == {"pose": 'sits, "up"', "größe": "2\n3"}
    assert two["attributes"] == {}
    assert one["mask_counts"] == MASK.counts
    assert one["score"] == 0.1 + 0.2
    assert (one["left"], one["bottom"], one["area_px"]) == (0, 6, 6)
    for row in (one, two):
        found = np.array(row["vector"], np.float32)
        np.testing.assert_array_equal(found, vectors[row["segment_id"]])


def test_parquet_vectors_are_lists_of_a_fixed_length(tmp_path, dataset, vectors):
    write_tables(dataset, vectors, "parquet", tmp_path)
    for name in ("images", "objects"):
        kind = pq.read_schema(tmp_path / f"{name}.parquet").field("vector").type
        assert kind == pa.list_(pa.float32(), DIM)


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_dataset_without_objects_or_vectors_is_a_table_all_the_same(tmp_path, dataset, kind):
    empty = Dataset((), (dataset.images[1],), ("val",))
    write_tables(empty, {}, kind, tmp_path)
    assert read(tmp_path, kind, "objects") == []
    assert [row["media_id"] for row in read(tmp_path, kind, "images")] == ["b" * 64]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_the_same_dataset_gives_the_same_bytes(tmp_path, dataset, vectors, kind):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        write_tables(dataset, vectors, kind, tmp_path / folder)
    for name in (f"images.{kind}", f"objects.{kind}"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
