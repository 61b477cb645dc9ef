"""The manifest of a dataset: all that it takes to write its files again, byte for byte."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from framekeep.errors import InputError
from framekeep.export.dataset import safe_text
from framekeep.export.options import ExportOptions
from framekeep.export.records import Dataset, ExportImage, ExportObject
from framekeep.export.splits import NAMES
from framekeep.object_types import Mask
from framekeep.types import Vectors

MANIFEST_FILE = "manifest.json"
REPORT_FILE = "report.json"
VERSION = 1
_ID = re.compile(r"[0-9a-f]{64}")
_SPLITS = ("", *NAMES[3])


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a dataset was made of.

    `dataset` has what was written, `forms` how pictures were written anew ("jpeg", "png"; those
    left as they are are not in it), `vectors` (dim,) float32 by media and segment id where the
    format holds any. `origin` says what was asked for and with which models; `report` is the
    report file's document, `files` the SHA-256 of every other file by its path in the dataset.
    """

    dataset: Dataset
    options: ExportOptions
    forms: Mapping[str, str] = field(default_factory=dict)
    vectors: Mapping[str, Vectors] = field(default_factory=dict)
    origin: Mapping[str, Any] = field(default_factory=dict)
    report: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Write a document, each entry of its lists in a line of its own. Raises OSError.

    The same content always gives the same bytes.
    """
    with path.open("w", encoding="utf-8", newline="\n") as file:
        before = "{\n"
        for name, value in document.items():
            file.write(f"{before}{_json(name)}: ")
            before = ",\n"
            if isinstance(value, list) and any(isinstance(entry, dict) for entry in value):
                # Entry by entry: the whole text of a large dataset need not be in memory.
                for number, entry in enumerate(value):
                    file.write(("[\n" if number == 0 else ",\n") + _json(entry))
                file.write("\n]")
            else:
                file.write(_json(value))
        file.write("\n}\n" if document else "{}\n")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def mask_digest(mask: Mask) -> str:
    """The SHA-256 of a mask's size and runs."""
    width, height = mask.size_wh
    return hashlib.sha256(f"{width}x{height}:{mask.counts}".encode()).hexdigest()


def manifest_json(manifest: Manifest) -> dict[str, Any]:
    """The manifest as a document."""
    dataset = manifest.dataset
    return {
        "manifest_version": VERSION,
        **manifest.origin,
        "options": manifest.options.as_json(),
        "classes": list(dataset.classes),
        "splits": list(dataset.splits),
        "info": dict(dataset.info),
        "images": [_image_json(image, manifest) for image in dataset.images],
        "report": dict(manifest.report),
        "files": dict(sorted(manifest.files.items())),
    }


def read_manifest(path: Path) -> Manifest:
    """The manifest that a file holds. Raises InputError where it is none, or of a newer kind."""
    try:
        document = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as exc:
        raise InputError(f"There is no manifest {path}.") from exc
    except (OSError, ValueError, RecursionError) as exc:
        raise InputError(f"The manifest {path} cannot be read: {exc}.") from exc
    version = document.get("manifest_version") if isinstance(document, dict) else None
    if not isinstance(version, int):
        raise InputError(f"{path} is no manifest of a dataset that framekeep wrote.")
    if version > VERSION:
        raise InputError(f"{path} comes from a newer framekeep: update framekeep to use it.")
    try:
        return _manifest(document)
    except InputError as exc:
        raise InputError(f"The manifest {path} is damaged: {exc}") from exc
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise InputError(f"The manifest {path} is damaged ({type(exc).__name__}: {exc}).") from exc


def _image_json(image: ExportImage, manifest: Manifest) -> dict[str, Any]:
    taken = image.taken_at_local
    document: dict[str, Any] = {
        "media_id": image.media_id,
        "file_name": image.file_name,
        "split": image.split,
        "size_wh": list(image.size_wh),
        "exif_orientation": image.exif_orientation,
        "form": manifest.forms.get(image.media_id),
        "taken_at_local": taken.isoformat() if taken else None,
        "labels": list(image.labels),
        "tags": list(image.tags),
    }
    if image.film_id is not None:
        document |= {"film_id": image.film_id, "time_s": image.time_s}
    if _tells_source(manifest.options):
        document["source"] = str(image.source)
    return {
        **document,
        **_vector_json(image.media_id, manifest),
        "objects": [_object_json(thing, manifest) for thing in image.objects],
    }


def _tells_source(options: ExportOptions) -> bool:
    """Where a picture lies is told only where the dataset's own files tell it."""
    return options.images == "reference" or not options.holds_pictures


def _object_json(thing: ExportObject, manifest: Manifest) -> dict[str, Any]:
    return {
        "segment_id": thing.segment_id,
        "label": thing.label,
        "source": thing.source,
        "score": thing.score,
        "bbox_xyxy": list(thing.bbox_xyxy),
        "area_px": thing.area_px,
        "attributes": [list(pair) for pair in thing.attributes],
        "mask": {"size_wh": list(thing.mask.size_wh), "counts": thing.mask.counts},
        "mask_sha256": mask_digest(thing.mask),
        **_vector_json(thing.segment_id, manifest),
    }


def _vector_json(key: str, manifest: Manifest) -> dict[str, str]:
    row = manifest.vectors.get(key)
    if row is None:
        return {}
    return {"vector": base64.b64encode(row.astype("<f4").tobytes()).decode("ascii")}


def _manifest(document: Mapping[str, Any]) -> Manifest:
    vectors: dict[str, Vectors] = {}
    images = tuple(_image(each, vectors) for each in document["images"])
    dataset = Dataset(
        tuple(map(str, document["classes"])),
        images,
        tuple(map(str, document["splits"])),
        {str(key): str(value) for key, value in document["info"].items()},
    )
    options = ExportOptions.from_json(document["options"])
    forms = {each["media_id"]: each["form"] for each in document["images"] if each["form"]}
    _check(dataset, options, forms)
    body = ("options", "classes", "splits", "info", "images", "report", "files")
    return Manifest(
        dataset,
        options,
        forms,
        vectors,
        {k: v for k, v in document.items() if k not in (*body, "manifest_version")},
        dict(document["report"]),
        {str(name): str(digest) for name, digest in document["files"].items()},
    )


def _image(known: Mapping[str, Any], vectors: dict[str, Vectors]) -> ExportImage:
    _keep_vector(known, str(known["media_id"]), vectors)
    taken = known["taken_at_local"]
    return ExportImage(
        media_id=str(known["media_id"]),
        source=Path(known.get("source", "")),
        file_name=str(known["file_name"]),
        size_wh=_size(known["size_wh"]),
        objects=tuple(_object(each, vectors) for each in known["objects"]),
        labels=tuple(map(str, known["labels"])),
        tags=tuple(map(str, known["tags"])),
        split=str(known["split"]),
        exif_orientation=int(known["exif_orientation"]),
        taken_at_local=datetime.fromisoformat(taken) if taken else None,
        film_id=str(known["film_id"]) if "film_id" in known else None,
        time_s=float(known["time_s"]) if "film_id" in known else None,
    )


def _object(known: Mapping[str, Any], vectors: dict[str, Vectors]) -> ExportObject:
    _keep_vector(known, str(known["segment_id"]), vectors)
    mask = Mask(_size(known["mask"]["size_wh"]), str(known["mask"]["counts"]))
    if mask_digest(mask) != known["mask_sha256"]:
        raise InputError(f"the mask of {known['segment_id']} is not the one that was written.")
    left, top, right, bottom = map(float, known["bbox_xyxy"])
    return ExportObject(
        segment_id=str(known["segment_id"]),
        label=str(known["label"]),
        mask=mask,
        bbox_xyxy=(left, top, right, bottom),
        area_px=int(known["area_px"]),
        score=float(known["score"]),
        source=known["source"],
        attributes=tuple((str(name), str(value)) for name, value in known["attributes"]),
    )


def _size(value: Any) -> tuple[int, int]:
    width, height = value
    return int(width), int(height)


def _keep_vector(known: Mapping[str, Any], key: str, vectors: dict[str, Vectors]) -> None:
    if "vector" in known:
        raw = base64.b64decode(known["vector"], validate=True)
        vectors[key] = np.frombuffer(raw, "<f4").astype(np.float32)


def _check_frame(image: ExportImage, forms: Mapping[str, str]) -> None:
    if not _ID.fullmatch(image.content):
        raise InputError(f"{image.content[:80]!r} is no id of a film.")
    if image.media_id not in forms or not 0 <= (image.time_s or 0.0) < float("inf"):
        raise InputError(f"{image.file_name[:80]!r} has no time or no form to be written in.")


def _check(dataset: Dataset, options: ExportOptions, forms: Mapping[str, str]) -> None:
    """Raise InputError for what would lead out of the dataset's folder, or fit nowhere in it."""
    if any(split not in _SPLITS for split in dataset.splits):
        raise InputError("its splits are not train, val and test.")
    if set(forms.values()) - {"jpeg", "png"}:
        raise InputError("pictures are written anew as jpeg or png.")
    for image in dataset.images:
        if not _ID.fullmatch(image.media_id):
            raise InputError(f"{image.media_id[:80]!r} is no id of a medium.")
        if image.film_id is not None:
            _check_frame(image, forms)
        name = image.file_name
        elsewhere = options.images == "reference" and image.media_id not in forms
        if safe_text(name) != name and not (elsewhere and Path(name).is_absolute()):
            raise InputError(f"{name[:80]!r} is no safe name of a file.")
        if image.split not in dataset.splits:
            raise InputError(f"{image.split[:80]!r} is none of its splits.")
        if any(thing.label not in dataset.classes for thing in image.objects):
            raise InputError(f"{name[:80]!r} has an object of a class that is not listed.")
