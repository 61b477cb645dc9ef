"""Shots of films that were made in the test: boundaries, the frames chosen, going on."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from framekeep.film_types import FilmStep, FrameChoice, Shot
from framekeep.media import shots as shots_module
from framekeep.media.video import FilmLimits, frame_at
from tests.helpers.films import MadeFilm, Rgb, choose_frames, make_film, scene

LIMITS = FilmLimits()
ENCODERS = {
    "key pictures at cuts": {},
    "one key picture": {"sc_threshold": 0, "gop": 250},
    "a key picture a second": {"sc_threshold": 0, "gop": 25},
    "many key pictures": {"sc_threshold": 0, "gop": 10},
}


def steps(path: Path, choice: str = "shots", start_s: float = 0.0, **more: int) -> list[FilmStep]:
    found = choose_frames(
        path, FrameChoice.parse(choice, **more), LIMITS, min_side_px=90, start_s=start_s
    )
    return [step for step in found if step.shot is not None]


def shots(path: Path, choice: str = "shots", **more: int) -> list[Shot]:
    return [step.shot for step in steps(path, choice, **more) if step.shot is not None]


def scores(found_s: list[float], true_s: list[float], within_s: float) -> tuple[int, int, int]:
    """How many are right, found and true; each true one counts once."""
    left = list(true_s)
    right = 0
    for time_s in found_s:
        near = [true for true in left if abs(true - time_s) <= within_s + 1e-6]
        if near:
            left.remove(near[0])
            right += 1
    return right, len(found_s), len(true_s)


def f1(right: int, found: int, true: int) -> float:
    return 2 * right / max(1, found + true)


def measured(made: MadeFilm, within_s: float) -> tuple[int, int, int]:
    found = [shot.start_s for shot in shots(made.path)[1:]]
    return scores(found, made.cuts_s, within_s)


def test_the_measure_itself() -> None:
    assert f1(*scores([1.0, 2.0, 3.0], [1.0, 2.1], 0.2)) == pytest.approx(0.8)
    assert f1(*scores([1.0, 1.1], [1.0], 0.2)) == pytest.approx(2 / 3)
    assert f1(*scores([], [1.0], 0.2)) == 0


@pytest.mark.parametrize("encoder", ENCODERS)
def test_hard_cuts_are_found_to_the_frame(tmp_path: Path, encoder: str) -> None:
    lengths = [1.2, 0.4, 2.0, 0.8, 0.4, 0.4, 3.0, 1.0]
    made = make_film(tmp_path / "a.mp4", [scene(i) for i in range(8)], lengths, **ENCODERS[encoder])
    assert measured(made, 2 / 25) == (7, 7, 7)
    for (start_s, end_s), shot in zip(made.shots_s, shots(made.path), strict=True):
        assert shot.frames
        assert all(start_s - 0.001 <= frame.time_s < end_s for frame in shot.frames)


@pytest.mark.parametrize("through_black", [False, True])
@pytest.mark.parametrize("encoder", ENCODERS)
def test_fades_are_found(tmp_path: Path, encoder: str, through_black: bool) -> None:
    made = make_film(
        tmp_path / "a.mp4", [scene(10 + i) for i in range(5)], 3.0, fade_s=1.0,
        through_black=through_black, **ENCODERS[encoder],
    )  # fmt: skip
    assert f1(*measured(made, 0.5)) >= 0.85


def test_a_brief_shot_is_not_hidden_between_key_pictures(tmp_path: Path) -> None:
    one = scene(1)
    made = make_film(
        tmp_path / "a.mp4", [one, scene(2), one], [4.0, 0.4, 4.0], moves=False,
        sc_threshold=0, gop=250,
    )  # fmt: skip
    assert measured(made, 2 / 25) == (2, 2, 2)


def test_a_moving_camera_is_no_cut(tmp_path: Path) -> None:
    for encoder in ENCODERS.values():
        made = make_film(tmp_path / "a.mp4", [scene(3)], 8.0, **encoder)
        assert len(shots(made.path)) == 1


@pytest.mark.parametrize("suffix", [".webm", ".avi", ".gif", ".webp"])
def test_shots_of_other_formats(tmp_path: Path, suffix: str) -> None:
    pictures = [scene(i, (320, 180)) for i in range(3)]
    path = tmp_path / f"a{suffix}"
    if suffix in (".gif", ".webp"):
        images = [Image.fromarray(picture) for picture in pictures for _ in range(8)]
        images[0].save(path, save_all=True, append_images=images[1:], duration=100)
        cuts = [0.8, 1.6]
    else:
        codec = "libvpx" if suffix == ".webm" else "mpeg4"
        options = {"b": "2000000"}
        cuts = make_film(path, pictures, 1.0, codec=codec, options=options).cuts_s
    found = [shot.start_s for shot in shots(path)]
    assert found == pytest.approx([0.0, *cuts], abs=0.09)
    assert all(shot.frames for shot in shots(path))


def test_frames_are_those_of_the_film_and_as_small_as_asked(tmp_path: Path) -> None:
    made = make_film(tmp_path / "a.mp4", [scene(i) for i in range(3)], 1.0)
    for shot in shots(made.path):
        for frame in shot.frames:
            assert min(frame.rgb.shape[:2]) == 90
            full = Image.fromarray(frame_at(made.path, frame.time_s, LIMITS))
            small = np.asarray(full.resize(frame.rgb.shape[1::-1], Image.Resampling.BOX), float)
            assert np.abs(small - frame.rgb).mean() < 4
    whole = choose_frames(made.path, FrameChoice(), LIMITS, min_side_px=4000)
    for step in whole:
        for frame in step.shot.frames if step.shot else ():
            assert np.array_equal(frame.rgb, frame_at(made.path, frame.time_s, LIMITS))


def test_a_frame_in_the_light_is_preferred(tmp_path: Path) -> None:
    made = make_film(
        tmp_path / "a.mp4", [scene(i) for i in range(3)], 3.0, fade_s=1.6, through_black=True
    )
    for shot in shots(made.path):
        (frame,) = shot.frames
        assert frame.brightness > 0.2


def test_what_is_black_throughout_has_no_frame(tmp_path: Path) -> None:
    black: Rgb = np.zeros((180, 320, 3), np.uint8)
    made = make_film(tmp_path / "a.mp4", [scene(1), black, scene(2)], 2.0)
    found = shots(made.path)
    assert [bool(shot.frames) for shot in found] == [True, False, True]
    assert [shot.start_s for shot in found] == pytest.approx([0, 2, 4], abs=0.09)


def test_long_shots_have_more_frames_but_not_the_same_again(tmp_path: Path) -> None:
    moving = make_film(tmp_path / "a.mp4", [scene(5)], 35.0, (160, 90), fps=10, gop=20)
    still = make_film(tmp_path / "b.mp4", [scene(5)], 35.0, (160, 90), fps=10, moves=False)
    (one,), (other,) = shots(moving.path), shots(still.path)
    assert 2 <= len(one.frames) <= 4
    assert len(other.frames) == 1


def test_a_very_long_shot_is_told_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shots_module, "LONGEST_SHOT_S", 4.0)
    made = make_film(tmp_path / "a.mp4", [scene(5)], 10.0, (160, 90), fps=10, gop=10)
    found = shots(made.path)
    assert [shot.start_s for shot in found] == pytest.approx([0, 4, 8], abs=0.11)
    assert found[-1].end_s == pytest.approx(10, abs=0.2)


@pytest.mark.parametrize("per_minute", [1, 4, 20])
def test_no_more_frames_a_minute_than_allowed(tmp_path: Path, per_minute: int) -> None:
    pictures = [scene(i, (160, 90)) for i in range(12)]
    made = make_film(tmp_path / "a.mp4", pictures * 10, 0.6, (160, 90), fps=10)
    times_s = [frame.time_s for shot in shots(made.path, per_minute=per_minute)
               for frame in shot.frames]  # fmt: skip
    keys_s = [shot.start_s for shot in shots(made.path, "keyframes", per_minute=per_minute)]
    for found in (times_s, keys_s):
        assert 1 <= sum(time_s < 60 for time_s in found) <= per_minute
        assert sum(time_s >= 60 for time_s in found) <= per_minute


def test_a_frame_every_step(tmp_path: Path) -> None:
    made = make_film(tmp_path / "a.mp4", [scene(i) for i in range(3)], 1.0)
    found = shots(made.path, "500ms")
    assert [shot.start_s for shot in found] == pytest.approx([0, 0.5, 1, 1.5, 2, 2.5])
    assert all(shot.end_s == pytest.approx(shot.start_s + 0.5) for shot in found)
    assert [shot.frames[0].time_s for shot in found] == pytest.approx(
        [0, 0.48, 1, 1.48, 2, 2.48], abs=0.021
    )
    assert len(shots(made.path, "60m")) == 1


def test_key_pictures_alone(tmp_path: Path) -> None:
    made = make_film(tmp_path / "a.mp4", [scene(1)], 4.0, sc_threshold=0, gop=25)
    found = shots(made.path, "keyframes")
    assert [shot.start_s for shot in found] == pytest.approx([0, 1, 2, 3])
    assert [shot.end_s for shot in found] == pytest.approx([1, 2, 3, 4], abs=0.05)


def summary(found: list[FilmStep]) -> list[tuple[object, ...]]:
    return [
        (step.read_to_s, shot.start_s, shot.end_s, [(f.time_s, f.phash) for f in shot.frames])
        for step in found
        if (shot := step.shot) is not None
    ]


@pytest.fixture(scope="module")
def long_films(tmp_path_factory: pytest.TempPathFactory) -> list[MadeFilm]:
    folder = tmp_path_factory.mktemp("long")
    rng = np.random.default_rng(3)
    pictures = [scene(i, (320, 180)) for i in range(10)] * 2
    made = []
    for number, (encoder, fade_s) in enumerate(
        [({}, 0.0), ({"gop": 20}, 0.6), ({"sc_threshold": 0}, 0.0), ({"gop": 50}, 0.8)]
    ):
        lengths = [float(length) for length in rng.uniform(0.9, 4, 20)]
        made.append(
            make_film(
                folder / f"{number}.mp4", pictures, lengths, (160, 90), 25, fade_s=fade_s, **encoder
            )
        )
    return made


_WHOLE: dict[tuple[Path, str, int], list[FilmStep]] = {}


@settings(max_examples=25, deadline=None)
@given(
    film=st.integers(0, 3),
    choice=st.sampled_from(["shots", "keyframes", "700ms"]),
    per_minute=st.sampled_from([1, 6, 30, 120]),
    after=st.integers(0, 200),
)
def test_going_on_after_any_step_tells_the_same_rest(
    long_films: list[MadeFilm], film: int, choice: str, per_minute: int, after: int
) -> None:
    path = long_films[film].path
    key = (path, choice, per_minute)
    if key not in _WHOLE:
        _WHOLE[key] = steps(path, choice, per_minute=per_minute)
    whole = _WHOLE[key]
    index = after % len(whole)
    rest = steps(path, choice, whole[index].read_to_s, per_minute=per_minute)
    assert summary(rest) == summary(whole[index + 1 :])


def test_signs_of_life(long_films: list[MadeFilm], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shots_module, "_SIGN_OF_LIFE_S", 0.0)
    found = list(choose_frames(long_films[0].path, FrameChoice(), LIMITS, min_side_px=90))
    assert any(step.shot is None for step in found)
    assert len([step for step in found if step.shot]) == 20


def test_memory_does_not_grow_with_the_film(tmp_path: Path) -> None:
    pictures = [scene(i, (160, 90)) for i in range(4)]
    peaks = []
    for times in (3, 12):
        made = make_film(tmp_path / f"{times}.mp4", pictures * times, 2.0, (160, 90), fps=10)
        tracemalloc.start()
        for _ in choose_frames(made.path, FrameChoice(), LIMITS, min_side_px=90):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0] + 200_000


def photos(folder: Path, start: int, count: int) -> list[Rgb]:
    names = sorted(folder.glob("*.jpg"))[start : start + count]
    return [np.asarray(Image.open(name).convert("RGB").resize((640, 480))) for name in names]


@pytest.mark.parametrize("encoder", ENCODERS)
def test_shots_of_films_made_of_photos(
    tmp_path: Path, measuring_photos: Path, encoder: str
) -> None:
    rng = np.random.default_rng(1)
    lengths = [float(length) for length in rng.uniform(0.4, 3, 20)]
    cuts = make_film(tmp_path / "a.mp4", photos(measuring_photos, 200, 20), lengths,
                     **ENCODERS[encoder])  # fmt: skip
    fades = make_film(tmp_path / "b.mp4", photos(measuring_photos, 220, 8), 3.0, fade_s=1.0,
                      **ENCODERS[encoder])  # fmt: skip
    assert f1(*measured(cuts, 2 / 25)) >= 0.95
    assert f1(*measured(fades, 0.5)) >= 0.8
    times_s = [frame.time_s for shot in shots(cuts.path) for frame in shot.frames]
    for start_s, end_s in cuts.shots_s:
        assert any(start_s - 0.5 <= time_s <= end_s + 0.5 for time_s in times_s)


def test_little_is_decoded_where_key_pictures_stand_at_cuts(tmp_path: Path) -> None:
    made = make_film(tmp_path / "a.mp4", [scene(i) for i in range(6)], 4.0, (640, 360))
    begun = time.process_time()
    assert len(shots(made.path)) == 6
    choosing_s = time.process_time() - begun
    begun = time.process_time()
    frame_at(made.path, 23.9, LIMITS)  # warm
    for _ in choose_frames(made.path, FrameChoice("every", 0.04), LIMITS, min_side_px=90):
        pass
    assert choosing_s < 0.4 * (time.process_time() - begun)
