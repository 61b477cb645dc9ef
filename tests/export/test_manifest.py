"""Manifests: everything that a dataset is made of, and nothing that leads out of its folder."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from framekeep.errors import InputError
from framekeep.export.manifest import Manifest, manifest_json, read_manifest, write_json
from framekeep.export.options import ExportOptions
from framekeep.export.records import Dataset, ExportImage, ExportObject
from framekeep.geometry import encode_mask, mask_area, mask_bbox

MASK = encode_mask(np.tri(5, 4, dtype=bool))
ROW = np.array([0.1, -2.5e-8, 3.0], np.float32)


def manifest(kind: str = "coco", **change: object) -> Manifest:
    thing = ExportObject(
        "1" * 32, "Kätzchen", MASK, mask_bbox(MASK), mask_area(MASK), 1 / 3, "model", (("a", "b"),)
    )
    images = (
        ExportImage(
            "a" * 64, Path("/photos/a.heic"), "a.jpg", (4, 5), (thing,), ("x",), ("t",), "train", 6,
            datetime(2024, 5, 6, 7, 8, 9),
        ),
        ExportImage("b" * 64, Path("/photos/b.jpg"), "b.jpg", (4, 5), split="val"),
    )  # fmt: skip
    known = {
        "dataset": Dataset(("Kätzchen", "dog"), images, ("train", "val"), {"date_created": "now"}),
        "options": ExportOptions(kind, classes=("Kätzchen", "dog"), split="90/10", seed=3),
        "forms": {"a" * 64: "jpeg"},
        "vectors": {} if kind == "coco" else {"a" * 64: ROW, "1" * 32: ROW[::-1].copy()},
        "origin": {"framekeep": "1.2.3", "query": {"of": "media", "terms": []}, "where": None},
        "report": {"notes": [], "left_out": []},
        "files": {"x": "0" * 64},
    }
    return Manifest(**(known | change))


@pytest.mark.parametrize("kind", ["coco", "parquet"])
def test_a_manifest_is_read_as_it_was_written(tmp_path, kind):
    path = tmp_path / "manifest.json"
    written = manifest(kind)
    write_json(path, manifest_json(written))
    found = read_manifest(path)
    assert found.options == written.options
    assert found.forms == written.forms
    assert found.origin == written.origin
    assert found.files == written.files
    assert found.dataset.classes == written.dataset.classes
    for one, other in zip(found.dataset.images, written.dataset.images, strict=True):
        assert one.objects == other.objects
        assert (one.file_name, one.split, one.taken_at_local) == (
            other.file_name, other.split, other.taken_at_local
        )  # fmt: skip
    assert set(found.vectors) == set(written.vectors)
    for key, row in written.vectors.items():
        np.testing.assert_array_equal(found.vectors[key], row)
    write_json(tmp_path / "again.json", manifest_json(found))
    assert (tmp_path / "again.json").read_bytes() == path.read_bytes()


def test_where_photos_lie_is_told_only_where_the_dataset_tells_it():
    assert "/photos" not in json.dumps(manifest_json(manifest("coco")))
    assert "/photos" in json.dumps(manifest_json(manifest("parquet")))
    elsewhere = manifest("coco", options=ExportOptions("coco", images="reference"))
    assert "/photos" in json.dumps(manifest_json(elsewhere))


def changed(change, kind: str = "coco") -> dict:
    document = json.loads(json.dumps(manifest_json(manifest(kind))))
    change(document)
    return document


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.clear(), "no manifest of a dataset"),
        (lambda d: d.update(manifest_version=99), "newer framekeep"),
        (lambda d: d.update(manifest_version="x"), "no manifest of a dataset"),
        (lambda d: d.pop("images"), "damaged"),
        (lambda d: d["images"][0].update(file_name="../../x.jpg"), "no safe name"),
        (lambda d: d["images"][0].update(file_name="/etc/x.jpg"), "no safe name"),
        (lambda d: d["images"][0].update(split="../val"), "none of its splits"),
        (lambda d: d["splits"].append("../up"), "not train, val and test"),
        (lambda d: d["images"][0].update(media_id="a"), "no id of a medium"),
        (lambda d: d["images"][0].update(form="exe"), "jpeg or png"),
        (lambda d: d["images"][0]["objects"][0].update(label="cow"), "not listed"),
        (lambda d: d["images"][0]["objects"][0].update(mask_sha256="0"), "not the one"),
        (lambda d: d["options"].update(format="exe"), "format is one of"),
        (lambda d: d["options"].update(colour="red"), "newer framekeep"),
    ],
)
def test_a_manifest_that_is_none_or_leads_elsewhere_is_refused(tmp_path, change, words):
    path = tmp_path / "manifest.json"
    write_json(path, changed(change))
    with pytest.raises(InputError, match=words):
        read_manifest(path)


def test_a_whole_path_is_a_name_only_of_a_picture_that_is_left_where_it_is(tmp_path):
    path = tmp_path / "manifest.json"

    def elsewhere(document: dict, number: int) -> None:
        document["options"]["images"] = "reference"
        document["images"][number]["file_name"] = "/photos/b.jpg"

    write_json(path, changed(lambda d: elsewhere(d, 1)))
    assert read_manifest(path).dataset.images[1].file_name == "/photos/b.jpg"
    write_json(path, changed(lambda d: elsewhere(d, 0)))
    with pytest.raises(InputError, match="no safe name"):
        read_manifest(path)


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000, '"x"', "\x00"])
def test_what_is_no_document_is_told_in_a_sentence(tmp_path, text):
    path = tmp_path / "manifest.json"
    path.write_text(text)
    with pytest.raises(InputError, match="manifest"):
        read_manifest(path)


def test_a_manifest_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="There is no manifest"):
        read_manifest(tmp_path / "manifest.json")
