"""A picture as a graph of some hundred patches of even colour.

Patches are SLIC superpixels (Achanta et al. 2012). The working picture is resized so that it
consists of whole cells; every pixel then has the same nine candidates, and NumPy alone is quick
enough.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from framekeep.types import RgbImage

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

CELL_PX = 12
SHORT_CELLS = 21
LONGEST_RATIO = 2.5
COMPACTNESS = 12.0
"""How many units of Lab colour the width of a cell weighs."""
ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Patches:
    """A working picture (h, w, 3) and its patches.

    `patch` (h, w) int says which one each pixel is in; of each of the n patches, `area_px` and
    its mean `lab` colour (n, 3); `touching` (n, n) bool; `at_edge` (n,) bool.
    """

    picture: RgbImage
    patch: NDArray[np.int64]
    area_px: Doubles
    lab: Doubles
    touching: NDArray[np.bool_]
    at_edge: NDArray[np.bool_]

    def mean(self, values: NDArray[np.floating] | NDArray[np.bool_]) -> Doubles:
        """The mean over each patch of a map (h, w): (n,)."""
        return np.bincount(self.patch.ravel(), values.ravel(), len(self.area_px)) / self.area_px

    def spread(self, values: Doubles) -> Floats:
        """Each patch's value at all of its pixels: (h, w)."""
        return values.astype(np.float32)[self.patch]

    def distances(self) -> Doubles:
        """Between the middles of any two patches (n, n), in shorter sides of the picture."""
        down, across = np.indices(self.patch.shape, np.float32) / min(self.patch.shape)
        middles = np.stack([self.mean(down), self.mean(across)], axis=1)
        return pairwise(middles)

    def sample(self, maps: Floats) -> Doubles:
        """The mean over each patch (n, channels) of coarse maps (H, W, channels)."""
        height, width = self.patch.shape
        rows = np.minimum(np.arange(height) * maps.shape[0] // height, maps.shape[0] - 1)
        columns = np.minimum(np.arange(width) * maps.shape[1] // width, maps.shape[1] - 1)
        place = rows[:, None] * maps.shape[1] + columns
        share = np.zeros((len(self.area_px), maps.shape[0] * maps.shape[1]))
        np.add.at(share, (self.patch.ravel(), place.ravel()), 1)
        share /= self.area_px[:, None]
        sampled: Doubles = share @ maps.reshape(-1, maps.shape[2])
        return sampled


def pairwise(points: Doubles) -> Doubles:
    """The distances (n, n) between points (n, d)."""
    squares = (points**2).sum(axis=1)
    apart: Doubles = squares[:, None] + squares[None] - 2 * points @ points.T
    return np.sqrt(np.maximum(apart, 0))


def make_patches(image: RgbImage) -> Patches:
    """Cut a picture of any size into patches."""
    import cv2

    height, width = image.shape[:2]
    unit = min(height, width) / SHORT_CELLS
    most = round(SHORT_CELLS * LONGEST_RATIO)
    rows, columns = min(round(height / unit), most), min(round(width / unit), most)
    size_wh = (columns * CELL_PX, rows * CELL_PX)
    way = cv2.INTER_AREA if unit > CELL_PX else cv2.INTER_LINEAR
    picture = np.asarray(cv2.resize(image, size_wh, interpolation=way), np.uint8)
    lab = cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    smooth = np.asarray(cv2.GaussianBlur(lab, (0, 0), 1), np.float32)
    patch = _slic(smooth, rows, columns)
    area = np.bincount(patch.ravel()).astype(np.float64)
    colours = [np.bincount(patch.ravel(), lab[..., n].ravel()) / area for n in range(3)]
    at_edge = np.zeros(len(area), np.bool_)
    for side in (patch[0], patch[-1], patch[:, 0], patch[:, -1]):
        at_edge[side] = True
    return Patches(
        picture, patch, area, np.stack(colours, axis=1), _touching(patch, len(area)), at_edge
    )


def _slic(lab: Floats, rows: int, columns: int) -> NDArray[np.int64]:
    """(h, w): numbers of the superpixels, without gaps, from Lab colour (h, w, 3)."""
    height, width = lab.shape[:2]
    down, across = np.mgrid[:height, :width].astype(np.float32) * (COMPACTNESS / CELL_PX)
    points = np.dstack([lab, down, across])
    cells = points.reshape(rows, CELL_PX, columns, CELL_PX, 5)
    home = np.arange(rows)[:, None, None, None] * columns + np.arange(columns)[:, None]
    home = np.broadcast_to(home, cells.shape[:4])
    chosen = home
    flat = points.reshape(-1, 5)
    for _ in range(ROUNDS):
        member = chosen.reshape(-1)
        count = np.maximum(np.bincount(member, minlength=rows * columns), 1)
        centres = np.stack(
            [np.bincount(member, flat[:, n], rows * columns) / count for n in range(5)], axis=1
        )
        grid = centres.astype(np.float32).reshape(rows, 1, columns, 1, 5)
        chosen = _nearest(cells, grid, home)
    numbers = np.unique(chosen, return_inverse=True)[1]
    patch: NDArray[np.int64] = numbers.reshape(height, width).astype(np.int64)
    return patch


def _nearest(cells: Floats, centres: Floats, home: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each pixel the nearest of the centres of its own cell and of the eight around."""
    rows, columns = centres.shape[0], centres.shape[2]
    best = np.full(cells.shape[:4], np.inf, np.float32)
    chosen = home.copy()
    for step_y in (0, -1, 1):
        for step_x in (0, -1, 1):
            here_y = slice(max(0, -step_y), rows - max(0, step_y))
            here_x = slice(max(0, -step_x), columns - max(0, step_x))
            there_y = slice(max(0, step_y), rows - max(0, -step_y))
            there_x = slice(max(0, step_x), columns - max(0, -step_x))
            offset = cells[here_y, :, here_x] - centres[there_y, :, there_x]
            distance = np.einsum("abcde,abcde->abcd", offset, offset)
            nearer = distance < best[here_y, :, here_x]
            best[here_y, :, here_x][nearer] = distance[nearer]
            number = home[here_y, :, here_x] + step_y * columns + step_x
            chosen[here_y, :, here_x][nearer] = number[nearer]
    return chosen


def _touching(patch: NDArray[np.int64], count: int) -> NDArray[np.bool_]:
    touching = np.zeros((count, count), np.bool_)
    touching[patch[:, 1:], patch[:, :-1]] = True
    touching[patch[1:], patch[:-1]] = True
    touching |= touching.T
    np.fill_diagonal(touching, val=False)
    return touching
