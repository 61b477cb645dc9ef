"""One ring through all parts and holes of an object, for formats that know one polygon only."""

from __future__ import annotations

from framekeep.object_types import BoolMask
from framekeep.outlines import Ring


def slit_ring(mask: BoolMask, tolerance_px: float | None = None) -> Ring:
    """One ring (N, 2) float64 in pixels through all parts and holes, joined by slits."""
    raise NotImplementedError
