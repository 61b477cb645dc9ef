"""What every segmenter does, whatever its model."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from framekeep.errors import InputError
from framekeep.geometry import box_mask, decode_mask, mask_area, mask_bbox, mask_iou
from framekeep.object_types import Prompt, Proposal, SegmenterInfo
from framekeep.segmenters.base import MOST_ANSWERS, Segmenter
from framekeep.settings import Settings
from framekeep.testing import GridSegmenter
from framekeep.types import RgbImage
from tests.helpers.sam_weights import one_thread, write_sam, write_sam2

__all__ = ["one_thread"]

DEMO = Path(__file__).parents[2] / "src" / "framekeep" / "data" / "demo"
MEANT = ["grid", "starter"]
"""Those whose answers mean something; the weights of the others are tiny and random."""


def make(name: str, folder: Path) -> Segmenter:
    if name == "grid":
        return GridSegmenter()
    if name == "starter":
        from framekeep.segmenters.starter import StarterSegmenter

        return StarterSegmenter()
    info, settings = SegmenterInfo(name, f"{name}@0/a1"), Settings(device="cpu")
    if name == "sam":
        from framekeep.segmenters.sam import SamSegmenter

        return SamSegmenter(info, write_sam(folder), settings)
    from framekeep.segmenters.sam2 import Sam2Segmenter

    return Sam2Segmenter(info, write_sam2(folder), settings)


@pytest.fixture(scope="module", params=[*MEANT, "sam", "sam2"])
def segmenter(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Segmenter:
    return make(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module", params=MEANT)
def meant(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Segmenter:
    return make(request.param, tmp_path_factory.mktemp(request.param))


def photo(name: str = "demo-02.jpg", size_wh: tuple[int, int] | None = None) -> RgbImage:
    with Image.open(DEMO / name) as file:
        picture = file.convert("RGB")
    return np.array(picture.resize(size_wh) if size_wh else picture)


def check(found: list[Proposal], image: RgbImage) -> None:
    """What holds for every answer about a picture."""
    height, width = image.shape[:2]
    for one in found:
        assert one.mask.size_wh == (width, height)
        assert one.area_px == mask_area(one.mask) > 0
        assert one.bbox_xyxy == mask_bbox(one.mask)
        left, top, right, bottom = one.bbox_xyxy
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        assert 0 <= one.score <= 1
        assert (one.label is None) == (one.label_score is None)
        if one.label is not None and one.label_score is not None:
            assert one.label.strip()
            assert 0 <= one.label_score <= 1
    scores = [one.score for one in found]
    assert scores == sorted(scores, reverse=True)


def test_keeps_the_protocol(segmenter: Segmenter) -> None:
    assert isinstance(segmenter, Segmenter)
    assert "@" in segmenter.info.id
    assert segmenter.info.id.startswith(segmenter.info.name)
    assert segmenter.info.takes_prompts


def test_objects_have_masks_at_full_size_best_first(segmenter: Segmenter) -> None:
    image = photo()
    check(segmenter.segment(image), image)


@pytest.mark.parametrize(
    "prompt",
    [
        Prompt(points_xy=((200.0, 150.0),), point_labels=(1,)),
        Prompt(points_xy=((200.0, 150.0), (20.0, 20.0), (250.5, 90.25)), point_labels=(1, 0, 1)),
        Prompt(box_xyxy=(90.0, 40.0, 380.0, 280.0)),
        Prompt(points_xy=((10.0, 290.0),), point_labels=(0,), box_xyxy=(90.5, 40.0, 380.0, 280.0)),
        Prompt(points_xy=((451.0, 300.0),), point_labels=(1,)),
        Prompt(box_xyxy=(-50.0, -9.0, 900.0, 700.0)),
        Prompt(box_xyxy=(449.0, 299.0, 451.0, 300.0)),
    ],
    ids=["point", "points", "box", "box and point", "corner", "box beyond", "box of two pixels"],
)
def test_prompts_are_answered_by_up_to_three_masks(segmenter: Segmenter, prompt: Prompt) -> None:
    image = photo()
    found = segmenter.prompt(image, prompt)
    assert len(found) <= MOST_ANSWERS
    check(found, image)
    if segmenter.info.name in MEANT:
        assert found


@pytest.mark.parametrize(
    "size_wh",
    [(1, 1), (3, 2000), (2000, 3), (2, 2), (5, 7)],
    ids=lambda size: f"{size[0]}x{size[1]}",
)
def test_any_shape_of_picture(segmenter: Segmenter, size_wh: tuple[int, int]) -> None:
    image = photo(size_wh=size_wh)
    check(segmenter.segment(image), image)
    middle = (size_wh[0] / 2, size_wh[1] / 2)
    check(segmenter.prompt(image, Prompt(points_xy=(middle,), point_labels=(1,))), image)
    check(segmenter.prompt(image, Prompt(box_xyxy=(0, 0, *size_wh))), image)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_pictures_of_nothing(segmenter: Segmenter, level: int) -> None:
    image = np.full((60, 80, 3), level, np.uint8)
    check(segmenter.segment(image), image)
    check(segmenter.prompt(image, Prompt(points_xy=((40.0, 30.0),), point_labels=(1,))), image)


def test_grey_pictures(segmenter: Segmenter) -> None:
    grey = np.repeat(photo().mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
    check(segmenter.segment(grey), grey)


def test_the_same_picture_gives_the_same_answer(segmenter: Segmenter) -> None:
    image = photo("demo-16.jpg", (320, 240))
    before = image.copy()
    assert segmenter.segment(image) == segmenter.segment(image.copy())
    prompt = Prompt(points_xy=((160.0, 120.0),), point_labels=(1,), box_xyxy=(60, 60, 250, 200))
    assert segmenter.prompt(image, prompt) == segmenter.prompt(image.copy(), prompt)
    np.testing.assert_array_equal(image, before)


def test_a_key_changes_no_answer(segmenter: Segmenter) -> None:
    one, other = photo("demo-16.jpg", (320, 240)), photo("demo-05.jpg", (320, 240))
    prompt = Prompt(points_xy=((160.0, 120.0),), point_labels=(1,))
    for image, key in ((one, "a"), (other, "b"), (one, "a")):
        assert segmenter.prompt(image, prompt, key) == segmenter.prompt(image, prompt)


def test_a_key_of_a_picture_that_changed_its_size(segmenter: Segmenter) -> None:
    prompt = Prompt(points_xy=((50.0, 50.0),), point_labels=(1,))
    for size_wh in ((320, 240), (120, 90)):
        image = photo("demo-16.jpg", size_wh)
        check(segmenter.prompt(image, prompt, "the same"), image)


def test_threads_do_not_disturb_each_other(segmenter: Segmenter) -> None:
    images = [photo(name, (160, 120)) for name in ("demo-02.jpg", "demo-16.jpg", "demo-05.jpg")]
    prompt = Prompt(box_xyxy=(30.0, 20.0, 130.0, 100.0))

    def work(image: RgbImage) -> tuple[list[Proposal], list[Proposal]]:
        return segmenter.segment(image), segmenter.prompt(image, prompt)

    alone = [work(image) for image in images]
    together: dict[int, tuple[list[Proposal], list[Proposal]]] = {}
    threads = [
        threading.Thread(target=lambda n=n: together.setdefault(n, work(images[n])))
        for n in range(len(images))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [together[n] for n in range(len(images))] == alone


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
        "photo.jpg",
    ],
    ids=["grey", "alpha", "float", "empty", "path"],
)
def test_what_is_no_picture_is_refused(segmenter: Segmenter, image: object) -> None:
    with pytest.raises(InputError, match="picture"):
        segmenter.segment(image)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="picture"):
        segmenter.prompt(image, Prompt(box_xyxy=(0, 0, 1, 1)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        (Prompt(points_xy=((5.0, 5.0),), point_labels=(0,)), "label 1"),
        (Prompt(points_xy=((-1.0, 5.0),), point_labels=(1,)), "outside"),
        (Prompt(points_xy=((5.0, 61.0),), point_labels=(1,)), "outside"),
        (Prompt(points_xy=((float("nan"), 5.0),), point_labels=(1,)), "outside"),
        (Prompt(box_xyxy=(90.0, 5.0, 95.0, 9.0)), "pixel"),
        (Prompt(box_xyxy=(5.0, 5.0, 5.5, 5.5)), "pixel"),
        (Prompt(box_xyxy=(5.0, 5.0, float("inf"), 9.0)), "numbers"),
    ],
)
def test_a_prompt_that_points_at_nothing_is_refused(
    segmenter: Segmenter, prompt: Prompt, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        segmenter.prompt(np.zeros((60, 80, 3), np.uint8), prompt)


@pytest.mark.parametrize("name", ["demo-02.jpg", "demo-05.jpg", "demo-16.jpg", "demo-13.jpg"])
def test_points_are_obeyed(meant: Segmenter, name: str) -> None:
    image = photo(name)
    height, width = image.shape[:2]
    on, off = (width * 0.5, height * 0.55), (width * 0.03, height * 0.04)
    found = meant.prompt(image, Prompt(points_xy=(on, off), point_labels=(1, 0)))
    for one in found:
        mask = decode_mask(one.mask)
        assert mask[int(on[1]), int(on[0])]
        assert not mask[int(off[1]), int(off[0])]


def test_a_box_is_obeyed(meant: Segmenter) -> None:
    image = photo("demo-16.jpg")
    box = (170.0, 80.0, 450.0, 380.0)
    best = meant.prompt(image, Prompt(box_xyxy=box))[0]
    inside = box_mask(box, best.mask.size_wh)
    mask = decode_mask(best.mask)
    assert (mask & inside).sum() > 0.1 * inside.sum()
    assert (mask & ~inside).sum() < 0.05 * mask.sum()


HEAVY = """
import sys
import numpy as np
{setup}
segmenter.segment(np.zeros((50, 50, 3), np.uint8))
heavy = [name for name in ("torch", "transformers", "streamlit", "chromadb") if name in sys.modules]
sys.exit(" ".join(heavy) or 0)
"""


@pytest.mark.parametrize(
    "setup",
    [
        "from framekeep.testing import GridSegmenter; segmenter = GridSegmenter()",
        "from framekeep.segmenters.registry import load_segmenter\n"
        "from framekeep.settings import load_settings\n"
        "segmenter = load_segmenter('starter', load_settings())",
    ],
    ids=["grid", "starter"],
)
def test_segmenting_loads_nothing_heavy(setup: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HEAVY.format(setup=setup)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_fake_cuts_a_grid() -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    cells = GridSegmenter(columns=3, rows=2).segment(image)
    assert len(cells) == 6
    assert cells[0].bbox_xyxy == (0, 0, 20, 20)
    assert sum(cell.area_px for cell in cells) == 40 * 60
    assert all(mask_iou(cells[0].mask, cell.mask) == 0 for cell in cells[1:])
