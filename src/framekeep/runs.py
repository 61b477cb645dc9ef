"""Masks as COCO's run-length encoding: column by column, background first."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from framekeep.errors import InputError
from framekeep.object_types import BoolMask, BoxXyxy, Mask

_Runs = NDArray[np.int64]


def check_mask(mask: BoolMask) -> BoolMask:
    """The mask, contiguous; raises InputError for what is no (height, width) bool array."""
    if mask.ndim != 2 or mask.dtype != np.bool_ or mask.size == 0:
        raise InputError(
            "A mask is a bool array of height and width with at least one pixel, not "
            f"{mask.dtype} of shape {mask.shape}."
        )
    return np.ascontiguousarray(mask)


def pixel_bounds(mask: BoolMask) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of what is True, along pixel edges; all 0 for an empty mask."""
    rows = np.flatnonzero(mask.any(axis=1))
    if not rows.size:
        return 0, 0, 0, 0
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    columns = np.flatnonzero(mask[top:bottom].any(axis=0))
    return int(columns[0]), top, int(columns[-1]) + 1, bottom


def encode_mask(mask: BoolMask) -> Mask:
    """A mask (height, width) bool as COCO's compressed run-length encoding."""
    mask = check_mask(mask)
    left, top, right, bottom = pixel_bounds(mask)
    return encode_part(mask[top:bottom, left:right], (left, top), (mask.shape[1], mask.shape[0]))


def encode_part(part: BoolMask, left_top: tuple[int, int], size_wh: tuple[int, int]) -> Mask:
    """A mask of a whole picture, of which `part` (height, width) bool covers all of the object.

    `left_top` is where the part's first pixel lies; it must fit into the picture.
    """
    (left, top), (width, height) = left_top, size_wh
    rows = part.shape[0] + 2
    columns = np.zeros((part.shape[1], rows), np.int8)  # with room between, no run crosses columns
    columns[:, 1:-1] = part.T
    edges = np.flatnonzero(np.diff(columns.ravel()))
    column, row = np.divmod(edges, rows)
    flat = (column + left) * height + row + top
    return _encoded(np.diff(flat, prepend=0, append=width * height), size_wh)


def runs_to_mask(runs: ArrayLike, size_wh: tuple[int, int]) -> Mask:
    """COCO's uncompressed encoding, numbers of pixels column by column, background first.

    Raises InputError where they are not whole numbers from 0 on that fill the picture.
    """
    try:
        values = np.asarray(runs)
    except ValueError as exc:
        raise _broken(size_wh) from exc
    if values.ndim != 1 or values.dtype.kind not in "iu" or not values.size:
        raise _broken(size_wh)
    return _encoded(_checked(values.astype(np.int64), size_wh), size_wh)


def counts_to_mask(counts: str, size_wh: tuple[int, int]) -> Mask:
    """COCO's compressed encoding as it was read from elsewhere, checked, in its shortest form.

    Raises InputError where the runs do not fill the picture.
    """
    return _encoded(runs_of(Mask(size_wh, counts)), size_wh)


def box_to_mask(box: BoxXyxy, size_wh: tuple[int, int]) -> Mask:
    """A filled box, its edges rounded to pixels, cut off at the picture's, at least one pixel
    large; raises InputError for a box without area in the picture."""
    width, height = size_wh
    edges = np.clip(np.asarray(box, np.float64), 0, [width, height, width, height])
    if not (edges[0] < edges[2] and edges[1] < edges[3]):
        raise InputError(f"The box {box} has no area within the picture.")
    left, top, right, bottom = np.floor(edges + 0.5).astype(int).tolist()
    left, top = min(left, width - 1), min(top, height - 1)
    right, bottom = max(right, left + 1), max(bottom, top + 1)
    tall, wide = bottom - top, right - left
    inner = np.tile([tall, height - tall], wide)[:-1]
    runs = [left * height + top, *inner.tolist(), width * height - (right - 1) * height - bottom]
    return runs_to_mask(runs, size_wh)


def decode_mask(mask: Mask) -> BoolMask:
    """The pixels of an encoded mask, (height, width) bool; raises InputError for broken runs."""
    return np.ascontiguousarray(_pixels(runs_of(mask), mask.size_wh[1], 0, mask.size_wh[0]))


def decode_part(mask: Mask) -> tuple[BoolMask, tuple[int, int]]:
    """The pixels within an object's box, (height, width) bool, and the box's left and top.

    Much cheaper than the whole picture where the object is small. Raises InputError for an
    empty mask.
    """
    runs, height = runs_of(mask), mask.size_wh[1]
    left, top, right, bottom = _bounds(runs, height)
    return np.ascontiguousarray(_pixels(runs, height, left, right)[top:bottom]), (left, top)


def mask_area(mask: Mask) -> int:
    """The number of pixels of the object."""
    return int(runs_of(mask)[1::2].sum())


def mask_bbox(mask: Mask) -> BoxXyxy:
    """The box around the object along pixel edges; raises InputError where there is none."""
    left, top, right, bottom = _bounds(runs_of(mask), mask.size_wh[1])
    return (float(left), float(top), float(right), float(bottom))


def _bounds(runs: _Runs, height: int) -> tuple[int, int, int, int]:
    ends = np.cumsum(runs)
    ends = ends[: len(ends) // 2 * 2].reshape(-1, 2)
    ends = ends[ends[:, 0] < ends[:, 1]]
    if not len(ends):
        raise InputError("The mask is empty; an object has at least one pixel.")
    columns, rows = np.divmod(ends - (0, 1), height)  # of the first and last pixel of each run
    top, bottom = rows[:, 0].min(), rows[:, 1].max()
    if (columns[:, 0] != columns[:, 1]).any():
        top, bottom = 0, height - 1  # a run goes on from the foot of a column to the next one's top
    return int(columns[0, 0]), int(top), int(columns[-1, 1]) + 1, int(bottom) + 1


def runs_of(mask: Mask) -> NDArray[np.int64]:
    """The lengths of a mask's runs (N,) int64, background first.

    A number is written with five bits a character, the lowest first; from the fourth on it is
    the difference to the last but one. Raises InputError where they do not fill the picture.
    """
    try:
        codes = np.frombuffer(mask.counts.encode("ascii"), np.uint8).astype(np.int64) - 48
    except UnicodeEncodeError as exc:
        raise _broken(mask.size_wh) from exc
    last = np.flatnonzero((codes & 32) == 0)
    lengths = np.diff(last, prepend=-1)
    if codes.min() < 0 or codes.max() > 63 or codes[-1] & 32 or lengths.max() > 7:
        raise _broken(mask.size_wh)
    place = np.arange(len(codes)) - np.repeat(last - lengths + 1, lengths)
    values = np.add.reduceat((codes & 31) << (5 * place), last - lengths + 1)
    values -= np.where(codes[last] & 16, np.int64(1) << (5 * lengths), 0)
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return _checked(values, mask.size_wh)


def _checked(runs: _Runs, size_wh: tuple[int, int]) -> _Runs:
    total = size_wh[0] * size_wh[1]
    # Each first, for a sum of huge numbers may come out right by overflowing.
    if runs.min() < 0 or runs.max() > total or runs.sum() != total:
        raise _broken(size_wh)
    return runs


def _broken(size_wh: tuple[int, int]) -> InputError:
    return InputError(f"The runs of the mask do not fill a picture of {size_wh[0]} x {size_wh[1]}.")


def _encoded(runs: _Runs, size_wh: tuple[int, int]) -> Mask:
    """Runs that fill the picture, in the one shortest form: no run is empty but the first."""
    from pycocotools import mask as coco

    width, height = size_wh
    kinds = np.arange(len(runs)) % 2
    kinds, runs = kinds[runs > 0], runs[runs > 0]
    starts = np.flatnonzero(np.diff(kinds, prepend=-1))
    merged = np.add.reduceat(runs, starts)
    counts = ([0] if kinds[0] else []) + merged.tolist()
    encoded = coco.frPyObjects({"size": [height, width], "counts": counts}, height, width)
    return Mask((width, height), encoded["counts"].decode("ascii"))


def _pixels(runs: _Runs, height: int, left: int, right: int) -> BoolMask:
    """The columns from `left` to `right` of a mask, (height, right - left) bool."""
    ends = np.clip(np.cumsum(runs), left * height, right * height)
    inside = np.arange(len(runs)) % 2 == 1
    flat = np.repeat(inside, np.diff(ends, prepend=left * height))
    return flat.reshape(right - left, height).T
