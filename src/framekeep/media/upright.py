"""Pictures for training code: which can go as they are, and the others written anew, upright.

Training code often neither turns a picture by its EXIF block nor reads HEIC, camera RAW or 16 bits,
while masks are drawn on the upright picture of eight bits.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Literal

from PIL import Image

from framekeep.errors import MediaError
from framekeep.media.images import _open, read_photo
from framekeep.types import RgbImage

Form = Literal["jpeg", "png"]
SUFFIX: dict[Form, str] = {"jpeg": ".jpg", "png": ".png"}
JPEG_QUALITY = 95
AS_THEY_ARE = frozenset(["jpeg", "png", "bmp", "webp"])
_LOSSLESS = frozenset(["png", "gif", "bmp", "tiff"])
# As FFmpeg names them; the pictures of other films have been through lossy coding already.
_LOSSLESS_CODECS = frozenset([
    "apng", "cscd", "ffv1", "ffvhuff", "flashsv", "gif", "huffyuv", "magicyuv", "png", "qtrle",
    "rawvideo", "tscc", "utvideo", "v210", "zmbv",
])  # fmt: skip
_FULL_SIZE = 1_000_000_000  # no picture's shorter side: nothing is decoded at a smaller scale
_HEAD_BYTES = 64


def form_for_training(path: Path, kind: str, exif_orientation: int) -> Form | None:
    """How a picture of a format (`MediaItem.format`) has to be written anew; None where it is
    plain and upright already.

    What cannot be read is judged by its format alone.
    """
    head = b""
    with contextlib.suppress(OSError), path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if exif_orientation == 1 and kind in AS_THEY_ARE and _is_plain(path, kind, head):
        return None
    lossless = kind in _LOSSLESS or (kind == "webp" and head[12:16] == b"VP8L")
    return "png" if lossless else "jpeg"


def form_of_frames(codec: str) -> Form:
    """How the frames of a film are written, by its codec (`VideoFacts.codec`)."""
    return "png" if codec in _LOSSLESS_CODECS else "jpeg"


def read_upright(
    path: Path, size_wh: tuple[int, int], *, max_pixels: int, max_bytes: int
) -> RgbImage:
    """A picture (height, width, 3) uint8 RGB, upright and of just that size.

    Of camera RAW files the preview is scaled to it. Raises MediaError, also where the picture
    has another size.
    """
    photo = read_photo(
        str(path), min_side_px=_FULL_SIZE, max_pixels=max_pixels, max_bytes=max_bytes
    )
    height, width = photo.rgb.shape[:2]
    if photo.format == "raw" and (width, height) != size_wh:
        import numpy as np

        scaled = Image.fromarray(photo.rgb).resize(size_wh, Image.Resampling.LANCZOS)
        return np.asarray(scaled)
    check_size(photo.rgb, size_wh)
    return photo.rgb


def check_size(rgb: RgbImage, size_wh: tuple[int, int]) -> None:
    """Raise MediaError where a picture (height, width, 3) has another size."""
    height, width = rgb.shape[:2]
    if (width, height) != size_wh:
        raise MediaError(
            f"The picture has {width} x {height} pixels, and {size_wh[0]} x {size_wh[1]} were "
            "expected: add it again."
        )


def write_picture(rgb: RgbImage, target: Path, form: Form) -> None:
    """Write a picture (height, width, 3) uint8; the same pixels always give the same bytes.

    JPEG has quality 95 and full colour resolution. Raises OSError.
    """
    image = Image.fromarray(rgb)
    if form == "png":
        image.save(target, "PNG", compress_level=6)
    else:
        image.save(target, "JPEG", quality=JPEG_QUALITY, subsampling=0)


def _is_plain(path: Path, kind: str, head: bytes) -> bool:
    """Whether training code reads the picture as framekeep does: eight bits, RGB or grey."""
    if kind == "png":
        return head[24:25] != b"\x10"
    if kind == "bmp":
        return True
    with contextlib.suppress(OSError, ValueError, SyntaxError), _open(path) as image:
        # A JPEG with a second picture behind it (MPO) is read like any other.
        moves = kind == "webp" and getattr(image, "is_animated", False)
        return image.mode != "CMYK" and not moves
    return False
