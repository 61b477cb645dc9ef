"""YOLO: a text file beside each picture with a line for each object, and one data.yaml."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from framekeep.errors import InputError
from framekeep.export.records import Dataset, ExportImage
from framekeep.geometry import (
    LEAST_IOU,
    Ring,
    decode_part,
    mask_bbox,
    redrawn_iou,
    slit_ring,
)
from framekeep.object_types import Mask

YoloTask = Literal["segment", "detect"]


def yolo_labels(image: ExportImage, classes: Sequence[str], task: YoloTask = "segment") -> str:
    """The text for one picture, a line for each object; "" where it has none.

    `segment` writes class x1 y1 x2 y2 …, one ring through all parts and holes (`slit_ring`);
    `detect` writes class, centre x and y, width and height. All are shares of the picture's
    width and height, with six digits. Raises InputError for a label that is not among the
    classes, an empty mask, or another task.
    """
    if task not in ("segment", "detect"):
        raise InputError(f"YOLO's task is segment or detect, not {task!r}.")
    number = {name: index for index, name in enumerate(classes)}
    lines = []
    for found in image.objects:
        if found.label not in number:
            raise InputError(f"The label {found.label!r} is none of the dataset's classes.")
        points = _ring(found.mask) if task == "segment" else _box(found.mask)
        shares = np.clip(points / found.mask.size_wh, 0, 1).ravel().tolist()
        lines.append(" ".join([str(number[found.label]), *(f"{share:.6f}" for share in shares)]))
    return "".join(f"{line}\n" for line in lines)


def poorly_redrawn(image: ExportImage, least_iou: float = LEAST_IOU) -> dict[str, float]:
    """The objects of which one ring keeps less than `least_iou` when training code draws it.

    By segment id, with the intersection over union that is left. They have parts that lie far
    apart for their size: OpenCV draws the slits between them a pixel wide.
    """
    poor = {}
    for found in image.objects:
        part, _ = decode_part(found.mask)
        left = redrawn_iou(part, slit_ring(part))[1]
        if left < least_iou:
            poor[found.segment_id] = left
    return poor


def data_yaml(dataset: Dataset) -> str:
    """The file that tells training code where pictures lie and what the classes are called.

    It has no `path`: training code then takes the folder that the file lies in, wherever that
    is, while a relative one would be looked for elsewhere. Training asks for `train` and `val`;
    one that the dataset lacks is its first split again.
    """
    splits = [split or "train" for split in dataset.splits]
    lines = [f"{split}: {_quoted(f'images/{split}')}" for split in splits]
    lines += [
        f"{name}: {_quoted(f'images/{splits[0]}')}  # the dataset has no {name} of its own"
        for name in ("train", "val")
        if name not in splits
    ]
    lines += [f"nc: {len(dataset.classes)}", "names:" if dataset.classes else "names: {}"]
    lines += [f"  {index}: {_quoted(name)}" for index, name in enumerate(dataset.classes)]
    return "".join(f"{line}\n" for line in lines)


def _ring(mask: Mask) -> Ring:
    part, left_top = decode_part(mask)
    return np.asarray(slit_ring(part) + left_top)


def _box(mask: Mask) -> Ring:
    left, top, right, bottom = mask_bbox(mask)
    return np.array([((left + right) / 2, (top + bottom) / 2), (right - left, bottom - top)])


def _quoted(text: str) -> str:
    """A text as a YAML string in double quotes, in one line whatever it holds."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"{}"'.format("".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in escaped))
