"""The shipped encoder, with its real weights."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.starter_quality import load, ranks
from framekeep.encoders.starter import StarterEncoder, starter_info
from framekeep.errors import InputError, WeightsError

DATA = Path(__file__).parents[2] / "src" / "framekeep" / "data"


@pytest.fixture(scope="module")
def encoder() -> StarterEncoder:
    return StarterEncoder()


@pytest.fixture(scope="module")
def photos() -> list[np.ndarray]:
    paths = sorted((DATA / "demo").glob("*.jpg"))[:5]
    return [np.asarray(Image.open(path).convert("RGB")) for path in paths]


def test_images_and_texts_share_one_space_of_unit_rows(encoder, photos):
    for rows in (encoder.encode_images(photos), encoder.encode_texts(["a cat", "the sea", "x"])):
        assert rows.dtype == np.float32
        assert rows.shape[1] == encoder.dim == 384
        assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


def test_encoding_is_the_same_alone_in_a_batch_and_prepared(encoder, photos):
    together = encoder.encode_images(photos)
    alone = np.concatenate([encoder.encode_images([photo]) for photo in photos])
    prepared = encoder.encode_images([encoder.prepare(photo) for photo in photos])
    assert np.allclose(together, alone, atol=1e-5)
    assert np.array_equal(together, prepared)


def test_texts_of_different_lengths_do_not_touch_each_other(encoder):
    texts = ["a cat", "a very long sentence about boats, harbours and the people who work there"]
    together = encoder.encode_texts(texts)
    alone = np.concatenate([encoder.encode_texts([text]) for text in texts])
    assert np.allclose(together, alone, atol=1e-4)


def test_long_texts_are_cut_and_it_can_be_told(encoder):
    long = "boat " * 500
    assert encoder.texts_cut(["a boat", long]) == [long]
    assert encoder.encode_texts([long]).shape == (1, 384)


@pytest.mark.parametrize("texts", ["one text", [""], ["  "], [3]])
def test_wrong_texts_are_refused(encoder, texts):
    with pytest.raises(InputError):
        encoder.encode_texts(texts)


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4), (0, 4, 3)])
def test_wrong_pictures_are_refused(encoder, shape):
    with pytest.raises(InputError):
        encoder.encode_images([np.zeros(shape, np.uint8)])


@pytest.mark.parametrize("size_hw", [(1, 1), (3, 900), (900, 3), (260, 260), (259, 2600)])
def test_any_shape_of_picture_is_prepared(encoder, size_hw):
    prepared = encoder.prepare(np.full((*size_hw, 3), 90, np.uint8))
    assert prepared.shape == (260, 260, 3)
    assert (prepared == 90).all()


def test_labels_are_probabilities(encoder, photos):
    found = encoder.labels(photos[0], limit=3)
    assert len(found) == 3
    odds = [probability for _, probability in found]
    assert odds == sorted(odds, reverse=True)
    assert 0 < sum(odds) <= 1


def test_damaged_and_missing_data_are_told(tmp_path):
    copy = tmp_path / "starter"
    shutil.copytree(DATA / "starter", copy)
    content = bytearray((copy / "vision.onnx").read_bytes())
    content[5000] ^= 1
    (copy / "vision.onnx").write_bytes(content)
    with pytest.raises(WeightsError, match="damaged"):
        StarterEncoder(folder=copy).encode_images([np.zeros((9, 9, 3), np.uint8)])
    (copy / "text.onnx").unlink()
    with pytest.raises(WeightsError, match="install framekeep again"):
        StarterEncoder(folder=copy).encode_texts(["x"])
    (copy / "meta.json").unlink()
    with pytest.raises(WeightsError, match="install framekeep again"):
        StarterEncoder(folder=copy / "elsewhere")


def test_the_id_follows_the_weights():
    meta = json.loads((DATA / "starter" / "meta.json").read_text())
    assert starter_info().id == f"starter@{meta['sha256'][:12]}/p1"


def test_the_data_stay_small():
    size = sum(path.stat().st_size for path in (DATA / "starter").iterdir())
    assert size <= 45_000_000


def test_neither_torch_nor_transformers_is_loaded():
    code = (
        "import sys; from framekeep.encoders.starter import StarterEncoder;"
        "StarterEncoder().encode_texts(['a cat']);"
        "sys.exit(any(name in sys.modules for name in ('torch', 'transformers', 'streamlit')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_labelled_photos_are_found_by_their_label(encoder, measuring_photos):
    images, labels = load(measuring_photos, encoder)
    scores = encoder.encode_texts(labels) @ encoder.encode_images(list(images)).T
    found = ranks(scores)
    assert (found < 1).mean() >= 0.92
    assert (found < 5).mean() >= 0.96


def test_scores_of_unrelated_pairs_are_about_zero_for_every_query(encoder, measuring_photos):
    images, labels = load(measuring_photos, encoder)
    scores = encoder.encode_texts(labels) @ encoder.encode_images(list(images)).T
    per_query = np.median(scores, axis=1)
    assert np.abs(per_query).max() < 0.2
    assert np.median(scores.diagonal()) > 0.6


def test_the_runtime_keeps_no_telemetry(tmp_path):
    code = (
        "import time; from framekeep.encoders.starter import StarterEncoder;"
        "StarterEncoder().encode_texts(['a cat']); time.sleep(1)"
    )
    env = {**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    env.pop("ORT_DISABLE_TELEMETRY", None)
    subprocess.run([sys.executable, "-c", code], env=env, check=True)
    assert list(tmp_path.rglob("*")) == []
