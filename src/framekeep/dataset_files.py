"""The files of a dataset: pictures copied, linked or written upright, then what describes them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import cast

import numpy as np

from framekeep.errors import MediaError
from framekeep.export.crops import crop_folders, crop_names, cut_out
from framekeep.export.manifest import write_json
from framekeep.export.options import TABLES, ExportOptions
from framekeep.export.records import Dataset, ExportImage
from framekeep.export.table import TableFormat, write_tables
from framekeep.geometry import decode_part, redrawn_iou
from framekeep.media.scan import content_id
from framekeep.media.upright import Form, read_upright, write_picture
from framekeep.types import RgbImage, Vectors

CHANGED = "Its file has changed since it was added: add it again."
GONE = "Its file is not where it was: add its folder again."
_CHUNK = 1 << 20
_FORMS: dict[str, Form] = {".jpg": "jpeg", ".jpeg": "jpeg", ".jpe": "jpeg"}


@dataclass(frozen=True, slots=True)
class Limits:
    """What one picture may cost."""

    max_pixels: int = 250_000_000
    max_bytes: int = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Written:
    """What became of one image: its files' SHA-256 by path, or the reason why it is left out.

    `copied` is True where a link was wanted and the system made a copy necessary; `poor` counts
    the objects of which YOLO's one outline keeps too little.
    """

    image: ExportImage
    files: Mapping[str, str] = field(default_factory=dict)
    reason: str | None = None
    copied: bool = False
    poor: int = 0


def picture_place(options: ExportOptions, image: ExportImage) -> PurePosixPath:
    """Where a picture lies in its dataset."""
    if options.format == "yolo":
        return PurePosixPath("images") / (image.split or "train") / image.file_name
    return PurePosixPath(image.split) / "images" / image.file_name


def label_place(image: ExportImage) -> PurePosixPath:
    """Where the labels of a picture lie in a YOLO dataset."""
    stem = image.file_name.rpartition(".")[0]
    return PurePosixPath("labels") / (image.split or "train") / f"{stem}.txt"


class PictureWriter:
    """Writes the pictures of a dataset, and YOLO's labels, into a folder; several threads may use
    it.

    `find` tells where a medium's files lie now. Each is compared with its SHA-256 while it is
    read: what has changed is left out.
    """

    def __init__(
        self,
        folder: Path,
        dataset: Dataset,
        options: ExportOptions,
        forms: Mapping[str, str],
        find: Callable[[str], Sequence[str]],
        limits: Limits,
    ) -> None:
        self._folder = folder
        self._options = options
        self._forms = forms
        self._find = find
        self._limits = limits
        self._classes = dataset.classes
        self._crops = crop_folders(dataset) if options.format == "crops" else {}

    def make_folders(self, dataset: Dataset) -> None:
        """Make every folder that pictures go to, also where none will. Raises OSError."""
        places = list(self._crops.values())
        if self._options.holds_pictures:
            empty = [ExportImage("", Path(), "x", (1, 1), split=split) for split in dataset.splits]
            places = [picture_place(self._options, image).parent for image in empty]
        if self._options.format == "yolo":
            places += [label_place(image).parent for image in empty]
        for place in places:
            (self._folder / place).mkdir(parents=True, exist_ok=True)

    def write(self, image: ExportImage) -> Written:
        """Write what a dataset holds of one image. Raises OSError where the target refuses."""
        if self._options.format in TABLES:
            return Written(image)
        reason = GONE
        for path in self._places(image):
            try:
                if self._options.format == "crops":
                    return Written(image, self._write_crops(image, path))
                written = self._write_whole(image, path)
                return self._with_labels(written) if self._options.format == "yolo" else written
            except MediaError as exc:
                reason = str(exc)
        return Written(image, reason=reason)

    def _places(self, image: ExportImage) -> Sequence[str]:
        if self._is_referenced(image):
            return [image.file_name]
        return self._find(image.media_id)

    def _is_referenced(self, image: ExportImage) -> bool:
        whole = self._options.holds_pictures and self._options.images == "reference"
        return whole and image.media_id not in self._forms

    def _write_whole(self, image: ExportImage, path: str) -> Written:
        if self._is_referenced(image):
            _check(path, image.media_id)
            return Written(image)
        place = picture_place(self._options, image)
        target = self._folder / place
        form = self._forms.get(image.media_id)
        copied = False
        if form is not None:
            write_picture(self._upright(image, path), target, cast(Form, form))
            digest = content_id(str(target))
        elif self._options.images == "link":
            copied = not _link(path, target, image.media_id)
            digest = image.media_id
        else:
            _copy(path, target, image.media_id)
            digest = image.media_id
        return Written(image, {str(place): digest}, copied=copied)

    def _with_labels(self, written: Written) -> Written:
        from framekeep.export.yolo import yolo_labels

        place = label_place(written.image)
        text = yolo_labels(written.image, self._classes, self._options.task)
        (self._folder / place).write_text(text, "utf-8", newline="\n")
        poor = _poor(written.image, text) if self._options.task == "segment" else 0
        digest = content_id(str(self._folder / place))
        return replace(written, files={**written.files, str(place): digest}, poor=poor)

    def _write_crops(self, image: ExportImage, path: str) -> dict[str, str]:
        rgb = self._upright(image, path)
        written = {}
        for thing, name in zip(image.objects, crop_names(image), strict=True):
            place = self._crops[image.split, thing.label] / name
            form = _FORMS.get(place.suffix.lower(), "png")
            write_picture(cut_out(rgb, thing.bbox_xyxy), self._folder / place, form)
            written[str(place)] = content_id(str(self._folder / place))
        return written

    def _upright(self, image: ExportImage, path: str) -> RgbImage:
        _check(path, image.media_id)
        return read_upright(
            Path(path),
            image.size_wh,
            max_pixels=self._limits.max_pixels,
            max_bytes=self._limits.max_bytes,
        )


def write_descriptions(
    folder: Path, dataset: Dataset, options: ExportOptions, vectors: Mapping[str, Vectors]
) -> tuple[dict[str, str], list[str]]:
    """Write annotations or tables; gives their SHA-256 by path, and what a person should
    know of them, in sentences. Raises OSError."""
    names: list[str] = []
    notes: list[str] = []
    if options.format in TABLES:
        names = write_tables(dataset, vectors, cast(TableFormat, options.format), folder)
    elif options.format == "coco":
        names, notes = _write_coco(folder, dataset, options)
    elif options.format == "yolo":
        names = _write_yolo(folder, dataset)
    return {name: content_id(str(folder / name)) for name in names}, notes


def _write_coco(
    folder: Path, dataset: Dataset, options: ExportOptions
) -> tuple[list[str], list[str]]:
    from framekeep.export.coco import rle_objects, write_coco

    names, exact = [], 0
    for split in dataset.splits:
        place = PurePosixPath(split) / "annotations.json"
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        document = write_coco(dataset, split, masks=options.masks)
        for image in document["images"]:
            # A referenced picture's name is the whole path.
            name = image["file_name"].removeprefix("images/")
            if os.path.isabs(name):  # noqa: PTH117 - paths are texts here
                image["file_name"] = name
        exact += rle_objects(document)
        write_json(folder / place, document)
        names.append(str(place))
    if options.masks == "rle" or not exact:
        return names, []
    return names, [
        f"{_objects(exact)} with holes written as run lengths, since COCO's polygons know none."
    ]


def _write_yolo(folder: Path, dataset: Dataset) -> list[str]:
    from framekeep.export.yolo import data_yaml

    (folder / "data.yaml").write_text(data_yaml(dataset), "utf-8", newline="\n")
    return ["data.yaml"]


def _poor(image: ExportImage, text: str) -> int:
    """How many objects of a label file keep too little of their mask when drawn again."""
    from framekeep.export.yolo import LEAST_IOU

    poor = 0
    for thing, line in zip(image.objects, text.splitlines(), strict=True):
        shares = np.array(line.split()[1:], np.float64).reshape(-1, 2)
        part, left_top = decode_part(thing.mask)
        poor += redrawn_iou(part, shares * thing.mask.size_wh - left_top)[1] < LEAST_IOU
    return poor


def of_poor(count: int) -> list[str]:
    """What a person should know of such objects."""
    from framekeep.export.yolo import LEAST_IOU

    if not count:
        return []
    return [
        f"{_objects(count)} of which one outline keeps less than {LEAST_IOU} of the mask: parts "
        "that lie far apart for their size. COCO keeps them whole."
    ]


def _objects(count: int) -> str:
    return "1 object" if count == 1 else f"{count} objects"


def _check(path: str, media_id: str) -> None:
    """Raise MediaError where a file does not hold this content any more."""
    if not os.path.isfile(path):  # noqa: PTH113 - paths are texts here
        raise MediaError(GONE)
    if content_id(path) != media_id:
        raise MediaError(CHANGED)


def _copy(path: str, target: Path, media_id: str) -> None:
    """Copy a file and compare what was copied with its SHA-256."""
    try:
        digest = _copied(path, target)
    except MediaError:
        target.unlink(missing_ok=True)
        raise
    if digest != media_id:
        target.unlink()
        raise MediaError(CHANGED)


def _copied(path: str, target: Path) -> str:
    digest = hashlib.sha256()
    try:
        source = open(path, "rb")  # noqa: SIM115, PTH123 - closed below; paths are texts here
    except OSError as exc:
        raise MediaError(GONE if isinstance(exc, FileNotFoundError) else _words(exc)) from exc
    with source, target.open("wb") as file:
        while True:
            try:
                chunk = source.read(_CHUNK)
            except OSError as exc:
                raise MediaError(_words(exc)) from exc
            if not chunk:
                return digest.hexdigest()
            digest.update(chunk)
            file.write(chunk)


def _link(path: str, target: Path, media_id: str) -> bool:
    """Link a file, or copy it where the system makes no link; False where it was a copy."""
    target.unlink(missing_ok=True)
    try:
        # A link to a link would be lost with it.
        os.link(os.path.realpath(path), target)
    except FileNotFoundError as exc:
        raise MediaError(GONE) from exc
    except OSError:
        # Another device, too many links, a file system without them, or a rule against it.
        _copy(path, target, media_id)
        return False
    if content_id(str(target)) != media_id:
        target.unlink()
        raise MediaError(CHANGED)
    return True


def _words(exc: OSError) -> str:
    return f"Its file cannot be read: {(exc.strerror or 'error').lower()}."
