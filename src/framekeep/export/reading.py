"""What readers of datasets share: nothing that a dataset says of itself is believed unchecked."""

from __future__ import annotations

import contextlib
import math
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path, PurePosixPath, PureWindowsPath

from framekeep.errors import InputError
from framekeep.export.records import Split

MOST_PIXELS = 250_000_000
PICTURE_SUFFIXES = (
    *(".jpg", ".jpeg", ".jfif", ".png", ".webp", ".gif", ".bmp"),
    *(".tif", ".tiff", ".heic", ".heif", ".avif", ".mpo"),
)
_LONGEST_NAME = 255
_LONGEST_PATH = 2000
_OPENERS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "HEIF", "AVIF")
_TURNED_BY_DECODER = ("TIFF", "HEIF")
_ORIENTATION = 0x0112
_SPLIT = re.compile(r"(?:^|[^a-z])(train|val|valid|validation|test)(?![a-z])", re.IGNORECASE)


def absolute(path: Path | str) -> Path:
    """A path from the root of the file system, without "..", with links as they are."""
    return Path(os.path.normpath(Path(path).absolute()))


@contextlib.contextmanager
def readable(path: Path) -> Iterator[None]:
    """Tell of a file or folder that cannot be read as InputError, with the system's reason."""
    try:
        yield
    except OSError as exc:
        raise InputError(f"{path} cannot be read: {(exc.strerror or 'error').lower()}.") from exc


def within(root: Path, base: Path, name: str) -> Path | None:
    """Where `name`, as a dataset writes it, lies from `base`; None where that is outside `root`.

    Backslashes part folders too. What leaves the root, by ".." or as an absolute path, or can be
    no name of a file is outside.
    """
    whole = elsewhere(name)
    if whole is not None:
        return whole if whole.is_relative_to(os.path.normpath(root)) else None
    plain = name.strip().replace("\\", "/")
    if not _is_name(plain) or PureWindowsPath(plain).drive or PurePosixPath(plain).is_absolute():
        return None
    path = os.path.normpath(base / plain)
    return Path(path) if Path(path).is_relative_to(os.path.normpath(root)) else None


def elsewhere(name: str) -> Path | None:
    """The place that a whole path names on this system, without ".."; None for any other name."""
    plain = name.strip()
    # Two slashes in front may lead to another machine.
    if not Path(plain).is_absolute() or plain.startswith(("//", "\\\\")):
        return None
    return Path(os.path.normpath(plain)) if _is_name(plain.replace("\\", "/")) else None


def _is_name(plain: str) -> bool:
    """Whether a text, its folders parted by slashes, can name a file at all."""
    if not plain or "\0" in plain or not is_unicode(plain) or len(plain) > _LONGEST_PATH:
        return False
    return all(len(part.encode()) <= _LONGEST_NAME for part in plain.split("/"))


def is_unicode(text: str) -> bool:
    """Whether a text can be stored; JSON may bring halves of characters."""
    return not any("\ud800" <= char <= "\udfff" for char in text)


def split_named(text: str) -> Split:
    """The split that the name of a folder or file tells of, such as "val2017"; "" if none."""
    found = _SPLIT.findall(text)
    if not found:
        return ""
    name = found[-1].lower()
    return "val" if name.startswith("val") else name


def finite(value: object) -> float | None:
    """A number of a JSON document as a float; None for whatever else, truth values included."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def checked_size(width: object, height: object) -> tuple[int, int]:
    """A picture's size; raises InputError for what is none, or beyond `MOST_PIXELS`."""
    sides = finite(width), finite(height)
    if any(side is None or side < 1 or side != int(side) for side in sides):
        raise InputError(f"A picture's width and height are whole numbers, not {width} x {height}.")
    size_wh = int(sides[0] or 0), int(sides[1] or 0)
    if size_wh[0] * size_wh[1] > MOST_PIXELS:
        raise InputError(
            f"The picture has {size_wh[0]} x {size_wh[1]} pixels, more than "
            f"{MOST_PIXELS / 1e6:,.0f} megapixels."
        )
    return size_wh


def header_size(path: Path) -> tuple[int, int]:
    """A picture's size when upright, from its header alone; raises InputError with the reason."""
    _prepare_pillow()
    from PIL import Image

    try:
        if not path.is_file():
            raise InputError("The picture is not there.")
        with Image.open(path, formats=_OPENERS) as image:
            width, height = image.size
            turn = 1
            if image.format not in _TURNED_BY_DECODER:
                turn = image.getexif().get(_ORIENTATION, 1)
    except InputError:
        raise
    # Decoders of hostile bytes raise nearly anything; one bad picture must not end a run.
    except Exception as exc:
        raise InputError("The picture cannot be read; it is damaged or of no known kind.") from exc
    return checked_size(*((height, width) if turn in (5, 6, 7, 8) else (width, height)))


@cache
def _prepare_pillow() -> None:
    import pillow_heif
    from PIL import Image

    # Pixels are checked from the header against our own limit; nothing is decoded here.
    Image.MAX_IMAGE_PIXELS = None
    pillow_heif.register_heif_opener()
