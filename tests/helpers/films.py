"""Real films made on the spot from pictures that are panned over and zoomed into."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from framekeep.film_types import FilmStep, FrameChoice
from framekeep.media.film_reader import FilmInfo, FilmLimits, open_film
from framekeep.media.shots import frames_of

Rgb = NDArray[np.uint8]


@dataclass(frozen=True)
class MadeFilm:
    """Where each picture of a made film is shown: from its start to its end in seconds.

    With fades, a shot begins in the middle of the change to it.
    """

    path: Path
    shots_s: tuple[tuple[float, float], ...]
    fps: float

    @property
    def cuts_s(self) -> list[float]:
        """The times at which one shot gives way to the next."""
        return [start_s for start_s, _ in self.shots_s[1:]]


def scene(seed: int, size_wh: tuple[int, int] = (480, 270)) -> Rgb:
    """A picture with many edges, another for every seed: shapes of all colours on a gradient."""
    rng = np.random.default_rng(seed)
    width, height = size_wh
    ramp = np.linspace(0, 1, width)[None, :, None] * np.linspace(0.4, 1, height)[:, None, None]
    first, second = rng.integers(20, 235, (2, 3))
    image = (first + (second - first) * ramp).astype(np.uint8)
    for _ in range(45):
        colour = tuple(int(c) for c in rng.integers(0, 256, 3))
        x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
        w, h = (int(v) for v in rng.integers(height // 20, height // 3, 2))
        if rng.random() < 0.5:
            cv2.rectangle(image, (x, y), (x + w, y + h), colour, -1)
        else:
            cv2.ellipse(image, (x, y), (w // 2, h // 2), float(w), 0, 360, colour, -1)
    noise = rng.integers(-6, 7, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def moving(picture: Rgb, size_wh: tuple[int, int], at: float, seed: int) -> Rgb:
    """The picture as a camera sees it at a part 0..1 of a slow pan and zoom."""
    rng = np.random.default_rng(seed)
    height, width = picture.shape[:2]
    fit = max(size_wh[0] / width, size_wh[1] / height)
    zoom = fit * (1.06 + (0.12 * at if rng.random() < 0.5 else 0.12 * (1 - at)))
    spare = np.array([width * zoom - size_wh[0], height * zoom - size_wh[1]])
    corner = spare * (rng.random(2) * (1 - at) + rng.random(2) * at)
    matrix = np.array([[zoom, 0, -corner[0]], [0, zoom, -corner[1]]])
    return cv2.warpAffine(picture, matrix, size_wh, flags=cv2.INTER_LINEAR)


def made_frames(
    pictures: Sequence[Rgb],
    seconds_each: float | Sequence[float],
    size_wh: tuple[int, int],
    fps: float,
    fade_s: float = 0.0,
    through_black: bool = False,
    moves: bool = True,
) -> tuple[Iterator[Rgb], list[tuple[float, float]]]:
    """Every frame of a film, and the shots in it."""
    lengths = (
        [seconds_each] * len(pictures) if isinstance(seconds_each, int | float) else seconds_each
    )
    counts = [max(1, round(seconds * fps)) for seconds in lengths]
    starts = [0, *itertools.accumulate(counts)]
    half = round(fade_s * fps / 2)

    def shown(index: int, frame: int) -> Rgb:
        span = counts[index] + 2 * half
        at = (frame - starts[index] + half) / span if moves else 0.0
        return moving(pictures[index], size_wh, at, index)

    def blended(frame: int, index: int, other: int, share: float) -> Rgb:
        one = shown(index, frame).astype(np.float32)
        if through_black:
            return (one * abs(1 - 2 * share)).astype(np.uint8)
        two = shown(other, frame).astype(np.float32)
        return (one * (1 - share) + two * share).astype(np.uint8)

    def frames() -> Iterator[Rgb]:
        for index, count in enumerate(counts):
            first, after = starts[index], starts[index + 1]
            for frame in range(first, first + count):
                if index and frame < first + half:
                    share = 0.5 + (frame - first) / (2 * half)
                    yield blended(frame, index, index - 1, 1 - share)
                elif index + 1 < len(counts) and frame >= after - half:
                    share = 0.5 - (after - frame) / (2 * half)
                    yield blended(frame, index, index + 1, share)
                else:
                    yield shown(index, frame)

    return frames(), [(a / fps, b / fps) for a, b in itertools.pairwise(starts)]


def make_film(
    path: Path,
    pictures: Sequence[Rgb],
    seconds_each: float | Sequence[float] = 1.0,
    size_wh: tuple[int, int] = (320, 180),
    fps: float = 25,
    codec: str = "libx264",
    *,
    fade_s: float = 0.0,
    through_black: bool = False,
    moves: bool = True,
    gop: int | None = None,
    sc_threshold: int | None = None,
    audio: bool = False,
    rotation: int = 0,
    pix_fmt: str = "yuv420p",
    pixel_ratio: Fraction | None = None,
    first_pts_s: float = 0.0,
    skip: Sequence[int] = (),
    metadata: dict[str, str] | None = None,
    format: str | None = None,  # noqa: A002 - PyAV's own name
    options: dict[str, str] | None = None,
) -> MadeFilm:
    """Write a film that shows each picture for so many seconds; truth comes back with it.

    `rotation` is that of the display matrix, in degrees counter-clockwise; `skip` leaves frames
    out, which makes the rate uneven.
    """
    rate = Fraction(fps).limit_denominator(1001)
    frames, shots = made_frames(
        pictures, seconds_each, size_wh, float(rate), fade_s, through_black, moves
    )
    with av.open(str(path), "w", format=format) as container:
        container.metadata.update(metadata or {})
        film = container.add_stream(codec, rate=rate, options=dict(options or {}))
        film.width, film.height = size_wh
        film.pix_fmt = pix_fmt
        film.codec_context.time_base = 1 / rate
        film.codec_context.thread_count = 2
        if gop is not None:
            film.codec_context.gop_size = gop
        if sc_threshold is not None:
            film.codec_context.options = {
                **film.codec_context.options,
                "sc_threshold": str(sc_threshold),
            }
        if codec == "libx264":
            film.codec_context.options = {"preset": "veryfast", **film.codec_context.options}
        if pixel_ratio is not None:
            film.codec_context.sample_aspect_ratio = pixel_ratio
        if rotation:
            film.set_display_rotation(rotation)
        sound = container.add_stream("aac", rate=44100) if audio else None
        offset = round(first_pts_s * rate)
        number = -1
        for number, rgb in enumerate(frames):
            if number in skip:
                continue
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
            frame.pts, frame.time_base = number + offset, 1 / rate
            container.mux(film.encode(frame))
        container.mux(film.encode())
        if sound is not None:
            _add_tone(container, sound, (number + 1) / float(rate), first_pts_s)
    return MadeFilm(path, tuple(shots), float(rate))


def _add_tone(container: object, sound: object, seconds: float, from_s: float) -> None:
    times = np.arange(round(seconds * 44100)) / 44100
    tone = (np.sin(times * 2 * np.pi * 440) * 0.2).astype(np.float32)
    for begin in range(0, len(tone), 1024):
        part = tone[None, begin : begin + 1024]
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(part), "fltp", "mono")
        frame.sample_rate, frame.pts = 44100, begin + round(from_s * 44100)
        frame.time_base = Fraction(1, 44100)
        container.mux(sound.encode(frame))
    container.mux(sound.encode())


def probe(path: str | Path, limits: FilmLimits) -> FilmInfo:
    """What is known of a film."""
    with open_film(path, limits) as film:
        return film.info


def choose_frames(
    path: str | Path,
    choice: FrameChoice,
    limits: FilmLimits,
    *,
    min_side_px: int,
    start_s: float = 0.0,
) -> Iterator[FilmStep]:
    """The steps of `frames_of` for a film by its path."""
    with open_film(path, limits) as film:
        yield from frames_of(film, choice, min_side_px=min_side_px, start_s=start_s)
