"""How all objects of a picture are chosen, with a model that answers what it is told to."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from framekeep.geometry import decode_mask
from framekeep.object_types import BoolMask
from framekeep.segmenters.automatic import (
    AutomaticSettings,
    boxes_of,
    crops_of_layer,
    cut_off,
    find_objects,
    good_masks,
    grid,
    stability,
)
from framekeep.types import RgbImage

SETTINGS = AutomaticSettings(points_per_side=8, batch=5, least_region=0)
SIZE_WH = (160, 120)
Box = tuple[int, int, int, int]


@dataclass
class Rectangles:
    """Answers a point with each rectangle it lies in, at a quarter of the size."""

    boxes: list[Box]
    score: float = 0.95
    specks: list[Box] = field(default_factory=list)
    looks: list[tuple[int, int]] = field(default_factory=list)
    most: int = 0

    def look_at(self, image: RgbImage) -> Answers:
        self.looks.append((image.shape[1], image.shape[0]))
        # The picture carries where it lies, so that crops know what they see.
        left, top = int(image[0, 0, 0]), int(image[0, 0, 1])
        return Answers(self, (left, top), (image.shape[1], image.shape[0]))


@dataclass
class Answers:
    model: Rectangles
    corner: tuple[int, int]
    size_wh: tuple[int, int]

    @property
    def visible_hw(self) -> tuple[int, int]:
        return self.size_wh[1] // 4, self.size_wh[0] // 4

    def answer(
        self, points_xy: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        self.model.most = max(self.model.most, len(points_xy))
        height, width = self.visible_hw
        # The square is larger than the picture, and full of objects beyond it.
        several = max(1, len(self.model.boxes))
        logits = np.full((len(points_xy), several, height + 5, width + 5), 9.0, np.float32)
        logits[..., :height, :width] = -9
        for i, (x, y) in enumerate(points_xy + np.array(self.corner)):
            for j, (left, top, right, bottom) in enumerate(self.model.boxes):
                if left <= x < right and top <= y < bottom:
                    for box in ((left, top, right, bottom), *self.model.specks):
                        self._draw(logits[i, j, :height, :width], box)
        scores = np.full(len(points_xy) * several, self.model.score, np.float32)
        return logits.reshape(-1, height + 5, width + 5), scores

    def _draw(self, logits: NDArray[np.float32], box: Box) -> None:
        left, right = (max(0, (x - self.corner[0]) // 4) for x in (box[0], box[2]))
        top, bottom = (max(0, (y - self.corner[1]) // 4) for y in (box[1], box[3]))
        logits[top:bottom, left:right] = 9

    def full_size(self, logits: NDArray[np.floating]) -> BoolMask:
        height, width = self.visible_hw
        return np.kron(logits[:height, :width] > 0, np.ones((4, 4))).astype(bool)


def placed(size_wh: tuple[int, int] = SIZE_WH) -> RgbImage:
    """A picture whose pixels say where they lie."""
    y, x = np.mgrid[: size_wh[1], : size_wh[0]]
    return np.stack([x, y, np.zeros_like(x)], axis=2).astype(np.uint8)


def found(model: Rectangles, settings: AutomaticSettings = SETTINGS) -> set[Box]:
    return {
        tuple(int(edge) for edge in one.bbox_xyxy)
        for one in find_objects(model, placed(), settings)
    }


def test_each_object_is_found_once_at_full_size():
    boxes = [(8, 8, 60, 48), (80, 20, 152, 100), (4, 72, 44, 112)]
    model = Rectangles(boxes)
    objects = find_objects(model, placed(), SETTINGS)
    assert {one.bbox_xyxy for one in objects} == set(boxes)
    for one in objects:
        mask = decode_mask(one.mask)
        assert mask.shape == (120, 160)
        assert mask.sum() == one.area_px
        assert (one.label, one.score) == (None, pytest.approx(0.95))
    assert model.looks == [SIZE_WH]
    assert model.most == 5


def test_nothing_found_is_no_objects():
    assert find_objects(Rectangles([]), placed(), SETTINGS) == []
    assert found(Rectangles([(8, 8, 60, 48)], score=0.5)) == set()


def test_a_nested_object_stays_and_a_near_copy_goes():
    nested = [(0, 0, 160, 120), (64, 44, 96, 76)]
    assert found(Rectangles(nested)) == set(nested)
    assert len(found(Rectangles([(8, 8, 152, 112), (8, 8, 148, 112)]))) == 1
    apart = [(8, 8, 152, 112), (8, 8, 80, 112)]
    assert found(Rectangles(apart)) == set(apart)


def test_small_regions_go_and_the_object_stays():
    model = Rectangles([(8, 8, 60, 48)], specks=[(100, 100, 108, 104)])
    assert found(model) == {(8, 8, 108, 104)}
    assert found(model, replace(SETTINGS, least_region=40 / (160 * 120))) == {(8, 8, 60, 48)}


def test_crops_find_what_the_grid_is_too_coarse_for():
    settings = AutomaticSettings(points_per_side=4, batch=64, least_region=0)
    small = (24, 64, 36, 76)  # between the points of the whole picture
    assert found(Rectangles([small]), settings) == set()
    model = Rectangles([small, (80, 8, 152, 80)])
    objects = found(model, replace(settings, crop_layers=1, points_per_side=8))
    assert small in objects
    assert (80, 8, 152, 80) in objects
    assert len(model.looks) == 5
    assert model.looks[0] == SIZE_WH


def test_an_object_cut_by_a_crop_is_left_to_the_whole_picture():
    wide = (20, 40, 140, 80)
    objects = found(Rectangles([wide]), replace(SETTINGS, crop_layers=1))
    assert objects == {wide}


def test_a_grid_lies_in_the_middle_of_its_cells():
    points = grid(2, (100, 40))
    assert points.tolist() == [[25, 10], [75, 10], [25, 30], [75, 30]]
    assert points.dtype == np.float32


def test_stability_compares_two_thresholds():
    logits = np.full((4, 4, 4), -9, np.float32)
    logits[0] = 9
    logits[1, :2], logits[1, 2:] = 9, 0.5  # half of it would go with the threshold
    logits[2] = -0.5
    assert stability(logits, 1.0).tolist() == [1.0, 0.5, 0.0, 0.0]


def test_good_masks_are_likely_stable_and_not_empty():
    logits = np.full((5, 4, 4), 9, np.float32)
    logits[1, :2] = 0.5
    logits[2] = -9
    scores = np.array([0.9, 0.9, 0.9, 0.7, 0.88], np.float32)
    settings = AutomaticSettings(least_iou=0.8)
    assert good_masks(logits, scores, settings).tolist() == [0, 4]
    assert good_masks(logits[:0], scores[:0], settings).tolist() == []


@given(
    st.integers(1, 9), st.integers(1, 9), st.integers(0, 8), st.integers(0, 8), st.integers(2, 9)
)
def test_boxes_are_those_of_the_masks(width, height, left, top, scale):
    logits = np.full((1, 20, 20), -1, np.float32)
    logits[0, top : top + height, left : left + width] = 1
    x0, y0, x1, y1 = boxes_of(logits, (100, 200, 100 + 20 * scale, 200 + 20 * scale))[0]
    assert (x0, y0) == (100 + left * scale, 200 + top * scale)
    assert (x1, y1) == (x0 + width * scale, y0 + height * scale)


def test_boxes_of_nothing_are_none():
    assert boxes_of(np.zeros((0, 4, 4), np.float32), (0, 0, 4, 4)).shape == (0, 4)


@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(0, 3))
def test_crops_cover_the_picture_and_lie_within(width, height, layer):
    crops = crops_of_layer((width, height), layer)
    assert len(crops) <= 4**layer
    seen = np.zeros((min(height, 64), min(width, 64)), bool)
    for left, top, right, bottom in crops:
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        columns = (np.arange(seen.shape[1]) + 0.5) * width / seen.shape[1]
        rows = (np.arange(seen.shape[0]) + 0.5) * height / seen.shape[0]
        seen |= ((rows >= top) & (rows < bottom))[:, None] & (columns >= left) & (columns < right)
    assert seen.all()


def test_boxes_at_an_inner_edge_are_cut_off():
    boxes = np.array([[0, 0, 50, 50], [40, 40, 60, 99], [30, 30, 60, 60]], np.float64)
    assert cut_off(boxes, (0, 0, 100, 100), (100, 100)).tolist() == [False] * 3
    assert cut_off(boxes, (0, 0, 100, 100), (300, 100)).tolist() == [False] * 3
    assert cut_off(boxes, (0, 0, 100, 100), (300, 300)).tolist() == [False, True, False]
    assert cut_off(boxes[:0], (0, 0, 9, 9), (9, 9)).shape == (0,)
