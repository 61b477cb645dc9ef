"""Frames of films in datasets: written as images, named by time, never apart, byte for byte."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from framekeep.errors import InputError
from framekeep.film_types import FrameChoice
from framekeep.library import Library
from framekeep.media.film_reader import FilmLimits
from framekeep.media.scan import content_id
from framekeep.media.video import frame_at
from framekeep.testing import MemoryVectorStore
from tests.helpers.datasets import contents, demo_photos, label_all, last
from tests.helpers.films import make_film, scene
from tests.helpers.library import memory_library

TWO_SECONDS = FrameChoice("every", 2.0)


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two films of eight seconds and one without loss, in folders."""
    folder = tmp_path_factory.mktemp("films")
    (folder / "elsewhere").mkdir()
    size_wh = (160, 96)
    for number, name in enumerate(("holiday.mp4", "elsewhere/Holiday.mkv", "trip to the sea.mov")):
        pictures = [scene(10 * number + n, size_wh) for n in range(4)]
        make_film(folder / name, pictures, 2.0, size_wh, 10)
    make_film(folder / "screen.avi", [scene(90, size_wh)], 2.0, size_wh, 10, "ffv1", pix_fmt="bgr0")
    return folder


@pytest.fixture
def library(films: Path, tmp_path: Path) -> Iterator[Library]:
    """Three photos, and the films' frames, each with an object."""
    with memory_library(tmp_path / "library") as library:
        list(library.add(films, *demo_photos(3), frames=TWO_SECONDS))
        label_all(library, library._catalog.pictures.select_ids(None, order="id"))
        yield library


def coco(folder: Path, split: str = "") -> dict:
    return json.loads((folder / split / "annotations.json").read_text("utf-8"))


def film_of(library: Library, films: Path, name: str) -> str:
    return library.media_id(films / name)


def test_frames_are_written_with_film_and_time_in_their_names(library, films, tmp_path):
    out = tmp_path / "out"
    report = last(library.export("coco", out, f"film:{film_of(library, films, 'holiday.mp4')}"))
    assert report.image_count == report.object_count == 4
    document = coco(out)
    digits = film_of(library, films, "holiday.mp4")[:12]
    # Another film has the name, too, but for case.
    assert [image["file_name"] for image in document["images"]] == [
        f"images/holiday_t00000{second}.000.jpg" for second in (0, 2, 4, 6)
    ]
    for image in document["images"]:
        assert image["film_id"].startswith(digits)
        with Image.open(out / image["file_name"]) as written:
            assert written.format == "JPEG"
            assert written.size == (image["width"], image["height"]) == (160, 96)
            shown = frame_at(films / "holiday.mp4", image["time_s"], FilmLimits())
            assert np.abs(np.asarray(written).astype(int) - shown).mean() < 3
    manifest = json.loads((out / "manifest.json").read_text("utf-8"))
    assert [i["time_s"] for i in manifest["images"]] == [0.0, 2.0, 4.0, 6.0]
    assert {i["film_id"] for i in manifest["images"]} == {content_id(str(films / "holiday.mp4"))}


def test_films_of_one_name_are_told_apart_and_all_stay_in_order(library, films, tmp_path):
    last(library.export("coco", tmp_path / "out"))
    names = sorted(path.name for path in (tmp_path / "out" / "images").iterdir())
    first, second = (
        film_of(library, films, name)[:12] for name in ("holiday.mp4", "elsewhere/Holiday.mkv")
    )
    assert len(names) == len({name.casefold() for name in names}) == 3 + 3 * 4 + 1
    for prefix in (f"{first}-holiday_t", f"{second}-Holiday_t", "trip to the sea_t"):
        own = [name for name in names if name.startswith(prefix)]
        assert own == [f"{prefix}00000{second}.000.jpg" for second in (0, 2, 4, 6)]
    # What was coded without loss stays without.
    assert "screen_t000000.000.png" in names


def test_a_long_name_of_a_film_does_not_cost_the_time(films, tmp_path):
    name = "é" * 100
    shutil.copy(films / "holiday.mp4", tmp_path / f"{name}.mp4")
    with memory_library(tmp_path / "library") as library:
        list(library.add(tmp_path / f"{name}.mp4", frames=TWO_SECONDS))
        last(library.export("coco", tmp_path / "out", "kind:video"))
    names = sorted(path.name for path in (tmp_path / "out" / "images").iterdir())
    assert [name[-15:] for name in names] == [f"_t00000{s}.000.jpg"[-15:] for s in (0, 2, 4, 6)]
    assert all(len(name.encode()) <= 120 for name in names)


@pytest.mark.parametrize("images", ["link", "reference"])
def test_frames_are_written_where_links_or_names_were_asked_for(library, tmp_path, images):
    report = last(library.export("coco", tmp_path / "out", images=images))
    (note,) = [note for note in report.notes if "films" in note]
    assert note.startswith("13 frames of films written as images all the same")
    written = {path.name for path in (tmp_path / "out" / "images").iterdir()}
    assert sum("_t00" in name for name in written) == 13
    for image in coco(tmp_path / "out")["images"]:
        assert Path(image["file_name"]).is_absolute() == (
            images == "reference" and "film_id" not in image
        )
    last(library.export_again(tmp_path / "out", tmp_path / "again"))
    assert contents(tmp_path / "out") == contents(tmp_path / "again")


@pytest.mark.parametrize("kind", ["coco", "yolo", "crops", "csv", "jsonl", "parquet"])
def test_made_again_they_are_the_same_byte_for_byte(library, films, tmp_path, kind):
    one, two = tmp_path / "one", tmp_path / "two"
    last(library.export(kind, one, split="60/20/20", seed=3))
    again = last(library.export_again(one / "manifest.json", two))
    assert contents(one) == contents(two)
    assert again.notes == ()
    if kind in ("csv", "jsonl", "parquet"):
        return
    # Another library, where other frames of the films are looked at.
    with memory_library(tmp_path / "other") as other:
        list(other.add(films, *demo_photos(3), frames="shots"))
        last(other.export_again(one, tmp_path / "three"))
    assert contents(one) == contents(tmp_path / "three")


def test_a_film_that_is_gone_is_named_and_one_that_has_changed_left_out(films, tmp_path):
    shutil.copytree(films, tmp_path / "in")
    with memory_library(tmp_path / "library") as library:
        list(library.add(tmp_path / "in", frames=TWO_SECONDS))
        last(library.export("coco", tmp_path / "one", "kind:video"))
        with (tmp_path / "in" / "holiday.mp4").open("ab") as file:
            file.write(b"more")
        report = last(library.export("yolo", tmp_path / "two", "kind:video"))
        (left,) = report.left_out
        assert (left.count, report.image_count) == (4, 9)
        assert "has changed" in left.reason
        (tmp_path / "in" / "holiday.mp4").unlink()
        with pytest.raises(InputError, match=r"no file with the content of .*holiday_t000000"):
            last(library.export_again(tmp_path / "one", tmp_path / "three"))


def test_a_film_stands_for_its_frames_and_is_no_image_itself(library, films, tmp_path):
    film_id = film_of(library, films, "holiday.mp4")
    for number, choice in enumerate(
        (
            {"media": [films / "holiday.mp4"]},
            {"media": library.search(where="name:holiday.mp4")},
            {"where": f"film:{film_id}"},
        )
    ):
        out = tmp_path / str(number)
        last(library.export("coco", out, **choice))
        images = coco(out)["images"]
        assert [image["film_id"] for image in images] == [film_id] * 4
    moments = library.search("red", where="kind:video", limit=3)
    last(library.export("coco", tmp_path / "query", "kind:video", query="red", limit=3))
    found = {image["media_id"] for image in coco(tmp_path / "query")["images"]}
    assert found == {hit.media_id for hit in moments}


def test_a_label_on_a_frame_selects_it_and_the_films_tags_go_with_it(library, films, tmp_path):
    film_id = film_of(library, films, "trip to the sea.mov")
    library.tag(film_id, add="summer")
    frame = library._catalog.frame_ids(film_id)[1]
    library.label(frame, "harbour")
    library.tag(frame, add="best")
    last(library.export("coco", tmp_path / "out", "kind:video and label:harbour"))
    (image,) = coco(tmp_path / "out")["images"]
    assert (image["media_id"], image["time_s"]) == (frame, 2.0)
    assert image["labels"] == ["harbour"]
    assert image["tags"] == ["best", "summer"]


def test_crops_and_tables_tell_film_and_time(library, films, tmp_path):
    film_id = film_of(library, films, "holiday.mp4")
    where = f"film:{film_id} or kind:photo"
    last(library.export("crops", tmp_path / "crops", where))
    crops = sorted(path.name for path in (tmp_path / "crops").rglob("*holiday*"))
    assert crops == [f"holiday_t00000{second}.000-1.jpg" for second in (0, 2, 4, 6)]
    rows = {}
    for kind in ("csv", "jsonl", "parquet"):
        last(library.export(kind, tmp_path / kind, where))
        for table in ("images", "objects"):
            path = tmp_path / kind / f"{table}.{kind}"
            if kind == "csv":
                with path.open(encoding="utf-8", newline="") as file:
                    read = list(csv.DictReader(file))
            elif kind == "jsonl":
                read = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
            else:
                read = pq.read_table(path).to_pylist()
            rows[kind, table] = {
                (
                    row["film_id"] or None,
                    None if row["time_s"] in ("", None) else float(row["time_s"]),
                )
                for row in read
            }
            assert len(read) == 7
    expected = {(film_id, second) for second in (0.0, 2.0, 4.0, 6.0)} | {(None, None)}
    assert all(found == expected for found in rows.values())


# Splits


def splits_of_films(folder: Path) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for split in ("train", "val", "test"):
        for image in coco(folder, split)["images"]:
            if "film_id" in image:
                found.setdefault(image["film_id"], set()).add(split)
    return found


def test_all_frames_of_a_film_are_in_one_split_also_those_chosen_later(films, tmp_path):
    paths = sorted(path for path in films.rglob("*.*"))
    choices = {"split": "50/25/25", "alike": 0.99999, "burst_s": 0.0}
    with memory_library(tmp_path / "library") as library:
        list(library.add(films, frames=TWO_SECONDS))
        last(library.export("coco", tmp_path / "one", media=paths, seed=4, **choices))
        first = splits_of_films(tmp_path / "one")
        assert len(first) == 4
        assert all(len(splits) == 1 for splits in first.values())
        assert len({split for splits in first.values() for split in splits}) == 3
        list(library.add(films, frames=FrameChoice("every", 0.7)))
        frames = library._catalog.pictures.select_ids(None)
        moments = library._catalog.moments(frames)
        new = [i for i in frames if moments[i].time_s not in (0.0, 2.0, 4.0, 6.0)]
        assert len(new) > 20
        last(library.export("coco", tmp_path / "two", media=new, seed=4, **choices))
        assert splits_of_films(tmp_path / "two") == first


def test_copies_of_a_film_in_other_sizes_share_its_split(tmp_path):
    for number in range(3):
        own = [scene(50 * number + n, (320, 180)) for n in range(3)]
        make_film(_in(tmp_path, number, "a"), own)
        make_film(_in(tmp_path, number, "b"), own, size_wh=(240, 136))
    with memory_library(tmp_path / "library", MemoryVectorStore()) as library:
        list(library.add(tmp_path / "in", frames="shots"))
        names = {library.media_id(p): p.stem[0] for p in (tmp_path / "in").iterdir()}
        for seed in range(5):
            out = tmp_path / str(seed)
            last(library.export("coco", out, "pixels>0", split="40/30/30", seed=seed))
            together: dict[str, set[str]] = {}
            for film_id, splits in splits_of_films(out).items():
                together.setdefault(names[film_id], set()).update(splits)
            assert all(len(splits) == 1 for splits in together.values())


def _in(folder: Path, number: int, name: str) -> Path:
    (folder / "in").mkdir(exist_ok=True)
    return folder / "in" / f"{number}{name}.mp4"
