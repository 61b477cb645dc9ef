"""Films by the command line: adding, searching, grouping, previews, status, clips, exports."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner

from framekeep.cli.common import console, settings
from framekeep.cli.main import app
from framekeep.cli.moments import by_film
from framekeep.cli.preview import preview
from framekeep.cli.progress import _FilmBar, _HowFar, follow
from framekeep.cli.searching import hits_table
from framekeep.errors import FramekeepError
from framekeep.film_types import clock
from framekeep.library import Library
from framekeep.types import IngestCounts, IngestEvent
from tests.helpers.datasets import demo_photos
from tests.helpers.films import make_film

SIZE_WH = (240, 180)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of four shots over packaged photos, one of two, and a photo; and their library."""
    place = tmp_path_factory.mktemp("films")
    pictures = []
    for path in demo_photos(6):
        with Image.open(path) as image:
            pictures.append(np.asarray(image.convert("RGB").resize((360, 270))))
    (place / "in").mkdir()
    make_film(place / "in" / "holiday.mp4", pictures[:4], 3.0, SIZE_WH, 10, audio=True)
    make_film(place / "in" / "trip.mkv", pictures[4:], 2.0, SIZE_WH, 10)
    shutil.copy(demo_photos(7)[6], place / "in" / "photo.jpg")
    added = run("add", place / "in", "--library", place / "lib", "--encoder", "starter")
    (place / "added.txt").write_text(added.stdout)
    return place


def run(*args: object, ok: bool = True):
    result = CliRunner().invoke(app, [str(arg) for arg in args])
    if ok:
        assert result.exit_code == 0, result.output or result.exception
    return result


def run_json(*args: object):
    return json.loads(run(*args, "--json").stdout)


@pytest.fixture
def lib(place: Path) -> list[object]:
    return ["--library", place / "lib"]


# Adding


def test_adding_tells_how_many_moments_there_are(place, lib):
    said = (place / "added.txt").read_text()
    assert "3 files: 3 indexed." in said
    status = run_json("status", *lib)
    assert (status["media"], status["films"]) == (3, 2)
    assert status["frames"] >= 6
    assert f"{status['frames']} moments in films." in said
    assert status["index_count"] == 1 + status["frames"]
    lines = [line.split(maxsplit=1) for line in run("status", *lib).stdout.splitlines()]
    shown = {words[0]: words[1].rstrip() for words in lines if len(words) == 2}
    assert (shown["photos"], shown["films"]) == ("1", "2")
    assert shown["moments"] == str(status["frames"])
    assert shown["index"].endswith(f"{status['index_count']} vectors")


@pytest.mark.parametrize(
    ("options", "frames_by", "count"),
    [
        (["--every", "1s"], "every1-1s", 4),
        (["--every", "500ms"], "every1-0.5s", 8),
        (["--keyframes"], "keyframes1-120pm", None),
        (["--keyframes", "--frames-per-minute", "7"], "keyframes1-7pm", None),
        (["--frames-per-minute", "9"], "shots1-9pm", None),
        ([], "shots1-120pm", None),
    ],
)
def test_frames_are_chosen_as_told(place, tmp_path, options, frames_by, count):
    library = tmp_path / "lib"
    film = place / "in" / "trip.mkv"
    run("add", film, *options, "--library", library, "--encoder", "starter")
    with Library.open(library) as opened:
        (state,) = opened._catalog.film_states([opened.media_id(film)]).values()
        assert (state.frames_by, state.read_to_s) == (frames_by, None)
        frames = opened.status().frames
    assert frames == count if count is not None else frames >= 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--every", "2s", "--keyframes"], "leave --keyframes and --frames-per-minute out"),
        (["--every", "2s", "--frames-per-minute", "5"], "or --every"),
        (["--every", "shots"], "A time is such as"),
        (["--every", "0"], "between|lies"),
        (["--frames-per-minute", "0"], "Between 1 and 3,000"),
    ],
)
def test_choices_that_do_not_go_together_are_refused_in_one_sentence(place, lib, options, said):
    result = run("add", place / "in", *options, *lib, ok=False)
    assert result.exit_code == 1
    assert isinstance(result.exception, FramekeepError)
    assert any(part in str(result.exception) for part in said.split("|"))


def event(kind: str, path: str | None = None, film_s: tuple[float, float] | None = None):
    return IngestEvent(kind, IngestCounts(found=2), path, film_s=film_s)


def test_a_film_in_work_has_a_bar_of_its_own():
    from rich.progress import Progress

    with Progress(_HowFar(), console=Console(file=io.StringIO()), auto_refresh=False) as bar:
        film = _FilmBar(bar)
        film.show(event("indexed", "/a.jpg"))
        assert not bar.tasks
        film.show(event("reading", "/in/holiday [1].mp4", (12.5, 3723.0)))
        (task,) = bar.tasks
        assert "holiday" in task.description
        assert (task.completed, task.total) == (12.5, 3723.0)
        assert str(_HowFar().render(task)) == "0:12 of 1:02:03"
        film.show(event("reading", "/in/holiday [1].mp4", (60.0, 3723.0)))
        assert [(each.id, each.completed) for each in bar.tasks] == [(task.id, 60.0)]
        film.show(event("reading", "/in/other.mp4", (0.0, 0.0)))
        assert [each.total for each in bar.tasks] == [None]
        film.show(event("indexed", "/in/other.mp4"))
        assert not bar.tasks


def test_progress_follows_films_to_the_end():
    def events():
        yield event("scanning")
        yield event("reading", "/in/a.mp4", (5.0, 10.0))
        yield event("reading", "/in/a.mp4", (10.0, 10.0))
        yield IngestEvent("done", IngestCounts(found=1, indexed=1, frames=4))

    assert follow(events(), "Adding").frames == 4


# Searching


def test_moments_show_their_time(place, lib, monkeypatch):
    monkeypatch.setattr(console, "width", 200)
    hits = run_json("search", "an animal", "--where", "kind:video", *lib, "--limit", 4)
    assert len(hits) == 4
    for hit in hits:
        assert hit["kind"] == "frame"
        start_s, end_s = hit["shot_s"]
        assert start_s <= hit["time_s"] < end_s
        assert len(hit["film_id"]) == 64
        assert hit["codec"] == "h264"
    lines = run("search", "an animal", "--where", "kind:video", *lib, "-n", 4).stdout.splitlines()
    assert "photo or film" in lines[0]
    for hit, line in zip(hits, lines[1:], strict=True):
        assert f"{Path(hit['path']).name} {clock(hit['time_s'])}" in line
    (photo,) = run_json("search", "--where", "kind:photo", *lib)
    assert "time_s" not in photo
    films = run_json("search", "--where", "kind:video and duration<5s", *lib)
    assert [(Path(film["path"]).name, film["kind"]) for film in films] == [("trip.mkv", "video")]
    assert "film_id" not in films[0]


def test_grouped_a_film_stands_there_once(place, lib, monkeypatch):
    monkeypatch.setattr(console, "width", 200)
    arguments = ["an animal", *lib, "--limit", 50]
    single = run_json("search", *arguments)
    grouped = run_json("search", *arguments, "--group")
    assert len(grouped) == 3
    assert [hit["score"] for hit in grouped] == sorted((h["score"] for h in grouped), reverse=True)
    for hit in grouped:
        own = [h for h in single if h["path"] == hit["path"]]
        assert hit["media_id"] == own[0]["media_id"]
        assert [m["time_s"] for m in hit["further_moments"]] == [h["time_s"] for h in own[1:]]
    lines = run("search", *arguments, "--group").stdout.splitlines()
    (line,) = [line for line in lines if "holiday.mp4" in line]
    (holiday,) = [hit for hit in grouped if hit["path"].endswith("holiday.mp4")]
    assert (
        f"holiday.mp4 {clock(holiday['time_s'])} and {len(holiday['further_moments'])} more" in line
    )
    paths = run("search", *arguments, "--group", "--paths").stdout.splitlines()
    assert sorted(paths) == sorted(str(path) for path in (place / "in").iterdir())


def test_similar_takes_films_and_moments(place, lib):
    found = run_json("similar", place / "in" / "trip.mkv", *lib)
    assert found
    assert all(not hit["path"].endswith("trip.mkv") for hit in found)
    (first, *_) = found
    others = run_json("similar", first["media_id"], *lib)
    assert first["media_id"] not in {hit["media_id"] for hit in others}
    assert len(run_json("similar", place / "in" / "photo.jpg", "--group", *lib)) == 2


def test_previews_show_the_moment(place):
    with Library.open(place / "lib") as library:
        for hit in library.search("an animal", limit=50):
            text = preview(hit)
            assert text.plain.count("▀") > 100
        moments = library.search(
            "an animal", where="film:" + library.media_id(place / "in/trip.mkv")
        )
        shown = {preview(hit).markup for hit in moments}
        assert len(shown) == len(moments) >= 2
        (film,) = library.search(where="kind:video and name:trip.mkv")
        assert preview(film).plain.count("▀") > 100
        narrow = preview(moments[0], (0.2, 0.2, 0.6, 0.6))
        assert narrow.plain.count("▀") > 50
        table = hits_table(moments, previews=True)
    out = Console(file=io.StringIO(), width=120, color_system="truecolor")
    out.print(table)
    assert "▀" in out.file.getvalue()


def test_lists_have_the_time(place, lib, tmp_path):
    out = tmp_path / "list.csv"
    run("export-list", out, "an animal", "--where", "kind:video", *lib)
    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    hits = run_json("search", "an animal", "--where", "kind:video", "--limit", 100, *lib)
    assert [float(row["time_s"]) for row in rows] == [hit["time_s"] for hit in hits]
    lines = run("export-list", "-", "an animal", "--format", "jsonl", *lib).stdout.splitlines()
    assert any("shot_s" in json.loads(line) for line in lines)


def test_a_clock():
    assert [clock(s) for s in (0, 12.9, 60, 3599.99, 3600, 36_061)] == [
        "0:00", "0:12", "1:00", "59:59", "1:00:00", "10:01:01",
    ]  # fmt: skip
    assert by_film([]) == []


# Clips and exports


def test_clips(place, lib, tmp_path, monkeypatch):
    monkeypatch.setattr(console, "width", 300)
    out = tmp_path / "clips"
    clips = run_json("clip", "an animal", out, "--limit", 2, "--pad", "0", *lib)
    assert len(clips) == 2
    for number, clip in enumerate(clips, 1):
        path = Path(clip["clip"])
        assert path.parent == out
        assert path.name.startswith(f"00{number}_{Path(clip['film']).stem}_0m")
        with av.open(str(path)) as container:
            assert sum(1 for _ in container.decode(container.streams.video[0])) >= 10
    again = run("clip", "an animal", out, *lib, ok=False)
    assert again.exit_code == 1
    assert "not empty" in str(again.exception)
    said = run(
        "clip", "an animal", out, "--where", "name:holiday.mp4", "--exact", "--limit", 1,
        "--overwrite", *lib,
    ).stdout.splitlines()  # fmt: skip
    (path,) = out.iterdir()
    assert said[-1] == f"1 clip is in {out}."
    assert said[0].startswith(f"{path.name}  {place / 'in' / 'holiday.mp4'} 0:")
    with av.open(str(path)) as container:
        assert container.streams.audio


def test_a_film_that_cannot_be_cut_is_a_line_and_the_others_go_on(place, tmp_path):
    shutil.copytree(place / "in", tmp_path / "in")
    lib = ["--library", tmp_path / "lib"]
    run("add", tmp_path / "in", *lib, "--encoder", "starter")
    (tmp_path / "in" / "trip.mkv").write_bytes(b"no film any more")
    result = run("clip", "an animal", tmp_path / "out", "--limit", 20, *lib)
    assert f"{tmp_path / 'in' / 'trip.mkv'} 0:" in result.stderr.replace("\n", "")
    assert "has changed" in result.stderr.replace("\n", " ")
    assert all("holiday" in path.name for path in (tmp_path / "out").iterdir())
    nothing = run("clip", "an animal", tmp_path / "two", "--where", "name:none", *lib, ok=False)
    assert "no moment of a film matches" in str(nothing.exception)
    wrong = run("clip", "an animal", tmp_path / "two", "--pad", "soon", *lib, ok=False)
    assert "A time is such as" in str(wrong.exception)


def test_frames_are_exported(place, lib, tmp_path):
    out = tmp_path / "out"
    report = run_json(
        "export", "coco", out, "--where", "kind:video and name:trip.mkv", "--images", "link", *lib
    )
    assert any("written as images all the same" in note for note in report["notes"])
    names = sorted(path.name for path in (out / "images").iterdir())
    assert names
    assert all(name.startswith("trip_t00000") and name.endswith(".jpg") for name in names)
    run("export", "--again", out / "manifest.json", tmp_path / "again", *lib)
    for path in out.rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "again" / path.relative_to(out)).read_bytes()


def test_the_settings_say_how_many_frames_a_minute(place, tmp_path, monkeypatch):
    monkeypatch.setenv("FRAMEKEEP_FRAMES_PER_MINUTE", "33")
    settings.cache_clear()
    try:
        film = place / "in" / "trip.mkv"
        run("add", film, "--keyframes", "--library", tmp_path / "lib", "--encoder", "starter")
    finally:
        settings.cache_clear()
    with Library.open(tmp_path / "lib") as library:
        (state,) = library._catalog.film_states([library.media_id(film)]).values()
    assert state.frames_by == "keyframes1-33pm"
