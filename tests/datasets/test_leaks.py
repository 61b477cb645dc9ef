"""Near-duplicates and bursts never span splits, whatever is added, and an export comes again."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from framekeep.errors import InputError
from framekeep.library import Library
from tests.helpers.datasets import contents, demo_photos, label_all, last
from tests.helpers.library import memory_library
from tests.helpers.pictures import COLOURS, noisy

SPLITS = ("train", "val", "test")


def shot(path: Path, second: int, seed: int, camera: str = "Nikon F3") -> Path:
    """A picture of its own with a camera and a time in its EXIF block."""
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = camera.split()
    exif[0x0132] = f"2024:05:06 07:08:{second:02}"
    # Coarse noise, so that no two are alike by look.
    small = np.random.default_rng(seed).integers(0, 256, (6, 9, 3), np.uint8)
    Image.fromarray(small).resize((96, 64), Image.Resampling.NEAREST).save(path, exif=exif)
    return path


def splits_of(folder: Path) -> dict[str, str]:
    """The split of every medium of a COCO dataset."""
    found = {}
    for split in SPLITS:
        for image in json.loads((folder / split / "annotations.json").read_text())["images"]:
            assert image["media_id"] not in found
            found[image["media_id"]] = split
    return found


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Packaged photos, each beside two smaller copies; and bursts of three."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for path in demo_photos(8):
        shutil.copy(path, folder / f"{path.stem}-a.jpg")
        with Image.open(path) as image:
            image.resize((400, 300)).save(folder / f"{path.stem}-b.jpg", quality=80)
            image.resize((200, 150)).save(folder / f"{path.stem}-c.png")
    for burst in range(4):
        for number in range(3):
            seed = 10 * burst + number
            shot(folder / f"burst{burst}-{number}.jpg", 12 * burst + 2 * number, seed)
    return folder


def families(library: Library, photos: Path) -> dict[str, set[str]]:
    """The media ids that belong together, by the first part of their names."""
    found: dict[str, set[str]] = {}
    for path in photos.iterdir():
        found.setdefault(path.stem.rpartition("-")[0], set()).add(library.media_id(path))
    return found


def no_leak(library: Library, photos: Path, splits: dict[str, str]) -> None:
    for name, family in families(library, photos).items():
        assert len({splits[media_id] for media_id in family}) == 1, name


def test_no_duplicate_and_no_burst_spans_splits_and_what_is_added_moves_nothing(tmp_path, photos):
    later = tmp_path / "later"
    later.mkdir()
    for path in sorted(photos.glob("*-c.png")) + sorted(photos.glob("*-2.jpg")):
        path.rename(later / path.name)
    with memory_library(tmp_path / "library") as library:
        list(library.add(photos))
        label_all(library)
        before = last(library.export("coco", tmp_path / "one", split="60/20/20"))
        first = splits_of(tmp_path / "one")
        no_leak(library, photos, first)
        assert min(before.images.values()) > 0
        assert before.largest_group >= 2

        for path in later.iterdir():
            path.rename(photos / path.name)
        fresh = set(library.ids_where("pixels>0"))
        list(library.add(photos))
        label_all(library, set(library.ids_where("pixels>0")) - fresh)
        report = last(library.export("coco", tmp_path / "two", split="60/20/20"))
        second = splits_of(tmp_path / "two")
        no_leak(library, photos, second)
        assert report.image_count > before.image_count
        assert {i: second[i] for i in first} == first
        assert not any("moved" in note for note in report.notes)

        # The preview and another format deal alike; another seed deals otherwise.
        last(library.export("yolo", tmp_path / "yolo", split="60/20/20"))
        manifest = json.loads((tmp_path / "yolo" / "manifest.json").read_text())
        assert {i["media_id"]: i["split"] for i in manifest["images"]} == second
        last(library.export("coco", tmp_path / "seed", split="60/20/20", seed=1))
        third = splits_of(tmp_path / "seed")
        no_leak(library, photos, third)
        assert third != second


def test_a_photo_that_joins_two_splits_takes_the_fewer_along_and_the_report_says_so(tmp_path):
    photos = tmp_path / "photos"
    for number in range(12):
        shot(photos / f"alone{number}.jpg", 4 * number, number, f"Camera No{number}")
    # Two runs of one camera, four seconds apart: no burst yet.
    for number, second in enumerate((30, 32, 36)):
        shot(photos / f"run{number}.jpg", second, 50 + number)
    choices = {"split": "60/20/20", "alike": 0.99999}
    with memory_library(tmp_path / "library") as library:
        list(library.add(photos))
        label_all(library)
        for seed in range(20):
            out = tmp_path / f"seed{seed}"
            last(library.export("coco", out, seed=seed, **choices))
            first = splits_of(out)
            runs = [first[library.media_id(photos / f"run{n}.jpg")] for n in range(3)]
            assert runs[0] == runs[1]
            if runs[2] != runs[0]:
                break
        else:
            pytest.fail("twenty seeds never part the two runs")
        joining = shot(photos / "joining.jpg", 34, 99)
        list(library.add(photos))
        label_all(library, [library.media_id(joining)])
        report = last(library.export("coco", tmp_path / "two", seed=seed, **choices))
        second = splits_of(tmp_path / "two")
        names = ("run0.jpg", "run1.jpg", "run2.jpg", "joining.jpg")
        assert {second[library.media_id(photos / name)] for name in names} == {runs[0]}
        (note,) = [note for note in report.notes if "moved" in note]
        assert f"1 image moved from {runs[2]} to {runs[0]}" in note


def test_the_pause_that_parts_bursts_can_be_set(tmp_path):
    for number in range(6):
        shot(tmp_path / "in" / f"{number}.jpg", 10 * number, number)
    with memory_library(tmp_path / "library") as library:
        list(library.add(tmp_path / "in"))
        label_all(library)
        groups = [
            library.export_preview(
                "coco", split="50/50", alike=0.99999, burst_s=pause, samples=0
            ).report.groups
            for pause in (0, 9, 10, 60)
        ]
    assert groups == [6, 6, 1, 1]


def test_classes_are_in_every_split_as_far_as_groups_allow(tmp_path):
    for number in range(30):
        path = tmp_path / "in" / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        noisy(list(COLOURS.values())[number % 4], seed=number).save(path)
    with memory_library(tmp_path / "library") as library:
        list(library.add(tmp_path / "in"))
        label_all(library)
        report = last(library.export("coco", tmp_path / "out", split="60/20/20", alike=0.99999))
        if report.groups < 20:
            pytest.skip("the pictures look too much alike to be dealt one by one")
        for counts in report.objects.values():
            assert min(counts.values()) >= 1
        assert Counter(report.images) == Counter(train=18, val=6, test=6)


# Again


FORMATS = ("coco", "yolo", "crops", "csv", "jsonl", "parquet")


@pytest.mark.parametrize("kind", FORMATS)
def test_an_export_made_again_is_the_same_byte_for_byte(library, tmp_path, kind):
    one, two = tmp_path / "one", tmp_path / "two"
    report = last(library.export(kind, one, split="60/20/20", seed=2))
    before = contents(one)
    # What has changed in the library since makes no difference.
    for media_id in library.ids_where("pixels>0"):
        (thing,) = library.segments(media_id)
        library.label(thing.segment_id, "cow")
        library.correct(thing.segment_id, np.ones(thing.mask.size_wh[::-1], bool))
    again = last(library.export_again(one / "manifest.json", two))
    assert contents(two) == before
    assert again.notes == ()
    assert again.images == report.images
    assert again.objects == report.objects
    manifest = json.loads((one / "manifest.json").read_text("utf-8"))
    listed = {name: digest for name, digest in before.items() if name != "manifest.json"}
    assert manifest["files"] == listed


@pytest.mark.parametrize("images", ["link", "reference"])
def test_an_export_of_links_or_names_made_again(library, tmp_path, images):
    last(library.export("coco", tmp_path / "one", images=images, masks="polygon"))
    last(library.export_again(tmp_path / "one", tmp_path / "two"))
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_an_export_goes_again_to_where_its_manifest_lies_if_nothing_is_lost(library, tmp_path):
    out = tmp_path / "out"
    last(library.export("yolo", out))
    before = contents(out)
    (out / "data.yaml").unlink()
    shutil.rmtree(out / "images")
    last(library.export_again(out / "manifest.json"))
    assert contents(out) == before
    (out / "data.yaml").write_text("changed by hand")
    with pytest.raises(InputError, match="not empty"):
        last(library.export_again(out / "manifest.json"))
    last(library.export_again(out / "manifest.json", overwrite=True))
    assert contents(out) == before
    (out / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="not empty"):
        last(library.export_again(out))
    with pytest.raises(InputError, match="not empty"):
        last(library.export_again(out, library.original(library.ids_where("pixels>0")[0]).parent))


def test_what_the_library_no_longer_has_is_named_before_anything_is_written(tmp_path):
    photos = tmp_path / "in"
    photos.mkdir()
    for path in demo_photos(3):
        shutil.copy(path, photos)
    with memory_library(tmp_path / "library") as library:
        list(library.add(photos))
        label_all(library)
        last(library.export("coco", tmp_path / "one"))
        first = min(photos.iterdir())
        moved = tmp_path / "moved.jpg"
        first.rename(moved)
        with pytest.raises(InputError, match=f"no file with the content of {first.name}:"):
            last(library.export_again(tmp_path / "one", tmp_path / "two"))
        assert not (tmp_path / "two").exists()
        list(library.add(moved))
        last(library.export_again(tmp_path / "one", tmp_path / "two"))
        assert contents(tmp_path / "one") == contents(tmp_path / "two")
        moved.write_bytes(b"another picture")
        with pytest.raises(InputError, match=rf"{first.name} cannot be had: .*changed"):
            last(library.export_again(tmp_path / "one", tmp_path / "three"))
        assert not (tmp_path / "three").exists()
    with memory_library(tmp_path / "empty") as library:
        with pytest.raises(InputError, match="no file with the content of"):
            last(library.export_again(tmp_path / "one", tmp_path / "four"))


def test_a_manifest_serves_in_another_library_that_has_the_photos(library, tmp_path):
    last(library.export("crops", tmp_path / "one", split="80/20"))
    with memory_library(tmp_path / "other") as other:
        list(other.add(*demo_photos(6)))
        last(other.export_again(tmp_path / "one", tmp_path / "two"))
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_a_manifest_tells_what_was_asked_for(library, tmp_path):
    import framekeep

    last(library.export("coco", tmp_path / "one", "pixels>0", query="red", limit=3, split="90/10"))
    manifest = json.loads((tmp_path / "one" / "manifest.json").read_text("utf-8"))
    assert manifest["framekeep"] == framekeep.__version__
    assert manifest["where"] == "pixels>0"
    assert manifest["query"]["terms"] == [{"kind": "text", "value": "red", "weight": 1.0}]
    assert manifest["limit"] == 3
    assert manifest["encoder"] == library.info.space
    assert manifest["segmenters"] == ["person"]
    assert manifest["options"]["split"] == "90/10"
    for image in manifest["images"]:
        for thing in image["objects"]:
            assert len(thing["mask_sha256"]) == 64
