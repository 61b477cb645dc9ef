"""SAM and SAM 2 with tiny random models: prompts, the cache, all objects, trouble."""

from __future__ import annotations

import builtins
import importlib
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from framekeep.errors import SegmenterError
from framekeep.geometry import decode_mask
from framekeep.object_types import Prompt, SegmenterInfo
from framekeep.segmenters import promptable
from framekeep.segmenters.base import MOST_ANSWERS, Segmenter
from framekeep.segmenters.promptable import PromptedSegmenter, working_bytes
from framekeep.segmenters.sam import SamSegmenter, fitted_wh
from framekeep.segmenters.sam2 import Sam2Segmenter, pools_right
from framekeep.settings import Settings
from framekeep.types import RgbImage
from tests.helpers.sam_weights import one_thread, write_sam, write_sam2

__all__ = ["one_thread"]

POINT = Prompt(points_xy=((40.0, 30.0),), point_labels=(1,))
BOX = Prompt(box_xyxy=(20.0, 10.0, 90.0, 70.0))
BOTH = Prompt(((40.0, 30.0), (80.0, 60.0)), (1, 0), (20.0, 10.0, 90.0, 70.0))


def picture(size_wh: tuple[int, int] = (120, 80), seed: int = 0) -> RgbImage:
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    return np.array(Image.fromarray(coarse).resize(size_wh))


def load(kind: str, folder: Path, settings: Settings | None = None) -> PromptedSegmenter:
    made, write = (SamSegmenter, write_sam) if kind == "sam" else (Sam2Segmenter, write_sam2)
    info = SegmenterInfo("tiny", "tiny@0/a1")
    return made(info, write(folder), settings or Settings(device="cpu"))


@pytest.fixture(scope="module", params=["sam", "sam2"])
def segmenter(request, tmp_path_factory) -> PromptedSegmenter:
    return load(request.param, tmp_path_factory.mktemp(request.param))


def count_looks(segmenter: PromptedSegmenter) -> tuple[list[int], object]:
    """Counts the picture encoder's runs, by PyTorch's own hook."""
    runs: list[int] = []
    hook = segmenter.model.vision_encoder.register_forward_hook(lambda *_: runs.append(1))
    return runs, hook


def test_it_is_a_segmenter(segmenter):
    assert isinstance(segmenter, Segmenter)


@pytest.mark.parametrize("prompt", [POINT, BOX, BOTH], ids=["point", "box", "both"])
@pytest.mark.parametrize("size_wh", [(120, 80), (50, 131), (640, 480)])
def test_prompts_give_masks_of_the_pictures_size(segmenter, prompt, size_wh):
    scale = min(size_wh[0] / 120, size_wh[1] / 80)
    points = tuple((x * scale, y * scale) for x, y in prompt.points_xy)
    box = tuple(edge * scale for edge in prompt.box_xyxy) if prompt.box_xyxy else None
    found = segmenter.prompt(picture(size_wh), Prompt(points, prompt.point_labels, box))
    assert 1 <= len(found) <= (MOST_ANSWERS if prompt is not BOTH else 1)
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    for one in found:
        assert one.mask.size_wh == size_wh
        assert decode_mask(one.mask).sum() == one.area_px > 0
        assert 0 <= one.score <= 1
        assert one.label is None


def test_a_picture_is_embedded_once_for_all_its_prompts(segmenter):
    runs, hook = count_looks(segmenter)
    try:
        first = segmenter.prompt(picture(), POINT, key="photo")
        assert segmenter.prompt(picture(), POINT, key="photo") == first
        segmenter.prompt(picture(), BOX, key="photo")
        assert len(runs) == 1
        segmenter.prompt(picture(seed=1), BOX, key="another")
        assert len(runs) == 2
        segmenter.prompt(picture(), BOX)
        segmenter.prompt(picture(), BOX)
        assert len(runs) == 4
        assert segmenter.prompt(picture(), POINT) == first
    finally:
        hook.remove()


def test_embeddings_are_kept_within_a_number_and_a_size(tmp_path, monkeypatch):
    monkeypatch.setattr(promptable, "EMBEDDING_BYTES", 30_000)
    segmenter = load("sam", tmp_path)
    assert segmenter.arch.embedding_bytes == 8 * 8 * 32 * 4
    runs, hook = count_looks(segmenter)
    for key in ("one", "two", "three", "four", "four", "three", "two", "one"):
        segmenter.prompt(picture(), POINT, key=key)
    hook.remove()
    assert len(segmenter._kept) == 3
    assert len(runs) == 5


def test_embedding_bytes_are_those_of_the_tensors(segmenter):
    with torch.inference_mode():
        embedding = segmenter.look(picture()).embedding
    maps = embedding if isinstance(embedding, list) else [embedding]
    assert sum(part.numel() * 4 for part in maps) == segmenter.arch.embedding_bytes


def test_all_objects_are_valid_masks_without_labels(segmenter):
    easy = {"least_iou": 0.0, "least_stability": 0.0, "points_per_side": 3, "crop_layers": 1}
    segmenter.automatic = promptable.replace(segmenter.automatic, **easy)
    image = picture((200, 120))
    found = segmenter.segment(image)
    assert found
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    for one in found:
        mask = decode_mask(one.mask)
        assert mask.shape == (120, 200)
        left, top, right, bottom = one.bbox_xyxy
        ys, xs = np.nonzero(mask)
        assert (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1) == (left, top, right, bottom)
        assert one.label is None
    assert segmenter.segment(image) == found
    segmenter.automatic = promptable.replace(segmenter.automatic, least_stability=1.01)
    assert segmenter.segment(image) == []


def test_the_settings_shape_how_objects_are_looked_for(tmp_path):
    plain = load("sam2", tmp_path / "a")
    assert (plain.automatic.points_per_side, plain.automatic.crop_layers) == (16, 0)
    assert plain.automatic.least_iou == 0.8
    told = load("sam", tmp_path / "b", Settings(device="cpu", sam_points=9, sam_crops=2))
    assert (told.automatic.points_per_side, told.automatic.crop_layers) == (9, 2)
    assert told.automatic.least_iou == 0.88


def test_threads_share_a_segmenter(segmenter):
    expected = segmenter.prompt(picture(), POINT)
    found: list[object] = []

    def ask(key: str) -> None:
        found.append(segmenter.prompt(picture(), POINT, key=key))

    threads = [threading.Thread(target=ask, args=(key,)) for key in "abcabc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == [expected] * 6


def test_a_device_that_is_not_there_is_told(tmp_path):
    if torch.cuda.is_available():
        pytest.skip("this machine has the device")
    with pytest.raises(SegmenterError, match="cuda"):
        load("sam", tmp_path, Settings(device="cuda"))


def test_too_little_memory_is_told_before_loading(tmp_path, monkeypatch):
    monkeypatch.setattr(promptable, "free_bytes", lambda device: 1_000)
    with pytest.raises(SegmenterError, match=r"GB of memory.*sam2\.1-tiny"):
        load("sam", tmp_path)


def test_memory_that_is_not_told_is_not_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(promptable, "free_bytes", lambda device: None)
    assert load("sam", tmp_path).prompt(picture(), POINT)


def test_what_is_needed_grows_with_the_model():
    from framekeep.segmenters.sam_arch import read_arch
    from tests.helpers.sam_weights import sam_tensors, transformers_tensors

    def need(size: str) -> int:
        tensors = transformers_tensors(sam_tensors(size, device="meta"))
        shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        return working_bytes(read_arch(size, shapes, "sam", {}))

    # Measured beside the weights: 1.8, 2.4 and 2.5 GB.
    assert 1.7e9 < need("sam-vit-b") < 2.2e9
    assert 2.3e9 < need("sam-vit-h") < 3.0e9
    assert need("tiny") < 1e6


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        (MemoryError(), "not enough memory"),
        (torch.OutOfMemoryError("CUDA out of memory."), "not enough memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes"), "not enough memory"),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), "PyTorch failed on cpu"),
    ],
)
def test_trouble_in_pytorch_becomes_one_sentence(segmenter, trouble, words):
    def fail(*_: object) -> None:
        raise trouble

    hook = segmenter.model.vision_encoder.register_forward_pre_hook(fail)
    try:
        with pytest.raises(SegmenterError, match=words):
            segmenter.prompt(picture(), POINT)
    finally:
        hook.remove()
    assert segmenter.prompt(picture(), POINT)


@pytest.mark.parametrize("kind", ["sam", "sam2"])
def test_a_machine_without_transformers_is_told_what_to_install(tmp_path, monkeypatch, kind):
    real = builtins.__import__

    def missing(name: str, *args: object, **kwargs: object) -> object:
        if name.partition(".")[0] == "transformers":
            raise ImportError("No module named 'transformers'")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(SegmenterError, match=r"pip install 'framekeep\[sam\]'"):
        load(kind, tmp_path)


@pytest.mark.parametrize(
    ("size_wh", "fitted"),
    [((120, 80), (128, 85)), ((80, 120), (85, 128)), ((64, 64), (128, 128)), ((3000, 1), (128, 1))],
)
def test_the_longer_side_fills_the_square(size_wh, fitted):
    assert fitted_wh(size_wh, 128) == fitted


def test_pooling_is_right_on_the_cpu():
    assert pools_right("cpu")


def test_describing_loads_neither_torch_nor_transformers():
    for name in ("sam", "sam2", "models", "registry"):
        module = importlib.import_module(f"framekeep.segmenters.{name}")
        assert not {"torch", "transformers"} & set(vars(module))
