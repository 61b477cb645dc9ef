"""The first version's documented lines run from a checkout, word for word."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from framekeep.errors import FramekeepError, InputError, StoreError, WeightsError
from framekeep.seed import ModelManager, SegmentExtractor, VectorDatabase

ROOT = Path(__file__).parents[2]

DATABASE = """
import json, random
from src.database.vector_db import VectorDatabase
db = VectorDatabase()
db.create_or_get_collection()
rng = random.Random(0)
rows = [[rng.gauss(0, 1) for _ in range(512)] for _ in range(20)]
db.add_segments(
    embeddings=rows,
    metadatas=[{"image": f"{i}.jpg", "area": i} for i in range(20)],
    ids=[f"segment-{i}" for i in range(20)],
)
print(json.dumps(db.search_by_embedding([2 * x for x in rows[7]], n_results=10)))
"""


SEGMENTS = """
import json
from PIL import Image
from src.processing.segment_extractor import SegmentExtractor
extractor = SegmentExtractor("starter")
image = Image.open("photo.jpg")
found = []
for segment, crop in extractor.extract(image):
    assert segment.mask.shape == (image.height, image.width)
    found.append({**segment.metadata, "pixels": int(segment.mask.sum()), "crop": crop.size})
print(json.dumps(found))
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder that looks like a checkout to Python, and may be written to."""
    (tmp_path / "src").symlink_to(ROOT / "src", target_is_directory=True)
    return tmp_path


def run(script: str, cwd: Path, **environment: str) -> Any:
    """What a script in the checkout prints as JSON."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_database_keeps_segments_in_chroma_db(checkout: Path) -> None:
    found = run(DATABASE, checkout)
    assert found["ids"][0][0] == "segment-7"
    assert len(found["ids"][0]) == len(set(found["ids"][0])) == 10
    assert found["metadatas"][0][0] == {"image": "7.jpg", "area": 7}
    assert found["distances"][0][0] == pytest.approx(0, abs=1e-5)  # a cosine: scale is nothing
    assert found["distances"][0] == sorted(found["distances"][0])
    assert (checkout / "chroma_db" / "chroma.sqlite3").exists()


def test_database_is_there_in_the_next_process(checkout: Path) -> None:
    run(DATABASE, checkout)
    again = DATABASE.partition("db.add_segments")[0] + (
        'print(json.dumps(db.search_by_embedding(rows[3], n_results=1)["ids"]))'
    )
    assert run(again, checkout) == [["segment-3"]]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[VectorDatabase]:
    database = VectorDatabase(tmp_path / "chroma_db")
    yield database
    database.close()


def test_distance_is_one_minus_cosine(database: VectorDatabase) -> None:
    rows = np.eye(4, dtype=np.float32)
    database.add_segments(rows, [{"n": n} for n in range(4)], list("abcd"))
    found = database.search_by_embedding(np.array([3, 4, 0, 0]), n_results=4)
    distances = dict(zip(found["ids"][0], found["distances"][0], strict=True))
    assert distances == pytest.approx({"a": 0.4, "b": 0.2, "c": 1.0, "d": 1.0}, abs=1e-5)


def test_an_id_added_again_is_replaced(database: VectorDatabase) -> None:
    collection = database.create_or_get_collection()
    database.add_segments([[1.0, 0.0]], [{"n": 1}], ["a"])
    database.add_segments([[0.0, 1.0]], [{"n": 2}], ["a"])
    assert collection.count() == 1
    found = database.search_by_embedding([0.0, 1.0])
    assert found["metadatas"] == [[{"n": 2}]]
    assert found["distances"][0][0] == pytest.approx(0, abs=1e-6)


def test_two_databases_see_each_other(database: VectorDatabase, tmp_path: Path) -> None:
    collection = database.create_or_get_collection()
    other = VectorDatabase(tmp_path / "chroma_db")
    for number in range(3):
        database.add_segments([[1.0, 0.0]], [{"n": 1}], [f"a{number}"])
        other.add_segments([[0.0, 1.0]], [{}], [f"b{number}"])
        assert len(database.search_by_embedding([1.0, 1.0])["ids"][0]) == 2 * (number + 1)
        assert len(other.search_by_embedding([1.0, 1.0])["ids"][0]) == 2 * (number + 1)
    assert collection.name == "segments"
    other.close()


def test_what_does_not_fit_is_refused_in_words(database: VectorDatabase) -> None:
    with pytest.raises(InputError, match="2 embeddings, 1 metadatas and 1 ids"):
        database.add_segments([[1.0, 0.0], [0.0, 1.0]], [{"n": 1}], ["a"])
    database.add_segments([[1.0, 0.0]], [{"n": 1}], ["a"])
    with pytest.raises(InputError, match="metadata"):
        database.add_segments([[1.0, 0.0]], [{"n": object()}], ["b"])  # type: ignore[dict-item]
    with pytest.raises(StoreError, match="dimension"):
        database.search_by_embedding([1.0, 0.0, 0.0])
    database.add_segments([], [], [])
    assert len(database.search_by_embedding([1.0, 0.0])["ids"][0]) == 1


def test_without_weights_the_model_says_how_to_get_them() -> None:
    models = ModelManager()
    with pytest.raises(WeightsError, match="framekeep models add NAME PATH"):
        models.encode(Image.new("RGB", (64, 64)))
    with pytest.raises(FramekeepError, match="models"):
        models.encode_text("a photo of a cat")


DEMO = ROOT / "src" / "framekeep" / "data" / "demo"


def test_segments_are_extracted_from_a_checkout(checkout: Path) -> None:
    (checkout / "photo.jpg").symlink_to(DEMO / "demo-02.jpg")
    first, *_ = run(SEGMENTS, checkout)
    assert first["area"] == first["pixels"] > 0
    width, height = first["right"] - first["left"], first["bottom"] - first["top"]
    assert width <= first["crop"][0] <= width * 1.3
    assert height <= first["crop"][1] <= height * 1.3 or first["crop"][1] <= width * 1.3
    assert 0 < first["score"] <= 1
    assert "cat" in first["label"]


def test_extracting_is_segmenting_cropping_and_nothing_else(database: VectorDatabase) -> None:
    extractor = SegmentExtractor("starter")
    image = Image.open(DEMO / "demo-02.jpg")
    segments = extractor.extract_segments(image)
    pairs = extractor.extract(image, margin=0.0)
    assert [segment.bbox_xyxy for segment, _ in pairs] == [each.bbox_xyxy for each in segments]
    for segment, crop in pairs:
        left, top, right, bottom = map(int, segment.bbox_xyxy)
        assert crop.size == (right - left, bottom - top)
        blurred = extractor.blur_background(image, segment.mask)
        assert blurred.size == image.size
        around = np.abs(np.asarray(crop, int) - np.asarray(blurred)[top:bottom, left:right])
        assert around.max() <= 1
        whole = np.asarray(image.convert("RGB"))
        assert np.array_equal(np.asarray(blurred)[segment.mask], whole[segment.mask])
        assert not np.array_equal(np.asarray(blurred), whole)
    database.add_segments(
        np.eye(len(pairs) + 1, dtype=np.float32)[: len(pairs)],
        [segment.metadata for segment, _ in pairs],
        [f"segment-{n}" for n in range(len(pairs))],
    )
    kept = database.search_by_embedding(np.eye(len(pairs) + 1, dtype=np.float32)[0])
    assert kept["metadatas"][0][0] == segments[0].metadata


def test_pictures_are_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.new("RGB", (96, 64), "red")
    image.info["exif"] = exif.tobytes()
    assert SegmentExtractor().blur_background(image, np.ones((96, 64), bool)).size == (64, 96)


def test_a_blur_that_cannot_be_is_refused() -> None:
    extractor = SegmentExtractor()
    image, mask = Image.new("RGB", (40, 30)), np.ones((30, 40), bool)
    with pytest.raises(InputError, match="odd"):
        extractor.blur_background(image, mask, kernel_size=20)
    with pytest.raises(InputError, match="does not fit"):
        extractor.blur_background(image, mask.T)
    with pytest.raises(InputError, match="Pillow"):
        extractor.blur_background("photo.jpg", mask)  # type: ignore[arg-type]
