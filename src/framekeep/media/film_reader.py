"""Reading films: what a file declares, its packets, and its pictures in order or from a time on.

Decoding is FFmpeg's by way of PyAV, animated WebP Pillow's.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from framekeep.errors import MediaError
from framekeep.film_types import VideoFacts
from framekeep.media import film_facts
from framekeep.media.film_colour import Upright
from framekeep.types import RgbImage

if TYPE_CHECKING:
    import av

_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,gif,mpeg,mpegvideo,mpegts,flv,ogg,asf,mxf,"
    "yuv4mpegpipe,ivf"
)
_LONGEST_STEP_BACK_S = 600.0
TICK_S = 1e-6
"""Times are rounded to this; two that lie nearer together are the same."""


@dataclass(frozen=True, slots=True)
class FilmLimits:
    """What a film may have: pixels of one picture, bytes, seconds.

    A film of which no picture could be decoded for `max_wait_s` seconds is given up.
    """

    max_pixels: int = 250_000_000
    max_bytes: int = 200_000_000_000
    max_duration_s: float = 86_400.0
    max_wait_s: float = 60.0


@dataclass(frozen=True, slots=True)
class FilmInfo:
    """What is known of a film: `size_wh` as displayed, upright and with square pixels.

    `format` is a short name such as "mp4", "mov", "mkv", "webm", "avi" or "gif".
    `taken_at_local` is the camera's own clock where the file tells it.
    """

    size_wh: tuple[int, int]
    format: str
    video: VideoFacts
    taken_at_local: datetime | None = None
    camera: str | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """One decoded picture of a film, not yet converted. It is shown from `time_s` on."""

    time_s: float
    frame: av.VideoFrame
    upright: Upright

    def rgb(self, min_side_px: int | None = None) -> RgbImage:
        """(height, width, 3) uint8, upright, in square pixels of sRGB.

        Reduced so that the shorter side has `min_side_px`, never enlarged.
        """
        return self.upright.rgb(self.frame, min_side_px)


class Film(Protocol):
    """A film that is open for reading."""

    info: FilmInfo

    def pictures(self, from_s: float = 0.0) -> Iterator[Picture]:
        """Pictures in order, from the one that is shown at `from_s` on. Raises MediaError."""

    def check_whole(self, end_s: float) -> None:
        """Raise MediaError where a film that was read up to `end_s` should have gone on."""

    def close(self) -> None:
        """Close the file."""


@contextlib.contextmanager
def open_film(path: str | Path, limits: FilmLimits) -> Iterator[Film]:
    """Open a film for a while. Raises MediaError, UnsupportedMediaError for what is no film."""
    from framekeep.media.kinds import film_kind

    kind = film_kind(Path(path), limits.max_bytes)
    opened: Film
    if kind == "webp":
        from framekeep.media.animations import AnimatedWebp

        opened = AnimatedWebp(Path(path), limits)
    else:
        opened = AvFilm(Path(path), limits)
    try:
        yield opened
    finally:
        opened.close()


class AvFilm:
    """A film read by FFmpeg. Times count from its first picture, in seconds of six decimals."""

    def __init__(self, path: Path, limits: FilmLimits) -> None:
        self.path, self.limits = path, limits
        self._open()
        try:
            with self.reasons():
                self._learn()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self.container.close()

    def _open(self) -> None:
        import av

        with self.reasons():
            # Playlists and lists of other files stay shut: they would lead to other files.
            self.container = av.open(
                f"file:{self.path}",
                mode="r",
                options={"format_whitelist": _FORMATS, "protocol_whitelist": "file"},
                metadata_errors="replace",
            )
            self.stream = film_facts.video_stream(self.container, self.path)
            self.stream.codec_context.options = {"max_pixels": str(self.limits.max_pixels)}
            self.stream.thread_type = "AUTO"
        self._unread = True

    def _learn(self) -> None:
        self._time_base = self.stream.time_base
        self.upright: Upright | None = None
        self._start_pts = 0
        film_facts.check_size(self.stream, self.limits.max_pixels)
        declared_s = film_facts.declared_duration_s(self.container, self.stream)
        if declared_s and declared_s > self.limits.max_duration_s:
            raise MediaError(film_facts.too_long(declared_s, self.limits.max_duration_s))
        film_facts.check_not_cut_off(self.container, self.stream, self.path)
        packets = self.packets()
        packet = next(packets, None)
        if packet is not None and packet.has_sidedata("encryption_info"):
            raise MediaError(film_facts.ENCRYPTED)
        first = packet and next(self._decoded(itertools.chain([packet], packets)), None)
        if first is None or first.pts is None:
            raise MediaError(
                "No picture of the film can be decoded: it is cut off or damaged. "
                "Copy it again from its source."
            )
        self._start_pts = first.pts
        self.upright = Upright.of(first, self.stream)
        self.step_s = 1 / film_facts.fps(self.stream)
        self.declared_s = declared_s
        self.info = FilmInfo(
            size_wh=self.upright.size_wh,
            format=film_facts.format_name(self.container, self.path),
            video=VideoFacts(
                duration_s=round(declared_s or self._measured_s(), 6),
                fps=round(1 / self.step_s, 3),
                codec=self.stream.codec_context.codec.canonical_name,
                has_audio=bool(self.container.streams.audio),
            ),
            taken_at_local=film_facts.taken_at(self.container, self.stream),
            camera=film_facts.camera(self.container, self.stream),
        )

    def _measured_s(self) -> float:
        """The film's length where the file does not tell it: up to its last packet."""
        end_s = 0.0
        for packet in self.packets():
            end_s = max(end_s, self.time_of(packet) + self.step_s)
            if end_s > self.limits.max_duration_s:
                raise MediaError(film_facts.too_long(end_s, self.limits.max_duration_s))
        return end_s

    def clock_s(self, time_s: float) -> float:
        """A time of the film on the container's own clock, in seconds."""
        return float(self._start_pts * self.stream.time_base) + time_s

    def seconds_of(self, shown: av.Packet[Any] | av.AudioFrame) -> float:
        """Seconds from the first picture of what belongs to any stream."""
        ticks = shown.pts if shown.pts is not None else shown.dts
        return 0.0 if ticks is None else float(ticks * shown.time_base) - self.clock_s(0.0)

    def key_before(self, time_s: float) -> float:
        """The time of a key picture at or before a time from which pictures can be decoded."""
        back_s = 0.0
        while time_s - back_s > 0:
            packet = next(self.packets(time_s - back_s), None)
            if packet is not None and self.time_of(packet) <= time_s + TICK_S:
                return self.time_of(packet)
            back_s = max(1.0, 2 * back_s)
        return 0.0

    def all_packets(self, streams: list[Any], from_s: float) -> Iterator[av.Packet[Any]]:
        """Packets of several streams, from about a time on."""
        indexes = [stream.index for stream in streams]
        if from_s <= 0 or not self._seek(from_s):
            self.rewind()
        self._unread = False
        for stream in self.container.streams:
            if stream.codec_context is not None:
                stream.codec_context.flush_buffers()
        yield from self.container.demux([self.container.streams[i] for i in indexes])

    def time_of(self, shown: av.VideoFrame | av.Packet[Any]) -> float:
        """Seconds from the first picture, of a decoded picture or of a packet."""
        ticks = shown.pts if shown.pts is not None else shown.dts
        if ticks is None:
            return 0.0
        base = self._time_base
        seconds: float = (ticks - self._start_pts) * base.numerator / base.denominator
        return round(seconds, 6)

    def rewind(self) -> None:
        """Open the file anew, unless it has just been: not every format can be sought in."""
        if not self._unread:
            self.close()
            self._open()

    def packets(self, from_s: float = 0.0) -> Iterator[av.Packet[Any]]:
        """The picture's packets from the last place to decode from at or before a time on."""
        if from_s <= 0 or not self._seek(from_s):
            self.rewind()
        found = False
        for packet in self._demuxed():
            # What lies before the first key picture cannot be decoded.
            found = found or packet.is_keyframe
            if found:
                yield packet

    def _seek(self, time_s: float) -> bool:
        import av

        self._unread = False
        ticks = self._start_pts + math.floor((time_s + TICK_S) / self.stream.time_base)
        try:
            self.stream.codec_context.flush_buffers()
            self.container.seek(ticks, stream=self.stream, backward=True)
        except (av.FFmpegError, OverflowError):
            return False
        return True

    def _demuxed(self) -> Iterator[av.Packet[Any]]:
        import av

        self._unread = False
        packets = self.container.demux(self.stream)
        while True:
            try:
                packet = next(packets)
            except (StopIteration, av.EOFError):
                return
            except av.FFmpegError:
                return  # what is missing is told by comparing with what the file declares
            if packet.size and not packet.is_discard:
                yield packet

    def _decoded(self, packets: Iterator[av.Packet[Any]]) -> Iterator[av.VideoFrame]:
        """Decoded pictures; packets that are damaged are passed over."""
        import av

        context = self.stream.codec_context
        seen = time.monotonic()
        for packet in packets:
            with contextlib.suppress(av.InvalidDataError):
                for frame in context.decode(packet):
                    yield frame
                    seen = time.monotonic()
            if time.monotonic() - seen > self.limits.max_wait_s:
                raise MediaError(
                    f"No picture of the film could be decoded for {self.limits.max_wait_s:g} s: "
                    "it is damaged. Copy it again from its source."
                )
        with contextlib.suppress(av.InvalidDataError, av.EOFError):
            yield from context.decode(None)

    def picture(self, frame: av.VideoFrame) -> Picture:
        """A decoded picture with its time."""
        if self.upright is None:
            self.upright = Upright.of(frame, self.stream)
        return Picture(self.time_of(frame), frame, self.upright)

    def decode_alone(self, packets: Iterable[av.Packet[Any]]) -> Iterator[av.VideoFrame]:
        """The pictures of packets that begin with a key picture, apart from what went before."""
        self.stream.codec_context.flush_buffers()
        yield from self._decoded(iter(packets))
        self.stream.codec_context.flush_buffers()

    def key_pictures(self, packets: Sequence[av.Packet[Any]]) -> list[Picture | None]:
        """The pictures of packets that need no other; None where one is damaged.

        Several are decoded side by side, which one alone cannot be.
        """
        together: dict[int | None, av.VideoFrame] = {}
        if len({packet.pts for packet in packets}) == len(packets) > 1:
            # What is said to be a key picture and is none would be made from the one before.
            together = {f.pts: f for f in self.decode_alone(packets) if f.key_frame}
        return [
            self.picture(together[packet.pts])
            if packet.pts is not None and packet.pts in together
            else self.key_picture(packet)
            for packet in packets
        ]

    def key_picture(self, packet: av.Packet[Any]) -> Picture | None:
        """The picture of a packet that needs no other; None where it is damaged."""
        frames = list(self.decode_alone([packet]))
        return self.picture(frames[0]) if frames else None

    def pictures(self, from_s: float = 0.0) -> Iterator[Picture]:
        """Pictures in order, from the one that is shown at `from_s` on. Raises MediaError."""
        with self.reasons():
            before: Picture | None = None
            for picture in self._pictures_before(from_s):
                if picture.time_s > from_s + TICK_S:
                    if before is not None:
                        yield before
                    before = None
                    yield picture
                else:
                    before = picture
            if before is not None:
                yield before

    def _pictures_before(self, from_s: float) -> Iterator[Picture]:
        """Pictures from one at or before a time on, without those that lack what they refer to."""
        back_s = 0.0
        while True:
            at_s = from_s - back_s if back_s < _LONGEST_STEP_BACK_S else 0.0
            pictures = self._pictures_after_key(max(at_s, 0.0))
            first = next(pictures, None)
            if at_s <= 0 or (first is not None and first.time_s <= from_s + TICK_S):
                break
            back_s = max(1.0, 2 * back_s)
        if first is not None:
            yield first
            yield from pictures

    def _pictures_after_key(self, from_s: float) -> Iterator[Picture]:
        packets = self.packets(from_s)
        first = next(packets, None)
        if first is None:
            return
        key_s = self.time_of(first) if from_s > 0 else -1.0
        last_s = -1.0
        for frame in self._decoded(itertools.chain([first], packets)):
            picture = self.picture(frame)
            if picture.time_s >= key_s and picture.time_s > last_s:
                last_s = picture.time_s
                yield picture

    def check_whole(self, end_s: float) -> None:
        """Raise MediaError where a film that was read up to `end_s` should have gone on."""
        if self.declared_s is not None:
            film_facts.check_whole(end_s, self.declared_s)

    @contextlib.contextmanager
    def reasons(self) -> Iterator[None]:
        """Turn what FFmpeg raises on a bad file into one reason."""
        import av

        try:
            yield
        except MediaError:
            raise
        except MemoryError as exc:
            raise MediaError("There is not enough memory to decode this film.") from exc
        except (av.FFmpegError, OSError, ValueError) as exc:
            raise MediaError(film_facts.reason(exc)) from exc
