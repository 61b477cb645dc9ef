"""Reads COCO datasets: boxes, polygons and run lengths, with a problem for what does not fit."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from framekeep.errors import InputError
from framekeep.export.reading import (
    absolute,
    checked_size,
    elsewhere,
    finite,
    header_size,
    is_unicode,
    readable,
    split_named,
    within,
)
from framekeep.export.records import ImportedImage, ImportedObject, ImportProblem, Split
from framekeep.geometry import (
    box_to_mask,
    counts_to_mask,
    encode_rings,
    mask_area,
    runs_to_mask,
    xywh_to_xyxy,
)
from framekeep.object_types import Mask

MOST_BYTES = 2_000_000_000
CROWD = ("iscrowd", "1")
"""The attribute of what a dataset marks as a crowd: many objects under one mask."""

_MEDIA_ID = re.compile(r"[0-9a-f]{64}")
_Document = dict[str, Any]
_Points = NDArray[np.float64]


def read_coco(path: Path | str) -> tuple[list[ImportedImage], list[ImportProblem]]:
    """The pictures of a COCO dataset with their objects, and what of it does not fit.

    `path` is a JSON document, or a folder in which, or one folder below which, documents lie.
    Several rings of one object are taken together. A picture's file is looked for where the
    document says, in `images` beside it, and, for a document in a folder `annotations`, beside
    that; whether it is there is not checked. A picture elsewhere, by its whole path, is only taken
    where its entry has the SHA-256 of its content (`media_id`), as framekeep's own exports do; else
    a dataset from a stranger could bring in any file of this machine. Raises InputError if there
    is no COCO document.
    """
    start = absolute(path)
    if not start.is_dir():
        root = start.parent.parent if start.parent.name == "annotations" else start.parent
        reader = _Reader(root, start, _document(start))
        return reader.read()
    images: list[ImportedImage] = []
    problems: list[ImportProblem] = []
    found = False
    for file in _candidates(start):
        try:
            document = _document(file)
        except InputError as exc:
            if _is_likely(file):
                problems.append(ImportProblem(str(file.relative_to(start)), str(exc)))
            continue
        found = True
        more, wrong = _Reader(start, file, document).read()
        images += more
        problems += wrong
    if not found:
        reason = f" {problems[0].what}" if problems else ""
        raise InputError(f"There is no COCO document (.json) in {start}.{reason}")
    return images, problems


def _candidates(folder: Path) -> list[Path]:
    """The JSON files of a folder and of those in it; of COCO's own several kinds the instances."""
    files = sorted([*folder.glob("*.json"), *folder.glob("*/*.json")])
    instances = [file for file in files if file.name.startswith("instances_")]
    return [f for f in files if f in instances or f.parent.name != "annotations" or not instances]


def _is_likely(file: Path) -> bool:
    """Whether the name says COCO, so that a fault of the file is worth a word."""
    return "annotations" in file.name or "instances" in file.name or "coco" in file.name


def _document(file: Path) -> _Document:
    with readable(file):
        size = file.stat().st_size
        if size > MOST_BYTES:
            raise InputError(
                f"{file} has {size / 1e9:.1f} GB, more than {MOST_BYTES / 1e9:.0f} GB."
            )
        content = file.read_bytes()
    try:
        document = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as exc:
        raise InputError(f"{file} is no JSON document, or a damaged one.") from exc
    parts = ("images", "annotations", "categories")
    if not isinstance(document, dict) or any(
        not isinstance(document.get(part), list) for part in parts
    ):
        raise InputError(
            f"{file} is no COCO document: it lists no {', '.join(parts[:-1])} or {parts[-1]}."
        )
    return document


@dataclass(slots=True)
class _Picture:
    path: Path
    media_id: str | None
    size_wh: tuple[int, int]
    objects: list[ImportedObject] = field(default_factory=list)


class _Reader:
    """Reads one document. Whatever does not fit becomes a problem, by the entry's own id."""

    def __init__(self, root: Path, file: Path, document: _Document) -> None:
        self._root, self._file, self._document = root, file, document
        self._name = str(file.relative_to(root))
        self._problems: list[ImportProblem] = []
        self._labels: dict[object, str] = {}
        self._pictures: dict[object, _Picture | None] = {}
        info = document.get("info")
        named = info.get("split") if isinstance(info, dict) else None
        place = file.stem if file.parent == root else f"{file.parent.name} {file.stem}"
        self._split: Split = split_named(named if isinstance(named, str) else place)
        self._folders = self._places()

    def read(self) -> tuple[list[ImportedImage], list[ImportProblem]]:
        """All pictures and problems, in the document's order."""
        self._each("categories", "category", self._category)
        self._each("images", "image", self._image)
        seen: set[object] = set()
        self._each("annotations", "annotation", lambda entry: self._annotation(entry, seen))
        return [
            ImportedImage(
                picture.path,
                picture.size_wh,
                tuple(picture.objects),
                self._split,
                picture.media_id,
            )
            for picture in self._pictures.values()
            if picture is not None
        ], self._problems

    def _places(self) -> list[Path]:
        """The folders in which pictures may lie, the likeliest first."""
        beside = self._file.parent
        places = [beside, beside / "images"]
        if beside.name == "annotations":
            own = self._file.stem.rpartition("_")[2]
            places += [self._root / own, self._root / "images" / own]
            places += [self._root / "images", self._root]
        return places

    def _each(self, part: str, kind: str, take: Callable[[_Document], str | None]) -> None:
        for number, entry in enumerate(self._document[part]):
            own_id = entry.get("id") if isinstance(entry, dict) else None
            where = f"{self._name}, {kind} {number if own_id is None else own_id!r}"
            try:
                if not isinstance(entry, dict):
                    raise InputError("The entry is no JSON object.")
                with readable(self._file.parent):
                    note = take(entry)
            except InputError as exc:
                note = str(exc)
            if note:
                self._problems.append(ImportProblem(where[:200], note))

    def _category(self, entry: _Document) -> None:
        key, name = _key(entry.get("id")), entry.get("name")
        if key in self._labels:
            raise InputError("The id stands for another category already; this one is left out.")
        if not isinstance(name, str | int) or not str(name).strip() or not is_unicode(str(name)):
            raise InputError("The category has no name, or one that is no text.")
        self._labels[key] = str(name)

    def _image(self, entry: _Document) -> None:
        key = _key(entry.get("id"))
        if key in self._pictures:
            raise InputError("The id stands for another picture already; this one is left out.")
        self._pictures[key] = None
        path, media_id = self._place(entry)
        width, height = entry.get("width"), entry.get("height")
        given = width is not None and height is not None
        size_wh = checked_size(width, height) if given else header_size(path)
        self._pictures[key] = _Picture(path, media_id, size_wh)

    def _place(self, entry: _Document) -> tuple[Path, str | None]:
        """Where a picture lies; its content's id too, where that is outside of the dataset."""
        name, media_id = entry.get("file_name"), entry.get("media_id")
        if not isinstance(name, str):
            raise InputError("The picture has no file_name.")
        if isinstance(media_id, str) and _MEDIA_ID.fullmatch(media_id):
            path = elsewhere(name)
            if path is not None and not path.is_relative_to(self._root):
                return path, media_id
        return self._path(name), None

    def _path(self, name: str) -> Path:
        # Steps up are meant from the document itself, not from wherever its pictures may lie.
        folders = self._folders[:1] if ".." in name else self._folders
        paths = [within(self._root, folder, name) for folder in folders]
        inside = [path for path in paths if path is not None]
        if not inside:
            raise InputError(f"The file {name[:200]!r} lies outside of the dataset's folder.")
        return next((path for path in inside if path.is_file()), inside[0])

    def _annotation(self, entry: _Document, seen: set[object]) -> str | None:
        if "id" in entry:
            key = _key(entry["id"])
            if key in seen:
                raise InputError("The id stands for another annotation already; it is left out.")
            seen.add(key)
        image_id, category_id = _key(entry.get("image_id")), _key(entry.get("category_id"))
        if image_id not in self._pictures:
            raise InputError(f"There is no picture with the id {image_id!r}.")
        picture = self._pictures[image_id]
        if picture is None:
            raise InputError(f"Its picture, {image_id!r}, was left out.")
        if category_id not in self._labels:
            raise InputError(f"There is no category with the id {category_id!r}.")
        mask, is_box, note = _mask(entry, picture.size_wh)
        if not mask_area(mask):
            raise InputError("The object covers no pixel of the picture.")
        score = finite(entry.get("score"))
        picture.objects.append(
            ImportedObject(
                self._labels[category_id],
                mask,
                is_box,
                1.0 if score is None or not 0 <= score <= 1 else score,
                _attributes(entry),
            )
        )
        return note


def _key(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | str | float):
        raise InputError("An id is missing, or neither a number nor a text.")
    return value


def _attributes(entry: _Document) -> tuple[tuple[str, str], ...]:
    given = entry.get("attributes")
    own = given.items() if isinstance(given, dict) else ()
    texts = [(name, str(value)) for name, value in own if isinstance(value, str | int | float)]
    plain = [(name, text) for name, text in texts if is_unicode(name + text)]
    return (*plain, CROWD) if entry.get("iscrowd") in (1, True) else tuple(plain)


def _mask(entry: _Document, size_wh: tuple[int, int]) -> tuple[Mask, bool, str | None]:
    """The mask, whether it is a box alone, and what there is to say about it."""
    shape = entry.get("segmentation")
    if isinstance(shape, dict) and shape:
        return _from_runs(shape, size_wh), False, None
    if shape:
        rings = _rings(shape)
        return encode_rings(rings, size_wh), False, _beyond(np.concatenate(rings), size_wh)
    box = entry.get("bbox")
    if box is None:
        raise InputError("The object has neither a segmentation nor a bbox.")
    sides = [finite(side) for side in box] if isinstance(box, list) else []
    plain = [side for side in sides if side is not None]
    if len(plain) != 4 or len(sides) != 4:
        raise InputError("A bbox is four numbers: left, top, width and height.")
    xyxy = xywh_to_xyxy((plain[0], plain[1], plain[2], plain[3]))
    return box_to_mask(xyxy, size_wh), True, _beyond(np.reshape(xyxy, (2, 2)), size_wh)


def _from_runs(shape: dict[str, Any], size_wh: tuple[int, int]) -> Mask:
    if shape.get("size") != [size_wh[1], size_wh[0]]:
        raise InputError(
            f"The mask is made for height and width {str(shape.get('size'))[:50]}, the picture "
            f"has {[size_wh[1], size_wh[0]]}."
        )
    counts = shape.get("counts")
    if isinstance(counts, str):
        return counts_to_mask(counts, size_wh)
    if isinstance(counts, list):
        return runs_to_mask(counts, size_wh)
    raise InputError("The mask has no counts.")


def _rings(shape: object) -> list[_Points]:
    rings = shape if isinstance(shape, list) else []
    if rings and finite(rings[0]) is not None:
        rings = [rings]  # one ring that was not put into a list of its own
    found = []
    for ring in rings:
        numbers = [finite(number) for number in ring] if isinstance(ring, list) else []
        if len(numbers) < 6 or len(numbers) % 2 or None in numbers:
            raise InputError("A polygon is an even number of finite numbers, at least six.")
        found.append(np.array(numbers, np.float64).reshape(-1, 2))
    if not found:
        raise InputError("The segmentation is neither polygons nor run lengths.")
    return found


def _beyond(points: _Points, size_wh: tuple[int, int]) -> str | None:
    low, high = np.min(points, axis=0), np.max(points, axis=0)
    if (low < -1).any() or (high > np.add(size_wh, 1)).any():
        return "The object reaches beyond the picture; it was cut off at the border."
    return None
