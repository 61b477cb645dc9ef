"""From a file to an upright RGB picture and what is known of it."""

from __future__ import annotations

import contextlib
import io
import stat
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError

from framekeep.errors import MediaError, UnsupportedMediaError
from framekeep.media.quality import brightness, phash, sharpness
from framekeep.media.scan import PICTURE_SUFFIXES, RAW_SUFFIXES
from framekeep.media.sniff import HEAD_BYTES, PICTURES, sniff
from framekeep.types import MediaItem, RgbImage

_FORMATS = {
    "JPEG": "jpeg", "MPO": "jpeg", "PNG": "png", "WEBP": "webp", "GIF": "gif", "BMP": "bmp",
    "DIB": "bmp", "TIFF": "tiff", "HEIF": "heic", "AVIF": "avif",
}  # fmt: skip
# Pillow's other openers stay shut: some call programs, none is needed. JPEG's opens MPO too.
_OPENERS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "HEIF", "AVIF")
_TURNED_BY_DECODER = ("TIFF", "HEIF")
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


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
    kind = picture_kind(data_path, max_bytes)
    with _reasons(kind):
        if kind == "raw" or (kind == "tiff" and data_path.suffix.lower() in RAW_SUFFIXES):
            return _read_raw(data_path, min_side_px, max_pixels)
        with _open(data_path) as image:
            return _decode(image, min_side_px, max_pixels, _FORMATS.get(image.format or "", kind))


def picture_kind(path: Path, max_bytes: int) -> str:
    """The format of a picture by its first bytes; nothing more of the file is read.

    Raises UnsupportedMediaError for what is not a picture, MediaError for what only claims to be
    one, is too large, or cannot be read.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise MediaError("This is not a file; it was not opened.")
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as exc:
        raise _unreadable(exc) from exc
    claims = path.suffix.lower() in PICTURE_SUFFIXES
    if not head:
        error = MediaError if claims else UnsupportedMediaError
        raise error("The file is empty (0 bytes).")
    kind = sniff(head)
    if status.st_size > max_bytes and (claims or kind in PICTURES):
        raise MediaError(
            f"The file has {status.st_size / 1e6:,.0f} MB, more than the limit of "
            f"{max_bytes / 1e6:,.0f} MB (FRAMEKEEP_MAX_BYTES)."
        )
    if kind in PICTURES:
        return str(kind)
    if claims:
        what = f"seems to be {kind}" if kind else "is of no known kind, or damaged at its start"
        raise MediaError(f"The name says picture, but the content {what}.")
    if kind == "video":
        raise UnsupportedMediaError("This is a video; framekeep indexes photos so far.")
    raise UnsupportedMediaError(
        f"This is not a photo that framekeep can read, it seems to be {kind}."
        if kind
        else "This is not a photo of any kind that framekeep knows."
    )


def _unreadable(exc: OSError) -> MediaError:
    return MediaError(f"The file cannot be read: {(exc.strerror or 'error').lower()}.")


@contextlib.contextmanager
def _reasons(kind: str) -> Iterator[None]:
    """Turn whatever a decoder raises on a bad file into one reason."""
    try:
        yield
    except MediaError:
        raise
    except MemoryError as exc:
        raise MediaError("There is not enough memory to decode this picture.") from exc
    # Decoders of hostile bytes raise nearly anything; one bad file must not end a run.
    except Exception as exc:
        if isinstance(exc, OSError) and exc.errno is not None:
            raise _unreadable(exc) from exc
        detail = "" if isinstance(exc, UnidentifiedImageError) else f" ({_text(str(exc))[:120]})"
        raise MediaError(f"The {kind.upper()} file is cut off or damaged{detail}.") from exc


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
    return Image.open(source, formats=_OPENERS)


def _decode(
    image: Image.Image, min_side_px: int, max_pixels: int, kind: str, orientation: int | None = None
) -> Photo:
    """Decode an opened picture; an `orientation` that is given holds against its own EXIF."""
    size_wh = image.size
    _check_pixels(size_wh, max_pixels)
    facts = _facts(image, orientation)
    if image.format in ("JPEG", "MPO"):
        for step in (8, 4, 2):
            if min(size_wh) // step >= max(min_side_px, 1):
                image.draft(None, (size_wh[0] // step, size_wh[1] // step))
                break
    image.load()
    converted = _to_rgb(image, image.info.get("icc_profile"))
    turn = 1 if image.format in _TURNED_BY_DECODER else facts.orientation
    if turn in _UPRIGHT:
        converted = converted.transpose(_UPRIGHT[turn])
    rgb = np.asarray(converted)
    luma = np.asarray(converted.convert("L"))
    return Photo(
        rgb=rgb,
        size_wh=size_wh[::-1] if turn >= 5 else size_wh,
        format=kind,
        taken_at_local=facts.taken_at_local,
        camera=facts.camera,
        exif_orientation=facts.orientation,
        sharpness=sharpness(luma),
        brightness=brightness(luma),
        phash=phash(luma),
    )


def _check_pixels(size_wh: tuple[int, int], max_pixels: int) -> None:
    width, height = size_wh
    if width * height > max_pixels:
        raise MediaError(
            f"The picture has {width} x {height} pixels, more than the limit of "
            f"{max_pixels / 1e6:,.0f} megapixels (FRAMEKEEP_MAX_PIXELS)."
        )


def _to_rgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Any mode to RGB: 16 bits scaled, alpha laid on white, a profile's colours to sRGB."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image = _to_eight_bits(image)
    if image.mode == "LAB":
        return _to_srgb(image, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")))
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        image = Image.alpha_composite(white, rgba).convert("RGB")
    elif image.mode not in ("RGB", "CMYK", "L"):
        image = image.convert("RGB")
    if profile:
        with contextlib.suppress(ImageCms.PyCMSError, OSError, ValueError, TypeError):
            # Of a profile that is broken or for another mode, nothing is believed.
            image = _to_srgb(image, ImageCms.ImageCmsProfile(io.BytesIO(profile)))
    return image.convert("RGB")


def _to_srgb(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    converted = ImageCms.profileToProfile(
        image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB"
    )
    return converted or image


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """16-bit grey by its full range; floats by 0..1, or by their own range where they leave it."""
    values = np.asarray(image)
    if image.mode == "F":
        values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
        low, high = float(values.min()), float(values.max())
        low, high = (0.0, 1.0) if low >= 0 and high <= 1 else (low, max(high, low + 1e-9))
        scaled = np.clip((values - low) / (high - low) * 255 + 0.5, 0, 255)
    else:
        scaled = (np.clip(values, 0, 65535).astype(np.uint32) * 255 + 32767) // 65535
    return Image.fromarray(scaled.astype(np.uint8))


@dataclass(frozen=True, slots=True)
class _Facts:
    orientation: int = 1
    taken_at_local: datetime | None = None
    camera: str | None = None


def _facts(image: Image.Image, orientation: int | None) -> _Facts:
    """What the EXIF block tells. Damage there is no reason to turn a sound picture away."""
    known = _Facts(orientation or 1)
    with contextlib.suppress(Exception):
        exif = image.getexif()
        turned = image.info.get("original_orientation") or exif.get(ExifTags.Base.Orientation)
        if orientation is None and isinstance(turned, int) and 1 <= turned <= 8:
            known = replace(known, orientation=turned)
        known = replace(known, camera=_camera(exif))
        known = replace(known, taken_at_local=_taken(exif))
    return known


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
    """A RAW file's embedded preview; developing the sensor's data would cost seconds a file."""
    try:
        import rawpy
    except ImportError as exc:
        raise MediaError(
            'RAW files need one more package: pip install "framekeep[raw]", then add again with '
            "--retry."
        ) from exc
    try:
        with rawpy.imread(str(path)) as raw:
            flip, size_wh = raw.sizes.flip, (raw.sizes.width, raw.sizes.height)
            preview = raw.extract_thumb()
    except rawpy.LibRawError as exc:
        reason = exc.args[0] if exc.args else exc
        reason = reason.decode() if isinstance(reason, bytes) else reason
        raise MediaError(f"The RAW file has no preview that can be read ({reason}).") from exc
    orientation = {3: 3, 5: 8, 6: 6}.get(flip)
    is_jpeg = preview.format == rawpy.ThumbFormat.JPEG
    if is_jpeg and preview.data.rfind(b"\xff\xd9") < len(preview.data) // 2:
        # LibRaw fills what is missing with zeros, which would decode to grey.
        raise MediaError("The RAW file is cut off or damaged (its preview has no end).")
    source = _open(io.BytesIO(preview.data)) if is_jpeg else Image.fromarray(preview.data)
    with source as image:
        if orientation in (6, 8) and image.width < image.height:
            orientation = 1  # the camera stored its preview upright already
        photo = _decode(image, min_side_px, max_pixels, "raw", orientation)
    return replace(photo, size_wh=size_wh[::-1] if flip in (5, 6) else size_wh)
