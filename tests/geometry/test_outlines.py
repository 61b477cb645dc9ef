"""Outlines along pixel edges give back every mask, and COCO draws them so too."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings

from framekeep.errors import InputError
from framekeep.geometry import (
    decode_mask,
    encode_mask,
    encode_polygons,
    encode_rings,
    mask_to_polygons,
    outline,
    polygons_to_mask,
    rings_to_mask,
)
from framekeep.outlines import signed_area
from tests.helpers.masks import big_mask, masks, ring_of_pixels


def test_one_pixel_is_a_square():
    mask = np.zeros((3, 4), np.bool_)
    mask[1, 2] = True
    ((outer, holes),) = mask_to_polygons(mask)
    assert outer.tolist() == [[2, 1], [3, 1], [3, 2], [2, 2]]
    assert holes == []


def test_holes_and_islands_are_told_apart():
    (outer, holes), (island, no_holes) = mask_to_polygons(ring_of_pixels())
    assert signed_area(outer) == 25
    assert [signed_area(hole) for hole in holes] == [-9]
    assert island.tolist() == [[3, 3], [4, 3], [4, 4], [3, 4]]
    assert no_holes == []


def test_pixels_that_touch_at_a_corner_are_two_parts():
    mask = np.eye(2, dtype=np.bool_)
    (first, _), (second, _) = mask_to_polygons(mask)
    assert sorted(first.tolist()) == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert sorted(second.tolist()) == [[1, 1], [1, 2], [2, 1], [2, 2]]


def test_an_empty_mask_has_no_outline():
    assert mask_to_polygons(np.zeros((2, 2), np.bool_)) == []
    assert not polygons_to_mask([], (2, 2)).any()


@settings(max_examples=120, deadline=None)
@given(masks())
def test_outlines_give_the_mask_again(mask):
    size_wh = mask.shape[::-1]
    polygons = mask_to_polygons(mask)
    assert (polygons_to_mask(polygons, size_wh) == mask).all()
    assert sum(signed_area(ring) for outer, holes in polygons for ring in (outer, *holes)) == (
        mask.sum()
    )
    for outer, holes in polygons:
        assert signed_area(outer) > 0
        assert all(signed_area(hole) < 0 for hole in holes)
        steps = np.diff(np.concatenate([outer, outer[:1]]), axis=0)
        assert ((steps == 0).sum(axis=1) == 1).all(), "a step goes along a row or a column"
    if polygons:
        assert encode_polygons(polygons, size_wh) == encode_mask(mask)


@settings(max_examples=100, deadline=None)
@given(masks())
def test_coco_draws_outlines_without_holes_exactly(mask):
    size_wh = mask.shape[::-1]
    filled = polygons_to_mask([(outer, []) for outer, _ in mask_to_polygons(mask)], size_wh)
    polygons = mask_to_polygons(filled)
    assert not any(holes for _, holes in polygons)
    assert (rings_to_mask([outer for outer, _ in polygons], size_wh) == filled).all()


def test_a_pixel_belongs_to_the_polygon_that_has_its_centre():
    triangle = np.array([(0, 0), (4, 0), (0, 4)], np.float64)
    above = np.tri(4, 4, -1, dtype=np.bool_)[::-1]
    # The slanted edge runs through centres: those go with what lies right of them.
    assert (polygons_to_mask([(triangle, [])], (4, 4)) == above).all()
    assert (polygons_to_mask([(triangle + 0.01, [])], (4, 4)) == np.tri(4)[::-1]).all()


def test_what_lies_outside_is_cut_off():
    square = np.array([(-5, -5), (2, -5), (2, 1), (-5, 1)], np.float64)
    mask = polygons_to_mask([(square, [])], (4, 3))
    assert np.argwhere(mask).tolist() == [[0, 0], [0, 1]]
    assert encode_polygons([(square, [])], (4, 3)) == encode_mask(mask)
    assert not decode_mask(encode_polygons([(square + 50, [])], (4, 3))).any()
    assert not decode_mask(encode_polygons([(square - 50, [])], (4, 3))).any()


def test_points_that_are_no_numbers_are_refused():
    with pytest.raises(InputError, match="finite"):
        polygons_to_mask([(np.array([(0, 0), (np.nan, 1), (2, 2)]), [])], (4, 3))


def test_rings_of_coco_are_taken_together():
    square = np.array([(0, 0), (3, 0), (3, 3), (0, 3)], np.float64)
    both = rings_to_mask([square, square + 1], (5, 5))
    expected = np.zeros((5, 5), np.bool_)
    expected[:3, :3] = expected[1:4, 1:4] = True
    assert (both == expected).all()
    assert not rings_to_mask([], (5, 5)).any()


@pytest.mark.parametrize(
    "ring", [[], [(0, 0), (1, 1)], [(0, 0), (1, np.nan), (2, 2)], [(0, 0), (np.inf, 0), (2, 2)]]
)
def test_rings_that_are_no_polygon_are_refused(ring):
    with pytest.raises(InputError, match="three points"):
        encode_rings([ring], (4, 4))


def test_an_absurdly_long_ring_is_refused():
    zigzag = np.tile([(0.0, 0.0), (9000.0, 9000.0)], (1000, 1))
    with pytest.raises(InputError, match="long"):
        encode_rings([zigzag], (9000, 9000))


@settings(max_examples=100, deadline=None)
@given(masks(empty=False))
def test_small_objects_are_drawn_exactly_by_their_outline(mask):
    rings = [np.array(ring) for ring in outline(encode_mask(mask), max_points=10_000)]
    assert (polygons_to_mask([(rings[0], rings[1:])], mask.shape[::-1]) == mask).all()


def test_outlines_for_a_page_have_few_points():
    mask = big_mask()
    rings = outline(encode_mask(mask), max_points=200)
    assert sum(map(len, rings)) <= 200
    drawn = polygons_to_mask([(np.array(rings[0]), [*map(np.array, rings[1:])])], (4000, 3000))
    assert (drawn & mask).sum() / (drawn | mask).sum() > 0.99
    noise = np.random.default_rng(0).random((60, 60)) < 0.5
    assert 3 <= sum(map(len, outline(encode_mask(noise), max_points=40))) <= 40


def test_twelve_megapixels_take_well_under_a_second():
    mask = big_mask()
    start = time.process_time()
    polygons = mask_to_polygons(mask)
    traced = time.process_time()
    again = polygons_to_mask(polygons, (4000, 3000))
    drawn = time.process_time()
    assert (again == mask).all()
    assert traced - start < 1
    assert drawn - traced < 1
