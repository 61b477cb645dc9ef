"""Films through adding: stored as they come, taken up after a kill, read again when asked."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from framekeep.errors import InputError, MediaError
from framekeep.film_types import FrameChoice
from framekeep.library import Library
from tests.helpers.encoders import CountingEncoder, RefusingEncoder
from tests.helpers.films import MadeFilm, make_film, scene
from tests.helpers.pictures import write_folder

SHOTS = 6


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> MadeFilm:
    folder = tmp_path_factory.mktemp("films")
    pictures = [scene(seed) for seed in range(SHOTS)]
    return make_film(folder / "holiday.mp4", pictures, 1.0, moves=False)


@pytest.fixture
def encoder() -> CountingEncoder:
    return CountingEncoder()


@pytest.fixture
def library(tmp_path: Path, encoder: CountingEncoder):
    with Library.open(tmp_path / "library", encoder) as library:
        yield library


@pytest.fixture
def folder(tmp_path: Path, film: MadeFilm) -> Path:
    (tmp_path / "in").mkdir()
    shutil.copy2(film.path, tmp_path / "in" / "holiday.mp4")
    return tmp_path / "in"


def test_a_film_is_added_like_a_photo_and_told_by_time(library, encoder, folder):
    write_folder(folder, 3)
    events = list(library.add(folder))
    reading = [event for event in events if event.kind == "reading"]
    times = [event.film_s[0] for event in reading]
    assert times == sorted(times)
    assert times[-1] == pytest.approx(SHOTS, abs=0.1)
    assert all(event.film_s[1] == pytest.approx(SHOTS, abs=0.1) for event in reading)
    assert events[-1].counts.indexed == 4
    assert events[-1].counts.frames == SHOTS
    assert encoder.encoded == SHOTS + 3
    assert library.status().media == 4
    assert [e.kind for e in library.add(folder)].count("unchanged") == 4
    assert encoder.encoded == SHOTS + 3


def test_a_film_whose_frames_the_encoder_refuses_is_a_problem_with_that_reason(tmp_path, folder):
    with Library.open(tmp_path / "refusing", RefusingEncoder()) as library:
        failed = [event for event in library.add(folder) if event.kind == "failed"]
        assert [event.path for event in failed] == [str(folder / "holiday.mp4")]
        assert "out of order" in failed[0].reason
        assert library.count() == 0


def test_moments_are_hits_one_for_each_shot(library, folder, film):
    list(library.add(folder, frames="500ms"))
    hits = library.search("red", limit=50)
    assert len(hits) == 2 * SHOTS
    list(library.add(folder, frames="shots"))
    hits = library.search("red", limit=50)
    assert {hit.film_id for hit in hits} == {library.media_id(folder / "holiday.mp4")}
    found = sorted(hit.shot_s for hit in hits)
    assert [start for start, _ in found] == pytest.approx([s for s, _ in film.shots_s], abs=0.1)
    assert all(hit.shot_s[0] <= hit.time_s < hit.shot_s[1] for hit in hits)
    assert all(hit.path == folder / "holiday.mp4" for hit in hits)
    assert len(library.search("red", limit=2)) == 2


def test_a_photo_finds_the_shot_it_is_shown_in(library, folder, film):
    list(library.add(folder))
    film_id = library.media_id(folder / "holiday.mp4")
    for hit in library.search("red", limit=SHOTS):
        picture = library.picture(hit.media_id)
        best = library.search(image=picture, limit=1)[0]
        assert best.media_id == hit.media_id
        assert best.score == pytest.approx(1.0, abs=0.02)
        others = library.similar(hit, limit=10)
        assert hit.media_id not in {other.media_id for other in others}
        assert len(others) == SHOTS - 1
    assert library.similar(film_id, limit=5) == []


def test_frames_are_read_as_they_were_encoded(library, encoder, folder):
    list(library.add(folder))
    frames = list(library.frames(folder / "holiday.mp4"))
    assert [frame.time_s for frame in frames] == sorted(frame.time_s for frame in frames)
    assert len(frames) == SHOTS
    for frame in frames:
        assert frame.rgb.shape == (180, 320, 3)
        assert library.search(image=frame.rgb, limit=1)[0].media_id == frame.media_id


def test_a_renamed_or_copied_film_is_not_read_again(library, encoder, folder):
    list(library.add(folder))
    before = encoder.encoded
    (folder / "holiday.mp4").rename(folder / "moved.mp4")
    shutil.copy2(folder / "moved.mp4", folder / "copy.mp4")
    events = list(library.add(folder))
    assert [e.kind for e in events].count("linked") == 2
    assert encoder.encoded == before
    hit = library.search("red", limit=1)[0]
    assert {hit.path, *hit.other_paths} == {folder / "moved.mp4", folder / "copy.mp4"}


def test_a_film_that_is_gone_is_not_found_and_comes_back(library, encoder, folder, film):
    list(library.add(folder))
    (folder / "holiday.mp4").unlink()
    assert list(library.add(folder))[-1].counts.missing == 1
    assert library.search("red") == []
    assert library.status().index_count == 0
    shutil.copy2(film.path, folder / "holiday.mp4")
    list(library.add(folder))
    assert len(library.search("red")) == SHOTS
    assert library.status().index_count == SHOTS
    assert encoder.encoded == SHOTS
    assert library.repair().clean


def test_another_choice_of_frames_does_only_what_it_must(library, encoder, folder):
    list(library.add(folder, frames="1s"))
    first = {hit.media_id for hit in library.search("red", limit=50)}
    assert len(first) == encoder.encoded == SHOTS
    kept = library.search("red", limit=50)[0]
    odd = next(hit for hit in library.search("red", limit=50) if hit.time_s == 1.0)
    library.tag(odd, "mine")
    list(library.add(folder, frames="500ms"))
    assert encoder.encoded == 2 * SHOTS
    assert first <= {hit.media_id for hit in library.search("red", limit=50)}
    list(library.add(folder, frames="2s"))
    after = {hit.media_id for hit in library.search("red", limit=50)}
    assert encoder.encoded == 2 * SHOTS
    # What somebody has tagged stays, though it is no longer chosen.
    assert after == {h for h in after if h in first}
    assert odd.media_id in after
    assert len(after) == SHOTS // 2 + 1
    assert library.repair().clean
    # Without being asked, nothing is read again.
    assert [e.kind for e in library.add(folder)].count("unchanged") == 1
    assert kept.film_id == odd.film_id


def read_until(library: Library, folder: Path, frames: str, time_s: float) -> None:
    """Begin to read films, and stop in the middle."""
    events = library.add(folder, frames=frames)
    for event in events:
        if event.kind == "reading" and event.film_s[0] >= time_s:
            break
    else:
        pytest.fail("The film was read to its end.")
    events.close()


def test_what_was_begun_with_another_choice_leaves_no_frames(library, encoder, folder):
    encoder.batch_size = 2
    read_until(library, folder, "500ms", 3.0)
    read_until(library, folder, "2s", 5.9)
    list(library.add(folder))
    film = library.media_id(folder / "holiday.mp4")
    assert list(library.frame_times(film).values()) == pytest.approx([0.0, 2.0, 4.0])
    read_until(library, folder, "1s", 4.0)
    list(library.add(folder))
    assert list(library.frame_times(film).values()) == pytest.approx([0, 1, 2, 3, 4, 5])
    assert library.repair().clean


def test_a_film_that_cannot_be_read_again_keeps_what_was_said_of_it(library, folder, monkeypatch):
    list(library.add(folder))
    film = folder / "holiday.mp4"
    hit = library.search("red", limit=1)[0]
    library.tag(hit, "best")
    library.tag(film, "summer")

    def broken(*_: object, **__: object) -> None:
        raise MediaError("The disk went away.")

    with monkeypatch.context() as patched:
        patched.setattr("framekeep.media.film_reader.open_film", broken)
        assert list(library.add(folder, frames="1s"))[-1].counts.failed == 1
    with monkeypatch.context() as patched:
        patched.setattr("framekeep.media.shots.frames_of", broken)
        assert list(library.add(folder, frames="1s", retry=True))[-1].counts.failed == 1
        assert list(library.add(folder, retry=True))[-1].counts.failed == 1
    list(library.add(folder, retry=True))
    assert library.tags() == {"best": 1, "summer": 1}
    assert library.hits([hit.media_id])[0].tags == ("best",)
    assert library.repair().clean


def test_what_is_said_of_moments_stays_when_the_file_changes(library, folder):
    list(library.add(folder))
    film = folder / "holiday.mp4"
    hit = library.search("red", limit=1)[0]
    library.tag(hit, "best")
    library.label([hit.media_id], "place")
    # As after another title: the same pictures in another file.
    with film.open("ab") as file:
        file.write(b"\0\0\0\x10free" + b"new name")
    list(library.add(folder))
    assert library.media_id(film) != hit.film_id
    (again,) = library.search("red", where="label:place")
    assert (again.time_s, again.tags) == (hit.time_s, ("best",))


def test_a_film_that_was_away_is_found_by_an_encoder_chosen_meanwhile(library, folder, film):
    list(library.add(folder))
    (folder / "holiday.mp4").unlink()
    write_folder(folder, 2)
    list(library.add(folder))
    list(library.use_encoder("starter"))
    shutil.copy2(film.path, folder / "holiday.mp4")
    list(library.add(folder))
    assert len(library.search("a red thing", where="kind:video", limit=50)) == SHOTS
    assert library.repair().clean


def test_a_choice_that_is_none(library, folder):
    with pytest.raises(InputError, match="shots, keyframes or a step such as 2s"):
        list(library.add(folder, frames="sometimes"))
    with pytest.raises(InputError, match=r"between 0\.04 s and a day"):
        FrameChoice.parse("0s")


def test_filters_speak_of_films_and_their_frames(library, folder):
    write_folder(folder, 2)
    list(library.add(folder))
    library.tag(folder / "holiday.mp4", "summer")
    for where, media, moments in (
        ("kind:video", 1, SHOTS),
        ("kind:photo", 2, 0),
        ("duration>5s", 1, SHOTS),
        ("duration>1min", 0, 0),
        ("not duration>1min", 3, SHOTS),
        ("fps>=24 and fps<=26", 1, SHOTS),
        ("codec:h264", 1, SHOTS),
        ("has-audio", 0, 0),
        ("format:mp4", 1, SHOTS),
        ("name:holiday", 1, SHOTS),
        (f'folder:"{folder}"', 3, SHOTS),
        ("tag:summer", 1, SHOTS),
        ("tag!=summer", 2, 0),
        ("width:320 and height:180", 1, SHOTS),
    ):
        assert library.count(where) == media, where
        found = library.search("red", where=where, limit=50)
        assert sum(hit.time_s is not None for hit in found) == moments, where
    film_id = library.media_id(folder / "holiday.mp4")
    assert len(library.search("red", where=f"film:{film_id[:12]}", limit=50)) == SHOTS


def test_objects_on_frames_count_for_their_film(library, folder):
    from framekeep.testing import GridSegmenter

    list(library.add(folder))
    events = list(library.segment(segmenter=GridSegmenter()))
    assert [event.kind for event in events].count("indexed") == SHOTS
    hits = library.search("red", of="objects", limit=100)
    assert hits
    assert all(hit.time_s is not None and hit.segment for hit in hits)
    assert library.count("has-object") == 1
    library.label([hits[0].segment.segment_id], "thing")
    assert library.count("label:thing") == 1
    assert len(library.search("red", where="label:thing", limit=50)) == 1
    frame = hits[0].media_id
    list(library.add(folder, frames="5s"))
    # The frame on which somebody has labelled an object stays.
    assert library.hits([frame])


def test_another_encoder_encodes_the_frames_again(library, folder):
    list(library.add(folder))
    before = {hit.media_id for hit in library.search("red", limit=50)}
    list(library.use_encoder("starter"))
    assert {hit.media_id for hit in library.search("a red thing", limit=50)} == before


def test_another_encoder_keeps_a_film_of_which_a_frame_is_lost(library, folder, monkeypatch):
    from framekeep.media import video

    list(library.add(folder))
    lost = library.search("red", limit=1)[0]
    whole = video.frame_at

    def frame_at(path, time_s, limits):
        if time_s == lost.time_s:
            raise MediaError("No picture can be read.")
        return whole(path, time_s, limits)

    monkeypatch.setattr(video, "frame_at", frame_at)
    events = list(library.use_encoder("starter"))
    assert events[-1].counts.failed == 1
    assert library.problems() == []
    found = {hit.media_id for hit in library.search("a red thing", limit=50)}
    assert len(found) == SHOTS - 1
    assert lost.media_id not in found
    assert library.hits([lost.media_id])


def test_another_encoder_tells_of_a_film_that_is_broken_now(library, folder):
    list(library.add(folder))
    (folder / "holiday.mp4").write_bytes(b"no film any more")
    list(library.use_encoder("starter"))
    assert [problem.state for problem in library.problems()] == ["failed"]
    assert library.search("a red thing") == []


BROKEN = {
    "empty.mp4": "empty",
    "text.mp4": "text",
    "cut_head.mp4": "cut off|damaged",
    "cut_half.mp4": "breaks off|cut off|damaged",
}


def test_broken_films_are_problems_and_the_others_are_added(library, folder, film):
    whole = film.path.read_bytes()
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "text.mp4").write_text("no film at all, but words and words\n" * 40)
    (folder / "cut_head.mp4").write_bytes(whole[:200])
    (folder / "cut_half.mp4").write_bytes(whole[: len(whole) // 2])
    events = list(library.add(folder))
    assert events[-1].counts.failed == len(BROKEN)
    assert events[-1].counts.indexed == 1
    reasons = {Path(p.path).name: p.reason for p in library.problems()}
    assert set(reasons) == set(BROKEN)
    for name, words in BROKEN.items():
        assert re.search(words, reasons[name]), (name, reasons[name])
    assert library.status().index_count == SHOTS
    assert len(library.search("red", limit=50)) == SHOTS


ADD = """
import sys
from framekeep.library import Library
from tests.helpers.encoders import CountingEncoder
encoder = CountingEncoder()
encoder.batch_size = 4
with Library.open(sys.argv[1], encoder) as library:
    for event in library.add(sys.argv[2]):
        if event.kind == "reading":
            print(encoder.encoded, event.film_s[0], flush=True)
    print("encoded", encoder.encoded, flush=True)
"""


def adding(library: Path, film: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", ADD, str(library), str(film)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path.cwd()), *sys.path])},
    )


def test_a_kill_in_the_middle_of_a_film_loses_no_frame(tmp_path):
    pictures = [scene(seed) for seed in range(8)] * 5
    film = make_film(tmp_path / "long.mp4", pictures, 0.6, size_wh=(160, 90), moves=False)
    process = adding(tmp_path / "library", film.path)
    assert process.stdout is not None
    for line in process.stdout:
        encoded, _ = line.split()
        if int(encoded) >= 12:
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    with Library.open(tmp_path / "library", CountingEncoder()) as library:
        assert library.count() == 0
        assert library.search("red") == []
    again = adding(tmp_path / "library", film.path)
    out, _ = again.communicate(timeout=120)
    lines = out.splitlines()
    # Reading went on where it was, and nothing was encoded twice.
    assert float(lines[0].split()[1]) > 2.0
    rest = int(lines[-1].split()[1])
    with Library.open(tmp_path / "whole", CountingEncoder()) as whole:
        list(whole.add(film.path))
        wanted = {(h.media_id, h.shot_s) for h in whole.search("red", limit=100)}
        assert whole.encoder.encoded - int(encoded) - 4 <= rest <= whole.encoder.encoded - 12
    with Library.open(tmp_path / "library", CountingEncoder()) as library:
        assert {(h.media_id, h.shot_s) for h in library.search("red", limit=100)} == wanted
        assert library.repair().clean
