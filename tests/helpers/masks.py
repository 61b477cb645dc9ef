"""Masks for property tests: with holes, islands, diagonals, one-pixel and border objects."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from framekeep.object_types import BoolMask


@st.composite
def masks(draw: st.DrawFn, longest: int = 20, empty: bool = True) -> BoolMask:
    """A mask of up to `longest` pixels a side: boxes set and cut out, then single pixels turned."""
    height, width = (draw(st.integers(1, longest)) for _ in range(2))
    mask = np.zeros((height, width), np.bool_)
    for _ in range(draw(st.integers(0, 5))):
        left, top = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
        wide, tall = draw(st.integers(1, width)), draw(st.integers(1, height))
        mask[top : top + tall, left : left + wide] = draw(st.booleans())
    if draw(st.booleans()):
        mask ^= draw(arrays(np.bool_, (height, width), fill=st.just(False)))
    if not empty and not mask.any():
        mask[draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))] = True
    return mask


def ring_of_pixels(side: int = 7) -> BoolMask:
    """A square with a hole, and an island of one pixel in the hole; nothing at the border."""
    mask = np.zeros((side, side), np.bool_)
    mask[1:-1, 1:-1] = True
    mask[2:-2, 2:-2] = False
    mask[side // 2, side // 2] = True
    return mask


def big_mask() -> BoolMask:
    """An object of 8 million pixels in a picture of 12, with two holes and a ring in one."""
    y, x = np.mgrid[:3000, :4000].astype(np.float32)
    mask = ((x - 2000) / 1900) ** 2 + ((y - 1500) / 1400) ** 2 < 1
    mask &= (x - 1200) ** 2 + (y - 1500) ** 2 > 30**2
    distance = (x - 2200) ** 2 + (y - 1500) ** 2
    return mask & ((distance > 300**2) | ((distance < 150**2) & (distance > 140**2)))
