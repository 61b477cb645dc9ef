"""Damaged, hostile and mislabelled files: each gets a reason, none a made-up picture."""

from __future__ import annotations

import io
import os
import random
import struct
import tempfile
import zlib
from functools import cache
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from framekeep.errors import MediaError, UnsupportedMediaError
from framekeep.media.images import read_photo
from framekeep.media.sniff import PICTURES, sniff

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")

KINDS = {
    "jpg": {"quality": 90},
    "png": {},
    "webp": {"quality": 90},
    "gif": {},
    "bmp": {},
    "tif": {},
    "heic": {"quality": 80},
    "avif": {"quality": 80},
}


@cache
def picture(kind: str) -> bytes:
    """A healthy file of one kind, full of detail so that its end matters."""
    pillow_heif.register_heif_opener()
    noise = np.random.default_rng(1).integers(0, 255, (64, 96, 3), dtype=np.uint8)
    stream = io.BytesIO()
    formats = {"jpg": "JPEG", "tif": "TIFF", "heic": "HEIF"}
    Image.fromarray(noise).save(stream, formats.get(kind, kind.upper()), **KINDS[kind])
    return stream.getvalue()


def reason(path: Path, error: type[MediaError] = MediaError, **limits: int) -> str:
    """Why a file is refused; exactly this error, and a sentence fit for its owner."""
    with pytest.raises(MediaError) as caught:
        read_photo(str(path), min_side_px=64, **limits)
    assert type(caught.value) is error
    text = str(caught.value)
    assert text.endswith(".")
    assert "\n" not in text
    assert len(text) < 250
    assert "Traceback" not in text
    return text


def outcome(path: Path) -> str:
    """ "picture", or the reason why it is none; any other error fails the test."""
    try:
        photo = read_photo(str(path), min_side_px=64, max_pixels=10_000_000)
    except MediaError as exc:
        return str(exc)
    assert photo.rgb.ndim == 3
    assert photo.rgb.dtype == np.uint8
    return "picture"


def put(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@given(kind=st.sampled_from(sorted(KINDS)), share=st.floats(0, 0.97))
@example(kind="jpg", share=0.97)
@settings(deadline=None, max_examples=150)
def test_a_cut_file_is_never_a_partial_picture(kind: str, share: float) -> None:
    whole = picture(kind)
    with tempfile.TemporaryDirectory() as folder:
        reason(put(Path(folder, f"a.{kind}"), whole[: int(len(whole) * share)]))


@given(
    kind=st.sampled_from(sorted(KINDS)),
    seed=st.integers(0, 2**32),
    changes=st.integers(1, 40),
)
@settings(deadline=None, max_examples=250)
def test_changed_bytes_end_as_a_picture_or_a_reason(kind: str, seed: int, changes: int) -> None:
    data, rng = bytearray(picture(kind)), random.Random(seed)
    for _ in range(changes):
        # Most of a file is pixels; its beginning holds what decoders stumble over.
        data[rng.randrange(min(len(data), rng.choice((64, 600, len(data)))))] = rng.randrange(256)
    with tempfile.TemporaryDirectory() as folder:
        path = put(Path(folder, f"a.{kind}"), bytes(data))
        assert outcome(path).endswith(("picture", "."))


MAGICS = [b"", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"II*\0", b"MM\0*"]
MAGICS += [b"RIFF\x40\0\0\0WEBPVP8 ", b"\0\0\0\x18ftypheic", b"\0\0\0\x18ftypavif", b"IIU\0"]


@given(magic=st.sampled_from(MAGICS), tail=st.binary(max_size=400))
@settings(deadline=None, max_examples=250)
def test_random_bytes_are_refused_with_a_reason(magic: bytes, tail: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = put(Path(folder, "a.jpg"), magic + tail)
        assert outcome(path).endswith(".")


def test_a_cut_picture_says_so(tmp_path: Path) -> None:
    whole = picture("jpg")
    text = reason(put(tmp_path / "a.jpg", whole[: len(whole) // 2]))
    assert text.startswith("The JPEG file is cut off or damaged")
    assert str(tmp_path) not in text


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def test_a_small_file_of_many_pixels_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    import tracemalloc

    row = b"\0" + bytes(12_000 // 8)
    bomb = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 12_000, 12_000, 1, 0, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(row * 12_000, 9))
        + chunk(b"IEND", b"")
    )
    assert len(bomb) < 20_000
    path = put(tmp_path / "a.png", bomb)
    tracemalloc.start()
    assert "12000 x 12000" in reason(path, max_pixels=100_000_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000


def test_a_huge_text_in_a_png_is_not_unpacked(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "x" * 200_000_000, zip=True)
    image = Image.new("RGB", (64, 64))
    image.save(tmp_path / "a.png", pnginfo=info)
    assert "damaged" in reason(tmp_path / "a.png")


def test_a_gif_whose_frame_is_larger_than_its_screen_is_measured_by_the_frame(
    tmp_path: Path,
) -> None:
    data = bytearray(picture("gif"))
    at = data.index(b"\x2c", 13 + 3 * 2 ** ((data[10] & 7) + 1))
    data[at + 5 : at + 9] = struct.pack("<HH", 60_000, 60_000)
    assert "60000 x 60000" in reason(put(tmp_path / "a.gif", bytes(data)))


def test_limits_on_bytes_and_empty_files(tmp_path: Path) -> None:
    path = put(tmp_path / "a.jpg", picture("jpg"))
    assert "limit" in reason(path, max_bytes=path.stat().st_size - 1)
    read_photo(str(path), min_side_px=64, max_bytes=path.stat().st_size)
    assert "empty" in reason(put(tmp_path / "b.jpg", b""))


def test_what_cannot_be_opened_is_told(tmp_path: Path) -> None:
    assert "cannot be read" in reason(tmp_path / "gone.jpg")
    (tmp_path / "folder.jpg").mkdir()
    assert "not a file" in reason(tmp_path / "folder.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    assert "not opened" in reason(tmp_path / "pipe.jpg")


OTHERS = {
    b"some words, and more of them\n" * 9: "text",
    "Grüße, \u65e5\u672c\u8a9e. ".encode() * 60: "text",
    b"%PDF-1.7\n%\xe2\xe3": "PDF",
    b"PK\x03\x04\x14\0\0\0": "ZIP",
    b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>': "SVG",
    b"8BPS\0\x01\0\0": "Photoshop",
    b"\xff\x0a\x7f\xff": "JPEG XL",
    b"RIFF\0\0\0\0WAVEfmt ": "sound",
}
VIDEOS = [
    b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41",
    b"\0\0\0\x14ftypqt  \0\0\0\0qt  ",
    b"\0\0\0\x08wide\0\0\0\0mdat",
    b"\0\0\0\x18styp" + b"msdh\0\0\0\0msdhmsix",
    b"\0\0\x03\xb4moof\0\0\0\x10mfhd",
    b"\x1aE\xdf\xa3\x01\0\0\0\0\0\0\x1f",
    b"RIFF\0\0\0\0AVI LIST",
]


@pytest.mark.parametrize(("content", "word"), OTHERS.items())
def test_other_files_are_skipped_but_fail_under_a_pictures_name(
    tmp_path: Path, content: bytes, word: str
) -> None:
    assert word in reason(put(tmp_path / "a.dat", content), UnsupportedMediaError)
    text = reason(put(tmp_path / "a.jpg", content), MediaError)
    assert word in text
    assert "name says picture" in text


@pytest.mark.parametrize("content", VIDEOS)
def test_videos_are_skipped_as_videos(tmp_path: Path, content: bytes) -> None:
    path = put(tmp_path / "a.mp4", content)
    assert "photos so far" in reason(path, UnsupportedMediaError)


def test_bytes_of_no_known_kind(tmp_path: Path) -> None:
    content = b"\x01\x02\x03\x00" * 20
    assert "knows" in reason(put(tmp_path / "a", content), UnsupportedMediaError)
    assert "no known kind" in reason(put(tmp_path / "a.heic", content), MediaError)


def test_a_program_is_never_called_for_a_picture(tmp_path: Path) -> None:
    # Pillow hands PostScript to Ghostscript; here it is text, and stays unopened.
    script = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"
    assert "text" in reason(put(tmp_path / "a.eps", script), UnsupportedMediaError)
    assert "text" in reason(put(tmp_path / "a.png", script), MediaError)


@given(st.binary(max_size=64))
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_sniffing_takes_any_bytes(head: bytes) -> None:
    kind = sniff(head)
    assert kind is None or kind in PICTURES or len(kind) > 3
