"""Crops of objects: what stays, how large they are, and that the blur is the one that is meant."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framekeep import cropping
from framekeep.cropping import Cropper, crop_object
from framekeep.errors import InputError
from framekeep.object_types import CropSettings

MODES = [
    CropSettings(),
    CropSettings(reference_px=16),
    CropSettings(reference_px=None),
    CropSettings(kernel_px=101, sigma_px=40),
    CropSettings(mode="mean"),
    CropSettings(mode="none"),
]


def picture(width: int, height: int, seed: int = 0) -> np.ndarray:
    """Noise on a slope: fine detail everywhere, and no two places alike."""
    rng = np.random.default_rng(seed)
    slope = np.linspace(0, 120, width)[None, :, None] + np.linspace(0, 60, height)[:, None, None]
    return np.clip(slope + rng.integers(0, 80, (height, width, 3)), 0, 255).astype(np.uint8)


def ellipse(width: int, height: int) -> np.ndarray:
    mask = np.zeros((height, width), np.uint8)
    cv2.ellipse(mask, (width // 2, height // 3), (width // 5, height // 7), 20, 0, 360, 1, -1)
    return mask.astype(bool)


@st.composite
def pictures_with_masks(draw):
    width, height = draw(st.integers(1, 90)), draw(st.integers(1, 90))
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    mask = np.zeros((height, width), bool)
    for _ in range(draw(st.integers(1, 3))):
        x, y = rng.integers(width), rng.integers(height)
        mask[y : y + rng.integers(1, height + 1), x : x + rng.integers(1, width + 1)] = True
        mask &= rng.random(mask.shape) < 0.9
        mask[y, x] = True
    return picture(width, height, int(rng.integers(1000))), mask


@given(pictures_with_masks(), st.sampled_from(MODES), st.sampled_from([0.0, 0.1, 0.35, 2.0]))
@settings(deadline=None, max_examples=150)
def test_objects_stay_as_they_are_and_the_size_is_the_boxs(case, how, margin):
    image, mask = case
    how = CropSettings(how.mode, how.kernel_px, how.sigma_px, how.reference_px, margin)
    rows, columns = np.nonzero(mask)
    top, bottom, left, right = rows.min(), rows.max() + 1, columns.min(), columns.max() + 1
    room = round(margin * max(bottom - top, right - left))
    part = (
        slice(max(top - room, 0), min(bottom + room, image.shape[0])),
        slice(max(left - room, 0), min(right + room, image.shape[1])),
    )
    before = image.copy()
    crop = crop_object(image, mask, how)
    assert crop.dtype == np.uint8
    assert crop.shape == image[part].shape
    assert np.array_equal(crop[mask[part]], image[part][mask[part]])
    assert np.array_equal(image, before)
    assert not np.shares_memory(crop, image)


def blurred_at(image: np.ndarray, short_px: int, kernel: int, sigma: float = 0) -> np.ndarray:
    """The whole picture, by OpenCV alone: scaled down, blurred, scaled up."""
    height, width = image.shape[:2]
    scale = short_px / min(width, height)
    small = cv2.resize(image, (round(width * scale), round(height * scale)), None, 0, 0, 3)
    return cv2.resize(cv2.GaussianBlur(small, (kernel, kernel), sigma), (width, height))


@pytest.mark.parametrize("size_wh", [(500, 375 * 2), (1333, 1000), (301, 1201), (376, 376)])
@pytest.mark.parametrize(("kernel", "sigma"), [(21, None), (41, 25.0)])
def test_blur_is_that_of_the_reference_size(size_wh, kernel, sigma):
    image, mask = picture(*size_wh), ellipse(*size_wh)
    how = CropSettings(kernel_px=kernel, sigma_px=sigma, reference_px=200, margin=0.5)
    crop = crop_object(image, mask, how)
    left, top, right, bottom = Cropper(image, how).box(mask)
    expected = blurred_at(image, 200, kernel, sigma or 0)[top:bottom, left:right]
    outside = ~mask[top:bottom, left:right]
    difference = np.abs(crop.astype(int) - expected)[outside]
    assert difference.max() <= 2
    # So small a bound means something: the blur moves pixels by far more.
    assert np.abs(image[top:bottom, left:right].astype(int) - expected)[outside].mean() > 10


def test_literal_kernel_is_opencvs_own():
    image, mask = picture(400, 300), ellipse(400, 300)
    how = CropSettings(reference_px=None, margin=0.2)
    left, top, right, bottom = Cropper(image, how).box(mask)
    expected = cv2.GaussianBlur(image, (21, 21), 0)
    expected[mask] = image[mask]
    assert np.array_equal(crop_object(image, mask, how), expected[top:bottom, left:right])


def test_a_picture_below_the_reference_size_is_blurred_as_if_it_were_scaled_up():
    image, mask = picture(150, 120), ellipse(150, 120)
    how = CropSettings(margin=0.3)
    left, top, right, bottom = Cropper(image, how).box(mask)
    large = cv2.resize(image, None, None, 375 / 120, 375 / 120, cv2.INTER_CUBIC)
    expected = cv2.resize(cv2.GaussianBlur(large, (21, 21), 0), (150, 120), None, 0, 0, 3)
    outside = ~mask[top:bottom, left:right]
    crop = crop_object(image, mask, how)
    assert np.abs(crop.astype(int) - expected[top:bottom, left:right])[outside].mean() < 4


def test_the_share_of_detail_that_is_left_does_not_depend_on_the_photos_size():
    """What an encoder sees at 224 px: the literal kernel does little on a large photo."""
    left_over = {}
    fine = picture(448, 336)
    for factor in (1, 6):
        image = cv2.resize(fine, None, None, factor, factor, cv2.INTER_LINEAR)
        mask = np.zeros(image.shape[:2], bool)
        mask[:2, :2] = mask[-2:, -2:] = True
        seen = cv2.resize(image, (224, 168), None, 0, 0, 3)
        for name, px in (("reference", 375), ("literal", None)):
            crop = crop_object(image, mask, CropSettings(reference_px=px, margin=0))
            small = cv2.resize(crop, (224, 168), None, 0, 0, 3)
            left_over[name, factor] = detail(small) / detail(seen)
    assert left_over["reference", 1] < 0.15
    assert left_over["reference", 6] < 0.15
    assert left_over["literal", 1] < 0.15
    assert left_over["literal", 6] > 2 * left_over["reference", 6]


def detail(image: np.ndarray) -> float:
    return float(cv2.Laplacian(image, cv2.CV_64F)[4:-4, 4:-4].std())


def test_large_pictures_are_worked_on_in_tiles(monkeypatch):
    image, mask = picture(900, 700), ellipse(900, 700)
    how = CropSettings(margin=1)
    whole = crop_object(image, mask, how)
    monkeypatch.setattr(cropping, "TILE_PX", 64)
    tiled = crop_object(image, mask, how)
    assert np.abs(whole.astype(int) - tiled).max() <= 1


def test_a_side_beyond_what_opencv_warps():
    image = np.zeros((400, 33_000, 3), np.uint8)
    image[:, 20_000:] = 200
    mask = np.zeros(image.shape[:2], bool)
    mask[200, [0, -1]] = True
    crop = crop_object(image, mask)
    assert crop.shape == image.shape
    assert np.abs(crop[:, 19_000].astype(int)).max() == 0
    assert crop[:, 21_000].min() == 200


def test_mean_fills_with_the_pictures_mean():
    image = np.zeros((40, 60, 3), np.uint8)
    image[:20] = (200, 100, 50)
    mask = np.zeros((40, 60), bool)
    mask[10:30, 20:40] = True
    crop = crop_object(image, mask, CropSettings(mode="mean", margin=0.5))
    assert crop[0, 0].tolist() == [100, 50, 25]
    assert crop[12, 12].tolist() == [200, 100, 50]


def test_objects_of_one_picture_do_not_disturb_each_other():
    image = picture(600, 500)
    masks = [np.zeros((500, 600), bool) for _ in range(3)]
    for n, mask in enumerate(masks):
        mask[100 * n : 100 * n + 120, 150 * n : 150 * n + 90] = True
    cropper = Cropper(image)
    for mask in masks:
        assert np.array_equal(cropper.crop(mask), crop_object(image, mask))


@pytest.mark.parametrize("how", MODES)
def test_the_whole_picture_shows_around_the_object_what_its_crop_shows(how):
    image, mask = picture(300, 250), ellipse(300, 250)
    cropper = Cropper(image, how)
    left, top, right, bottom = cropper.box(mask)
    whole = cropper.whole(mask)
    assert whole.shape == image.shape
    assert np.array_equal(whole[mask], image[mask])
    part = whole[top:bottom, left:right].astype(int)
    assert np.abs(part - cropper.crop(mask)).max() <= 1


def test_what_cannot_be_cut_out_is_told():
    image = picture(30, 20)
    with pytest.raises(InputError, match="empty"):
        crop_object(image, np.zeros((20, 30), bool))
    with pytest.raises(InputError, match="does not fit"):
        crop_object(image, np.ones((30, 20), bool))
    with pytest.raises(InputError, match="odd"):
        CropSettings(kernel_px=20)
