"""Strokes and moved outlines change what they touch and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from framekeep.errors import InputError
from framekeep.geometry import encode_mask, outline, rings_to_mask
from framekeep.retouch import Stroke, even_odd_mask, paint, reshape

MASKS = arrays(np.bool_, st.tuples(st.integers(1, 40), st.integers(1, 40)))
OBJECTS = MASKS.filter(np.any)
PLACES = st.tuples(st.floats(-60, 100), st.floats(-60, 100))
STROKES = st.builds(
    Stroke,
    st.lists(PLACES, min_size=1, max_size=6).map(tuple),
    st.floats(0.3, 20),
    st.booleans(),
)


def distances(size_wh: tuple[int, int], stroke: Stroke) -> np.ndarray:
    """Each pixel's distance from the stroke's way, from the middle of the pixel."""
    x, y = np.meshgrid(np.arange(size_wh[0]) + 0.5, np.arange(size_wh[1]) + 0.5)
    pixels = np.stack([x, y], axis=-1)
    points = np.asarray(stroke.points_xy)
    best = np.full(x.shape, np.inf)
    for start, end in zip(points, np.vstack([points[1:], points[-1:]]), strict=True):
        way = end - start
        length = float(way @ way)
        along = np.clip(((pixels - start) @ way) / length, 0, 1) if length else np.zeros(x.shape)
        nearest = start + along[..., None] * way
        best = np.minimum(best, np.linalg.norm(pixels - nearest, axis=-1))
    return best


@given(MASKS, STROKES)
def test_a_stroke_changes_what_lies_under_it_and_nothing_else(mask, stroke):
    before = mask.copy()
    painted = paint(mask, [stroke])
    assert (mask == before).all()
    assert painted.dtype == np.bool_
    changed = painted != mask
    assert (painted[changed] == (not stroke.erases)).all()


@given(
    st.lists(st.tuples(st.floats(0, 50), st.floats(0, 40)), min_size=1, max_size=5).map(tuple),
    st.floats(0.5, 15),
)
@example(((0.0, 1.0), (2.0, 0.0)), 1.0)
@example(((9.0, 17.0), (5.0, 18.0)), 1.0)
def test_a_stroke_is_round_and_as_wide_as_asked_for(points, radius):
    stroke = Stroke(points, radius)
    painted = paint(np.zeros((40, 50), np.bool_), [stroke])
    away = distances((50, 40), stroke)
    # The way itself is drawn in whole pixels: slanting, it strays a little more than one.
    assert painted[away < radius - 1.25].all()
    assert not painted[away > radius + 1.25].any()


def test_a_dot_of_half_a_pixel_is_one_pixel():
    painted = paint(np.zeros((5, 7), np.bool_), [Stroke(((3.4, 2.7),), 0.5)])
    assert np.argwhere(painted).tolist() == [[2, 3]]


def test_strokes_go_one_after_the_other():
    here = ((10.0, 10.0),)
    add, erase = Stroke(here, 4), Stroke(here, 4, erases=True)
    empty = np.zeros((20, 20), np.bool_)
    assert not paint(empty, [add, erase]).any()
    assert paint(empty, [erase, add]).any()


def test_a_stroke_outside_changes_nothing():
    mask = np.zeros((20, 20), np.bool_)
    assert not paint(mask, [Stroke(((500.0, 500.0), (900.0, 200.0)), 3)]).any()


@pytest.mark.parametrize(
    ("points", "radius"), [((), 3), (((0.0, float("nan")),), 3), (((0.0, 0.0),), 0)]
)
def test_what_is_no_stroke(points, radius):
    with pytest.raises(InputError):
        Stroke(points, radius)


@given(OBJECTS)
def test_an_outline_that_stays_changes_nothing(mask):
    rings = outline(encode_mask(mask), 40)
    assert (reshape(mask, rings, rings) == mask).all()


@given(OBJECTS, st.integers(0, 1000), st.integers(-6, 6), st.integers(-6, 6))
def test_a_moved_corner_changes_only_what_lies_between(mask, which, dx, dy):
    rings = outline(encode_mask(mask), 40)
    moved = [list(ring) for ring in rings]
    ring = moved[which % len(moved)]
    x, y = ring[which % len(ring)]
    ring[which % len(ring)] = (x + dx, y + dy)
    size_wh = (mask.shape[1], mask.shape[0])
    result = reshape(mask, rings, moved)
    between = even_odd_mask(rings, size_wh) ^ even_odd_mask(moved, size_wh)
    assert (result[~between] == mask[~between]).all()
    assert (result[between] == even_odd_mask(moved, size_wh)[between]).all()


RINGS = st.lists(st.lists(PLACES, min_size=3, max_size=6), max_size=5)


@given(RINGS, st.tuples(st.integers(1, 50), st.integers(1, 50)))
def test_rings_are_drawn_as_if_each_had_the_whole_picture(rings, size_wh):
    whole = np.zeros((size_wh[1], size_wh[0]), np.bool_)
    for ring in rings:
        whole ^= rings_to_mask([np.clip(ring, 0, size_wh)], size_wh)
    assert (even_odd_mask(rings, size_wh) == whole).all()


@given(MASKS, RINGS, RINGS)
@example(np.ones((4, 4), np.bool_), [[(0, 0), (3, 0), (3, 3)]] * 2, [[(0, 0), (3, 0), (3, 3)]])
def test_outlines_are_moved_as_if_in_the_whole_picture(mask, before, after):
    size_wh = (mask.shape[1], mask.shape[0])
    wanted = even_odd_mask(after, size_wh)
    between = even_odd_mask(before, size_wh) ^ wanted
    assert (reshape(mask, before, after) == np.where(between, wanted, mask)).all()


def test_a_ring_within_a_ring_is_a_hole():
    outer = [(0, 0), (10, 0), (10, 10), (0, 10)]
    hole = [(2, 2), (8, 2), (8, 8), (2, 8)]
    mask = even_odd_mask([outer, hole], (12, 12))
    assert mask.sum() == 100 - 36
    assert not mask[2:8, 2:8].any()
