"""A film looked at with as little decoding as will do.

A segment is what lies from one key picture to the next. Key pictures are always decoded. All
others of a segment are only where something seems to happen: where its packets grow or shrink
against those around them, which they do at a cut or a dissolve (Meng, Juan & Chang 1995, scene
changes in compressed video), or where the key pictures at its ends differ and the encoder did not
set the second one early, as it does at a cut.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from framekeep.errors import MediaError
from framekeep.media.cuts import Likeness, Seen, difference, likeness
from framekeep.media.film_reader import AvFilm, Film, Picture

if TYPE_CHECKING:
    import av

T = TypeVar("T")
_CELL_S = 0.2
_MOST_BYTES, _MOST_PACKETS = 48_000_000, 1500
_GROWN, _SHRUNK, _OF_KEY = 2.2, 0.2, 0.04
_MARGIN_S = 0.75
_FEW = 20
_SETTLING = 6
_KEYS_DIFFER, _NEAR_KEYS_DIFFER = 0.2, 0.11
_NEAR_KEYS_S = 1.05
_GAUGE_PACKETS = 3000
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
        self._usual_packets = _usual_segment(self._film)
        whole = False
        before: _Segment | None = None
        here: _Segment | None = None
        bad = total = 0
        for segment in self._with_keys(self._begin(from_s)):
            total += 1
            bad += segment.key is None
            if here is not None:
                result = yield from self._look(before, here, segment, whole)
                whole = result
            before, here = here, segment
        if here is None:
            raise MediaError("No picture of the film can be decoded: it is damaged.")
        yield from self._look(before, here, None, whole)
        if total >= 4 and bad > total // 2:
            raise MediaError(
                "Most of the film cannot be decoded: it is damaged. Copy it again from its source."
            )
        self._film.check_whole(max(here.times_s) + self._film.step_s)

    def _begin(self, from_s: float) -> float:
        """Two key pictures before the one that stands before a time."""
        for _ in range(3):
            if from_s <= 0:
                return 0.0
            first = next(self._film.packets(from_s), None)
            at_s = self._film.time_of(first) if first is not None else 0.0
            from_s = min(at_s, from_s) - 2 * _CELL_S
        return max(from_s, 0.0)

    def _with_keys(self, from_s: float) -> Iterator[_Segment]:
        for segment in _segments(self._film, from_s):
            packet = segment.packets[0]
            if packet.is_keyframe:
                frames = _decode_all(self._film, [packet])
                for frame in frames:
                    segment.key = self._film.picture(frame)
                    segment.key_likeness = likeness(frame)
            yield segment

    def _look(
        self, before: _Segment | None, here: _Segment, after: _Segment | None, joined: bool
    ) -> Iterator[Seen[Any]]:
        """Look at one segment; the value is whether it was decoded up to its end."""
        until_s = self._worth_until(before, here, after)
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
        for frame in _decode_lazily(self._film, packets):
            picture = self._film.picture(frame)
            if picture.time_s < here.start_s or picture.time_s <= last_s:
                continue
            is_key = here.key is not None and picture.time_s == here.key.time_s
            own = kept if is_key else self._keep(picture, False)
            gap = not joined and last_s < 0
            yield Seen(picture.time_s, likeness(frame), own, after_gap=gap)
            last_s = picture.time_s
        return whole

    def _worth_until(
        self, before: _Segment | None, here: _Segment, after: _Segment | None
    ) -> float:
        """Up to which time all pictures are to be decoded; below 0 where none but the key is."""
        until_s = self._busy_until(before, here, after)
        if here.open_end or here.key_likeness is None:
            return float("inf")
        if after is None or after.key_likeness is None:
            return until_s
        count = len(here.packets)
        early = abs(count - self._usual_packets) > 1 and count > _FEW
        near = after.start_s - here.start_s <= _NEAR_KEYS_S
        least = _NEAR_KEYS_DIFFER if near else _KEYS_DIFFER
        if not early and difference(here.key_likeness, after.key_likeness) > least:
            return float("inf")
        return until_s

    def _busy_until(
        self, before: _Segment | None, here: _Segment, after: _Segment | None
    ) -> float:
        order = np.argsort(here.times_s[1:])
        sizes = np.array([packet.size for packet in here.packets[1:]], float)[order]
        times_s = np.array(here.times_s[1:])[order]
        if not len(sizes):
            return -1.0
        # Of the small packets between references little is to be learnt.
        padded = np.pad(sizes, 2, mode="edge")
        tops = np.max([padded[i : i + len(sizes)] for i in range(5)], axis=0)
        usual = float(np.percentile(tops, 40))
        keys = [s.packets[0].size for s in (before, here, after) if s is not None]
        grown = (tops > _GROWN * usual) & (tops > _OF_KEY * max(keys))
        shrunk = (tops < _SHRUNK * usual) & (usual > _OF_KEY * max(keys))
        # The first after a key picture are large where the encoder makes up for it.
        grown[:_SETTLING] &= sizes[:_SETTLING] > max(6 * usual, 0.12 * here.packets[0].size)
        shrunk[:_SETTLING] = False
        busy = np.flatnonzero(grown | shrunk)
        return float(times_s[busy[-1]]) + _MARGIN_S if len(busy) else -1.0


def _usual_segment(film: AvFilm) -> int:
    """The most packets between two key pictures near the film's start, if it is met twice: then
    it is what the encoder was set to, and fewer mean that it set a key picture early.
    """
    counts = [0]
    for packet in itertools.islice(film.packets(), _GAUGE_PACKETS):
        if packet.is_keyframe:
            counts.append(0)
        counts[-1] += 1
    # What follows the last key picture may be cut short by where this ends.
    full = counts[1:-1]
    most = max(full, default=0)
    return most if sum(count >= most - 1 for count in full) > 1 else 0


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


def _decode_all(film: AvFilm, packets: list[av.Packet[Any]]) -> list[av.VideoFrame]:
    return list(_decode_lazily(film, packets))


def _decode_lazily(film: AvFilm, packets: list[av.Packet[Any]]) -> Iterator[av.VideoFrame]:
    """The pictures of packets that begin with a key picture; damaged ones are passed over."""
    context = film.stream.codec_context
    context.flush_buffers()
    yield from film._decoded(iter(packets))
    with contextlib.suppress(ValueError):
        context.flush_buffers()
