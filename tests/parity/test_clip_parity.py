"""Our CLIP against transformers', the dialects against each other, and ONNX against torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from transformers import CLIPModel
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from framekeep.encoders.checkpoint import read_checkpoint
from framekeep.encoders.clip_onnx import OnnxClipEncoder
from framekeep.encoders.clip_torch import TorchClipEncoder, build_clip
from framekeep.encoders.preprocess import clip_normalise, clip_prepare
from framekeep.encoders.tokenizer import CONTEXT, batch_ids, tokenize
from framekeep.types import EncoderInfo, RgbImage, Vectors
from tests.helpers import clip_weights
from tests.helpers.clip_weights import Size

TEXTS = ["a photo of a cat", "dog", "two red bicycles, leaning on a wall!", "a word " * 60]
SIZES: list[Size] = ["tiny", "b32"]


def info(dim: int = 32, precision: str = "fp32", name: str = "random") -> EncoderInfo:
    return EncoderInfo(name, f"{name}@0123456789ab/p1", dim, precision)


def pictures(count: int, seed: int = 0) -> list[RgbImage]:
    """Smooth random pictures of different shapes: plain noise all looks alike to a model."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        coarse = rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)
        width, height = (int(side) for side in rng.integers(40, 400, 2))
        made.append(np.array(Image.fromarray(coarse).resize((width, height))))
    return made


def unit(rows: torch.Tensor) -> Vectors:
    return np.asarray((rows / rows.norm(dim=-1, keepdim=True)).numpy(), np.float32)


def theirs(model: CLIPModel, images: Sequence[RgbImage], texts: Sequence[str]) -> list[Vectors]:
    side = model.config.vision_config.image_size
    process = CLIPImageProcessorPil(size={"shortest_edge": side}, crop_size=side)
    pixels = process(images=[Image.fromarray(image) for image in images], return_tensors="pt")
    ids = torch.full((len(texts), CONTEXT), 49407)
    for row, text in zip(ids, texts, strict=True):
        tokens = tokenize(text).ids
        row[: len(tokens)] = torch.tensor(tokens)
    with torch.inference_mode():
        image_rows = model.get_image_features(**pixels).pooler_output
        text_rows = model.get_text_features(input_ids=ids).pooler_output
    return [unit(image_rows), unit(text_rows)]


@pytest.mark.parametrize("size", SIZES)
def test_torch_equals_transformers(tmp_path: Path, size: Size) -> None:
    file = clip_weights.write_transformers_checkpoint(tmp_path, size, seed=1)
    images = pictures(3)
    encoder = TorchClipEncoder(info(clip_weights.SIZES[size].embed_dim), file, device="cpu")
    ours = [encoder.encode_images(images), encoder.encode_texts(TEXTS)]
    model, report = CLIPModel.from_pretrained(tmp_path, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    for mine, other in zip(ours, theirs(model.eval(), images, TEXTS), strict=True):
        assert np.abs(mine - other).max() <= 1e-5
        # Random weights must tell inputs apart, or the comparison would mean nothing.
        assert np.abs(mine[0] - mine[1]).max() > 1e-2


@settings(max_examples=40, deadline=None)
@given(width=st.integers(1, 300), height=st.integers(1, 300), seed=st.integers(0, 99))
def test_preprocessing_equals_transformers(width: int, height: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    process = CLIPImageProcessorPil(size={"shortest_edge": 64}, crop_size=64)
    expected = process(images=Image.fromarray(image), return_tensors="np")["pixel_values"]
    assert np.abs(clip_normalise([clip_prepare(image, 64)]) - expected).max() <= 2e-6


def test_all_dialects_give_the_same_vectors(tmp_path: Path) -> None:
    write = clip_weights
    files = {
        "openai": write.write_openai_checkpoint(tmp_path / "a", seed=2),
        "transformers": write.write_transformers_checkpoint(tmp_path / "b", seed=2, fp16=True),
        "open_clip": write.write_open_clip_checkpoint(tmp_path / "c", seed=2, fp16=True),
    }
    pickled = {
        "transformers": write.write_transformers_checkpoint(
            tmp_path / "d" / "pytorch_model.bin", seed=2, fp16=True
        ),
        "open_clip": write.write_open_clip_checkpoint(
            tmp_path / "e" / "epoch_1.pt", seed=2, fp16=True
        ),
    }
    images = pictures(2)
    vectors = []
    for dialect, file in [*files.items(), *pickled.items()]:
        assert read_checkpoint(file).dialect == dialect
        encoder = TorchClipEncoder(info(), file, device="cpu")
        vectors.append((encoder.encode_images(images), encoder.encode_texts(TEXTS)))
    for image_rows, text_rows in vectors[1:]:
        np.testing.assert_allclose(image_rows, vectors[0][0], atol=1e-6)
        np.testing.assert_allclose(text_rows, vectors[0][1], atol=1e-6)


def test_the_activation_matters(tmp_path: Path) -> None:
    file = clip_weights.write_open_clip_checkpoint(tmp_path, quick_gelu=None)
    rows = [
        TorchClipEncoder(info(), file, "cpu", activation).encode_images(pictures(1))
        for activation in (None, "gelu", "quick_gelu")
    ]
    np.testing.assert_array_equal(rows[0], rows[1])
    assert np.abs(rows[0] - rows[2]).max() > 1e-4


def test_a_text_cut_after_its_end_token_equals_the_padded_one(tmp_path: Path) -> None:
    model = build_clip(read_checkpoint(clip_weights.write_transformers_checkpoint(tmp_path)))
    with torch.inference_mode():
        for text in TEXTS:
            ids = torch.from_numpy(batch_ids([text]))
            padded = torch.zeros((1, CONTEXT), dtype=torch.int64)
            padded[:, : ids.shape[1]] = ids
            difference = unit(model.text(ids)) - unit(model.text(padded))
            assert np.abs(difference).max() <= 1e-6


@pytest.fixture(scope="module")
def tiny_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clip_weights.write_transformers_checkpoint(tmp_path_factory.mktemp("weights"), seed=3)


@pytest.mark.parametrize(("precision", "cosine"), [("fp32", 0.9999), ("int8", 0.98)])
def test_onnx_agrees_with_torch(
    tmp_path: Path, tiny_file: Path, precision: str, cosine: float
) -> None:
    reference = TorchClipEncoder(info(), tiny_file, device="cpu")
    encoder = OnnxClipEncoder(info(precision=precision), tiny_file, tmp_path, device="cpu")
    for count in (1, 2, 19):
        images = pictures(count, seed=count)
        pairs = encoder.encode_images(images) * reference.encode_images(images)
        assert pairs.sum(axis=1).min() >= cosine
    for texts in (["dog"], TEXTS[:2], TEXTS):
        pairs = encoder.encode_texts(texts) * reference.encode_texts(texts)
        assert pairs.sum(axis=1).min() >= cosine


def test_onnx_agrees_with_torch_at_full_size(tmp_path: Path) -> None:
    file = clip_weights.write_transformers_checkpoint(tmp_path / "weights", "b32", seed=4)
    reference = TorchClipEncoder(info(512), file, device="cpu")
    encoder = OnnxClipEncoder(info(512), file, tmp_path / "cache", device="cpu")
    images, texts = pictures(2), TEXTS[:2]
    image_pairs = encoder.encode_images(images) * reference.encode_images(images)
    text_pairs = encoder.encode_texts(texts) * reference.encode_texts(texts)
    assert min(image_pairs.sum(axis=1).min(), text_pairs.sum(axis=1).min()) >= 0.9999


def test_bf16_stays_close(tiny_file: Path) -> None:
    from framekeep.encoders.clip_torch import has_bf16

    if not has_bf16("cpu"):
        pytest.skip("this processor has no bfloat16")
    reference = TorchClipEncoder(info(), tiny_file, device="cpu")
    encoder = TorchClipEncoder(info(precision="bf16"), tiny_file, device="cpu")
    images = pictures(4)
    pairs = encoder.encode_images(images) * reference.encode_images(images)
    assert pairs.sum(axis=1).min() >= 0.99
    assert not np.array_equal(encoder.encode_images(images), reference.encode_images(images))
