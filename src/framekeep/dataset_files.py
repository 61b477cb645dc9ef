"""The files of a dataset: pictures copied, linked or written upright, then what describes them.

A frame of a film has no file of its own: it is always written.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from framekeep.geometry import LEAST_IOU, decode_part, redrawn_iou
from framekeep.media.limits import Limits
from framekeep.media.scan import content_id
from framekeep.media.upright import Form, check_size, read_upright, write_picture
from framekeep.types import RgbImage, Vectors

CHANGED = "Its file has changed since it was added: add it again."
GONE = "Its file is not where it was: add its folder again."
_CHUNK = 1 << 20
# So many frames of a film are read in one go: a film is opened once for them.
FRAMES_AT_ONCE = 16
_FORMS: dict[str, Form] = {".jpg": "jpeg", ".jpeg": "jpeg", ".jpe": "jpeg"}


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


@dataclass(frozen=True, slots=True)
class Task:
    """Images that are written in one go: a photo, or frames of one film by time."""

    images: tuple[ExportImage, ...]


def tasks(images: Sequence[ExportImage]) -> Iterator[Task]:
    """All images in tasks, in their order but for the frames of a film."""
    films: dict[str, list[ExportImage]] = {}
    for image in images:
        films.setdefault(image.content, []).append(image)
    for image in images:
        frames = films.pop(image.content, None)
        if frames is None:
            continue
        frames.sort(key=lambda frame: frame.time_s or 0.0)
        for start in range(0, len(frames), FRAMES_AT_ONCE):
            yield Task(tuple(frames[start : start + FRAMES_AT_ONCE]))


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

    `find` tells where the files with an image's content lie now. Each is compared with its SHA-256
    while it is read, a film once: what has changed is left out.
    """

    def __init__(
        self,
        folder: Path,
        dataset: Dataset,
        options: ExportOptions,
        forms: Mapping[str, str],
        find: Callable[[ExportImage], Sequence[str]],
        limits: Limits,
    ) -> None:
        self._folder = folder
        self._options = options
        self._forms = forms
        self._find = find
        self._limits = limits
        self._classes = dataset.classes
        self._crops = crop_folders(dataset) if options.format == "crops" else {}
        self._checked: dict[tuple[str, int, int], str] = {}
        self._checking = threading.Lock()

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

    def write(self, task: Task) -> list[Written]:
        """Write what a dataset holds of these images, and tell it in their order.

        Raises OSError where the target refuses.
        """
        first, *_ = task.images
        if self._options.format in TABLES:
            return [Written(image) for image in task.images]
        return [self._photo(first)] if first.film_id is None else self._frames(task.images)

    def _photo(self, image: ExportImage) -> Written:
        reason = GONE
        for path in self._places(image):
            try:
                if self._options.format == "crops" or image.media_id in self._forms:
                    return self._write_anew(image, self._upright(image, path))
                return self._labelled(self._write_as_it_is(image, path))
            except MediaError as exc:
                reason = str(exc)
        return Written(image, reason=reason)

    def _frames(self, images: Sequence[ExportImage]) -> list[Written]:
        """Write frames of one film, which ascend by time."""
        done = {image.media_id: Written(image, reason=GONE) for image in images}
        for path in self._find(images[0]):
            left = [image for image in images if done[image.media_id].reason]
            for image, found in self._read_frames(left, path):
                done[image.media_id] = (
                    Written(image, reason=str(found))
                    if isinstance(found, MediaError)
                    else self._write_anew(image, found)
                )
        return list(done.values())

    def _read_frames(
        self, images: Sequence[ExportImage], path: str
    ) -> Iterator[tuple[ExportImage, RgbImage | MediaError]]:
        """Frames in one pass over their film; behind one that cannot be read it begins again."""
        from framekeep.media.video import frames_at

        left = list(images)
        try:
            self._check_film(path, images[0].content) if left else None
        except MediaError as exc:
            yield from ((image, exc) for image in left)
            return
        while left:
            pictures = frames_at(path, [image.time_s or 0.0 for image in left], self._limits.film)
            fault: MediaError | None = None
            while left and fault is None:
                try:
                    _, rgb = next(pictures)
                    check_size(rgb, left[0].size_wh)
                except MediaError as exc:
                    fault = exc
                yield left.pop(0), fault or rgb

    def _check_film(self, path: str, content: str) -> None:
        """Raise MediaError unless a film's file holds this content; read once for all frames."""
        with self._checking:
            try:
                status = os.stat(path)  # noqa: PTH116 - paths are texts here
            except OSError as exc:
                raise MediaError(GONE) from exc
            key = (path, status.st_size, status.st_mtime_ns)
            if self._checked.get(key) != content:
                _check(path, content)
                self._checked[key] = content

    def _places(self, image: ExportImage) -> Sequence[str]:
        if self._is_referenced(image):
            return [image.file_name]
        return self._find(image)

    def _is_referenced(self, image: ExportImage) -> bool:
        whole = self._options.holds_pictures and self._options.images == "reference"
        return whole and image.media_id not in self._forms

    def _write_anew(self, image: ExportImage, rgb: RgbImage) -> Written:
        """Write a picture (height, width, 3) uint8, or the crops of its objects."""
        if self._options.format == "crops":
            return Written(image, self._write_crops(image, rgb))
        place = picture_place(self._options, image)
        write_picture(rgb, self._folder / place, cast(Form, self._forms[image.media_id]))
        digest = content_id(str(self._folder / place))
        return self._labelled(Written(image, {str(place): digest}))

    def _write_as_it_is(self, image: ExportImage, path: str) -> Written:
        if self._is_referenced(image):
            _check(path, image.media_id)
            return Written(image)
        place = picture_place(self._options, image)
        target = self._folder / place
        copied = False
        if self._options.images == "link":
            copied = not _link(path, target, image.media_id)
        else:
            _copy(path, target, image.media_id)
        return Written(image, {str(place): image.media_id}, copied=copied)

    def _labelled(self, written: Written) -> Written:
        """With its labels, where the format keeps them beside the picture."""
        if self._options.format != "yolo":
            return written
        from framekeep.export.yolo import yolo_labels

        place = label_place(written.image)
        text = yolo_labels(written.image, self._classes, self._options.task)
        (self._folder / place).write_text(text, "utf-8", newline="\n")
        poor = _poor(written.image, text) if self._options.task == "segment" else 0
        digest = content_id(str(self._folder / place))
        return replace(written, files={**written.files, str(place): digest}, poor=poor)

    def _write_crops(self, image: ExportImage, rgb: RgbImage) -> dict[str, str]:
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
    poor = 0
    for thing, line in zip(image.objects, text.splitlines(), strict=True):
        shares = np.array(line.split()[1:], np.float64).reshape(-1, 2)
        part, left_top = decode_part(thing.mask)
        poor += redrawn_iou(part, shares * thing.mask.size_wh - left_top)[1] < LEAST_IOU
    return poor


def of_poor(count: int) -> list[str]:
    """What a person should know of such objects."""
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
