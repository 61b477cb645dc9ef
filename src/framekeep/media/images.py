"""From a file to an upright RGB picture and what is known of it."""

from __future__ import annotations

import contextlib
import io
import struct
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageCms, ImageOps

from framekeep.errors import MediaError, UnsupportedMediaError
from framekeep.media.quality import brightness, phash, sharpness
from framekeep.media.scan import PICTURE_SUFFIXES
from framekeep.media.sniff import HEAD_BYTES, PICTURES, sniff
from framekeep.types import MediaItem, RgbImage

RAW_SUFFIXES = frozenset(
    [
        ".dng",
        ".cr2",
        ".cr3",
        ".nef",
        ".nrw",
        ".arw",
        ".raf",
        ".rw2",
        ".orf",
        ".pef",
        ".srw",
        ".3fr",
        ".iiq",
        ".erf",
        ".kdc",
    ]
)
_FORMATS = {
    "JPEG": "jpeg", "MPO": "jpeg", "PNG": "png", "WEBP": "webp", "GIF": "gif", "BMP": "bmp",
    "DIB": "bmp", "TIFF": "tiff", "HEIF": "heic", "AVIF": "avif",
}  # fmt: skip
_DECODER_ERRORS = (
    OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, AttributeError,
    EOFError, OverflowError, ZeroDivisionError, RuntimeError, struct.error, MemoryError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Photo:
    """A decoded picture; `rgb` may be smaller than the file's own `size_wh`."""

    rgb: RgbImage
    size_wh: tuple[int, int]
    format: str
    taken_at_local: datetime | None
    camera: str | None
    exif_orientation: int
    sharpness: float
    brightness: float
    phash: str

    def media_item(self, media_id: str, size_bytes: int) -> MediaItem:
        """The record of this picture under its content's id."""
        return MediaItem(
            media_id=media_id,
            kind="photo",
            bytes=size_bytes,
            size_wh=self.size_wh,
            format=self.format,
            taken_at_local=self.taken_at_local,
            camera=self.camera,
            exif_orientation=self.exif_orientation,
            sharpness=self.sharpness,
            brightness=self.brightness,
            phash=self.phash,
        )


def read_photo(
    path: str,
    *,
    min_side_px: int,
    max_pixels: int = 250_000_000,
    max_bytes: int = 1_000_000_000,
) -> Photo:
    """Decode a picture upright in sRGB, (H, W, 3) uint8, of an animated one the first frame.

    A JPEG is decoded at the smallest scale whose shorter side is at least `min_side_px`.
    Raises UnsupportedMediaError for what is not a picture, MediaError for one that is damaged,
    too large, or cannot be read; the message is the reason told to the file's owner.
    """
    data_path = Path(path)
    kind = _kind(data_path, max_bytes)
    with _reasons(kind):
        if kind == "raw" or (kind == "tiff" and data_path.suffix.lower() in RAW_SUFFIXES):
            return _read_raw(data_path, min_side_px, max_pixels)
        with _open(data_path) as image:
            return _decode(image, min_side_px, max_pixels, _FORMATS.get(image.format or "", kind))


def _kind(path: Path, max_bytes: int) -> str:
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as exc:
        raise MediaError(f"The file cannot be read: {(exc.strerror or 'error').lower()}.") from exc
    if size > max_bytes:
        raise MediaError(f"The file has {size:,} bytes, more than the limit of {max_bytes:,}.")
    if not head:
        raise MediaError("The file is empty (0 bytes).")
    kind = sniff(head)
    if kind in PICTURES:
        return str(kind)
    claims = path.suffix.lower() in PICTURE_SUFFIXES
    if claims:
        what = f"seems to be {kind}" if kind else "is of no known kind, or damaged at its start"
        raise MediaError(f"The name says picture, but the content {what}.")
    if kind == "video":
        raise UnsupportedMediaError("This is a video; framekeep indexes photos so far.")
    raise UnsupportedMediaError(
        f"This is not a picture but {kind}." if kind else "This is not a picture."
    )


@contextlib.contextmanager
def _reasons(kind: str) -> Iterator[None]:
    """Turn whatever a decoder raises on a bad file into one reason."""
    try:
        yield
    except MediaError:
        raise
    except MemoryError as exc:
        raise MediaError("There is not enough memory to decode this picture.") from exc
    except _DECODER_ERRORS as exc:
        raise MediaError(f"The {kind.upper()} file is cut off or damaged ({exc}).") from exc


@cache
def _prepare_pillow() -> None:
    import pillow_heif

    # Pixels are checked from the header against our own limit, before anything is decoded.
    Image.MAX_IMAGE_PIXELS = None
    pillow_heif.register_heif_opener()
    # A damaged tag is worth no line on the user's screen: the picture itself decides.
    warnings.filterwarnings("ignore", module=r"PIL\.")


def _open(source: Path | io.BytesIO) -> Image.Image:
    _prepare_pillow()
    return Image.open(source)


def _decode(image: Image.Image, min_side_px: int, max_pixels: int, kind: str) -> Photo:
    width, height = image.size
    if width * height > max_pixels:
        raise MediaError(
            f"The picture has {width} x {height} pixels, more than the limit of "
            f"{max_pixels / 1e6:,.0f} megapixels (FRAMEKEEP_MAX_PIXELS)."
        )
    exif = image.getexif()
    orientation = _orientation(exif)
    profile = image.info.get("icc_profile")
    if image.format in ("JPEG", "MPO"):
        scale = min(width, height) / max(min_side_px, 1)
        if scale >= 2:
            image.draft(None, (max(1, int(width / scale)), max(1, int(height / scale))))
    image.load()
    upright = ImageOps.exif_transpose(image) if orientation != 1 else image
    rgb = np.asarray(_to_rgb(upright, profile))
    if orientation >= 5 and upright.size != image.size[::-1]:
        orientation = 1
    size_wh = (height, width) if orientation >= 5 else (width, height)
    luma = np.asarray(Image.fromarray(rgb).convert("L"))
    return Photo(
        rgb=rgb,
        size_wh=size_wh,
        format=kind,
        taken_at_local=_taken(exif),
        camera=_camera(exif),
        exif_orientation=orientation,
        sharpness=sharpness(luma),
        brightness=brightness(luma),
        phash=phash(luma),
    )


def _to_rgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Any mode to RGB: 16 bits scaled, alpha laid on white, a profile's colours to sRGB."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image = _to_eight_bits(image)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        image = Image.alpha_composite(white, rgba).convert("RGB")
    if profile and image.mode in ("RGB", "CMYK", "L"):
        image = _to_srgb(image, profile)
    return image.convert("RGB")


def _to_eight_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image).astype(np.float64)
    values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    if image.mode == "F":
        low, high = float(values.min()), float(values.max())
        low, high = (0.0, 1.0) if low >= 0 and high <= 1 else (low, max(high, low + 1e-9))
    else:
        low, high = 0.0, 65535.0
    scaled = np.clip((values - low) / (high - low) * 255 + 0.5, 0, 255)
    return Image.fromarray(scaled.astype(np.uint8))


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(
            image, source, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image
    return converted or image


def _orientation(exif: Image.Exif) -> int:
    value = exif.get(ExifTags.Base.Orientation, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _taken(exif: Image.Exif) -> datetime | None:
    detail = exif.get_ifd(ExifTags.IFD.Exif)
    for value in (
        detail.get(ExifTags.Base.DateTimeOriginal),
        detail.get(ExifTags.Base.DateTimeDigitized),
        exif.get(ExifTags.Base.DateTime),
    ):
        text = _text(value)
        for form in ("%Y:%m:%d %H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y:%m:%d %H:%M"):
            with contextlib.suppress(ValueError):
                return datetime.strptime(text, form)
    return None


def _camera(exif: Image.Exif) -> str | None:
    make, model = (_text(exif.get(tag)) for tag in (ExifTags.Base.Make, ExifTags.Base.Model))
    if make and model.lower().startswith(make.split()[0].lower()):
        make = ""
    return f"{make} {model}".strip() or None


def _text(value: object) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    text = value if isinstance(value, str) else ""
    return " ".join("".join(c for c in text if c.isprintable()).split())


def _read_raw(path: Path, min_side_px: int, max_pixels: int) -> Photo:
    """A RAW file's embedded preview; decoding the sensor's data would cost seconds a file."""
    try:
        import rawpy
    except ImportError as exc:
        raise MediaError(
            'RAW files need one more package: pip install "framekeep[raw]", then add again with '
            "--retry."
        ) from exc
    try:
        with rawpy.imread(str(path)) as raw:
            preview, flip = raw.extract_thumb(), raw.sizes.flip
            size_wh = (raw.sizes.width, raw.sizes.height)
    except rawpy.LibRawError as exc:
        raise MediaError(f"The RAW file has no preview that can be read ({exc}).") from exc
    if preview.format == rawpy.ThumbFormat.JPEG:
        with _open(io.BytesIO(preview.data)) as image:
            photo = _decode(image, min_side_px, max_pixels, "raw")
    else:
        photo = _decode(Image.fromarray(preview.data), min_side_px, max_pixels, "raw")
    turned = flip in (5, 6) and size_wh[0] > size_wh[1]
    return Photo(
        photo.rgb, size_wh[::-1] if turned else size_wh, "raw", photo.taken_at_local, photo.camera,
        photo.exif_orientation, photo.sharpness, photo.brightness, photo.phash,
    )  # fmt: skip
