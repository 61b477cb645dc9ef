"""Plain records of datasets: what a writer is given, and what a reader gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

from framekeep.object_types import BoxXyxy, Mask, Source

Split = str
"""The name of a part of a dataset: "train", "val", "test", or "" where it is not split."""

DatasetFormat = Literal["coco", "yolo", "crops", "csv", "jsonl", "parquet"]
ImageMode = Literal["copy", "link", "reference"]


@dataclass(frozen=True, slots=True)
class ExportObject:
    """One labelled object of a dataset; box and area are those of the mask."""

    segment_id: str
    label: str
    mask: Mask
    bbox_xyxy: BoxXyxy
    area_px: int
    score: float = 1.0
    source: Source = "person"
    attributes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ExportImage:
    """One picture of a dataset with its objects.

    `source` is where its file lies now; `file_name` the safe name that it gets, unique within the
    dataset whatever the case of letters; `size_wh` its size when upright. `split` is "" where the
    dataset is not split. A frame has its film's `film_id`, the SHA-256 of the film's file, and
    `time_s`, in seconds from the film's first picture.
    """

    media_id: str
    source: Path
    file_name: str
    size_wh: tuple[int, int]
    objects: tuple[ExportObject, ...] = ()
    labels: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    split: Split = ""
    exif_orientation: int = 1
    taken_at_local: datetime | None = None
    film_id: str | None = None
    time_s: float | None = None

    @property
    def content(self) -> str:
        """The SHA-256 of the file that holds the picture."""
        return self.film_id or self.media_id


@dataclass(frozen=True, slots=True)
class Dataset:
    """Pictures and classes, in the order in which they are written."""

    classes: tuple[str, ...]
    images: tuple[ExportImage, ...]
    splits: tuple[Split, ...] = ("",)
    info: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ImportedObject:
    """One object of a dataset that was read; a box alone has a mask that fills it."""

    label: str
    mask: Mask
    is_box: bool = False
    score: float = 1.0
    attributes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ImportedImage:
    """One picture of a dataset that was read; `path` is where its file should lie.

    `media_id` is given where the dataset only names a picture that lies elsewhere: whatever else
    lies there must not be taken for it.
    """

    path: Path
    size_wh: tuple[int, int]
    objects: tuple[ImportedObject, ...] = ()
    split: Split = ""
    media_id: str | None = None


@dataclass(frozen=True, slots=True)
class ImportProblem:
    """What of a dataset did not fit: where it stands, and what is wrong with it."""

    where: str
    what: str
