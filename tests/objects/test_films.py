"""Objects on the frames of films: found, searched, labelled, corrected like those in photos."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from framekeep.cli.common import console
from framekeep.cli.main import app
from framekeep.errors import InputError
from framekeep.library import Library
from framekeep.object_types import CropSettings, Prompt
from framekeep.testing import GridSegmenter
from tests.helpers.datasets import demo_photos, last
from tests.helpers.films import make_film
from tests.helpers.library import memory_library

SIZE_WH = (240, 180)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three shots of two seconds each, panned over packaged photos."""
    pictures = []
    for path in demo_photos(3):
        with Image.open(path) as image:
            pictures.append(np.asarray(image.convert("RGB").resize((360, 270))))
    path = tmp_path_factory.mktemp("film") / "holiday.mp4"
    make_film(path, pictures, 2.0, SIZE_WH, 10)
    return path


@pytest.fixture
def library(film: Path, tmp_path: Path) -> Iterator[Library]:
    with memory_library(tmp_path / "library") as library:
        list(library.add(film))
        yield library


def test_frames_are_segmented_and_a_film_itself_is_not(library, film):
    events = list(library.segment(segmenter=GridSegmenter()))
    times = library.frame_times(film)
    assert len(times) >= 3
    assert list(times.values()) == sorted(times.values())
    assert events[-1].counts.indexed == len(times)
    assert not library.segment_problems()
    for frame in times:
        found = library.segments(frame)
        assert found
        assert all(segment.mask.size_wh == SIZE_WH for segment in found)
    assert library.segments(film) == []
    again = list(library.segment(segmenter=GridSegmenter()))[-1]
    assert (again.counts.indexed, again.counts.unchanged) == (0, len(times))


def test_objects_in_films_are_found_labelled_compared_and_exported(library, film, tmp_path):
    list(library.segment(segmenter=GridSegmenter()))
    times = library.frame_times(film)
    hits = library.search("a cat", of="objects", limit=1000)
    assert {hit.media_id for hit in hits} == set(times)
    best = hits[0]
    assert best.path == film
    assert best.time_s == times[best.media_id]
    assert best.film_id == library.media_id(film)
    start_s, end_s = best.shot_s
    assert start_s <= best.time_s < end_s
    both = library.search("a cat", of="both", limit=1000)
    assert {hit.segment is None for hit in both} == {True, False}
    assert library.similar_objects(best.segment.segment_id, 2)

    library.label(best.segment.segment_id, "cat")
    assert library.object_ids("label:cat and kind:video") == [best.segment.segment_id]
    (shown,) = library.search("anything", where="label:cat")
    assert shown.media_id == best.media_id
    (listed,) = library.search(where="label:cat")
    assert (listed.media.kind, listed.time_s) == ("video", None)

    assert library.crop(best.segment.segment_id).ndim == 3
    for _ in library.use_crop(CropSettings(mode="none", margin=0.2)):
        pass
    found = library.search("a cat", of="objects", limit=1000)
    assert len(found) == len(hits)

    report = last(library.export("coco", tmp_path / "out", "label:cat", classes=["cat"]))
    assert (report.image_count, report.object_count) == (1, 1)
    document = json.loads((tmp_path / "out" / "annotations.json").read_text("utf-8"))
    (image,) = document["images"]
    assert image["time_s"] == best.time_s
    with Image.open(tmp_path / "out" / image["file_name"]) as written:
        assert written.size == SIZE_WH


def test_a_frame_can_be_prompted_drawn_on_and_corrected_but_not_a_whole_film(library, film):
    frame = list(library.frame_times(film))[1]
    assert library.picture(frame).shape == (180, 240, 3)
    box = Prompt(box_xyxy=(20.0, 20.0, 120.0, 120.0))
    proposals = library.prompt(frame, box, "starter")
    assert proposals[0].mask.size_wh == SIZE_WH
    drawn = library.draw(frame, proposals[0].mask, "thing")
    mask = np.zeros((180, 240), bool)
    mask[10:50, 20:90] = True
    assert library.correct(drawn.segment_id, mask).area_px == 40 * 70
    assert library.search("x", of="objects", where="label:thing")[0].media_id == frame
    with pytest.raises(InputError, match="This is a film"):
        library.draw(film, mask, "thing")
    with pytest.raises(InputError, match="This is a film"):
        library.prompt(library.media_id(film), box, "starter")


def test_what_was_drawn_stays_when_other_frames_are_chosen(library, film):
    frame = list(library.frame_times(film))[1]
    mask = np.zeros((180, 240), bool)
    mask[10:50, 20:90] = True
    drawn = library.draw(frame, mask, "thing")
    list(library.add(film, frames="2s"))
    assert frame in library.frame_times(film)
    assert library.segments(frame)[0].segment_id == drawn.segment_id


def test_the_command_lists_the_objects_of_a_film_by_time(film, tmp_path, monkeypatch):
    monkeypatch.setattr(console, "width", 200)

    def run(*args: object) -> str:
        result = CliRunner().invoke(app, [*map(str, args), "--library", str(tmp_path / "lib")])
        assert result.exit_code == 0, result.output or result.exception
        return result.stdout

    run("add", film, "--encoder", "starter")
    run("segment", "--segmenter", "starter")
    found = json.loads(run("objects", film, "--json"))
    times = [each["time_s"] for each in found]
    assert times == sorted(times)
    assert len(set(times)) >= 3
    lines = run("objects", film).splitlines()
    assert lines[0].split()[-1] == "at"
    assert [line.split()[-1] for line in lines[1:]] == [f"0:{int(time):02}" for time in times]
    assert json.loads(run("objects", found[0]["media_id"], "--json"))[0]["label"]
