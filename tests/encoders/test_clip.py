"""Both engines of CLIP as encoders: the contract, refusals, and the export's life on disk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from framekeep.encoders import clip_onnx, clip_torch
from framekeep.encoders.base import Encoder
from framekeep.encoders.clip import ClipEncoder
from framekeep.encoders.clip_onnx import OnnxClipEncoder, export_folder
from framekeep.encoders.clip_torch import TorchClipEncoder
from framekeep.errors import EncoderError, InputError, PrecisionError, WeightsError
from framekeep.types import EncoderInfo, RgbImage
from tests.helpers import clip_weights


def info(precision: str = "fp32", dim: int = 32) -> EncoderInfo:
    return EncoderInfo("mine", "mine@0123456789ab/p1", dim, precision)


def picture(height: int, width: int, seed: int = 0) -> RgbImage:
    shape = (height, width, 3)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clip_weights.write_transformers_checkpoint(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(params=["torch", "onnx", "onnx-int8"])
def encoder(request: pytest.FixtureRequest, weights: Path, cache: Path) -> ClipEncoder:
    if request.param == "torch":
        return TorchClipEncoder(info(), weights, device="cpu")
    precision = "int8" if request.param == "onnx-int8" else "fp32"
    return OnnxClipEncoder(info(precision), weights, cache, device="cpu")


def test_contract(encoder: ClipEncoder) -> None:
    assert isinstance(encoder, Encoder)
    assert (encoder.id, encoder.dim) == ("mine@0123456789ab/p1", 32)
    assert encoder.decode_side_px == 128
    images = [picture(70, 90), picture(64, 64, 1), picture(300, 65, 2)]
    rows, texts = encoder.encode_images(images), encoder.encode_texts(["a cat", "two dogs"])
    for vectors, count in ((rows, 3), (texts, 2)):
        assert vectors.shape == (count, 32)
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert encoder.encode_images([]).shape == encoder.encode_texts([]).shape == (0, 32)


def test_preparing_first_changes_nothing(encoder: ClipEncoder) -> None:
    image = picture(90, 200)
    ready = encoder.prepare(image)
    assert ready.shape == (64, 64, 3)
    assert ready.dtype == np.uint8
    assert encoder.prepare(ready) is ready
    np.testing.assert_array_equal(encoder.encode_images([ready]), encoder.encode_images([image]))


@pytest.mark.parametrize("text", ["", " \n"])
def test_empty_texts_are_refused(encoder: ClipEncoder, text: str) -> None:
    with pytest.raises(InputError):
        encoder.encode_texts([text])


def test_texts_cut(encoder: ClipEncoder) -> None:
    long = "a very long text " * 30
    assert encoder.texts_cut(["a cat", long]) == [long]
    np.testing.assert_allclose(
        encoder.encode_texts([long]), encoder.encode_texts([long + "and on"]), atol=1e-6
    )


def test_order_in_and_across_batches(weights: Path) -> None:
    encoder = TorchClipEncoder(info(), weights, device="cpu")
    images = [picture(80, 64 + i, i) for i in range(5)]
    whole = encoder.encode_images(images)
    encoder.batch_size = 2
    np.testing.assert_allclose(encoder.encode_images(images), whole, atol=1e-5)
    texts = ["a cat", "a much longer sentence about a cat", "dog"]
    alone = np.concatenate([encoder.encode_texts([text]) for text in texts])
    np.testing.assert_allclose(encoder.encode_texts(texts), alone, atol=1e-5)


def test_weights_that_are_not_those_of_the_id(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"32 numbers.*512"):
        TorchClipEncoder(info(dim=512), weights, device="cpu")
    with pytest.raises(WeightsError, match=r"32 numbers.*512"):
        OnnxClipEncoder(info(dim=512), weights, tmp_path, device="cpu")


def test_another_vocabulary_is_refused(weights: Path, tmp_path: Path) -> None:
    tensors = load_file(weights)
    tensors["text_model.embeddings.token_embedding.weight"] = torch.zeros(100, 64)
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(WeightsError, match="vocabulary of 100"):
        TorchClipEncoder(info(), tmp_path / "model.safetensors", device="cpu")


# --- precisions and devices --------------------------------------------------------------------


def test_torch_refuses_what_it_lacks(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clip_torch, "has_bf16", lambda device: False)
    with pytest.raises(PrecisionError, match="no bfloat16"):
        TorchClipEncoder(info("bf16"), weights, device="cpu")
    with pytest.raises(PrecisionError, match="engine onnx"):
        TorchClipEncoder(info("int8"), weights, device="cpu")
    with pytest.raises(PrecisionError, match="fp8"):
        TorchClipEncoder(info("fp8"), weights, device="cpu")
    with pytest.raises(EncoderError, match="'tpu'"):
        TorchClipEncoder(info(), weights, device="tpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_torch_without_cuda(weights: Path) -> None:
    with pytest.raises(EncoderError, match="no cuda"):
        TorchClipEncoder(info(), weights, device="cuda")


def test_onnx_refuses_what_it_lacks(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(PrecisionError, match="engine torch for bf16"):
        OnnxClipEncoder(info("bf16"), weights, tmp_path)
    with pytest.raises(EncoderError, match="'mps'"):
        OnnxClipEncoder(info(), weights, tmp_path, device="mps")
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(EncoderError, match="no CUDA provider"):
        OnnxClipEncoder(info(), weights, tmp_path, device="cuda")
    assert not list(tmp_path.iterdir())


def test_cuda_is_taken_where_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    providers = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: providers)
    assert clip_onnx._pick_providers("auto", "fp32") == providers
    assert clip_onnx._pick_providers("cpu", "fp32") == providers[1:]
    assert clip_onnx._pick_providers("auto", "int8") == providers[1:]
    with pytest.raises(PrecisionError, match="CPU only"):
        clip_onnx._pick_providers("cuda", "int8")


@pytest.mark.filterwarnings("ignore:Specified provider:UserWarning")
def test_cuda_that_does_not_start_is_told(
    weights: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "CUDAExecutionProvider" in clip_onnx._pick_providers("auto", "fp32"):
        pytest.skip("this machine's ONNX Runtime has CUDA")
    providers = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: providers)
    assert OnnxClipEncoder(info(), weights, cache).device == "cpu"
    with pytest.raises(EncoderError, match="could not start on CUDA"):
        OnnxClipEncoder(info(), weights, cache, device="cuda")


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no affinity masks here")
def test_processors_that_share_a_core_count_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for cpu, siblings in enumerate(["0,2", "1,3", "0,2", "1,3"]):
        folder = tmp_path / f"cpu{cpu}" / "topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(f"{siblings}\n")
    for mask, cores in (({0, 1, 2, 3}, 2), ({0, 2}, 1), ({1}, 1), ({0, 1, 8, 9}, 4)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, mask=mask: mask)
        assert clip_onnx.usable_cores(tmp_path) == cores


# --- the export --------------------------------------------------------------------------------


def test_a_second_load_needs_neither_torch_nor_the_checkpoint(
    weights: Path, tmp_path: Path
) -> None:
    first = OnnxClipEncoder(info(), weights, tmp_path, device="cpu").encode_texts(["a cat"])
    code = """
import sys, pathlib
from framekeep.encoders.clip_onnx import OnnxClipEncoder
from framekeep.types import EncoderInfo
info = EncoderInfo("mine", "mine@0123456789ab/p1", 32)
encoder = OnnxClipEncoder(info, pathlib.Path("gone"), pathlib.Path(sys.argv[1]), "cpu")
print(encoder.encode_texts(["a cat"])[0].tolist())
sys.exit(bool({"torch", "transformers", "onnx"} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], check=True, capture_output=True, text=True
    )
    np.testing.assert_allclose(json.loads(done.stdout), first[0], atol=1e-6)


def test_an_export_that_is_not_whole_is_made_again(weights: Path, tmp_path: Path) -> None:
    folder = export_folder(info(), tmp_path)
    rows = OnnxClipEncoder(info(), weights, tmp_path, device="cpu").encode_texts(["a cat"])
    graph = folder / "text.onnx"
    graph.write_bytes(graph.read_bytes()[:1000])
    leftover = tmp_path / f".{folder.name}.killed"
    leftover.mkdir()
    again = OnnxClipEncoder(info(), weights, tmp_path, device="cpu").encode_texts(["a cat"])
    np.testing.assert_array_equal(rows, again)
    assert not leftover.exists()


def test_a_damaged_export_says_what_to_do(weights: Path, tmp_path: Path) -> None:
    OnnxClipEncoder(info(), weights, tmp_path, device="cpu")
    graph = export_folder(info(), tmp_path) / "text.onnx"
    graph.write_bytes(b"\0" * graph.stat().st_size)
    with pytest.raises(EncoderError, match="delete the folder"):
        OnnxClipEncoder(info(), weights, tmp_path, device="cpu")


def test_another_activation_is_another_export(weights: Path, tmp_path: Path) -> None:
    rows = [
        OnnxClipEncoder(info(), weights, tmp_path, "cpu", activation).encode_images(
            [picture(64, 64)]
        )
        for activation in ("quick_gelu", "gelu")
    ]
    assert np.abs(rows[0] - rows[1]).max() > 1e-4


def test_exports_at_the_same_time(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exports: list[Path] = []
    export = clip_onnx._export

    def counted(read: object, folder: Path) -> None:
        exports.append(folder)
        export(read, folder)

    monkeypatch.setattr(clip_onnx, "_export", counted)

    def load(_: int) -> np.ndarray:
        return OnnxClipEncoder(info(), weights, tmp_path, device="cpu").encode_texts(["a cat"])

    with ThreadPoolExecutor(3) as pool:
        rows = list(pool.map(load, range(3)))
    assert len(exports) == 1
    np.testing.assert_array_equal(rows[0], rows[2])


def test_a_cache_that_cannot_be_written(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EncoderError, match="cannot be written"):
        OnnxClipEncoder(info(), weights, tmp_path / "file", device="cpu")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_failed_export_leaves_nothing(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **named: object) -> None:
        raise RuntimeError("no room in here")

    monkeypatch.setattr("torch.onnx.export", fail)
    with pytest.raises(EncoderError, match="no room in here"):
        OnnxClipEncoder(info(), weights, tmp_path, device="cpu")
    assert [path.suffix for path in tmp_path.iterdir()] in ([], [".lock"])
