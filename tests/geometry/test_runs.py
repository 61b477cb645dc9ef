"""Run lengths: the same as pycocotools writes and reads, and nothing else is let in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco

from framekeep.errors import InputError
from framekeep.geometry import (
    box_mask,
    box_to_mask,
    counts_to_mask,
    decode_mask,
    decode_part,
    encode_mask,
    encode_part,
    mask_area,
    mask_bbox,
    runs_to_mask,
)
from framekeep.runs import runs_of
from tests.helpers.masks import masks

BOTTOM_LEFT = np.array([[0, 0, 0], [1, 0, 0]], np.bool_)


def test_runs_go_down_the_columns():
    encoded = encode_mask(BOTTOM_LEFT)
    assert encoded.size_wh == (3, 2)
    assert runs_of(encoded).tolist() == [1, 1, 4]
    assert (mask_area(encoded), mask_bbox(encoded)) == (1, (0, 1, 1, 2))


@settings(max_examples=100, deadline=None)
@given(masks())
def test_encoding_is_that_of_pycocotools(mask):
    height, width = mask.shape
    encoded = encode_mask(mask)
    expected = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert {"size": [height, width], "counts": encoded.counts.encode()} == expected
    assert (decode_mask(encoded) == mask).all()
    assert mask_area(encoded) == mask.sum() == coco.area(expected)
    if mask.any():
        left, top, wide, tall = coco.toBbox(expected).tolist()
        assert mask_bbox(encoded) == (left, top, left + wide, top + tall)
        part, (x, y) = decode_part(encoded)
        assert part.shape == (tall, wide)
        assert (part == mask[y : y + part.shape[0], x : x + part.shape[1]]).all()
        assert encode_part(part, (x, y), (width, height)) == encoded


def test_a_part_may_have_empty_borders():
    mask = np.zeros((9, 8), np.bool_)
    mask[3:5, 2:4] = True
    assert encode_part(mask[1:8, 1:6], (1, 1), (8, 9)) == encode_mask(mask)
    assert mask_area(encode_part(mask[:2], (0, 0), (8, 9))) == 0


def test_an_empty_mask_has_no_box():
    empty = encode_mask(np.zeros((3, 4), np.bool_))
    assert mask_area(empty) == 0
    with pytest.raises(InputError, match="empty"):
        mask_bbox(empty)
    with pytest.raises(InputError, match="empty"):
        decode_part(empty)


@pytest.mark.parametrize("shape", [(0, 3), (3,), (2, 2, 1)])
def test_what_is_no_mask_is_refused(shape):
    with pytest.raises(InputError, match="height and width"):
        encode_mask(np.zeros(shape, np.bool_))


def test_numbers_are_no_mask():
    with pytest.raises(InputError, match="uint8"):
        encode_mask(np.ones((2, 2), np.uint8))  # type: ignore[arg-type]


@settings(max_examples=100, deadline=None)
@given(masks())
def test_uncompressed_runs_say_the_same(mask):
    height, width = mask.shape
    encoded = encode_mask(mask)
    assert runs_to_mask(runs_of(encoded).tolist(), (width, height)) == encoded


def test_runs_of_no_length_change_nothing():
    plain = runs_to_mask([2, 3, 1], (3, 2))
    assert runs_to_mask([2, 1, 0, 2, 1, 0, 0], (3, 2)) == plain
    assert runs_to_mask([0, 0, 2, 3, 1], (3, 2)) == plain
    assert runs_of(runs_to_mask([0, 6], (3, 2))).tolist() == [0, 6]
    loose = coco.frPyObjects({"size": [2, 3], "counts": [2, 1, 0, 2, 1]}, 2, 3)["counts"].decode()
    assert loose != plain.counts
    assert counts_to_mask(loose, (3, 2)) == plain


@pytest.mark.parametrize(
    "runs",
    [[], [5], [7], [3, -1, 4], [2.0, 4.0], [True] * 6, ["6"], [[6]], [2, [4]], [2**70], [2**63, 6]],
)
def test_runs_that_do_not_fill_the_picture_are_refused(runs):
    with pytest.raises(InputError, match="do not fill a picture of 3 x 2"):
        runs_to_mask(runs, (3, 2))


@pytest.mark.parametrize(
    "counts",
    ["5", "0", "7", "PPYo0", "~" * 30, "o", "oooooooooo0", "é", "6 ", "\x00", "16666666o0"],
)
def test_counts_that_do_not_fill_the_picture_are_refused(counts):
    with pytest.raises(InputError, match="do not fill a picture of 3 x 2"):
        counts_to_mask(counts, (3, 2))


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@settings(max_examples=100, deadline=None)
@given(masks(longest=8), st.data())
def test_damaged_counts_are_a_mask_or_an_input_error(mask, data):
    encoded = encode_mask(mask)
    at = data.draw(st.integers(0, len(encoded.counts) - 1))
    inserted = data.draw(st.text(st.characters(min_codepoint=47, max_codepoint=113), max_size=3))
    counts = encoded.counts[:at] + inserted + encoded.counts[at + data.draw(st.integers(0, 1)) :]
    try:
        pixels = decode_mask(counts_to_mask(counts, encoded.size_wh))
    except InputError:
        assert counts != encoded.counts
        return
    assert (pixels == coco.decode({"size": [*mask.shape], "counts": counts})).all()


@pytest.mark.parametrize(
    ("box", "pixels"),
    [
        ((1, 0, 3, 2), (1, 0, 3, 2)),
        ((0, 0, 5, 4), (0, 0, 5, 4)),
        ((0, 1, 2, 2), (0, 1, 2, 2)),
        ((0.6, 0.4, 2.5, 1.4), (1, 0, 3, 1)),
        ((2.1, 1.1, 2.3, 1.2), (2, 1, 3, 2)),
        ((4.9, 3.9, 5, 4), (4, 3, 5, 4)),
        ((-3, -3, 1, 9), (0, 0, 1, 4)),
    ],
)
def test_boxes_become_whole_pixels(box, pixels):
    left, top, right, bottom = pixels
    expected = np.zeros((4, 5), np.bool_)
    expected[top:bottom, left:right] = True
    assert box_to_mask(box, (5, 4)) == encode_mask(expected)
    assert (box_mask(box, (5, 4)) == expected).all()


@pytest.mark.parametrize(
    "box", [(1, 1, 1, 3), (3, 1, 2, 2), (5, 0, 9, 4), (-4, 0, 0, 4), (6, 6, 7, 7)]
)
def test_boxes_without_area_in_the_picture_are_refused(box):
    with pytest.raises(InputError, match="no area"):
        box_to_mask(box, (5, 4))
