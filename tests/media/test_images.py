"""Decoding real files of every kind: colours, orientation, scale and facts."""

from __future__ import annotations

import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, ImageOps

from framekeep.errors import MediaError
from framekeep.media.images import Photo, read_photo

CORNERS = {"red": (210, 40, 40), "green": (40, 170, 60), "blue": (50, 60, 200), "grey": (128,) * 3}


def quarters(size_wh: tuple[int, int] = (96, 64)) -> Image.Image:
    """Red top left, green top right, blue bottom left, grey bottom right."""
    width, height = size_wh
    image = Image.new("RGB", size_wh)
    for i, colour in enumerate(CORNERS.values()):
        box = (i % 2 * width // 2, i // 2 * height // 2)
        image.paste(colour, (*box, box[0] + width // 2, box[1] + height // 2))
    return image


def scenery(size_wh: tuple[int, int], seed: int = 0) -> Image.Image:
    """Something with the smoothness and the edges of a photo."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 255, (12, 18, 3), dtype=np.uint8))
    image = small.resize(size_wh, Image.Resampling.BICUBIC)
    image.paste(
        (250, 240, 20), (size_wh[0] // 3, size_wh[1] // 3, size_wh[0] // 2, size_wh[1] // 2)
    )
    return image


def read(path: Path, min_side_px: int = 64) -> Photo:
    photo = read_photo(str(path), min_side_px=min_side_px)
    assert photo.rgb.dtype == np.uint8
    assert photo.rgb.ndim == 3
    assert photo.rgb.shape[2] == 3
    assert len(photo.phash) == 16
    assert int(photo.phash, 16) >= 0
    assert 0 <= photo.brightness <= 1
    return photo


def corners(rgb: NDArray[np.uint8]) -> list[str]:
    """The nearest named colour in the middle of each quarter, row by row."""
    height, width = rgb.shape[:2]
    found = []
    for y, x in ((1, 1), (1, 3), (3, 1), (3, 3)):
        pixel = rgb[y * height // 4, x * width // 4].astype(int)
        distance = {name: np.abs(pixel - colour).max() for name, colour in CORNERS.items()}
        name = min(distance, key=lambda n: distance[n])
        assert distance[name] < 25, f"{pixel} is none of the colours"
        found.append(name)
    return found


def save(path: Path, image: Image.Image, **options: object) -> Path:
    import pillow_heif

    pillow_heif.register_heif_opener()
    if isinstance(exif := options.get("exif"), Image.Exif):
        options["exif"] = exif.tobytes()  # as an object it would lose parts in HEIC and TIFF
    image.save(path, **options)
    return path


@pytest.mark.parametrize(
    ("name", "kind", "options"),
    [
        ("a.jpg", "jpeg", {"quality": 95}),
        ("a.png", "png", {}),
        ("a.webp", "webp", {"quality": 95}),
        ("b.webp", "webp", {"lossless": True}),
        ("a.gif", "gif", {}),
        ("a.bmp", "bmp", {}),
        ("a.tif", "tiff", {}),
        ("b.tif", "tiff", {"compression": "tiff_lzw"}),
        ("c.tif", "tiff", {"compression": "jpeg", "quality": 95}),
        ("a.heic", "heic", {"quality": 95}),
        ("a.avif", "avif", {"quality": 95}),
    ],
)
@pytest.mark.parametrize("disguise", ["", ".jpg", ".txt"])
def test_every_format_is_read_by_content(
    tmp_path: Path, name: str, kind: str, options: dict[str, object], disguise: str
) -> None:
    path = save(tmp_path / name, quarters(), **options)
    if disguise:
        path = path.rename(tmp_path / f"renamed{disguise}")
    photo = read(path)
    assert photo.format == kind
    assert photo.size_wh == (96, 64)
    assert photo.rgb.shape == (64, 96, 3)
    assert corners(photo.rgb) == list(CORNERS)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_every_exif_orientation_comes_out_upright(
    tmp_path: Path, orientation: int, suffix: str
) -> None:
    back = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[orientation]
    stored = quarters() if back is None else quarters().transpose(Image.Transpose(back))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    path = save(tmp_path / f"a.{suffix}", stored, exif=exif, quality=95)
    # The test's own table against Pillow's: both turn the stored picture back.
    with Image.open(path) as reference:
        assert corners(np.asarray(ImageOps.exif_transpose(reference))) == list(CORNERS)
    photo = read(path)
    assert corners(photo.rgb) == list(CORNERS)
    assert photo.size_wh == (96, 64)
    assert photo.rgb.shape == (64, 96, 3)
    assert photo.exif_orientation == orientation


def test_a_turned_heic_comes_out_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    stored = quarters().transpose(Image.Transpose.ROTATE_90)  # what the sensor held sideways saw
    for name in ("a.heic", "a.avif"):
        photo = read(save(tmp_path / name, stored, exif=exif, quality=95))
        assert corners(photo.rgb) == list(CORNERS)
        assert photo.size_wh == (96, 64)
        assert photo.exif_orientation == 6


def test_cmyk_jpeg_plain_and_inverted_as_adobe_stores_it(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpg", quarters().convert("CMYK"), quality=95)
    assert corners(read(path).rgb) == list(CORNERS)
    plain = path.read_bytes()
    assert b"Adobe" in plain
    save(tmp_path / "b.tif", quarters().convert("CMYK"))
    assert corners(read(tmp_path / "b.tif").rgb) == list(CORNERS)


def png16(path: Path, values: NDArray[np.uint16]) -> Path:
    """A 16-bit PNG, which Pillow cannot write in colour: (H, W) grey or (H, W, 3)."""
    height, width = values.shape[:2]
    colour = 2 if values.ndim == 3 else 0
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
    return path


def test_sixteen_bits_are_scaled_not_cut(tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(0, 65535, 96).astype(np.uint16), (64, 1))
    expected = np.asarray(ramp / 257)
    for path in (
        png16(tmp_path / "grey.png", ramp),
        save(tmp_path / "grey.tif", Image.fromarray(ramp)),
        png16(tmp_path / "colour.png", np.stack([ramp] * 3, axis=2)),
    ):
        rgb = read(path).rgb.astype(float)
        assert np.abs(rgb - expected[:, :, None]).max() <= 1.01, path.name


def test_sixteen_bit_colour_tiff(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile", reason="tifffile writes 16-bit colour TIFFs")
    wide = np.asarray(quarters()).astype(np.uint16) * 257
    tifffile.imwrite(tmp_path / "a.tif", wide, photometric="rgb")
    assert corners(read(tmp_path / "a.tif").rgb) == list(CORNERS)


def test_float_tiff_is_scaled_and_holes_in_it_are_black(tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(0, 1, 96, dtype=np.float32), (64, 1))
    rgb = read(save(tmp_path / "a.tif", Image.fromarray(ramp))).rgb
    assert np.abs(rgb[:, :, 0] - ramp * 255).max() <= 1
    wide = ramp * 3000 - 500
    wide[0, 0] = np.nan
    rgb = read(save(tmp_path / "b.tif", Image.fromarray(wide))).rgb
    assert (rgb[1, 0].max(), rgb[1, -1].min()) == (0, 255)


def test_one_bit_and_grey(tmp_path: Path) -> None:
    half = Image.new("1", (64, 64))
    half.paste(1, (32, 0, 64, 64))
    for name in ("a.png", "a.tif", "a.bmp"):
        rgb = read(save(tmp_path / name, half)).rgb
        assert (rgb[:, :32].max(), rgb[:, 32:].min()) == (0, 255)
    grey = read(save(tmp_path / "g.jpg", Image.new("L", (64, 64), 77))).rgb
    assert np.abs(grey.astype(int) - 77).max() <= 1


def test_lab_tiff(tmp_path: Path) -> None:
    lab = ImageCms.profileToProfile(
        quarters(), ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert lab is not None
    assert corners(read(save(tmp_path / "a.tif", lab)).rgb) == list(CORNERS)


def test_what_is_transparent_is_laid_on_white(tmp_path: Path) -> None:
    rgba = quarters().convert("RGBA")
    rgba.paste((0, 0, 0, 0), (48, 32, 96, 64))
    palette = Image.new("P", (64, 64), 0)
    palette.putpalette([10, 20, 30, 200, 40, 40])
    palette.paste(1, (0, 0, 32, 64))
    keyed = Image.new("RGB", (64, 64), (1, 2, 3))
    for path in (
        save(tmp_path / "a.png", rgba),
        save(tmp_path / "a.webp", rgba, lossless=True),
        save(tmp_path / "b.png", palette, transparency=0),
        save(tmp_path / "b.gif", palette, transparency=0),
        save(tmp_path / "la.png", rgba.convert("LA")),
        save(tmp_path / "key.png", keyed, transparency=(1, 2, 3)),
        save(tmp_path / "a.tif", rgba),
    ):
        assert read(path).rgb[-4, -4].tolist() == [255, 255, 255], path.name
    assert read(tmp_path / "b.gif").rgb[4, 4].tolist() == [200, 40, 40]
    half = Image.new("RGBA", (64, 64), (0, 0, 0, 128))
    assert read(save(tmp_path / "half.png", half)).rgb[0, 0].tolist() == [127, 127, 127]


@pytest.mark.parametrize("suffix", ["gif", "webp", "png", "avif", "tif"])
def test_of_an_animation_the_first_frame_is_taken(tmp_path: Path, suffix: str) -> None:
    later = Image.new("RGB", (96, 64), "white")
    path = save(tmp_path / f"a.{suffix}", quarters(), save_all=True, append_images=[later, later])
    assert corners(read(path).rgb) == list(CORNERS)


def swapped_profile() -> bytes:
    """A profile whose red is sRGB's green and the other way round."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for i in range(struct.unpack(">I", data[128:132])[0]):
        at = 132 + 12 * i
        swap = {b"rXYZ": b"gXYZ", b"gXYZ": b"rXYZ"}
        data[at : at + 4] = swap.get(bytes(data[at : at + 4]), data[at : at + 4])
    return bytes(data)


def test_an_embedded_profile_is_converted_to_srgb_and_a_broken_one_ignored(tmp_path: Path) -> None:
    red = Image.new("RGB", (64, 64), (255, 0, 0))
    for name in ("a.png", "a.tif", "a.webp", "a.jpg"):
        path = save(tmp_path / name, red, icc_profile=swapped_profile(), lossless=True)
        assert np.abs(read(path).rgb[5, 5].astype(int) - (0, 255, 0)).max() <= 4, name
    path = save(tmp_path / "b.png", red, icc_profile=b"no profile at all")
    assert read(path).rgb[5, 5].tolist() == [255, 0, 0]


def test_a_reduced_decode_shows_the_same_picture(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpg", scenery((1600, 1200)), quality=90)
    full, reduced = read(path, 1200), read(path, 256)
    assert full.rgb.shape == (1200, 1600, 3)
    assert reduced.rgb.shape == (300, 400, 3)
    assert full.size_wh == reduced.size_wh == (1600, 1200)
    small = np.asarray(Image.fromarray(full.rgb).resize((224, 224), Image.Resampling.BICUBIC))
    same = np.asarray(Image.fromarray(reduced.rgb).resize((224, 224), Image.Resampling.BICUBIC))
    assert np.abs(small.astype(float) - same).mean() < 1
    assert reduced.brightness == pytest.approx(full.brightness, abs=0.005)
    assert (int(full.phash, 16) ^ int(reduced.phash, 16)).bit_count() <= 2


def test_sharpness_of_real_photos_hardly_depends_on_the_scale_of_decoding() -> None:
    demo = Path(str(resources.files("framekeep"))) / "data" / "demo"
    wide = [path for path in sorted(demo.glob("*.jpg")) if min(read(path).size_wh) >= 512]
    assert len(wide) >= 10
    for path in wide:
        assert read(path, 256).sharpness == pytest.approx(read(path, 5_000).sharpness, rel=0.1)


@pytest.mark.parametrize("side", [31, 255, 256, 257, 300, 301, 599, 600, 601, 2000])
def test_a_reduced_decode_never_falls_below_the_side_asked_for(tmp_path: Path, side: int) -> None:
    path = save(tmp_path / "a.jpg", scenery((1203, 2411)))
    photo = read(path, side)
    assert min(photo.rgb.shape[:2]) >= min(side, 1203)
    assert photo.size_wh == (1203, 2411)


def test_figures_order_pictures_as_an_eye_would(tmp_path: Path) -> None:
    from PIL import ImageFilter

    sharp = scenery((800, 600))
    blurred = sharp.filter(ImageFilter.GaussianBlur(9))
    dark = sharp.point(lambda v: v // 3)
    other = scenery((800, 600), seed=5)
    photos = {
        name: read(save(tmp_path / f"{name}.png", image))
        for name, image in (("s", sharp), ("b", blurred), ("d", dark), ("o", other))
    }
    assert photos["s"].sharpness > 2 * photos["b"].sharpness
    assert photos["s"].brightness > 2 * photos["d"].brightness

    def distance(a: str, b: str) -> int:
        return (int(photos[a].phash, 16) ^ int(photos[b].phash, 16)).bit_count()

    assert distance("s", "b") <= 4
    assert distance("s", "d") <= 4
    assert distance("s", "o") >= 16


def test_date_and_camera_of_every_format_that_has_exif(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "NIKON CORPORATION"
    exif[ExifTags.Base.Model] = "NIKON D90\0 "
    exif[ExifTags.Base.DateTime] = "2020:01:01 00:00:00"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2019:02:03 04:05:06"
    for suffix in ("jpg", "png", "webp", "tif", "heic", "avif"):
        photo = read(save(tmp_path / f"a.{suffix}", quarters(), exif=exif))
        assert photo.taken_at_local == datetime(2019, 2, 3, 4, 5, 6), suffix
        assert photo.camera == "NIKON D90", suffix


@pytest.mark.parametrize(
    ("original", "changed", "expected"),
    [
        ("0000:00:00 00:00:00", "2020:01:02 03:04:05", datetime(2020, 1, 2, 3, 4, 5)),
        ("2019:13:45 99:99:99", "", None),
        ("    :  :     :  :  ", "yesterday", None),
        ("2021-06-07 08:09:10", "", datetime(2021, 6, 7, 8, 9, 10)),
    ],
)
def test_dates_that_cannot_be_are_no_dates(
    tmp_path: Path, original: str, changed: str, expected: datetime | None
) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.DateTime] = changed
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = original
    assert read(save(tmp_path / "a.jpg", quarters(), exif=exif)).taken_at_local == expected


@pytest.mark.parametrize(
    ("make", "model", "expected"),
    [
        ("Canon", "Canon EOS 5D", "Canon EOS 5D"),
        ("SONY", "ILCE-7M3", "SONY ILCE-7M3"),
        ("", "Pixel 8", "Pixel 8"),
        ("Apple", "", "Apple"),
        ("  ", "", None),
    ],
)
def test_camera_names_are_tidy(tmp_path: Path, make: str, model: str, expected: str | None) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = make, model
    assert read(save(tmp_path / "a.jpg", quarters(), exif=exif)).camera == expected


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_damaged_exif_does_not_cost_the_picture(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "A long enough name of a maker"
    exif[ExifTags.Base.Orientation] = 1
    data = bytearray(save(tmp_path / "a.jpg", quarters(), exif=exif, quality=95).read_bytes())
    at = data.index(b"Exif\0\0") + 14
    for damage in range(60):
        data[at + damage] ^= 0xFF
        (tmp_path / "b.jpg").write_bytes(data)
        photo = read(tmp_path / "b.jpg")
        assert sorted(corners(photo.rgb)) == sorted(CORNERS)


def test_many_threads_read_at_once(tmp_path: Path) -> None:
    paths = [
        save(tmp_path / f"{i}.{suffix}", quarters(), quality=95)
        for i, suffix in enumerate(["jpg", "png", "webp", "heic", "avif", "tif", "gif"] * 4)
    ]
    with ThreadPoolExecutor(8) as pool:
        photos = list(pool.map(read, paths))
    assert all(corners(photo.rgb) == list(CORNERS) for photo in photos)


def test_tiny_and_odd_shapes(tmp_path: Path) -> None:
    for size_wh in ((1, 1), (2, 2), (1, 5000), (5000, 3)):
        photo = read(save(tmp_path / "a.png", Image.new("RGB", size_wh, "red")))
        assert photo.size_wh == size_wh


def test_pixels_are_limited_by_the_header_alone(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpg", quarters())
    read_photo(str(path), min_side_px=32, max_pixels=96 * 64)
    with pytest.raises(MediaError, match="96 x 64 pixels"):
        read_photo(str(path), min_side_px=32, max_pixels=96 * 64 - 1)


def test_a_record_of_the_medium(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", quarters((64, 96)))
    item = read(path).media_item("0" * 64, path.stat().st_size)
    assert (item.size_wh, item.format, item.shape) == ((64, 96), "png", "portrait")
    assert item.bytes == path.stat().st_size
