"""Importing datasets: by content, twice without harm, with a problem for what does not fit."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from framekeep.errors import InputError, NotFoundError
from framekeep.geometry import decode_mask, encode_mask, mask_iou
from framekeep.library import Library
from framekeep.object_types import Mask
from tests.helpers.datasets import blob, demo_photos, label_all, last
from tests.helpers.library import memory_library
from tests.helpers.pictures import write_picture

Things = Counter[tuple[str, Mask, str | None]]


def things(library: Library) -> Things:
    """Every object: its photo by content, its mask, its label."""
    ids = library.ids_where("pixels>0")
    return Counter(
        (media_id, each.mask, each.label) for media_id in ids for each in library.segments(media_id)
    )


def hostile_masks(size_wh: tuple[int, int]) -> list[np.ndarray]:
    """Holes, islands, one pixel, the whole picture, a line at the border."""
    width, height = size_wh
    empty = np.zeros((height, width), bool)
    pixel, line, corner = empty.copy(), empty.copy(), empty.copy()
    pixel[height // 2, width // 2] = True
    line[-1, :] = True
    corner[0, 0] = corner[-1, -1] = True
    return [blob(size_wh, 5), pixel, line, corner, ~empty]


@pytest.fixture
def rich(library: Library) -> Library:
    """Objects of all kinds, Unicode classes, attributes, and a photo without objects."""
    first, *others = library.ids_where("pixels>0")
    for number, media_id in enumerate(others[:2]):
        size_wh = library.hits([media_id])[0].media.size_wh
        for more, mask in enumerate(hostile_masks(size_wh)):
            drawn = library.draw(media_id, mask, ["Kätzchen 🐈", "собака", 'a "b", c'][more % 3])
            if number == 0:
                library.set_attribute(drawn.segment_id, "pose", f"up {more}")
    library.reject([each.segment_id for each in library.segments(first)])
    return library


@pytest.mark.parametrize("split", [None, "60/20/20"])
def test_coco_comes_back_exactly(rich, tmp_path, split):
    last(rich.export("coco", tmp_path / "out", "pixels>0", split=split))
    with memory_library(tmp_path / "other") as other:
        report = last(other.import_dataset(tmp_path / "out"))
        assert report.problems == ()
        assert things(other) == things(rich)
        assert set(other.ids_where("pixels>0")) == set(rich.ids_where("pixels>0"))
        assert (report.images, report.added) == (6, 6)
        assert report.objects == sum(things(rich).values())
        assert sum(report.classes.values()) == report.objects
        for media_id in other.ids_where("has-object"):
            told = {(each.mask, each.attributes) for each in other.segments(media_id)}
            assert told == {(each.mask, each.attributes) for each in rich.segments(media_id)}
            assert {each.label_source for each in other.segments(media_id)} == {"import"}
        lacking = other._catalog.objects.owners_lacking(other._object_space)
        assert lacking == []
        # And out again: the same annotations, but for the objects' own ids.
        last(other.export("coco", tmp_path / "back", "pixels>0", split=split))
    for path in (tmp_path / "out").rglob("annotations.json"):
        documents = [
            json.loads((tmp_path / name / path.relative_to(tmp_path / "out")).read_text("utf-8"))
            for name in ("out", "back")
        ]
        for document in documents:
            for annotation in document["annotations"]:
                del annotation["segment_id"], annotation["source"]
        assert documents[0]["images"] == documents[1]["images"]
        assert documents[0]["categories"] == documents[1]["categories"]
        assert documents[0]["annotations"] == documents[1]["annotations"]


def test_coco_polygons_come_back_exactly_where_there_are_no_holes(rich, tmp_path):
    last(rich.export("coco", tmp_path / "out", "pixels>0", masks="polygon"))
    with memory_library(tmp_path / "other") as other:
        last(other.import_dataset(tmp_path / "out"))
        assert things(other) == things(rich)


def test_yolo_comes_back_closely_with_its_classes(library, tmp_path):
    report = last(library.export("yolo", tmp_path / "out", split="60/20/20"))
    with memory_library(tmp_path / "other") as other:
        imported = last(other.import_dataset(tmp_path / "out"))
        assert imported.problems == ()
        assert imported.objects == report.object_count
        for media_id in library.ids_where("pixels>0"):
            (before,), (after,) = library.segments(media_id), other.segments(media_id)
            assert after.label == before.label
            assert mask_iou(after.mask, before.mask) >= 0.97
    last(library.export("yolo", tmp_path / "boxes", task="detect"))
    with memory_library(tmp_path / "third") as other:
        imported = last(other.import_dataset(tmp_path / "boxes" / "data.yaml"))
        assert imported.boxes == imported.objects == 6
        assert any("6 objects were boxes" in note for note in imported.notes)
        for media_id in library.ids_where("pixels>0"):
            (before,), (after,) = library.segments(media_id), other.segments(media_id)
            assert np.abs(np.subtract(after.bbox_xyxy, before.bbox_xyxy)).max() <= 1
            assert decode_mask(after.mask).sum() == after.area_px


@pytest.mark.parametrize("split", [None, "60/20/20"])
def test_coco_that_only_names_its_pictures_comes_back_exactly(rich, tmp_path, split):
    last(rich.export("coco", tmp_path / "out", "pixels>0", split=split, images="reference"))
    assert not list((tmp_path / "out").rglob("*.jpg"))
    with memory_library(tmp_path / "other") as other:
        report = last(other.import_dataset(tmp_path / "out"))
        assert (report.problems, report.images, report.added) == ((), 6, 6)
        assert things(other) == things(rich)


def test_a_named_picture_that_was_moved_or_replaced_is_known_by_its_content(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for path in demo_photos(2):
        shutil.copy(path, photos)
    with memory_library(tmp_path / "library") as library:
        list(library.add(photos))
        label_all(library)
        last(library.export("coco", tmp_path / "out", images="reference"))
        before = things(library)
    first, second = sorted(photos.iterdir())
    moved = first.rename(tmp_path / "moved.jpg")
    second.write_bytes(b"a letter")
    with memory_library(tmp_path / "other") as other:
        report = last(other.import_dataset(tmp_path / "out"))
        assert (report.images, report.added, len(report.problems)) == (0, 0, 2)
        assert all("outside of its folder" in problem.what for problem in report.problems)
        assert things(other) == Counter()
        list(other.add(moved))
        report = last(other.import_dataset(tmp_path / "out", add=False))
        assert (report.images, len(report.problems)) == (1, 1)
        assert things(other) == Counter(
            {key: n for key, n in before.items() if key[0] == other.media_id(moved)}
        )


def test_importing_twice_changes_nothing(rich, tmp_path):
    last(rich.export("coco", tmp_path / "out", "pixels>0"))
    before = things(rich)
    back = last(rich.import_dataset(tmp_path / "out"))
    assert things(rich) == before
    assert (back.objects, back.labelled) == (0, 0)
    assert back.unchanged == sum(before.values())
    with memory_library(tmp_path / "other") as other:
        last(other.import_dataset(tmp_path / "out"))
        first, changes = things(other), len(other.changes())
        again = last(other.import_dataset(tmp_path / "out"))
        assert things(other) == first
        assert len(other.changes()) == changes
        assert (again.objects, again.added, again.problems) == (0, 0, ())
        # What was rejected since does not come back, and one undo takes an import back.
        media_id = next(i for i in other.ids_where("has-object"))
        gone = other.segments(media_id)[0]
        other.reject(gone.segment_id)
        last(other.import_dataset(tmp_path / "out"))
        assert gone.segment_id not in [each.segment_id for each in other.segments(media_id)]
        other.undo()
        assert things(other) == first
        other.undo()
        assert not things(other)


def test_a_dataset_with_the_same_object_twice_keeps_both(library, tmp_path):
    media_id = library.ids_where("pixels>0")[0]
    (thing,) = library.segments(media_id)
    library.draw(media_id, thing.mask, thing.label)
    library.draw(media_id, thing.mask, "other")
    last(library.export("coco", tmp_path / "out"))
    with memory_library(tmp_path / "other") as other:
        for _ in range(2):
            last(other.import_dataset(tmp_path / "out"))
            assert things(other) == things(library)


def test_labels_of_an_import_replace_a_segmenters_and_stand_beside_a_persons(library, tmp_path):
    last(library.export("coco", tmp_path / "out"))
    with memory_library(tmp_path / "other") as other:
        list(other.add(*demo_photos(6)))
        first, second, third = sorted(library.ids_where("pixels>0"))[:3]
        masks = {i: library.segments(i)[0] for i in (first, second, third)}
        other.draw(first, masks[first].mask, "thing", source="model", segmenter_id="s@1")
        other.draw(second, masks[second].mask)
        other.draw(third, masks[third].mask, "mine")
        report = last(other.import_dataset(tmp_path / "out"))
        assert (report.labelled, report.added) == (2, 0)
        assert [each.label for each in other.segments(first)] == [masks[first].label]
        assert [each.label for each in other.segments(second)] == [masks[second].label]
        labels = sorted(str(each.label) for each in other.segments(third))
        assert labels == sorted(["mine", str(masks[third].label)])


def test_photos_are_known_by_their_content_wherever_they_lie(library, tmp_path):
    last(library.export("coco", tmp_path / "out"))
    moved = tmp_path / "moved"
    shutil.move(tmp_path / "out", moved)
    report = last(library.import_dataset(moved / "annotations.json", "coco"))
    assert (report.images, report.added, report.unchanged) == (6, 0, 6)
    with memory_library(tmp_path / "other") as other:
        list(other.add(demo_photos(1)[0]))
        only = last(other.import_dataset(moved, add=False))
        assert (only.images, only.objects, other.count()) == (1, 1, 1)
        assert len(only.problems) == 5
        assert all("not to be added" in problem.what for problem in only.problems)


def write_coco(folder: Path, images: list[dict], annotations: list[dict]) -> Path:
    document = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "  Big   dog "}, {"id": 2, "name": "x" * 300}],
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "annotations.json").write_text(json.dumps(document))
    return folder


def entry(number: int, name: str, size: tuple[int, int] = (96, 64)) -> dict:
    return {"id": number, "file_name": name, "width": size[0], "height": size[1]}


def box(number: int, image: int, category: int = 1, **more: object) -> dict:
    found = {"id": number, "image_id": image, "category_id": category, "bbox": [3, 4, 20, 10]}
    return {**found, "area": 200, "iscrowd": 0, **more}


def test_what_does_not_fit_is_told_and_the_rest_is_taken(tmp_path):
    folder = tmp_path / "set"
    exif = Image.Exif()
    exif[0x0112] = 6
    write_picture(folder / "images" / "lying.jpg", exif=exif)
    write_picture(folder / "images" / "fine.jpg", "blue")
    write_picture(folder / "images" / "other size.jpg", "green")
    (folder / "images" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not much of a picture")
    write_coco(
        folder,
        [
            entry(1, "images/lying.jpg"),
            entry(2, "images/fine.jpg"),
            entry(3, "images/other size.jpg", (48, 32)),
            entry(4, "images/broken.jpg"),
            entry(5, "images/gone.jpg"),
            entry(6, "../../outside.jpg"),
        ],
        [box(n, n) for n in range(1, 7)] + [box(7, 2, 2), box(8, 99), box(9, 2, bbox=[1, 2])],
    )
    with memory_library(tmp_path / "library") as library:
        report = last(library.import_dataset(folder))
        ((media_id, mask, label),) = things(library)
        assert media_id == library.media_id(folder / "images" / "fine.jpg")
        assert label == "Big dog"
        filled = np.zeros((64, 96), bool)
        filled[4:14, 3:23] = True
        assert mask == encode_mask(filled)
        told = {Path(problem.where).name: problem.what for problem in report.problems}
        assert "before its EXIF block" in told["lying.jpg"]
        assert "48 x 32 pixels, and the picture has 96 x 64" in told["other size.jpg"]
        assert "cut off or damaged" in told["broken.jpg"]
        assert told["gone.jpg"] == "The picture is not there."
        assert "at most 100 characters" in told["fine.jpg, object 2"]
        assert len(report.problems) == 9
        assert report.objects == report.boxes == 1
        assert [c.name for c in library.classes()] == ["Big dog"]


def test_what_is_no_dataset_is_one_sentence(library, tmp_path):
    with pytest.raises(NotFoundError, match="There is no dataset"):
        last(library.import_dataset(tmp_path / "nowhere"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="neither a COCO nor a YOLO dataset"):
        last(library.import_dataset(tmp_path / "empty"))
    with pytest.raises(InputError, match="not from voc"):
        last(library.import_dataset(tmp_path / "empty", "voc"))
    (tmp_path / "empty" / "annotations.json").write_text("[]")
    with pytest.raises(InputError, match="COCO document"):
        last(library.import_dataset(tmp_path / "empty"))


def test_an_import_is_told_step_by_step(library, tmp_path):
    last(library.export("coco", tmp_path / "out"))
    with memory_library(tmp_path / "other") as other:
        events = list(other.import_dataset(tmp_path / "out"))
        kinds = list(dict.fromkeys(event.kind for event in events))
        assert kinds == ["reading", "adding", "imported", "encoding", "done"]
        assert [e.done for e in events if e.kind == "imported"] == [1, 2, 3, 4, 5, 6]
        label_all(other, [])
        (author,) = {a.author for i in other.ids_where("has-object") for s in other.segments(i) for a in other.annotations(s.segment_id)}  # fmt: skip # noqa: E501
        assert author == "import:out"
