"""What a film's file declares of itself, and reasons for what is wrong with it."""

from __future__ import annotations

import contextlib
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framekeep.errors import MediaError, UnsupportedMediaError
from framekeep.film_types import clock
from framekeep.media.images import _text
from framekeep.media.scan import FILM_SUFFIXES

if TYPE_CHECKING:
    import av

_NAMES = {"matroska": "mkv", "mpegts": "ts", "mpegvideo": "mpeg", "asf": "wmv"}
ENCRYPTED = "The film is encrypted: add a copy that is not."
_AGAIN = "copy it again from its source"


def video_stream(container: av.container.InputContainer, path: Path) -> Any:
    """The film among a file's streams, cover pictures left out.

    Raises UnsupportedMediaError for a file without one that has no film's name, MediaError.
    """
    from av.stream import Disposition

    still = Disposition.attached_pic | Disposition.timed_thumbnails
    films = [s for s in container.streams.video if not s.disposition & still]
    if not films:
        what = "only sound" if container.streams.audio else "nothing to see"
        claims = path.suffix.lower() in FILM_SUFFIXES
        error = MediaError if claims else UnsupportedMediaError
        raise error(f"There is {what} in this file, no film.")
    if any(stream.codec_context and stream.codec_context.codec_tag == "encv" for stream in films):
        raise MediaError(ENCRYPTED)
    known = [stream for stream in films if stream.codec_context is not None]
    if not known:
        raise MediaError(
            "The film is in a format that cannot be decoded here: convert it to H.264 in MP4."
        )
    return max(known, key=lambda s: (s.codec_context.width or 0) * (s.codec_context.height or 0))


def check_size(stream: Any, max_pixels: int) -> None:
    """Raise MediaError for pictures larger than the limit."""
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > max_pixels:
        raise MediaError(
            f"The film has {width} x {height} pixels, more than the limit of "
            f"{max_pixels / 1e6:,.0f} megapixels (FRAMEKEEP_MAX_PIXELS)."
        )


def declared_duration_s(container: av.container.InputContainer, stream: Any) -> float | None:
    """The length that the file tells of its film, else of all its streams; None without one."""
    if container.format.name == "avi" and stream.frames and stream.average_rate:
        # FFmpeg shortens the duration of one that breaks off, but not its number of pictures.
        return float(stream.frames / stream.average_rate)
    if stream.duration and stream.duration > 0 and "matroska" not in container.format.name:
        return float(stream.duration * stream.time_base)
    parts = stream.metadata.get("DURATION", "").split(":")
    with contextlib.suppress(ValueError):
        if len(parts) == 3:
            seconds = int(parts[0]) * 3600 + int(parts[1]) * 60 + float(parts[2])
            # The tag tells when the stream ends, on the container's clock.
            return seconds - float((stream.start_time or 0) * stream.time_base)
    return container.duration / 1e6 if container.duration and container.duration > 0 else None


def fps(stream: Any) -> float:
    """The average rate of pictures a second; 25 where the file tells nothing sensible."""
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if rate and 0.001 <= rate <= 1000:
            return float(rate)
    return 25.0


def format_name(container: av.container.InputContainer, path: Path) -> str:
    """A short name of the file's format."""
    name: str = container.format.name.split(",")[0]
    if name == "mov":
        brand = container.metadata.get("major_brand", "").strip().lower()
        return "mov" if brand in ("qt", "") else "3gp" if brand.startswith("3g") else "mp4"
    if name == "matroska":
        with path.open("rb") as file:
            return "webm" if b"webm" in file.read(64) else "mkv"
    return _NAMES.get(name, name)


def taken_at(container: av.container.InputContainer, stream: Any) -> datetime | None:
    """When the film was taken, as its file tells it, without a zone."""
    found = {**stream.metadata, **container.metadata}
    for key in ("com.apple.quicktime.creationdate", "creation_time", "date", "ICRD"):
        with contextlib.suppress(ValueError):
            taken = datetime.fromisoformat(_text(found.get(key))).replace(tzinfo=None)
            # Recorders without a clock write the first day of their calendar.
            return taken.replace(microsecond=0) if taken.year > 1970 else None
    return None


def camera(container: av.container.InputContainer, stream: Any) -> str | None:
    """The camera's maker and model, where the file tells them."""
    found = {k.lower(): _text(v) for k, v in {**stream.metadata, **container.metadata}.items()}
    make, model = (
        next((found[p + key] for p in prefixes for key in keys if found.get(p + key)), "")
        for prefixes, keys in (
            (("com.apple.quicktime.", "com.android.", ""), ("make", "manufacturer")),
            (("com.apple.quicktime.", "com.android.", ""), ("model",)),
        )
    )
    if make and model.lower().startswith(make.split()[0].lower()):
        make = ""
    return f"{make} {model}".strip() or None


def too_long(duration_s: float, limit_s: float) -> str:
    """The reason for a film that is longer than the limit."""
    return (
        f"The film lasts {clock(duration_s)}, more than the limit of {clock(limit_s)} "
        "(FRAMEKEEP_MAX_FILM_S)."
    )


def breaks_off(read_s: float, declared_s: float) -> MediaError:
    """The reason for a film that ends before its time."""
    return MediaError(f"The film breaks off at {clock(read_s)} of {clock(declared_s)}: {_AGAIN}.")


def check_whole(end_s: float, declared_s: float) -> None:
    """Raise MediaError where more is missing than a second or 2 % of a film."""
    if declared_s - end_s > max(1.0, 0.02 * declared_s):
        raise breaks_off(end_s, declared_s)


def check_not_cut_off(container: av.container.InputContainer, stream: Any, path: Path) -> None:
    """Raise MediaError where an index points behind the file's end, as after a broken copy."""
    entries = stream.index_entries
    if not container.format.name.startswith("mov") or not len(entries):
        return
    size = path.stat().st_size
    if entries[-1].pos + entries[-1].size <= size:
        return
    low, high = 0, len(entries) - 1
    while low < high:
        middle = (low + high) // 2
        if entries[middle].pos + entries[middle].size > size:
            high = middle
        else:
            low = middle + 1
    first, cut, last = (entries[i].timestamp for i in (0, low, len(entries) - 1))
    check_whole(float((cut - first) * stream.time_base), float((last - first) * stream.time_base))


def reason(exc: Exception) -> str:
    """One sentence for what FFmpeg or the system raised."""
    import av

    detail = " ".join(str(getattr(exc, "strerror", None) or exc).split())[:120]
    if isinstance(exc, av.DecoderNotFoundError | av.PatchWelcomeError):
        return "The film is in a format that cannot be decoded here: convert it to H.264 in MP4."
    if isinstance(exc, OSError) and not isinstance(exc, av.FFmpegError):
        return f"The file cannot be read: {(exc.strerror or 'error').lower()}."
    return f"The film is cut off or damaged ({detail}): {_AGAIN}."
