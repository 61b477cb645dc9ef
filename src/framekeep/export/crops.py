"""Plain crops of objects in a folder for each class, as image classifiers are trained on."""

from __future__ import annotations

import math
from pathlib import PurePosixPath

import numpy as np

from framekeep.export.dataset import safe_folders
from framekeep.export.records import Dataset, ExportImage
from framekeep.object_types import BoxXyxy
from framekeep.types import RgbImage


def crop_folders(dataset: Dataset) -> dict[tuple[str, str], PurePosixPath]:
    """The folder of each split and class, relative to the dataset's.

    All splits have all classes, empty ones too: trainers number classes by their folders.
    """
    names = safe_folders(dataset.classes)
    return {
        (split, name): PurePosixPath(split) / names[name]
        for split in dataset.splits
        for name in dataset.classes
    }


def crop_names(image: ExportImage) -> list[str]:
    """A file name for each object of an image: the image's own, with the object's number."""
    stem, dot, suffix = image.file_name.rpartition(".")
    return [f"{stem}-{number}{dot}{suffix}" for number in range(1, len(image.objects) + 1)]


def cut_out(rgb: RgbImage, box: BoxXyxy) -> RgbImage:
    """The part of a picture (H, W, 3) in a box, whole pixels that it touches; at least one."""
    height, width = rgb.shape[:2]
    left, right = _span(box[0], box[2], width)
    top, bottom = _span(box[1], box[3], height)
    return np.ascontiguousarray(rgb[top:bottom, left:right])


def _span(low: float, high: float, size: int) -> tuple[int, int]:
    first = min(max(math.floor(low), 0), size - 1)
    return first, min(max(math.ceil(high), first + 1), size)
