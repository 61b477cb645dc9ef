"""A film's pictures at given times."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from framekeep.errors import InputError, MediaError
from framekeep.media.film_reader import TICK_S, Film, FilmInfo, FilmLimits, Picture, open_film
from framekeep.types import RgbImage

__all__ = ["FilmInfo", "FilmLimits", "frame_at", "frames_at"]

# Nearer ones are reached by decoding on, which is faster than decoding from a key picture again.
_NEAR_S = 3.0


def frame_at(path: str | Path, time_s: float, limits: FilmLimits) -> RgbImage:
    """The picture shown at a time, (height, width, 3) uint8, upright, of the film's full size.

    Times count from the first picture; later than the last, it is the last. Raises MediaError.
    """
    return next(frames_at(path, [time_s], limits))[1]


def frames_at(
    path: str | Path, times_s: Sequence[float], limits: FilmLimits
) -> Iterator[tuple[float, RgbImage]]:
    """The pictures shown at times that ascend, each with the time asked for.

    The same pictures as `frame_at` gives, faster where they lie near together. Raises
    InputError for times that do not ascend, MediaError.
    """
    if any(later < time_s for time_s, later in pairwise(times_s)):
        raise InputError("The times of frames to read must ascend.")
    with open_film(path, limits) as film:
        cursor = Cursor(film)
        for time_s in times_s:
            yield time_s, cursor.at(time_s).rgb()


class Cursor:
    """Where a film is being read: the picture shown now and the one that follows it."""

    def __init__(self, film: Film) -> None:
        self._film = film
        self._rest: Iterator[Picture] = iter(())
        self._shown: Picture | None = None
        self._next: Picture | None = None

    @property
    def is_last(self) -> bool:
        """Whether the picture shown is the film's last."""
        return self._next is None

    @property
    def end_s(self) -> float:
        """When the picture shown gives way to the next; of the last one, when the film ends."""
        if self._next is not None:
            return self._next.time_s
        shown_s = self._shown.time_s if self._shown else 0.0
        return shown_s + 1 / self._film.info.video.fps

    def at(self, time_s: float) -> Picture:
        """The picture shown at a time, which is not before that of the last call."""
        if self._shown is None or (self._next is not None and self._next.time_s + _NEAR_S < time_s):
            self._rest = self._film.pictures(max(0.0, time_s))
            self._shown, self._next = next(self._rest, None), next(self._rest, None)
        while self._next is not None and self._next.time_s <= time_s + TICK_S:
            self._shown, self._next = self._next, next(self._rest, None)
        if self._shown is None:
            raise MediaError(f"No picture can be read at {time_s:g} s of the film.")
        return self._shown
