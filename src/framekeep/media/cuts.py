"""Where one shot ends and the next begins, from small likenesses of a film's pictures.

Hard cuts: the change between neighbours against a threshold and against the changes around it
(adaptive thresholds: Yusoff, Christmas & Kittler 2000). Fades through black: the darkest picture
between brighter ones (Lienhart 1999). Dissolves: over a distance two pictures differ (twin
comparison: Zhang, Kankanhalli & Smoliar 1993) and the one between them is nearly their mean,
which a dissolve makes and a moving camera does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import av

T = TypeVar("T")
SIDE_WH = (32, 18)
CONTEXT_S = 3.0
"""Whether a picture begins a shot depends on no picture farther from it than this."""

_HALF_S = 0.6
_AROUND_S = 0.3
_LOOK_S = 3 * _HALF_S + 0.1
_CUT, _AGAINST_AROUND = 0.18, 2.0
_APART = 0.2
_FADE, _FADE_RESIDUAL, _FADE_ALONE, _FADE_UNKNOWN = 0.2, 0.4, 1.6, 0.3
_BLACK, _FLAT = 0.06, 0.03
_LONG_BLACK_S = 1.0
_BINS = (16, 12, 12)
PLANES = frozenset(
    ("yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "yuv440p", "yuvj440p")
)


@dataclass(frozen=True, slots=True)
class Likeness:
    """A picture very small: `small` (3, 18, 32) float32 0..1, luma and chroma; `spread` (40,)
    the shares of values in each, blurred so that a slight change of light stays small.
    """

    small: NDArray[np.float32]
    spread: NDArray[np.float32]

    @property
    def is_black(self) -> bool:
        """Whether nothing can be seen in it."""
        # Black is 16 of 255 in limited range.
        return (
            float(self.small[0].mean()) < _BLACK + 16 / 255 and float(self.small[0].std()) < _FLAT
        )


def likeness(frame: av.VideoFrame) -> Likeness:
    """The likeness of a decoded picture, taken from its planes without converting it."""
    if frame.format.name not in PLANES or min(frame.width, frame.height) < 2 * 4 * SIDE_WH[1]:
        frame = frame.reformat(8 * SIDE_WH[0], 8 * SIDE_WH[1], "yuv444p")
    small = np.empty((3, SIDE_WH[1], SIDE_WH[0]), np.float32)
    for index, plane in enumerate(frame.planes):
        rows = np.frombuffer(plane, np.uint8)[: plane.height * plane.line_size]
        small[index] = _shrunk(rows.reshape(plane.height, plane.line_size)[:, : plane.width])
    return Likeness(small, _spread(small))


def _shrunk(plane: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Means of 4 x 4 values out of each cell of a grid: most of a plane is not even read."""
    height, width = plane.shape
    ys = (np.arange(4 * SIDE_WH[1]) * 2 + 1) * height // (8 * SIDE_WH[1])
    xs = (np.arange(4 * SIDE_WH[0]) * 2 + 1) * width // (8 * SIDE_WH[0])
    values = plane[ys[:, None], xs].astype(np.float32)
    return np.asarray(cv2.resize(values, SIDE_WH, interpolation=cv2.INTER_AREA) * (1 / 255))


def _spread(small: NDArray[np.float32]) -> NDArray[np.float32]:
    parts = []
    for plane, bins, low, high in zip(small, _BINS, (0, 0.2, 0.2), (1, 0.8, 0.8), strict=True):
        cells = ((plane - low) * (bins / (high - low))).astype(np.int32)
        cells = np.minimum(np.maximum(cells, 0), bins - 1)
        counts = np.bincount(cells.ravel(), minlength=bins).astype(np.float32)
        padded = np.concatenate([counts[:1], counts, counts[-1:]])
        blurred = padded[:-2] + 2 * padded[1:-1] + padded[2:]
        parts.append(blurred / blurred.sum() / 6)
    return np.concatenate(parts)


def difference(one: Likeness, other: Likeness) -> float:
    """How far two likenesses differ, 0..1: by place, and by the values they have at all."""
    by_place = float(np.abs(one.small - other.small).mean((1, 2)) @ (0.6, 1.2, 1.2))
    return 0.5 * min(1.0, 3 * by_place) + 0.5 * float(np.abs(one.spread - other.spread).sum())


@dataclass(slots=True, eq=False)
class Seen(Generic[T]):
    """A picture that was looked at, with whatever its reader keeps of it in `kept`.

    `after_gap` says that pictures between it and the one before it were not decoded, since
    nothing seems to happen there. `begins` tells whether a shot begins with it, `fading` that
    it stands within a slow change from one shot to the next.
    """

    time_s: float
    likeness: Likeness
    kept: T
    after_gap: bool = False
    change: float = 0.0
    fade: float = 0.0
    apart: float | None = None
    begins: bool = False
    fading: bool = False


class CutFinder(Generic[T]):
    """Decide for each picture whether a shot begins with it; give the pictures in their order."""

    def __init__(self) -> None:
        self._seen: list[Seen[T]] = []
        self._faded = 0
        self._next = 0

    def feed(self, seen: Seen[T]) -> Iterator[Seen[T]]:
        """Take the next picture; give those that are decided now."""
        if self._seen:
            seen.change = difference(self._seen[-1].likeness, seen.likeness)
        self._seen.append(seen)
        yield from self._decided(seen.time_s - _LOOK_S)

    def finish(self) -> Iterator[Seen[T]]:
        """Give the pictures that are left."""
        yield from self._decided(float("inf"))

    def _decided(self, before_s: float) -> Iterator[Seen[T]]:
        while self._faded < len(self._seen) and self._seen[self._faded].time_s <= (
            before_s + 2 * _HALF_S + 0.05
        ):
            self._seen[self._faded].fade = self._fade(self._faded)
            self._faded += 1
        while self._next < len(self._seen) and self._seen[self._next].time_s <= before_s:
            seen = self._seen[self._next]
            seen.begins = self._begins(self._next)
            self._next += 1
            yield seen
        old = 0
        while old < self._next and self._seen[old].time_s < before_s - CONTEXT_S:
            old += 1
        if old > 64:
            del self._seen[:old]
            self._next, self._faded = self._next - old, self._faded - old

    def _run(self, index: int, reach_s: float) -> range:
        """The pictures around one, without a gap between them, up to a distance in seconds."""
        seen, at_s = self._seen, self._seen[index].time_s
        first = index
        while first and not seen[first].after_gap and at_s - seen[first - 1].time_s <= reach_s:
            first -= 1
        last = index
        while (
            last + 1 < len(seen)
            and not seen[last + 1].after_gap
            and seen[last + 1].time_s - at_s <= reach_s
        ):
            last += 1
        return range(first, last + 1)

    def _fade(self, index: int) -> float:
        """How much a picture looks like the middle of a dissolve; 0 where it does not at all."""
        run = self._run(index, _HALF_S)
        reach = min(index - run.start, run.stop - 1 - index)
        one, middle, other = (self._seen[i] for i in (index - reach, index, index + reach))
        if min(middle.time_s - one.time_s, other.time_s - middle.time_s) < 0.8 * _HALF_S:
            return 0.0
        first, last = one.likeness.small, other.likeness.small
        between = float(np.abs(middle.likeness.small - (first + last) / 2).mean())
        residual = between / (float(np.abs(first - last).mean()) + 1e-3)
        apart = difference(one.likeness, other.likeness)
        middle.apart = apart
        middle.fading = apart > _FADE and residual < _FADE_RESIDUAL
        return apart * (1 - residual) if middle.fading else 0.0

    def _begins(self, index: int) -> bool:
        seen = self._seen[index]
        if index == 0:
            return False
        if seen.after_gap:
            return seen.change > _APART
        if self._is_cut(index) or self._ends_black(index):
            return True
        if not seen.fade or any(
            self._seen[i].likeness.is_black for i in self._run(index, 2 * _HALF_S)
        ):
            # Fades to and from black look like dissolves, too; they count once.
            return False
        near = [self._seen[i] for i in self._run(index, _HALF_S)]
        best = max(near, key=lambda other: other.fade)
        return (
            best is seen
            and self._is_alone(index)
            and not any(self._is_cut(i) for i in self._run(index, _AROUND_S) if i and i != index)
        )

    def _is_alone(self, index: int) -> bool:
        """Whether less changes before or after a slow change: a camera that moves goes on."""
        run = self._run(index, 2 * _HALF_S)
        apart = self._seen[index].apart or 0.0
        sides = [self._seen[i].apart for i in (run.start, run.stop - 1)]
        known = [side for side in sides if side is not None]
        return apart > (_FADE_ALONE * min(known) if known else _FADE_UNKNOWN)

    def _is_cut(self, index: int) -> bool:
        seen = self._seen[index]
        if seen.change <= _CUT or seen.after_gap:
            return False
        around = [
            self._seen[i].change
            for i in self._run(index, _AROUND_S)
            if i != index and not self._seen[i].after_gap
        ]
        usual = float(np.median(around)) if around else 0.0
        return seen.change > _AGAINST_AROUND * usual and seen.change >= max(
            (change for change in around if change > _CUT and abs(change - seen.change) < 0.02),
            default=0.0,
        )

    def _ends_black(self, index: int) -> bool:
        """Whether a shot begins here by a fade: in the middle of a short darkness, else at its
        end and, for what is a black shot of its own, at its beginning.
        """
        run = self._run(index, _LONG_BLACK_S + 0.05)
        dark = self._seen[index].likeness.is_black
        first = index if dark else index - 1
        if first < run.start or not self._seen[first].likeness.is_black:
            return False
        last = first
        while first > run.start and self._seen[first - 1].likeness.is_black:
            first -= 1
        while last + 1 < run.stop and self._seen[last + 1].likeness.is_black:
            last += 1
        long = self._seen[last].time_s - self._seen[first].time_s > _LONG_BLACK_S
        begun_lit, ended_lit = first > run.start, last + 1 < run.stop
        if long:
            return (dark and begun_lit and index == first) or not dark
        return begun_lit and ended_lit and index == (first + last + 1) // 2
