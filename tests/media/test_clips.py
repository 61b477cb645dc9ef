"""Clips that were cut are read back: length, first picture, sound, rotation."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

from framekeep.errors import InputError, MediaError
from framekeep.media.clips import cut_clip
from framekeep.media.video import FilmLimits, frame_at
from tests.helpers.films import MadeFilm, make_film, probe, scene
from tests.media.test_video import psnr

LIMITS = FilmLimits()


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> MadeFilm:
    return make_film(
        tmp_path_factory.mktemp("film") / "film.mp4",
        [scene(i) for i in range(4)],
        1.5,
        gop=20,
        audio=True,
        rotation=90,
    )


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_a_copied_clip_begins_at_the_key_picture_before(
    tmp_path: Path, film: MadeFilm, suffix: str
) -> None:
    target = tmp_path / f"clip{suffix}"
    info = cut_clip(film.path, 2.03, 4.0, target)
    assert info.copied
    assert info.path == target
    assert 1.0 < info.start_s <= 2.03
    assert info.end_s == pytest.approx(4.0, abs=0.05)
    found = probe(target, LIMITS)
    assert found.video.has_audio
    assert found.video.codec == "h264"
    assert found.size_wh == (180, 320)
    assert found.video.duration_s == pytest.approx(info.end_s - info.start_s, abs=0.1)
    for time_s in (0.0, 0.6, 1.4):
        truth = frame_at(film.path, info.start_s + time_s, LIMITS)
        assert psnr(frame_at(target, time_s, LIMITS), truth) > 60
    assert sorted(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm", ".avi"])
def test_an_exact_clip_begins_where_it_was_asked_for(
    tmp_path: Path, film: MadeFilm, suffix: str
) -> None:
    target = tmp_path / f"clip{suffix}"
    info = cut_clip(film.path, 2.03, 4.0, target, exact=True)
    assert not info.copied
    assert info.start_s == pytest.approx(2.0, abs=0.041)
    assert info.end_s == pytest.approx(4.0, abs=0.05)
    found = probe(target, LIMITS)
    assert found.video.has_audio
    assert found.size_wh == (180, 320)
    assert found.video.duration_s == pytest.approx(2.0, abs=0.12)
    for time_s in (0.0, 1.0, 1.9):
        truth = frame_at(film.path, info.start_s + time_s, LIMITS)
        assert psnr(frame_at(target, time_s, LIMITS), truth) > 28


def test_what_a_format_cannot_hold_is_encoded(tmp_path: Path, film: MadeFilm) -> None:
    info = cut_clip(film.path, 0.5, 1.0, tmp_path / "clip.webm")
    assert not info.copied
    assert probe(info.path, LIMITS).video.codec == "vp9"


def test_a_clip_from_the_very_start_to_beyond_the_end(tmp_path: Path, film: MadeFilm) -> None:
    info = cut_clip(film.path, 0.0, 99.0, tmp_path / "clip.mp4")
    assert info.copied
    assert (info.start_s, info.end_s) == (0.0, pytest.approx(film.shots_s[-1][1], abs=0.05))
    assert psnr(frame_at(info.path, 0, LIMITS), frame_at(film.path, 0, LIMITS)) > 60


def test_clips_that_cannot_be(tmp_path: Path, film: MadeFilm) -> None:
    there = tmp_path / "there.mp4"
    there.write_bytes(b"mine")
    with pytest.raises(InputError, match="there already"):
        cut_clip(film.path, 0, 1, there)
    assert there.read_bytes() == b"mine"
    for start_s, end_s in ((-1.0, 1.0), (1.0, 1.0), (2.0, 1.0), (60.0, 61.0)):
        with pytest.raises(InputError, match="does not lie"):
            cut_clip(film.path, start_s, end_s, tmp_path / "clip.mp4")
    with pytest.raises(InputError, match=r"not clip\.txt"):
        cut_clip(film.path, 0, 1, tmp_path / "clip.txt")
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(film.path.read_bytes()[:3000])
    with pytest.raises(MediaError):
        cut_clip(broken, 0, 1, tmp_path / "clip.mp4")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.mp4", "there.mp4"]


def test_sound_that_begins_later_than_the_pictures_keeps_its_time(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mp4", [scene(0)], 3.0, audio=True)
    late = tmp_path / "late.mkv"
    with av.open(str(film.path)) as source, av.open(str(late), "w") as container:
        outputs = {s.index: container.add_stream_from_template(s) for s in source.streams}
        for packet in source.demux():
            if not packet.size:
                continue
            if packet.stream.type == "audio":
                shift = round(1.5 / packet.time_base)
                packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
            packet.stream = outputs[packet.stream.index]
            container.mux(packet)
    cut_clip(late, 0.0, 2.5, tmp_path / "clip.mp4", exact=True)
    with av.open(str(tmp_path / "clip.mp4")) as clip:
        first = next(clip.decode(audio=0))
        assert float(first.pts * first.time_base) == pytest.approx(1.5, abs=0.06)
