"""Choosing frames: a film's shots and the best frames of each, in the film's order."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from framekeep.film_types import FilmStep, FrameChoice, PickedFrame, Shot
from framekeep.media.cuts import CONTEXT_S, CutFinder, Likeness, Seen, difference
from framekeep.media.film_reader import TICK_S, AvFilm, Film, Picture
from framekeep.media.film_segments import watched
from framekeep.media.glances import Glance, glance
from framekeep.media.quality import brightness, different_bits, phash, sharpness
from framekeep.media.video import Cursor

LONGEST_SHOT_S = 300.0
"""A longer shot is told in parts of this length, so that no more of it has to be held."""

_ONE_MORE_PER_S = 10.0
_CANDIDATE_EVERY_S = 0.2
_ANOTHER, _MOST_IN_STRETCH = 0.3, 6
_SIGN_OF_LIFE_S = 2.0
_SAME_BITS = 4
_WINDOW_S = 5.0


def frames_of(
    film: Film, choice: FrameChoice, *, min_side_px: int, start_s: float = 0.0
) -> Generator[FilmStep, None, None]:
    """Read an open film and tell each shot with the frames chosen from it, in the film's order.

    `start_s` is the `read_to_s` of an earlier step with a shot: the reading goes on from there
    and tells the same shots as if it had not been interrupted. Steps without a shot are signs of
    life, at least one every two seconds where decoding goes on; nothing can be resumed from
    their `read_to_s`. Raises MediaError, also in the end for a film that breaks off.
    """
    if choice.every_s is not None:
        yield from _every(film, choice.every_s, min_side_px, start_s)
    elif choice.method == "keyframes" and isinstance(film, AvFilm):
        yield from _keyframes(film, choice.per_minute, min_side_px, start_s)
    else:
        yield from _Shots(film, choice.per_minute, min_side_px, start_s).steps()


def pick(picture: Picture, min_side_px: int) -> PickedFrame:
    """A picture reduced to a shorter side of `min_side_px`, with its figures."""
    rgb = picture.rgb(min_side_px)
    luma = np.asarray(Image.fromarray(rgb).convert("L"))
    return PickedFrame(picture.time_s, rgb, sharpness(luma), brightness(luma), phash(luma))


def _every(film: Film, every_s: float, min_side_px: int, start_s: float) -> Iterator[FilmStep]:
    cursor = Cursor(film)
    number = round(start_s / every_s)
    shown: Picture | None = None
    while True:
        time_s = round(number * every_s, 6)
        picture = cursor.at(time_s)
        if cursor.is_last and time_s >= cursor.end_s:
            break
        if picture is not shown:
            end_s = round((number + 1) * every_s, 6)
            yield FilmStep(end_s, Shot(time_s, end_s, (pick(picture, min_side_px),)))
        shown = picture
        number += 1
    film.check_whole(cursor.end_s)


def _window_s(per_minute: int) -> float:
    return max(_WINDOW_S, 60 / per_minute)


def _keyframes(
    film: AvFilm, per_minute: int, min_side_px: int, start_s: float
) -> Iterator[FilmStep]:
    """Key pictures alone; at most as many in each window of time as the limit gives it."""
    window_s = _window_s(per_minute)
    most = max(1, int(per_minute * window_s / 60))
    window, count, end_s = -1, 0, 0.0
    held: PickedFrame | None = None
    with film.reasons():
        for packet in film.packets(start_s // window_s * window_s - TICK_S):
            time_s = film.time_of(packet)
            end_s = max(end_s, time_s + film.step_s)
            if not packet.is_keyframe:
                continue
            if int(time_s / window_s) != window:
                window, count = int(time_s / window_s), 0
            count += 1
            if count > most or time_s < start_s - TICK_S:
                continue
            picture = film.key_picture(packet)
            if picture is None:
                continue
            if held is not None:
                yield FilmStep(picture.time_s, Shot(held.time_s, picture.time_s, (held,)))
            held = pick(picture, min_side_px)
    film.check_whole(end_s)
    if held is not None:
        yield FilmStep(end_s, Shot(held.time_s, end_s, (held,)))


@dataclass(slots=True)
class _Best:
    """The best of those pictures so far that look alike."""

    worth: float
    seen: Glance
    likeness: Likeness


@dataclass(slots=True)
class _Open:
    """The shot being read, or a part of it: its best pictures so far in each stretch of time.

    More than one where they are quite different: a camera that turns round shows much, and not
    every change from one shot to the next is found. `first` is false for later parts of a long
    shot; `allowed` tells whether the limit of frames a minute leaves it one.
    """

    start_s: float
    first: bool
    allowed: bool
    best: dict[int, list[_Best]] = field(default_factory=dict)


class _Shots:
    def __init__(self, film: Film, per_minute: int, min_side_px: int, start_s: float) -> None:
        self._film, self._min_side_px, self._start_s = film, min_side_px, start_s
        self._window_s = _window_s(per_minute)
        budget = max(1, int(per_minute * self._window_s / 60))
        self._most_begun = budget if budget < 4 else budget - 1
        self._stretch_s = max(_ONE_MORE_PER_S, self._window_s)
        self._begun: list[float] = []
        self._last_candidate_s = -1.0
        self._said = time.monotonic()

    def steps(self) -> Iterator[FilmStep]:
        finder: CutFinder[Glance | None] = CutFinder()
        window_start_s = self._start_s // self._window_s * self._window_s
        shot: _Open | None = None
        end_s = 0.0
        for seen in watched(self._film, self._candidate, _is_poor, window_start_s - 2 * CONTEXT_S):
            end_s = seen.time_s
            for decided in finder.feed(seen):
                shot = yield from self._take(shot, decided)
            if time.monotonic() - self._said > _SIGN_OF_LIFE_S:
                self._said = time.monotonic()
                yield FilmStep(max(end_s, self._start_s))
        for decided in finder.finish():
            shot = yield from self._take(shot, decided)
        if shot is not None:
            end_s = max(end_s + 1e-3, self._film.info.video.duration_s)
            yield self._closed(shot, end_s)

    def _candidate(self, picture: Picture, is_key: bool) -> Glance | None:
        """Key pictures, and between them one in every fifth of a second."""
        cell = int(picture.time_s / _CANDIDATE_EVERY_S)
        if not is_key and cell == self._last_candidate_s:
            return None
        self._last_candidate_s = cell
        return glance(picture)

    def _take(
        self, shot: _Open | None, seen: Seen[Glance | None]
    ) -> Generator[FilmStep, None, _Open | None]:
        """One decided picture; the value is the shot that is open after it."""
        at_start = abs(seen.time_s - self._start_s) <= TICK_S
        if seen.begins or seen.time_s == 0.0:
            self._begun = [s for s in self._begun if self._window(s) == self._window(seen.time_s)]
            self._begun.append(seen.time_s)
        if seen.time_s < self._start_s - TICK_S:
            return None
        if shot is None:
            shot = self._opened(seen.time_s, first=seen.begins or seen.time_s == 0.0)
        elif (seen.begins and not at_start) or seen.time_s - shot.start_s >= LONGEST_SHOT_S:
            yield self._closed(shot, seen.time_s)
            shot = self._opened(seen.time_s, first=seen.begins)
        if seen.kept is not None:
            self._weigh(shot, seen.kept, seen)
        return shot

    def _weigh(self, shot: _Open, glanced: Glance, seen: Seen[Glance | None]) -> None:
        passing = seen.fading or seen.likeness.is_black
        worth = glanced.worth * (0.2 if passing else 1.0)
        found = _Best(worth, glanced, seen.likeness)
        stretch = int((seen.time_s - shot.start_s) / self._stretch_s)
        best = shot.best.setdefault(stretch, [])
        alike = [i for i, b in enumerate(best) if difference(b.likeness, seen.likeness) < _ANOTHER]
        if not best or not (alike or passing or len(best) >= _MOST_IN_STRETCH):
            best.append(found)
        for i in alike[:1]:
            if worth > best[i].worth:
                best[i] = found

    def _window(self, time_s: float) -> int:
        return int((time_s + TICK_S) / self._window_s)

    def _opened(self, time_s: float, first: bool) -> _Open:
        before = sum(
            self._window(s) == self._window(time_s) and s < time_s - TICK_S for s in self._begun
        )
        return _Open(time_s, first, allowed=before < self._most_begun)

    def _closed(self, shot: _Open, end_s: float) -> FilmStep:
        self._said = time.monotonic()
        frames: list[PickedFrame] = []
        good = [each for some in shot.best.values() for each in some if each.worth > 0]
        pictures = sorted((each.seen.picture for each in good), key=lambda p: p.time_s)
        for number, picture in enumerate(pictures):
            is_first = shot.first and not number
            if not (shot.allowed if is_first else self._may_add(shot, end_s, picture.time_s)):
                continue
            frame = pick(picture, self._min_side_px)
            if not any(_same(frame, other) for other in frames):
                frames.append(frame)
        return FilmStep(end_s, Shot(shot.start_s, end_s, tuple(frames)))

    def _may_add(self, shot: _Open, end_s: float, time_s: float) -> bool:
        """Whether one more frame of a long shot keeps the limit of frames a minute."""
        if self._most_begun >= 3:
            return True
        return self._window(time_s) not in (self._window(shot.start_s), self._window(end_s))


def _is_poor(seen: Glance | None) -> bool:
    return seen is not None and seen.is_poor


def _same(one: PickedFrame, other: PickedFrame) -> bool:
    """Whether two frames look alike: their hashes differ in few bits and their light hardly."""
    alike = different_bits(one.phash, other.phash) <= _SAME_BITS
    return alike and abs(one.brightness - other.brightness) < 0.05
