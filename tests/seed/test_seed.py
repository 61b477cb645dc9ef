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
from framekeep.seed import ModelManager, VectorDatabase

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
