"""RAW files by their embedded preview; a DNG small enough to be written here stands for them."""

from __future__ import annotations

import io
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from framekeep.errors import MediaError
from framekeep.media.images import read_photo

CORNERS = [(210, 40, 40), (40, 170, 60), (50, 60, 200), (128, 128, 128)]
BYTE, TEXT, SHORT, LONG, RATIO, SIGNED_RATIO = 1, 2, 3, 4, 5, 10
Entry = tuple[int, int, list[int]]


def directory(entries: list[Entry], offset: int) -> bytes:
    """One TIFF directory that will lie at `offset`, its larger values right behind it."""
    behind = offset + 2 + 12 * len(entries) + 4
    head, values = struct.pack("<H", len(entries)), b""
    for tag, kind, numbers in sorted(entries):
        if kind in (BYTE, TEXT):
            raw = bytes(numbers)
        elif kind in (SHORT, LONG):
            raw = struct.pack(f"<{len(numbers)}{'H' if kind == SHORT else 'I'}", *numbers)
        else:
            raw = b"".join(struct.pack("<ii", number, 1) for number in numbers)
        field = raw.ljust(4, b"\0")
        if len(raw) > 4:
            field = struct.pack("<I", behind + len(values))
            values += raw + b"\0" * (len(raw) % 2)
        head += struct.pack("<HHI", tag, kind, len(numbers)) + field
    return head + struct.pack("<I", 0) + values


def write_dng(path: Path, preview: Image.Image, orientation: int) -> Path:
    """A DNG of 96 x 64 sensor pixels with a JPEG preview."""
    width, height = 96, 64
    stream = io.BytesIO()
    preview.save(stream, "JPEG", quality=95)
    jpeg = stream.getvalue() + b"\0" * (stream.tell() % 2)
    sensor = np.full((height, width), 2000, "<u2").tobytes()
    name = list(b"Maker One\0")

    def directories(second: int, jpeg_at: int, sensor_at: int) -> tuple[bytes, bytes]:
        first: list[Entry] = [
            (254, LONG, [1]), (256, LONG, [preview.width]), (257, LONG, [preview.height]),
            (258, SHORT, [8, 8, 8]), (259, SHORT, [7]), (262, SHORT, [6]),
            (271, TEXT, list(b"Maker\0")), (272, TEXT, name), (273, LONG, [jpeg_at]),
            (274, SHORT, [orientation]), (277, SHORT, [3]), (278, LONG, [preview.height]),
            (279, LONG, [len(jpeg)]), (330, LONG, [second]), (50706, BYTE, [1, 4, 0, 0]),
            (50708, TEXT, name), (50721, SIGNED_RATIO, [1, 0, 0, 0, 1, 0, 0, 0, 1]),
            (50728, RATIO, [1, 1, 1]), (50778, SHORT, [21]),
        ]  # fmt: skip
        sensors: list[Entry] = [
            (254, LONG, [0]), (256, LONG, [width]), (257, LONG, [height]), (258, SHORT, [16]),
            (259, SHORT, [1]), (262, SHORT, [32803]), (273, LONG, [sensor_at]), (277, SHORT, [1]),
            (278, LONG, [height]), (279, LONG, [len(sensor)]), (33421, SHORT, [2, 2]),
            (33422, BYTE, [0, 1, 1, 2]), (50714, SHORT, [0]), (50717, SHORT, [4095]),
        ]  # fmt: skip
        return directory(first, 8), directory(sensors, second)

    second = 8 + len(directories(0, 0, 0)[0])
    jpeg_at = second + len(directories(second, 0, 0)[1])
    parts = directories(second, jpeg_at, jpeg_at + len(jpeg))
    path.write_bytes(b"II*\0" + struct.pack("<I", 8) + b"".join(parts) + jpeg + sensor)
    return path


def quarters(size_wh: tuple[int, int]) -> Image.Image:
    small = Image.new("RGB", (2, 2))
    small.putdata(CORNERS)
    return small.resize(size_wh, Image.Resampling.NEAREST)


def check(path: Path, size_wh: tuple[int, int]) -> None:
    photo = read_photo(str(path), min_side_px=64)
    assert photo.format == "raw"
    assert photo.camera == "Maker One"
    assert photo.size_wh == size_wh
    height, width = photo.rgb.shape[:2]
    assert (width, height) == size_wh
    spots = [(1, 1), (1, 3), (3, 1), (3, 3)]
    seen = [photo.rgb[y * height // 4, x * width // 4].astype(int) for y, x in spots]
    assert np.abs(np.array(seen) - CORNERS).max() < 25


@pytest.mark.parametrize(
    ("orientation", "stored_by"),
    [
        (1, None),
        (3, Image.Transpose.ROTATE_180),
        (6, Image.Transpose.ROTATE_90),
        (8, Image.Transpose.ROTATE_270),
    ],
)
def test_the_preview_comes_out_upright(
    tmp_path: Path, orientation: int, stored_by: Image.Transpose | None
) -> None:
    pytest.importorskip("rawpy")
    size_wh = (64, 96) if orientation >= 5 else (96, 64)
    upright = quarters(size_wh)
    stored = upright if stored_by is None else upright.transpose(stored_by)
    check(write_dng(tmp_path / "a.dng", stored, orientation), size_wh)


def test_a_preview_stored_upright_is_not_turned_again(tmp_path: Path) -> None:
    pytest.importorskip("rawpy")
    check(write_dng(tmp_path / "a.dng", quarters((64, 96)), 6), (64, 96))


def test_without_the_extra_the_reason_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rawpy", None)
    path = write_dng(tmp_path / "a.dng", quarters((96, 64)), 1)
    with pytest.raises(MediaError, match=r"framekeep\[raw\]"):
        read_photo(str(path), min_side_px=64)


def test_limits_and_damage(tmp_path: Path) -> None:
    pytest.importorskip("rawpy")
    path = write_dng(tmp_path / "a.dng", quarters((96, 64)), 1)
    with pytest.raises(MediaError, match="96 x 64 pixels"):
        read_photo(str(path), min_side_px=64, max_pixels=96 * 64 - 1)


@pytest.mark.parametrize("share", [0.0002, 0.1, 0.5, 0.9, 0.97])
def test_a_cut_preview_is_never_a_partial_picture(tmp_path: Path, share: float) -> None:
    pytest.importorskip("rawpy")
    noise = np.random.default_rng(1).integers(0, 255, (640, 960, 3), dtype=np.uint8)
    path = write_dng(tmp_path / "a.dng", Image.fromarray(noise), 1)
    whole = path.read_bytes()
    assert len(whole) * 0.97 < len(whole) - 96 * 64 * 2  # the cut lies in the preview
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(MediaError, match=r"\.$"):
        read_photo(str(path), min_side_px=64)
