"""Reads YOLO datasets: boxes and polygons; what does not fit is told by file and line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from framekeep.errors import InputError
from framekeep.export.reading import (
    PICTURE_SUFFIXES,
    absolute,
    finite,
    header_size,
    readable,
    split_named,
    within,
)
from framekeep.export.records import ImportedImage, ImportedObject, ImportProblem, Split
from framekeep.geometry import box_to_mask, encode_polygons, mask_area
from framekeep.object_types import Mask

MOST_BYTES = 10_000_000
MOST_CLASSES = 100_000
# Shares may leave 0..1 by rounding and by sloppy tools; further out they are something else.
SLACK = 0.01

_SPLIT_KEYS = ("train", "val", "valid", "validation", "test")
_CLASS_FILES = ("classes.txt", "labels/classes.txt", "obj.names")


@dataclass(slots=True)
class _Layout:
    """Where pictures lie, and what the classes are called by number."""

    root: Path
    names: dict[int, str]
    places: list[tuple[Split, Path]] = field(default_factory=list)
    problems: list[ImportProblem] = field(default_factory=list)

    def problem(self, where: Path | str, what: str) -> None:
        """Keep what does not fit, by its path from the root."""
        if isinstance(where, Path) and where.is_relative_to(self.root):
            where = where.relative_to(self.root)
        self.problems.append(ImportProblem(str(where)[:200], what))


def read_yolo(path: Path | str) -> tuple[list[ImportedImage], list[ImportProblem]]:
    """The pictures of a YOLO dataset with their objects, and what of it does not fit.

    `path` is a data.yaml or a folder with one, or a folder with a classes.txt and pictures.
    Labels lie in `labels` where pictures lie in `images`, else beside the picture; a line is a
    box (class, centre, size) or a polygon, either with a score behind it. Sizes come from the
    pictures' headers, as they are upright. Raises InputError if there is no such dataset.
    """
    start = absolute(path)
    with readable(start):
        return _read(_layout(start))


def _read(layout: _Layout) -> tuple[list[ImportedImage], list[ImportProblem]]:
    images: list[ImportedImage] = []
    seen: set[Path] = set()
    labels: set[Path] = set()
    for split, picture in _pictures(layout):
        if picture in seen:
            continue
        seen.add(picture)
        file = _label_file(picture, layout.root)
        labels |= {file} if file else set()
        try:
            size_wh = header_size(picture)
        except InputError as exc:
            layout.problem(picture, str(exc))
            continue
        objects = _objects(file, size_wh, layout) if file else ()
        images.append(ImportedImage(picture, size_wh, objects, split))
    if not any(place.suffix == ".txt" for _, place in layout.places):
        _report_orphans(labels, layout)
    return images, layout.problems


def _layout(start: Path) -> _Layout:
    if start.is_file():
        if start.suffix in (".yaml", ".yml"):
            return _from_yaml(start)
        start = start.parent
    files = [start / "data.yaml", start / "data.yml", *sorted(start.glob("*.y*ml"))]
    described = next((file for file in files if file.is_file()), None)
    if described is not None:
        return _from_yaml(described)
    listed = next((start / name for name in _CLASS_FILES if (start / name).is_file()), None)
    if listed is None:
        raise InputError(f"There is neither a data.yaml nor a classes.txt in {start}.")
    lines = [line.strip() for line in _text(listed).splitlines()]
    names = {number: name for number, name in enumerate(lines) if name}
    pictures = start / "images"
    place = pictures if pictures.is_dir() else start
    return _Layout(start, names, [("", place)])


def _text(file: Path) -> str:
    with readable(file):
        if file.stat().st_size > MOST_BYTES:
            raise InputError(f"{file} has more than {MOST_BYTES / 1e6:.0f} MB.")
        content = file.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise InputError(f"{file} is no text in UTF-8.") from exc


def _from_yaml(file: Path) -> _Layout:
    import yaml

    try:
        # Everything stays text: a class called "no" or "1e3" is neither a truth nor a number.
        document = yaml.load(_text(file), Loader=yaml.BaseLoader)  # noqa: S506
    except (yaml.YAMLError, RecursionError, ValueError) as exc:
        raise InputError(f"{file} is no YAML document, or a damaged one.") from exc
    if not isinstance(document, dict) or not any(document.get(key) for key in _SPLIT_KEYS):
        raise InputError(f"{file} describes no YOLO dataset: it has neither train, val nor test.")
    layout = _Layout(file.parent, {})
    _read_names(document, file, layout)
    base = file.parent
    given = document.get("path")
    if isinstance(given, str) and given:
        own = within(layout.root, base, given)
        if own is not None and own.is_dir():
            base = own
        elif Path(given).name != base.name:
            layout.problem(
                f"{file.name}, path",
                f"{_shown(given)} is not there, or lies outside of the folder of {file.name}, "
                "which is taken instead.",
            )
    for key in _SPLIT_KEYS:
        entries = document.get(key) or []
        for entry in entries if isinstance(entries, list) else [entries]:
            place = _place(layout.root, base, entry)
            if place is None:
                layout.problem(
                    f"{file.name}, {key}",
                    f"{_shown(entry)} is not there, or lies outside of the folder of {file.name}.",
                )
            else:
                layout.places.append((split_named(key), place))
    if not layout.places:
        raise InputError(f"{file} names no folder of pictures: {layout.problems[-1].what}")
    return layout


def _shown(entry: object) -> str:
    """An entry for a message; of a nest of lists, which can be endless, only that it is one."""
    return repr(entry[:200]) if isinstance(entry, str) else "What is no text"


def _read_names(document: dict[Any, Any], file: Path, layout: _Layout) -> None:
    names = document.get("names")
    if isinstance(names, list):
        names = {str(number): name for number, name in enumerate(names)}
    count = _number(document.get("nc"))
    if not names and count is not None and count <= MOST_CLASSES:
        names = {str(number): f"class_{number}" for number in range(count)}
    if not isinstance(names, dict) or len(names) > MOST_CLASSES:
        raise InputError(f"{file} has no list of class names.")
    for key, name in names.items():
        number = _number(key)
        if number is None or not isinstance(name, str) or not name.strip():
            layout.problem(f"{file.name}, names", f"Class {_shown(key)} has no number or no name.")
        else:
            layout.names[number] = name


def _number(text: object) -> int | None:
    return int(text) if isinstance(text, str) and text.isdecimal() and len(text) < 10 else None


def _place(root: Path, base: Path, entry: object) -> Path | None:
    """A folder or file that exists; some tools write a "../" too much, as training code knows."""
    if not isinstance(entry, str):
        return None
    for text in (entry, entry.removeprefix("../")):
        path = within(root, base, text)
        if path is not None and path.exists():
            return path
    return None


def _pictures(layout: _Layout) -> Iterator[tuple[Split, Path]]:
    for split, place in layout.places:
        if place.is_dir():
            for picture in _below(place):
                inner = picture.parent.relative_to(layout.root).as_posix()
                yield split or split_named(inner), picture
        elif place.suffix == ".txt":
            yield from ((split, picture) for picture in _listed(place, layout))
        else:
            yield split, place


def _below(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            if name.lower().endswith(PICTURE_SUFFIXES):
                yield Path(parent, name)


def _listed(file: Path, layout: _Layout) -> Iterator[Path]:
    """The pictures of a list, a path a line, from where the list lies or from the root."""
    try:
        lines = _text(file).splitlines()
    except InputError as exc:
        layout.problem(file, str(exc))
        return
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        paths = [within(layout.root, base, line) for base in (file.parent, layout.root)]
        inside = [path for path in paths if path is not None]
        if inside:
            yield next((path for path in inside if path.is_file()), inside[0])
        else:
            layout.problem(
                f"{file.relative_to(layout.root)}, line {number}",
                f"{line[:200]!r} lies outside of the dataset's folder.",
            )


def _label_file(picture: Path, root: Path) -> Path | None:
    parts = list(picture.relative_to(root).parts)
    named = picture.with_suffix(".txt")
    folders = [number for number, part in enumerate(parts[:-1]) if part == "images"]
    if folders:
        parts[folders[-1]] = "labels"
        beside = root.joinpath(*parts).with_suffix(".txt")
        if beside.is_file():
            return beside
    return named if named.is_file() else None


def _report_orphans(labels: set[Path], layout: _Layout) -> None:
    """Name the files of labels to which there is no picture, in folders that have others."""
    for folder in sorted({file.parent for file in labels}):
        for file in sorted(folder.glob("*.txt")):
            if file not in labels and file.name != "classes.txt":
                layout.problem(file, "There is no picture to these labels.")


def _objects(file: Path, size_wh: tuple[int, int], layout: _Layout) -> tuple[ImportedObject, ...]:
    try:
        lines = _text(file).splitlines()
    except InputError as exc:
        layout.problem(file, str(exc))
        return ()
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found.append(_object(line.split(), size_wh, layout.names))
        except InputError as exc:
            layout.problem(f"{file.relative_to(layout.root)}, line {number}", str(exc))
    return tuple(found)


def _object(words: list[str], size_wh: tuple[int, int], names: dict[int, str]) -> ImportedObject:
    try:
        numbers = [finite(float(word)) for word in words]
    except ValueError as exc:
        raise InputError("A line of labels is made of numbers only.") from exc
    values = [number for number in numbers if number is not None]
    if len(values) < len(numbers):
        raise InputError("A number is not finite.")
    kind, *shares = values
    if kind != int(kind) or int(kind) not in names:
        raise InputError(f"There is no class {words[0][:50]}.")
    score = 1.0
    if len(shares) == 5 or (len(shares) > 6 and len(shares) % 2):
        score = shares.pop()
    if len(shares) != 4 and (len(shares) < 6 or len(shares) % 2):
        raise InputError(
            "A line has a class and a box of four numbers, or a polygon of at least three points."
        )
    if min(*shares, score) < -SLACK or max(*shares, score) > 1 + SLACK:
        raise InputError("The numbers are shares of width and height, between 0 and 1.")
    is_box = len(shares) == 4
    mask = _box(shares, size_wh) if is_box else _polygon(shares, size_wh)
    if not mask_area(mask):
        raise InputError("The object covers no pixel of the picture.")
    return ImportedObject(names[int(kind)], mask, is_box, min(max(score, 0.0), 1.0))


def _box(shares: list[float], size_wh: tuple[int, int]) -> Mask:
    x, y, wide, tall = (share * size_wh[axis % 2] for axis, share in enumerate(shares))
    return box_to_mask((x - wide / 2, y - tall / 2, x + wide / 2, y + tall / 2), size_wh)


def _polygon(shares: list[float], size_wh: tuple[int, int]) -> Mask:
    ring = np.clip(np.reshape(shares, (-1, 2)), 0, 1) * size_wh
    return encode_polygons([(ring, [])], size_wh)
