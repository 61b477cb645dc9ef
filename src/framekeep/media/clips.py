"""Cutting a stretch out of a film, without encoding it anew where that is possible."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from framekeep.errors import InputError, MediaError
from framekeep.media.film_reader import TICK_S, AvFilm, FilmLimits, open_film

if TYPE_CHECKING:
    import av

_USUAL_CODECS = ("libx264", "aac")
_CODECS = {"webm": ("libvpx-vp9", "libopus"), "avi": ("mpeg4", "libmp3lame")}
_FORMATS = {
    ".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm", ".avi": "avi",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ClipInfo:
    """A clip that was written: what it really holds of the film, and whether it was copied."""

    path: Path
    start_s: float
    end_s: float
    copied: bool


def cut_clip(
    source: str | Path,
    start_s: float,
    end_s: float,
    target: str | Path,
    *,
    exact: bool = False,
    limits: FilmLimits | None = None,
) -> ClipInfo:
    """Write the film's stretch from `start_s` to `end_s` to `target`, sound and rotation kept.

    Copied as it is encoded, a clip begins with the key picture at or before `start_s`; `exact`
    encodes it anew (H.264 and AAC; WebM gets VP9 and Opus, AVI MPEG-4 and MP3), and so does a
    format that cannot hold the film's encoding.
    The target's suffix tells its format: .mp4, .mov, .mkv, .webm or .avi. It is written beside
    its place and moved there whole. Raises InputError for an existing target or times that are
    not in the film, MediaError.
    """
    place = Path(target)
    kind = _FORMATS.get(place.suffix.lower())
    if kind is None:
        raise InputError(f"A clip is written to .mp4, .mov, .mkv, .webm or .avi, not {place.name}.")
    if place.exists():
        raise InputError(f"{place} is there already: choose another name.")
    with open_film(source, limits or FilmLimits()) as film:
        duration_s = film.info.video.duration_s
        if not 0 <= start_s < end_s or start_s >= duration_s:
            raise InputError(
                f"A clip from {start_s:g} s to {end_s:g} s does not lie in a film of "
                f"{duration_s:g} s."
            )
        if not isinstance(film, AvFilm):
            raise MediaError("Of animated WebP no clips can be cut: convert it to MP4.")
        part = place.with_name(f"{place.name}.{uuid.uuid4().hex[:8]}.part")
        try:
            with film.reasons():
                info = None if exact else _copied(film, start_s, end_s, part, kind)
                info = info or _encoded(film, start_s, end_s, part, kind)
            if place.exists():
                raise InputError(f"{place} is there already: choose another name.")
            part.replace(place)
        finally:
            part.unlink(missing_ok=True)
    return ClipInfo(place, *info)


def _copied(
    film: AvFilm, start_s: float, end_s: float, part: Path, kind: str
) -> tuple[float, float, bool] | None:
    """Copy packets; None where the format cannot hold them."""
    import av

    key_s = film.key_before(start_s)
    inputs = [film.stream, *film.container.streams.audio[:1]]
    try:
        with av.open(str(part), "w", format=kind) as container:
            outputs = {s.index: container.add_stream_from_template(s) for s in inputs}
            _turn(film, outputs[film.stream.index])
            container.start_encoding()
            shown_s = key_s
            for packet in _between(film, inputs, key_s, end_s):
                if packet.stream is film.stream:
                    shown_s = max(shown_s, film.time_of(packet))
                _shift(packet, film.clock_s(key_s))
                packet.stream = outputs[packet.stream.index]
                container.mux(packet)
    except (av.FFmpegError, ValueError) as exc:
        if isinstance(exc, OSError):  # a full disk is no reason to write more
            raise
        return None
    return round(key_s, 6), round(shown_s + film.step_s, 6), True


def _between(
    film: AvFilm, inputs: list[Any], key_s: float, end_s: float
) -> Iterator[av.Packet[Any]]:
    """Packets of picture and sound from a key picture on that are shown before an end."""
    over = {stream.index: False for stream in inputs}
    for packet in _with_dts(film.all_packets(inputs, key_s), film.step_s):
        stream = packet.stream
        shown_s = film.seconds_of(packet)
        if shown_s >= key_s - TICK_S and shown_s < end_s - TICK_S:
            yield packet
        # What is decoded after the end is shown after it; only then nothing more is to come.
        decoded_s = float(packet.dts * stream.time_base) - film.clock_s(0.0)
        over[stream.index] = over[stream.index] or decoded_s >= end_s
        if all(over.values()):
            return


def _with_dts(packets: Iterator[av.Packet[Any]], step_s: float) -> Iterator[av.Packet[Any]]:
    """Packets that have content, each with a time of decoding.

    Matroska tells none, and FFmpeg cannot work it out for the first ones where pictures refer to
    later ones: they come before the first that has one.
    """
    waiting: dict[int, list[av.Packet[Any]]] = {}
    for packet in packets:
        if not packet.size or packet.is_discard or (packet.pts is None and packet.dts is None):
            continue
        early = waiting.setdefault(packet.stream.index, [])
        if packet.dts is None:
            early.append(packet)
            continue
        yield from _decoded_before(early, packet.dts, step_s)
        early.clear()
        yield packet
    for early in waiting.values():
        if early:
            yield from _decoded_before(early, min(packet.pts for packet in early), step_s)


def _decoded_before(
    packets: list[av.Packet[Any]], dts: int, step_s: float
) -> Iterator[av.Packet[Any]]:
    for left, packet in zip(range(len(packets), 0, -1), packets, strict=True):
        packet.dts = dts - left * max(1, round(step_s / packet.time_base))
        yield packet


def _shift(packet: av.Packet[Any], by_s: float) -> None:
    ticks = round(by_s / packet.stream.time_base)
    packet.pts = None if packet.pts is None else packet.pts - ticks
    packet.dts = packet.dts - ticks


def _turn(film: AvFilm, output: Any) -> None:
    """Keep the display matrix, since what is copied is not turned itself."""
    upright = film.upright
    if upright is not None and (upright.turns or upright.mirrored):
        output.set_display_rotation(90 * upright.turns, hflip=upright.mirrored)


def _encoded(
    film: AvFilm, start_s: float, end_s: float, part: Path, kind: str
) -> tuple[float, float, bool]:
    """Decode and encode anew; the pictures are written upright."""
    import av

    video_codec, audio_codec = _CODECS.get(kind, _USUAL_CODECS)
    if video_codec not in av.codecs_available:
        video_codec = "mpeg4"
    rate = Fraction(film.info.video.fps).limit_denominator(1001)
    width, height = film.info.size_wh
    with av.open(str(part), "w", format=kind) as container:
        output = container.add_stream(video_codec, rate=rate)
        output.width, output.height = max(2, width // 2 * 2), max(2, height // 2 * 2)
        output.pix_fmt = "yuv420p"
        output.codec_context.options = {"crf": "18", "b": "0"} if "x" in video_codec else {}
        if video_codec == "mpeg4":
            output.codec_context.bit_rate = 4 * output.width * output.height
        sound = None
        if film.info.video.has_audio:
            audio_rate = 48000 if audio_codec == "libopus" else _sound_rate(film)
            sound = container.add_stream(audio_codec, rate=audio_rate, layout="stereo")
        span_s = _encode_pictures(film, start_s, end_s, container, output)
        if sound is not None:
            _encode_sound(film, span_s, container, sound)
    return (*span_s, False)


def _encode_pictures(
    film: AvFilm, start_s: float, end_s: float, container: Any, output: Any
) -> tuple[float, float]:
    import av

    # Finer than any film's clock, but for encoders that count pictures.
    tick = Fraction(1, 90000) if output.codec.name != "mpeg4" else 1 / output.codec_context.rate
    output.codec_context.time_base = tick
    begun_s, shown_s, last = start_s, start_s, -1
    for picture in film.pictures(start_s):
        if picture.time_s >= end_s - TICK_S:
            break
        begun_s = picture.time_s if last < 0 else begun_s
        ticks = round((picture.time_s - begun_s) / tick)
        if ticks <= last:
            continue
        rgb = np.ascontiguousarray(picture.rgb()[: output.height, : output.width])
        frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
        frame.pts, frame.time_base = ticks, tick
        container.mux(output.encode(frame))
        last, shown_s = ticks, picture.time_s
    container.mux(output.encode())
    return round(begun_s, 6), round(shown_s + film.step_s, 6)


def _sound_rate(film: AvFilm) -> int:
    rate = film.container.streams.audio[0].rate
    return rate if rate in (32000, 44100, 48000) else 48000


def _encode_sound(film: AvFilm, span_s: tuple[float, float], container: Any, output: Any) -> None:
    import av

    source = film.container.streams.audio[0]
    resampler = av.AudioResampler(output.format, output.layout, output.rate)
    samples = -1
    for frame in _sounds(film, source, span_s):
        if samples < 0:  # sound may begin later than the pictures
            samples = max(0, round((film.seconds_of(frame) - span_s[0]) * output.rate))
        for part in resampler.resample(frame):
            part.pts, part.time_base = samples, Fraction(1, output.rate)
            samples += part.samples
            container.mux(output.encode(part))
    container.mux(output.encode())


def _sounds(film: AvFilm, source: Any, span_s: tuple[float, float]) -> Iterator[av.AudioFrame]:
    """The pieces of sound that begin in a span; nothing behind it is read."""
    import av

    for packet in film.all_packets([source], span_s[0]):
        decoded: list[av.AudioFrame] = []
        with contextlib.suppress(av.InvalidDataError):
            decoded = packet.decode()
        for frame in decoded:
            at_s = film.seconds_of(frame)
            if at_s >= span_s[1]:
                return
            if at_s >= span_s[0] - TICK_S:
                yield frame
