"""A film looked at with as little decoding as will do.

A segment is what lies from one key picture to the next. Key pictures are always decoded. All
others of a segment are only where something seems to happen: where its packets grow or shrink
against those around them, which they do at a cut or a dissolve (Meng, Juan & Chang 1995, scene
changes in compressed video), or where the key pictures at its ends differ and the encoder did not
set the second one early, as it does at a cut.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from framekeep.errors import MediaError
from framekeep.media.cuts import Likeness, Seen, difference, likeness
from framekeep.media.film_reader import AvFilm, Film, Picture

if TYPE_CHECKING:
    import av

T = TypeVar("T")
_CELL_S = 0.2
_MOST_BYTES, _MOST_PACKETS = 48_000_000, 1500
_GROWN, _SHRUNK, _OF_KEY = 2.2, 0.2, 0.015
_MARGIN_S = 0.75
_CUT_OF_KEY, _CUT_MARGIN_S = 0.3, 0.4
_FEW = 20
_SETTLING = 6
_KEYS_DIFFER, _NEAR_KEYS_DIFFER = 0.2, 0.11
_NEAR_KEYS_S, _SHORT_S = 1.05, 0.7
_GAUGE_SEGMENTS = 12
_GROUP_PACKETS, _TOGETHER = 3000, 4
_ANOTHER = 0.3
_POOR_S = 1.5


@dataclass(slots=True)
class _Segment:
    packets: list[av.Packet[Any]]
    times_s: list[float] = field(default_factory=list)
    key: Picture | None = None
    key_likeness: Likeness | None = None
    open_end: bool = False
    """Whether the next segment begins without a key picture: this one was too long to hold."""

    @property
    def start_s(self) -> float:
        return self.times_s[0]


def watched(
    film: Film,
    keep: Callable[[Picture, bool], T],
    is_poor: Callable[[T], bool],
    from_s: float = 0.0,
) -> Iterator[Seen[T]]:
    """The pictures of a film that are worth looking at, from a key picture before a time on.

    `keep` makes of each what is to be kept of it; it is told whether it is a key picture.
    `is_poor` tells of a key picture that better ones after it are wanted. What is seen of a
    moment does not depend on where reading began, unless that is within two segments of it.
    """
    if isinstance(film, AvFilm):
        with film.reasons():
            yield from _Watch(film, keep, is_poor).seen(from_s)
        return
    end_s = 0.0
    for picture in film.pictures():
        yield Seen(picture.time_s, likeness(picture.frame), keep(picture, False))
        end_s = picture.time_s
    film.check_whole(end_s)


class _Watch:
    def __init__(
        self,
        film: AvFilm,
        keep: Callable[[Picture, bool], Any],
        is_poor: Callable[[Any], bool],
    ) -> None:
        self._film, self._keep, self._is_poor = film, keep, is_poor
        self._usual_packets = 0

    def seen(self, from_s: float) -> Iterator[Seen[Any]]:
        start_s = self._begin(from_s)
        segments = _segments(self._film, 0.0)
        first = self._group(segments, _GAUGE_SEGMENTS + 1)
        self._usual_packets = self._usual_segment(first)
        if start_s > 0:
            first, segments = [], _segments(self._film, start_s)
        whole = False
        bad = total = 0
        # Each segment is judged with those around it: one before, two after.
        around: deque[_Segment | None] = deque([None], maxlen=4)
        end_s = 0.0
        groups = iter(lambda: self._group(segments, _TOGETHER), [])
        rest = itertools.chain.from_iterable(map(_passed, groups))
        for segment in itertools.chain(_passed(first), rest, (None, None)):
            around.append(segment)
            if segment is not None:
                total += 1
                bad += segment.key is None
                end_s = max(end_s, max(segment.times_s) + self._film.step_s)
            if len(around) == 4:
                whole = yield from self._look(around, whole)
        if not total:
            raise MediaError("No picture of the film can be decoded: it is damaged.")
        if total >= 4 and bad > total // 2:
            raise MediaError(
                "Most of the film cannot be decoded: it is damaged. Copy it again from its source."
            )
        self._film.check_whole(end_s)

    def _begin(self, from_s: float) -> float:
        """Two key pictures before the one that stands before a time."""
        for _ in range(4):
            if from_s <= 0:
                return 0.0
            first = next(self._film.packets(from_s), None)
            at_s = self._film.time_of(first) if first is not None else 0.0
            from_s = min(at_s, from_s) - 2 * _CELL_S
        return max(from_s, 0.0)

    def _group(self, segments: Iterator[_Segment], most: int) -> list[_Segment]:
        """The next of a film's segments, at most so many; their key pictures decoded together."""
        group: list[_Segment] = []
        packets = held = 0
        for segment in itertools.islice(segments, most):
            group.append(segment)
            packets += len(segment.packets)
            held += sum(packet.size for packet in segment.packets)
            if packets > _GROUP_PACKETS or held > _MOST_BYTES:
                break
        whole = [segment for segment in group if segment.packets[0].is_keyframe]
        pictures = self._film.key_pictures([segment.packets[0] for segment in whole])
        for segment, picture in zip(whole, pictures, strict=True):
            segment.key = picture
            segment.key_likeness = likeness(picture.frame) if picture else None
        return group

    def _look(
        self, around: deque[_Segment | None], joined: bool
    ) -> Generator[Seen[Any], None, bool]:
        """Look at one segment; the value is whether it was decoded up to its end."""
        before, here, after, ahead = around
        if here is None:
            return False
        until_s = self._worth_until(before, here, after, ahead)
        kept = None
        if here.key is not None:
            kept = self._keep(here.key, True)
            if self._is_poor(kept):
                until_s = max(until_s, here.start_s + _POOR_S)
        if until_s < 0 and here.key is not None and here.key_likeness is not None:
            yield Seen(here.key.time_s, here.key_likeness, kept, after_gap=not joined)
            return False
        packets = here.packets
        whole = until_s >= max(here.times_s)
        if not whole:
            count = max(i for i, t in enumerate(here.times_s) if t <= until_s) + 1
            packets = packets[:count]
        last_s = -1.0
        for frame in self._film.decode_alone(packets):
            picture = self._film.picture(frame)
            if picture.time_s < here.start_s or picture.time_s <= last_s:
                continue
            is_key = here.key is not None and picture.time_s == here.key.time_s
            own = kept if is_key else self._keep(picture, False)
            gap = not joined and last_s < 0
            yield Seen(picture.time_s, likeness(frame), own, after_gap=gap)
            last_s = picture.time_s
        return whole

    def _usual_segment(self, first: list[_Segment]) -> int:
        """The most packets between two key pictures near the film's start, if it is met twice:
        then it is what the encoder was set to, and fewer mean that it set a key picture early.

        0 where it seems to set them at cuts: they differ, and nothing happens between them.
        """
        # The last may have been ended by the film.
        most = max((len(segment.packets) for segment in first[:-1]), default=0)
        if sum(len(segment.packets) >= most - 1 for segment in first[:-1]) < 2:
            return 0
        changed = calm = 0
        for before, here, after in zip([None, *first], first, first[1:], strict=False):
            if _change(here, after) > _ANOTHER:
                changed += 1
                calm += self._busy_until(before, here, after) < 0
        at_cuts = changed > 0.4 * (len(first) - 1) and calm > 0.6 * changed
        return 0 if at_cuts else most

    def _worth_until(
        self,
        before: _Segment | None,
        here: _Segment,
        after: _Segment | None,
        ahead: _Segment | None,
    ) -> float:
        """Up to which time all pictures are to be decoded; below 0 where none but the key is."""
        if here.open_end or here.key_likeness is None or self._film.step_s >= _CELL_S:
            return float("inf")
        if after is None:
            # Of a film's end only the beginning can be seen at keys.
            return self._busy_until(before, here, after)
        lasts_s = after.start_s - here.start_s
        count = len(here.packets)
        early = abs(count - self._usual_packets) > 1 and count > _FEW
        change = _change(here, after)
        if lasts_s <= _SHORT_S:
            # A dissolve is longer than what lies between two such keys.
            change = max(change, _change(before, here), _change(after, ahead))
        if not early and change > (_NEAR_KEYS_DIFFER if lasts_s <= _NEAR_KEYS_S else _KEYS_DIFFER):
            return float("inf")
        return self._busy_until(before, here, after)

    def _busy_until(self, before: _Segment | None, here: _Segment, after: _Segment | None) -> float:
        order = np.argsort(here.times_s[1:])
        sizes = np.array([packet.size for packet in here.packets[1:]], float)[order]
        times_s = np.array(here.times_s[1:])[order]
        if not len(sizes):
            return -1.0
        key = here.packets[0].size
        largest_key = max(s.packets[0].size for s in (before, here, after) if s is not None)
        busy, margin_s = _busy(sizes, key, largest_key, ends=after is not None), _MARGIN_S
        cuts = sizes > _CUT_OF_KEY * largest_key
        calm = np.where(cuts, 0, sizes)
        if (busy & cuts).any() and not _busy(calm, key, largest_key, ends=after is not None).any():
            # Nothing happens but cuts: no slow change has to be followed to its end.
            busy, margin_s = busy & cuts, _CUT_MARGIN_S
        return float(times_s[np.flatnonzero(busy)[-1]]) + margin_s if busy.any() else -1.0


def _busy(
    sizes: NDArray[np.float64], key: int, largest_key: int, *, ends: bool
) -> NDArray[np.bool_]:
    """Which packets after a key picture are larger or smaller than it takes where little happens.

    `ends` tells whether another key picture follows the last.
    """
    # Of the small packets between references little is to be learnt.
    padded = np.pad(sizes, 2, mode="edge")
    tops = np.max([padded[i : i + len(sizes)] for i in range(5)], axis=0)
    usual = float(np.percentile(tops, 40))
    grown = (tops > _GROWN * usual) & (tops > _OF_KEY * largest_key)
    shrunk = (tops < _SHRUNK * usual) & (usual > _OF_KEY * largest_key)
    # The first after a key picture are large where the encoder makes up for it.
    grown[:_SETTLING] &= sizes[:_SETTLING] > max(6 * usual, 0.12 * key)
    shrunk[:_SETTLING] = False
    if ends:
        # The last are small, as no other will refer to them.
        shrunk[-_SETTLING:] = False
    return np.asarray(grown | shrunk)


def _passed(segments: list[_Segment]) -> Iterator[_Segment]:
    """Segments in order, each let go of when it has been given."""
    segments.reverse()
    while segments:
        yield segments.pop()


def _change(one: _Segment | None, other: _Segment | None) -> float:
    """How far the key pictures of two segments differ; 0 where one is not known."""
    if one is None or other is None or one.key_likeness is None or other.key_likeness is None:
        return 0.0
    return difference(one.key_likeness, other.key_likeness)


def _segments(film: AvFilm, from_s: float) -> Iterator[_Segment]:
    """Packets from key picture to key picture, those much nearer than 0.2 s to another joined."""
    segment: _Segment | None = None
    held = 0
    cell = -1
    for packet in film.packets(from_s):
        time_s = film.time_of(packet)
        too_long = held > _MOST_BYTES or (
            segment is not None and len(segment.packets) >= _MOST_PACKETS
        )
        new_cell = packet.is_keyframe and int(time_s / _CELL_S) != cell
        if packet.is_keyframe:
            cell = int(time_s / _CELL_S)
        if segment is not None and (new_cell or too_long):
            segment.open_end = not packet.is_keyframe
            yield segment
            segment, held = None, 0
        segment = segment or _Segment([])
        segment.packets.append(packet)
        segment.times_s.append(time_s)
        held += packet.size
    if segment is not None:
        yield segment
