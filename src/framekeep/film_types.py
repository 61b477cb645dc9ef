"""Frozen records of films: what is known of one, which of its frames are looked at, moments.

Times are seconds of presentation from the film's first picture (`time_s` 0.0), whatever the
container's own clock begins with.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from framekeep.errors import InputError

FrameMethod = Literal["shots", "every", "keyframes"]
_NAMED: tuple[FrameMethod, ...] = ("shots", "keyframes")
_STEP = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m)?", re.IGNORECASE)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0}


@dataclass(frozen=True, slots=True)
class FrameChoice:
    """Which frames of a film are looked at.

    `shots` finds the film's shots and takes the best frames of each; `every` takes one every
    `every_s` seconds, `keyframes` those that the film's encoder set. Of any minute at most
    `per_minute` are kept with `shots` and `keyframes`.
    """

    method: FrameMethod = "shots"
    every_s: float | None = None
    per_minute: int = 120

    def __post_init__(self) -> None:
        if self.method not in ("shots", "every", "keyframes"):
            raise InputError(f"Frames are chosen by shots, every or keyframes, not {self.method}.")
        if (self.method == "every") != (self.every_s is not None):
            raise InputError("A step in seconds goes with frames chosen by every, and only there.")
        if self.every_s is not None and not 0.04 <= self.every_s <= 86_400:
            raise InputError(f"A step lies between 0.04 s and a day, not at {self.every_s:g} s.")
        if not 1 <= self.per_minute <= 3000:
            raise InputError(f"Between 1 and 3,000 frames a minute, not {self.per_minute}.")

    @property
    def id(self) -> str:
        """Everything that shapes the choice, kept with each film."""
        if self.method == "every":
            return f"every1-{self.every_s:g}s"
        return f"{self.method}1-{self.per_minute}pm"

    @classmethod
    def from_id(cls, some_id: str) -> FrameChoice:
        """The choice that has this id. Raises InputError."""
        method, _, value = some_id.partition("1-")
        if method == "every":
            return cls("every", float(value.removesuffix("s")))
        for named in _NAMED:
            if method == named:
                return cls(named, None, int(value.removesuffix("pm")))
        raise InputError(f"There is no choice of frames {some_id!r}.")

    @classmethod
    def parse(cls, text: str, per_minute: int = 120) -> FrameChoice:
        """From "shots", "keyframes" or a step such as "2s", "500ms" or "1m". Raises InputError."""
        word = text.strip().lower()
        for named in _NAMED:
            if word == named:
                return cls(named, None, per_minute)
        step = _STEP.fullmatch(word)
        if step is None:
            raise InputError(
                f"Frames are chosen by shots, keyframes or a step such as 2s, not {text!r}."
            )
        return cls("every", float(step[1]) * _SECONDS[(step[2] or "s").lower()], per_minute)


def parse_seconds(text: str) -> float:
    """Seconds from "1.5", "2s", "500ms" or "1m". Raises InputError."""
    step = _STEP.fullmatch(text.strip().lower())
    if step is None:
        raise InputError(f"A time is such as 1.5s, 500ms or 1m, not {text!r}.")
    return float(step[1]) * _SECONDS[step[2] or "s"]


def clock(seconds: float) -> str:
    """A time as players show it: 0:12, 1:02:03."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """What is known of a film beside its size: `fps` is its average rate of frames a second."""

    duration_s: float
    fps: float
    codec: str
    has_audio: bool


@dataclass(frozen=True, slots=True)
class Moment:
    """Where a frame stands in its film: its time, and its shot's from `start_s` to `end_s`."""

    film_id: str
    time_s: float
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of a film, under its own media id, at its time.

    `rgb` is (height, width, 3) uint8, upright, in square pixels of sRGB.
    """

    media_id: str
    time_s: float
    rgb: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class PickedFrame:
    """A frame that was chosen: `rgb` (height, width, 3) uint8 may be smaller than the film.

    `sharpness`, `brightness` and `phash` are those of `framekeep.media.quality`.
    """

    time_s: float
    rgb: NDArray[np.uint8]
    sharpness: float
    brightness: float
    phash: str


@dataclass(frozen=True, slots=True)
class Shot:
    """A run of frames between two cuts, `end_s` excluded, and the frames chosen from it."""

    start_s: float
    end_s: float
    frames: tuple[PickedFrame, ...]


@dataclass(frozen=True, slots=True)
class FilmStep:
    """How far a film has been read: up to `read_to_s`, where a finished shot has just ended.

    Without a shot it is a sign of life within a long one.
    """

    read_to_s: float
    shot: Shot | None = None


@dataclass(frozen=True, slots=True)
class ClipEvent:
    """One step of cutting clips: `done` of `total`, and what became of the one it is about.

    `film` is the film's path and `clip` where the clip lies in the end; it holds the film from
    `start_s` to `end_s`, and `copied` is False where it was encoded anew. `time_s` is the moment
    that was found with `score`, the best one of the clip.
    """

    kind: Literal["started", "written", "failed", "done"]
    done: int = 0
    total: int = 0
    film: str | None = None
    film_id: str | None = None
    clip: str | None = None
    time_s: float = 0.0
    start_s: float = 0.0
    end_s: float = 0.0
    score: float | None = None
    copied: bool = False
    reason: str | None = None
