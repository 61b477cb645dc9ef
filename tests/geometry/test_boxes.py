"""Boxes, their overlaps, and what is made of masks as a whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framekeep.errors import InputError
from framekeep.geometry import (
    box_iou,
    clip_xyxy,
    decode_mask,
    encode_mask,
    mask_iou,
    non_max_suppression,
    proposal,
    remove_small_regions,
    xywh_to_xyxy,
    xyxy_to_xywh,
)
from tests.helpers.masks import masks, ring_of_pixels

number = st.integers(0, 12)
box = st.tuples(number, number, number, number).map(
    lambda b: (min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]), max(b[1], b[3]))
)


def test_boxes_change_their_form():
    assert xyxy_to_xywh((1, 2, 4, 8)) == (1, 2, 3, 6)
    assert xywh_to_xyxy((1, 2, 3, 6)) == (1, 2, 4, 8)


@pytest.mark.parametrize(
    ("given_box", "clipped"),
    [
        ((-1, -2, 3, 4), (0, 0, 3, 4)),
        ((2, 2, 30, 40), (2, 2, 10, 8)),
        ((12, 9, 15, 20), (10, 8, 10, 8)),
        ((-9, -9, -1, -1), (0, 0, 0, 0)),
    ],
)
def test_boxes_are_clipped_to_the_picture(given_box, clipped):
    assert clip_xyxy(given_box, (10, 8)) == clipped


def test_overlaps_of_boxes():
    overlaps = box_iou([(0, 0, 2, 2), (0, 0, 0, 0)], [(0, 0, 2, 2), (1, 0, 3, 2), (5, 5, 6, 6)])
    assert overlaps.tolist() == [[1, pytest.approx(1 / 3), 0], [0, 0, 0]]
    assert box_iou(np.empty((0, 4)), [(0, 0, 1, 1)]).shape == (0, 1)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(box, st.integers(0, 5)), max_size=12), st.sampled_from([0, 0.3, 0.7, 1]))
def test_suppression_keeps_the_best_of_what_overlaps(boxes, limit):
    places, scores = [b for b, _ in boxes], [s for _, s in boxes]
    kept = non_max_suppression(np.reshape(places, (-1, 4)), scores, limit).tolist()
    expected: list[int] = []
    for one in sorted(range(len(boxes)), key=lambda i: -scores[i]):
        if all(box_iou([places[one]], [places[other]])[0, 0] <= limit for other in expected):
            expected.append(one)
    assert kept == expected


@settings(max_examples=100, deadline=None)
@given(masks(longest=9), st.data())
def test_overlaps_of_masks(one, data):
    other = data.draw(st.sampled_from([one, ~one, np.roll(one, 1, axis=0), np.zeros_like(one)]))
    union = (one | other).sum()
    expected = (one & other).sum() / union if union else 0
    assert mask_iou(encode_mask(one), encode_mask(other)) == pytest.approx(expected)


def test_masks_of_two_sizes_have_no_overlap():
    with pytest.raises(InputError, match="compared"):
        mask_iou(encode_mask(np.ones((2, 3), np.bool_)), encode_mask(np.ones((3, 2), np.bool_)))


def test_a_proposal_knows_its_box_and_area():
    made = proposal(ring_of_pixels(), 0.5, "ring", 0.25)
    assert (made.bbox_xyxy, made.area_px, made.score) == ((1, 1, 6, 6), 17, 0.5)
    assert (made.label, made.label_score) == ("ring", 0.25)
    assert proposal(made.mask, 0.5, "ring", 0.25) == made
    with pytest.raises(InputError, match="empty"):
        proposal(np.zeros((2, 2), np.bool_), 1.0)


def test_small_holes_and_islands_go():
    mask = np.zeros((12, 12), np.bool_)
    mask[1:8, 1:8] = True
    mask[3, 3] = mask[5:7, 4:6] = False
    mask[10, 10] = mask[10, 1] = mask[11, 2] = True
    cleaned = remove_small_regions(mask, 3)
    expected = mask.copy()
    expected[3, 3] = True
    expected[10:, :] = False
    assert (cleaned == expected).all()
    assert mask[10, 10], "the mask that was given stays as it is"


def test_the_largest_island_stays_however_small():
    mask = np.zeros((6, 6), np.bool_)
    mask[0, 0] = mask[3, 3:5] = True
    assert np.argwhere(remove_small_regions(mask, 100)).tolist() == [[3, 3], [3, 4]]
    assert not remove_small_regions(np.zeros((3, 3), np.bool_), 5).any()


def test_background_at_the_border_is_no_hole():
    mask = np.ones((5, 5), np.bool_)
    mask[0, 0] = mask[2, 4] = mask[2, 2] = False
    cleaned = remove_small_regions(mask, 4)
    assert np.argwhere(~cleaned).tolist() == [[0, 0], [2, 4]]


@settings(max_examples=100, deadline=None)
@given(masks())
def test_nothing_is_small_below_one_pixel(mask):
    assert (remove_small_regions(mask, 1) == mask).all()
    assert (decode_mask(encode_mask(mask)) == mask).all()
