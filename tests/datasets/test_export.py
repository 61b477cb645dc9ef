"""Exporting: what goes in, what is left out and why, how pictures are written, where to."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from framekeep.errors import FilterError, InputError, NotFoundError
from framekeep.media.scan import content_id
from framekeep.object_types import PERSON
from framekeep.types import Query, Term
from tests.helpers.datasets import blob, contents, demo_photos, label_all, last
from tests.helpers.library import memory_library
from tests.helpers.pictures import COLOURS, noisy, write_picture


def coco(folder: Path, split: str = "") -> dict:
    return json.loads((folder / split / "annotations.json").read_text("utf-8"))


def size_of(library, media_id: str) -> tuple[int, int]:
    return library.hits([media_id])[0].media.size_wh


# What goes in


def test_coco_with_a_split_has_one_document_for_each_with_its_images(library, tmp_path):
    out = tmp_path / "out"
    report = last(library.export("coco", out, split="60/20/20"))
    assert sorted(path.name for path in out.iterdir()) == [
        "manifest.json", "report.json", "test", "train", "val",
    ]  # fmt: skip
    seen = set()
    for split in ("train", "val", "test"):
        document = coco(out, split)
        assert document["images"]
        assert report.images[split] == len(document["images"])
        for image in document["images"]:
            path = out / split / image["file_name"]
            assert content_id(str(path)) == image["media_id"]
            with Image.open(path) as picture:
                assert picture.size == (image["width"], image["height"])
            seen.add(image["media_id"])
        counted = [a["category_id"] for a in document["annotations"]]
        names = {c["id"]: c["name"] for c in document["categories"]}
        for name in report.classes:
            number = sum(names[c] == name for c in counted)
            assert report.objects[name][split] == number
    assert seen == set(library.ids_where("pixels>0"))
    assert report.object_count == report.image_count == 6
    assert json.loads((out / "report.json").read_text("utf-8")) == json.loads(
        json.dumps(report.as_json())
    )


def test_without_a_split_it_is_one_dataset(library, tmp_path):
    last(library.export("coco", tmp_path / "coco"))
    assert len(coco(tmp_path / "coco")["images"]) == len(
        list((tmp_path / "coco" / "images").iterdir())
    )
    last(library.export("yolo", tmp_path / "yolo"))
    photos = sorted(p.stem for p in (tmp_path / "yolo" / "images" / "train").iterdir())
    labels = sorted(p.stem for p in (tmp_path / "yolo" / "labels" / "train").iterdir())
    assert photos == labels
    assert len(photos) == 6


def test_where_query_media_and_limit_choose(library, tmp_path):
    ids = library.ids_where("pixels>0")
    number = iter(range(100))

    def exported(where=None, **choices) -> set[str]:
        out = tmp_path / f"out{next(number)}"
        last(library.export("coco", out, where, **choices))
        return {image["media_id"] for image in coco(out)["images"]}

    assert exported("name:demo-01.jpg") == {library.media_id(demo_photos(1)[0])}
    assert exported(limit=2) == set(ids[:2])
    assert exported(media=ids[3:5]) == set(ids[3:5])
    found = [hit.media_id for hit in library.search("red", limit=2)]
    assert exported(query="red", limit=2) == set(found)
    assert exported("label:dog", query="red") == set(library.ids_where("label:dog"))
    term = Term("media", ids[0])
    assert exported(query=Query((term,)), limit=1) == {ids[0]}
    as_json = {"terms": [{"kind": "media", "value": ids[0], "weight": 1.0}]}
    assert exported(query=as_json, limit=1) == {ids[0]}


def test_without_a_filter_what_has_neither_object_nor_label_is_not_taken(tmp_path):
    with memory_library(tmp_path / "library") as library:
        list(library.add(*demo_photos(4)))
        first, second, third, _ = library.ids_where("pixels>0")
        label_all(library, [first])
        library.label(second, "beach")
        drawn = library.draw(third, blob(size_of(library, third)), "dog")
        library.reject(drawn.segment_id)
        last(library.export("coco", tmp_path / "all"))
        found = {image["media_id"]: image for image in coco(tmp_path / "all")["images"]}
        assert set(found) == {first, second}
        assert found[second]["labels"] == ["beach"]
        report = last(library.export("coco", tmp_path / "where", "pixels>0"))
        assert report.image_count == 4
        assert report.empty_images == 3
        assert any("without an object" in note for note in report.notes)
        only = last(library.export("coco", tmp_path / "only", "pixels>0", only_labelled=True))
        assert only.image_count == 1
        (left,) = only.left_out
        assert (left.what, left.count) == ("image", 3)


def test_labels_of_people_come_first_and_a_segmenters_can_be_left_out(library, tmp_path):
    media_id = library.ids_where("pixels>0")[0]
    size_wh = size_of(library, media_id)
    own = [
        library.draw(media_id, blob(size_wh, seed), "wolf", source="model", segmenter_id="s@1")
        for seed in (50, 51, 52, 53)
    ]
    library.label(own[0].segment_id, "dog")
    library.accept(own[1].segment_id)
    library.reject(own[2].segment_id)
    bare = library.draw(media_id, blob(size_wh, 60))

    def labels(**choices) -> dict[str, str]:
        out = tmp_path / "out"
        report = last(library.export("coco", out, overwrite=True, **choices))
        names = {c["id"]: c["name"] for c in coco(out)["categories"]}
        held = {a["segment_id"]: names[a["category_id"]] for a in coco(out)["annotations"]}
        assert bare.segment_id not in held
        assert own[2].segment_id not in held
        reasons = {left.reason: left.count for left in report.left_out if left.what == "object"}
        assert reasons["It has no label."] == 1
        return {name: held.get(s.segment_id) for name, s in zip("abcd", own, strict=True)} | {
            "left": sum(reasons.values())
        }

    assert labels() == {"a": "dog", "b": "wolf", "c": None, "d": "wolf", "left": 1}
    people = labels(labels="person")
    assert people == {"a": "dog", "b": "wolf", "c": None, "d": None, "left": 2}


def test_classes_restrict_and_order(library, tmp_path):
    report = last(library.export("coco", tmp_path / "out", classes=["Dog", "bird", "dog"]))
    assert report.classes == ("dog", "bird")
    assert [c["name"] for c in coco(tmp_path / "out")["categories"]] == ["dog", "bird"]
    assert report.left_out[0].count == 2
    assert "class" in report.left_out[0].reason
    last(library.export("yolo", tmp_path / "yolo", classes=["dog", "bird"]))
    assert '0: "dog"' in (tmp_path / "yolo" / "data.yaml").read_text()
    with pytest.raises(InputError, match="There is no class dgo: did you mean dog"):
        last(library.export("coco", tmp_path / "no", classes=["dgo"]))
    library.add_class("zebra")
    empty = last(library.export("coco", tmp_path / "zebra", classes=["zebra", "dog"]))
    assert empty.classes == ("zebra", "dog")
    assert sum(empty.objects["zebra"].values()) == 0


NO_SENSE = [
    ({"format": "voc"}, "format is one of coco"),
    ({"format": "coco", "split": "80/30"}, "add up to 110"),
    ({"format": "coco", "labels": "nobody"}, "labels is one of any, person"),
    ({"format": "coco", "images": "move"}, "images is one of copy"),
    ({"format": "yolo", "images": "reference"}, "cannot be referenced"),
    ({"format": "coco", "classes": []}, "at least one class"),
    ({"format": "coco", "limit": 0}, "at least 1"),
    ({"format": "coco", "query": " "}, "empty"),
    ({"format": "coco", "query": {"terms": [{}]}}, "cannot be read"),
    ({"format": "coco", "media": [], "query": "x"}, "not both"),
    ({"format": "coco", "where": "bytes<1"}, "nothing to export"),
    ({"format": "coco", "burst_s": -1}, "burst"),
    ({"format": "coco", "licence": "CC0", "licence_url": "cc0.html"}, "begins with https"),
    ({"format": "coco", "licence_url": "https://example.org/cc0"}, "needs its name"),
    ({"format": "coco", "description": "a\0b"}, "control character"),
    ({"format": "coco", "contributor": "x" * 2001}, "at most 2,000 characters"),
    ({"format": "coco", "licence": None}, "is a text"),
]


def test_what_makes_no_sense_is_one_sentence_and_nothing_is_written(library, tmp_path):
    for choices, words in NO_SENSE:
        with pytest.raises(InputError, match=words):
            last(library.export(out=tmp_path / "out", **choices))
    with pytest.raises(FilterError):
        last(library.export("coco", tmp_path / "out", "colour:red"))
    with pytest.raises(NotFoundError):
        last(library.export("coco", tmp_path / "out", media=["nowhere.jpg"]))
    assert [path.name for path in tmp_path.iterdir()] == ["library"]


def test_a_library_without_objects_says_what_to_do(tmp_path):
    with memory_library(tmp_path / "library") as library:
        list(library.add(*demo_photos(1)))
        with pytest.raises(InputError, match="framekeep segment"):
            last(library.export("coco", tmp_path / "out"))
        with pytest.raises(InputError, match="nothing to export: all is left out"):
            last(library.export("crops", tmp_path / "out", "pixels>0"))


# Pictures


def test_pictures_are_turned_or_brought_to_eight_bits_as_the_masks_expect(tmp_path):
    photos = tmp_path / "in"
    exif = Image.Exif()
    exif[0x0112] = 6
    write_picture(photos / "lying.jpg", exif=exif, quality=95)
    deep = np.random.default_rng(0).integers(0, 65536, (64, 96), dtype=np.uint16)
    Image.fromarray(deep).save(photos / "deep.png")
    write_picture(photos / "plain.png", "blue")
    noisy(COLOURS["green"]).save(photos / "new.avif")
    with memory_library(tmp_path / "library") as library:
        list(library.add(photos))
        label_all(library)
        report = last(library.export("coco", tmp_path / "out"))
        assert any("3 images written anew" in note for note in report.notes)
        names = {image["file_name"] for image in coco(tmp_path / "out")["images"]}
        assert names == {
            "images/lying.jpg", "images/deep.png", "images/plain.png", "images/new.jpg",
        }  # fmt: skip
        for image in coco(tmp_path / "out")["images"]:
            with Image.open(tmp_path / "out" / image["file_name"]) as picture:
                assert picture.size == (image["width"], image["height"])
                assert picture.getexif().get(0x0112, 1) == 1
                assert picture.mode in ("RGB", "L")
        plain = content_id(str(tmp_path / "out" / "images" / "plain.png"))
        assert plain == library.media_id(photos / "plain.png")
        crops = tmp_path / "crops"
        assert last(library.export("crops", crops)).image_count == 4
        assert len([path for path in crops.rglob("*-1.*") if path.suffix != ".json"]) == 4


def test_pictures_are_linked_or_named_where_they_lie(library, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for path in demo_photos(2):
        shutil.copy(path, photos)
    (photos / "link.jpg").symlink_to(photos / demo_photos(1)[0].name)
    with memory_library(tmp_path / "second") as other:
        list(other.add(photos))
        label_all(other)
        last(other.export("coco", tmp_path / "linked", images="link"))
        for image in coco(tmp_path / "linked")["images"]:
            path = tmp_path / "linked" / image["file_name"]
            assert not path.is_symlink()
            assert path.stat().st_nlink == 2
            assert content_id(str(path)) == image["media_id"]
        last(other.export("coco", tmp_path / "named", images="reference"))
        for image in coco(tmp_path / "named")["images"]:
            assert Path(image["file_name"]).is_absolute()
            assert content_id(image["file_name"]) == image["media_id"]
        assert not list((tmp_path / "named").rglob("*.jpg"))


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="there is no second file system")
def test_a_link_to_another_device_becomes_a_copy_and_the_report_says_so(library, tmp_path):
    if Path("/dev/shm").stat().st_dev == demo_photos(1)[0].stat().st_dev:
        pytest.skip("the photos and /dev/shm are on one file system")
    out = Path("/dev/shm") / f"framekeep-test-{os.getpid()}"
    try:
        report = last(library.export("coco", out, images="link"))
        assert any("6 images copied instead of linked" in note for note in report.notes)
        assert len(list((out / "images").iterdir())) == 6
    finally:
        shutil.rmtree(out, ignore_errors=True)


@pytest.mark.parametrize("images", ["copy", "link", "reference"])
def test_a_picture_that_has_changed_or_gone_is_left_out_with_its_reason(tmp_path, images):
    photos = tmp_path / "in"
    photos.mkdir()
    for path in demo_photos(3):
        shutil.copy(path, photos)
    changed, gone, fine = sorted(photos.iterdir())
    with memory_library(tmp_path / "library") as library:
        list(library.add(photos))
        label_all(library)
        changed.write_bytes(changed.read_bytes() + b"more")
        gone.unlink()
        events = list(library.export("coco", tmp_path / "out", images=images))
        told = {event.path: event.reason for event in events if event.kind == "left_out"}
        assert sorted("changed" in reason for reason in told.values()) == [False, True]
        report = events[-1].report
        assert report.image_count == 1
        assert sum(left.count for left in report.left_out) == 2
        (image,) = coco(tmp_path / "out")["images"]
        assert Path(image["file_name"]).name == fine.name
        fine.unlink()
        with pytest.raises(InputError, match="all is left out"):
            last(library.export("coco", tmp_path / "none", images=images))
        assert not (tmp_path / "none").exists()


def test_a_copy_elsewhere_serves_where_one_file_has_changed(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        shutil.copy(demo_photos(1)[0], tmp_path / folder / "x.jpg")
    with memory_library(tmp_path / "library") as library:
        list(library.add(tmp_path / "a", tmp_path / "b"))
        label_all(library)
        (tmp_path / "a" / "x.jpg").write_bytes(b"something else")
        assert last(library.export("coco", tmp_path / "out")).image_count == 1


def test_names_come_from_files_and_uploads_and_are_safe(tmp_path):
    for number, folder in enumerate(("one", "two")):
        write_picture(tmp_path / folder / "IMG.jpg", seed=number)
    upload = write_picture(tmp_path / "up" / "0123abcd.jpg", seed=5)
    with memory_library(tmp_path / "library") as library:
        list(library.add(tmp_path / "one", tmp_path / "two", upload))
        library.note_upload(upload, "../ф: con?.JPG")
        label_all(library)
        last(library.export("yolo", tmp_path / "out"))
        names = sorted(path.name for path in (tmp_path / "out" / "images" / "train").iterdir())
        prefixes = sorted(
            library.media_id(tmp_path / folder / "IMG.jpg")[:12] for folder in ("one", "two")
        )
        assert sorted(names) == sorted([*(f"{p}-IMG.jpg" for p in prefixes), "ф_ con_.JPG"])


FACTS = {
    "description": "Käfer im Garten 🐞",
    "contributor": "Ann",
    "licence": "CC BY 4.0",
    "licence_url": "https://creativecommons.org/licenses/by/4.0/",
}


def test_a_dataset_says_of_itself_what_it_is_told_and_again(library, tmp_path):
    last(library.export("coco", tmp_path / "plain"))
    last(library.export("coco", tmp_path / "out", split="50/50", **FACTS))
    for split in ("train", "val"):
        document = coco(tmp_path / "out" / split)
        info = document["info"]
        assert (info["description"], info["contributor"]) == ("Käfer im Garten 🐞", "Ann")
        (licence,) = document["licenses"]
        assert (licence["name"], licence["url"]) == (FACTS["licence"], FACTS["licence_url"])
        assert {image["license"] for image in document["images"]} == {licence["id"]}
    last(library.export_again(tmp_path / "out", tmp_path / "again"))
    assert contents(tmp_path / "again") == contents(tmp_path / "out")
    plain = coco(tmp_path / "plain")
    assert [(each["name"], each["url"]) for each in plain["licenses"]] == [("unknown", "")]
    options = json.loads((tmp_path / "plain" / "manifest.json").read_text("utf-8"))["options"]
    assert not options.keys() & FACTS.keys()  # a manifest is as it was before there were any
    last(library.export("yolo", tmp_path / "yolo", **FACTS))
    manifest = json.loads((tmp_path / "yolo" / "manifest.json").read_text("utf-8"))
    assert manifest["info"]["license"] == FACTS["licence"]


def test_the_formats_without_pictures_hold_vectors(library, tmp_path):
    import pyarrow.parquet as pq

    last(library.export("parquet", tmp_path / "out", split="50/50"))
    media = pq.read_table(tmp_path / "out" / "images.parquet").to_pylist()
    things = pq.read_table(tmp_path / "out" / "objects.parquet").to_pylist()
    assert {row["split"] for row in media} == {"train", "val"}
    for row in media:
        _, rows = library._catalog.get_vectors(library.info.space, [row["media_id"]])
        np.testing.assert_array_equal(np.array(row["vector"], np.float32), rows[0])
    for row in things:
        _, rows = library._catalog.objects.get_vectors(library._object_space, [row["segment_id"]])
        np.testing.assert_array_equal(np.array(row["vector"], np.float32), rows[0])
    assert len(things) == 6


def test_the_same_objects_are_exported_in_the_same_order(library, tmp_path):
    label_all(library, each=4)
    one, two = (last(library.export("coco", tmp_path / name)) for name in "ab")
    assert one.as_json() == two.as_json()
    first, second = (coco(tmp_path / name) for name in "ab")
    assert first["annotations"] == second["annotations"]
    areas = [a["area"] for a in first["annotations"] if a["image_id"] == 1]
    assert areas == sorted(areas, reverse=True)


# Where to


def test_a_target_that_is_not_empty_is_refused_unless_told_otherwise(library, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    assert last(library.export("coco", out)).image_count == 6
    before = contents(out)
    with pytest.raises(InputError, match="not empty"):
        last(library.export("yolo", out))
    assert contents(out) == before
    (out / "mine.txt").write_text("x")
    last(library.export("yolo", out, overwrite=True))
    assert (out / "data.yaml").exists()
    assert not (out / "mine.txt").exists()
    assert not [path for path in tmp_path.iterdir() if "framekeep" in path.name]
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="is a file"):
        last(library.export("coco", tmp_path / "file", overwrite=True))


def test_places_that_would_be_lost_are_refused(library, tmp_path, monkeypatch):
    for out in (library.path, library.path / "deep" / "er", library.path.parent):
        with pytest.raises(InputError, match="framekeep keeps its own"):
            last(library.export("coco", out, overwrite=True))
    with pytest.raises(InputError, match="framekeep keeps its own"):
        last(library.export("coco", library.path / "exports", overwrite=True))
    assert last(library.export("coco", library.path / "exports" / "first")).image_count == 6
    with pytest.raises(InputError, match="Name the folder"):
        last(library.export("coco", " "))

    photos = tmp_path / "photos"
    photos.mkdir()
    shutil.copy(demo_photos(1)[0], photos)
    list(library.add(photos))
    with pytest.raises(InputError, match="holds photos of this library"):
        last(library.export("coco", photos, overwrite=True))
    assert list(photos.iterdir())

    (tmp_path / "here" / "deep").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here" / "deep")
    with pytest.raises(InputError, match="is not replaced"):
        last(library.export("coco", tmp_path / "here", overwrite=True))


def test_a_link_to_a_folder_is_followed(library, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    last(library.export("coco", tmp_path / "link"))
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "annotations.json").exists()


def test_a_place_that_cannot_be_written_is_one_sentence(library, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="cannot be written"):
        last(library.export("coco", tmp_path / "file" / "below"))


# A look before


def test_a_preview_counts_and_draws_and_writes_nothing(library, tmp_path):
    before = contents(library.path)
    seen = library.export_preview("coco", split="60/20/20", samples=3)
    report = last(library.export("coco", tmp_path / "out", split="60/20/20"))
    assert seen.report.as_json() == report.as_json()
    assert len(seen.samples) == len(seen.sample_ids) == 3
    assert set(before) <= set(contents(library.path))
    for media_id, rgb in zip(seen.sample_ids, seen.samples, strict=True):
        assert rgb.dtype == np.uint8
        assert max(rgb.shape[:2]) <= 640
        (thing,) = library.segments(media_id)
        scale = rgb.shape[1] / thing.mask.size_wh[0]
        left, top = (int(edge * scale) for edge in thing.bbox_xyxy[:2])
        with Image.open(library.original(media_id)) as image:
            plain = np.asarray(image.convert("RGB").resize(rgb.shape[1::-1]))
        changed = np.abs(plain.astype(int) - rgb.astype(int)).sum(axis=2) > 90
        assert changed[top : top + 15, left : left + 20].mean() > 0.2
        assert changed.mean() < 0.3
    again = library.export_preview("coco", split="60/20/20", samples=3)
    assert again.sample_ids == seen.sample_ids
    assert len(library.export_preview("coco", samples=100).samples) == 6


def test_a_person_is_who_draws(library):
    found = library.segments(library.ids_where("pixels>0")[0])
    assert {segment.segmenter_id for segment in found} == {PERSON}
