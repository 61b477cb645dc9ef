"""Datasets of plain records, written to disk as the exporter lays them out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from framekeep.export.coco import CocoMasks, write_coco
from framekeep.export.records import Dataset, ExportImage, ExportObject
from framekeep.export.yolo import YoloTask, data_yaml, yolo_labels
from framekeep.geometry import encode_mask, mask_area, mask_bbox
from framekeep.object_types import BoolMask, Mask


def thing(mask: BoolMask | Mask, label: str, number: int = 0, **more: Any) -> ExportObject:
    """One object with the box and area of its mask."""
    encoded = mask if isinstance(mask, Mask) else encode_mask(mask)
    return ExportObject(
        f"{number:032x}", label, encoded, mask_bbox(encoded), mask_area(encoded), **more
    )


def picture(
    number: int, size_wh: tuple[int, int], objects: Sequence[ExportObject] = (), split: str = ""
) -> ExportImage:
    """One picture of a dataset, named by its number."""
    return ExportImage(
        media_id=f"{number:064x}",
        source=Path(f"/somewhere/{number}.png"),
        file_name=f"{number}.png",
        size_wh=size_wh,
        objects=tuple(objects),
        split=split,
    )


def save_coco(dataset: Dataset, folder: Path, masks: CocoMasks = "rle") -> list[Path]:
    """Write the documents of all splits, without pictures."""
    files = []
    for split in dataset.splits:
        file = folder / split / "annotations.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        document = write_coco(dataset, split, masks=masks)
        file.write_text(json.dumps(document, allow_nan=False), encoding="utf-8")
        files.append(file)
    return files


def save_yolo(dataset: Dataset, folder: Path, task: YoloTask = "segment") -> None:
    """Write pictures of the right size, labels and data.yaml."""
    for split in dataset.splits:
        pictures, labels = (folder / kind / (split or "train") for kind in ("images", "labels"))
        pictures.mkdir(parents=True)
        labels.mkdir(parents=True)
        for image in dataset.images:
            if image.split == split:
                Image.new("L", image.size_wh).save(pictures / image.file_name)
                text = yolo_labels(image, dataset.classes, task)
                (labels / image.file_name).with_suffix(".txt").write_text(text, encoding="utf-8")
    (folder / "data.yaml").write_text(data_yaml(dataset), encoding="utf-8")
