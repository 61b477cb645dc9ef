"""One ring through parts and holes: both ways of drawing it give the mask back."""

from __future__ import annotations

import time

import cv2
import numpy as np
import pytest
from hypothesis import given, settings

from framekeep.errors import InputError
from framekeep.geometry import redrawn_iou, slit_ring
from tests.helpers.masks import big_mask, masks, ring_of_pixels


def count_parts(mask, connectivity=8):
    return cv2.connectedComponents(mask.astype(np.uint8), connectivity=connectivity)[0] - 1


def test_one_pixel_has_a_ring_of_its_own():
    mask = np.zeros((3, 4), np.bool_)
    mask[1, 2] = True
    ring = slit_ring(mask)
    assert ring.tolist() == [[2.25, 1.25], [2.75, 1.25], [2.75, 1.75], [2.25, 1.75]]
    assert redrawn_iou(mask, ring) == (1, 1)


def test_a_hole_is_reached_through_the_object():
    mask = ring_of_pixels()
    mask[3, 3] = False
    ring = slit_ring(mask, 0)
    assert len(ring) == 4 + 4 + 4  # corners outside and inside, and a slit's two ends twice
    assert redrawn_iou(mask, ring) == (1, 1)


def test_an_empty_mask_has_no_ring():
    with pytest.raises(InputError, match="empty"):
        slit_ring(np.zeros((2, 2), np.bool_))


@settings(max_examples=120, deadline=None)
@given(masks(empty=False))
def test_every_mask_is_one_ring(mask):
    ring = slit_ring(mask, 0)
    assert len(ring) >= 4
    assert (ring > 0).all()
    assert (ring < mask.shape[::-1]).all()
    by_centres, by_opencv = redrawn_iou(mask, ring)
    assert by_centres == 1
    if count_parts(mask) == 1:
        assert by_opencv == 1


@settings(max_examples=60, deadline=None)
@given(masks(empty=False, longest=60))
def test_simplifying_stays_within_bounds(mask):
    exact, simple = slit_ring(mask, 0), slit_ring(mask)
    assert 4 <= len(simple) <= len(exact)
    by_centres, by_opencv = redrawn_iou(mask, simple)
    assert by_centres >= 0.99
    assert by_opencv >= min(0.99, redrawn_iou(mask, exact)[1] - 0.002) - 1e-9
    assert len(slit_ring(mask, 3.0)) >= 3


def test_parts_are_joined_where_they_are_nearest():
    mask = np.zeros((40, 60), np.bool_)
    mask[5:35, 2:20] = mask[5:35, 24:40] = mask[30:38, 44:58] = True
    ring = slit_ring(mask, 0)
    by_centres, by_opencv = redrawn_iou(mask, ring)
    assert by_centres == 1
    lost = (1 / by_opencv - 1) * mask.sum()
    assert lost == pytest.approx(4 + 4), "the slits are as long as the two gaps are wide"


def test_what_far_parts_cost_is_told():
    mask = np.zeros((10, 200), np.bool_)
    mask[4, 2] = mask[4, 190] = True
    by_centres, by_opencv = redrawn_iou(mask, slit_ring(mask))
    assert by_centres == 1
    assert by_opencv == pytest.approx(2 / 189)


def with_a_part_far_away(side_px):
    mask = np.zeros((60, 160), np.bool_)
    mask[10:50, 5:45] = True
    mask[30 : 30 + side_px, 110 : 110 + side_px] = True
    return mask


def test_a_far_crumb_is_left_out_where_its_slit_costs_more():
    mask = with_a_part_far_away(2)
    assert redrawn_iou(mask, slit_ring(mask, 0))[1] < 0.97
    assert redrawn_iou(mask, slit_ring(mask)) == pytest.approx((1600 / 1604, 1600 / 1604))


def test_a_rugged_object_without_its_crumbs_is_simplified_and_still_kept():
    rng = np.random.default_rng(3)
    mask = np.zeros((240, 1300), np.bool_)
    for row, (left, right) in enumerate(zip(*rng.integers(0, 2, (2, 200)), strict=True)):
        mask[20 + row, 10 + left : 209 - right] = True
    mask[100:104, 1280:1284] = True
    exact, simple = slit_ring(mask, 0), slit_ring(mask)
    assert redrawn_iou(mask, exact)[1] < 0.98
    assert len(simple) < len(exact) / 2
    assert min(redrawn_iou(mask, simple)) >= 0.99


def test_a_far_part_that_counts_stays():
    mask = with_a_part_far_away(10)
    by_centres, by_opencv = redrawn_iou(mask, slit_ring(mask))
    assert by_centres == 1
    assert by_opencv < 0.98


def test_crumbs_stay_where_slits_cost_little():
    mask = with_a_part_far_away(2)
    mask[:, 60:] = False
    mask[30:32, 47:49] = True
    assert redrawn_iou(mask, slit_ring(mask))[0] == 1


def test_large_objects_have_few_points():
    mask = big_mask()
    start = time.process_time()
    ring = slit_ring(mask)
    took = time.process_time() - start
    assert len(ring) < 600
    assert min(redrawn_iou(mask, ring)) > 0.998
    assert took < 3


def test_a_thousand_parts_are_one_ring():
    mask = np.zeros((130, 130), np.bool_)
    mask[::4, ::4] = True
    assert count_parts(mask) > 1000
    ring = slit_ring(mask, 0)
    assert redrawn_iou(mask, ring)[0] == 1
