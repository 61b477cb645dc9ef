"""Pictures for training code: what goes as it is, and what is written anew, upright."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from framekeep.errors import MediaError
from framekeep.media.scan import content_id
from framekeep.media.upright import form_for_training, read_upright, write_picture
from tests.helpers.pictures import COLOURS, noisy
from tests.helpers.pictures import write_picture as write

LIMITS = {"max_pixels": 10**8, "max_bytes": 10**8}


def half_and_half() -> Image.Image:
    """Red on top, blue below, 60 x 40."""
    image = noisy(COLOURS["red"], (60, 40))
    image.paste(noisy(COLOURS["blue"], (60, 20)), (0, 20))
    return image


@pytest.mark.parametrize(
    ("name", "kind", "form"),
    [
        ("a.jpg", "jpeg", None),
        ("a.png", "png", None),
        ("a.bmp", "bmp", None),
        ("a.webp", "webp", None),
        ("a.gif", "gif", "png"),
        ("a.tif", "tiff", "png"),
        ("a.avif", "avif", "jpeg"),
    ],
)
def test_which_formats_go_as_they_are(tmp_path, name, kind, form):
    path = write(tmp_path / name)
    assert form_for_training(path, kind, 1) == form


def test_turned_deep_moving_and_printers_pictures_are_written_anew(tmp_path):
    turned = write(tmp_path / "turned.jpg")
    assert form_for_training(turned, "jpeg", 6) == "jpeg"
    assert form_for_training(write(tmp_path / "turned.png"), "png", 3) == "png"
    deep = tmp_path / "deep.png"
    Image.fromarray(np.full((8, 8), 40000, np.uint16)).save(deep)
    assert form_for_training(deep, "png", 1) == "png"
    ink = tmp_path / "ink.jpg"
    Image.new("CMYK", (8, 8)).save(ink)
    assert form_for_training(ink, "jpeg", 1) == "jpeg"
    moving = tmp_path / "moving.webp"
    frames = [noisy(COLOURS[name]) for name in ("red", "blue")]
    frames[0].save(moving, save_all=True, append_images=frames[1:], lossless=True)
    assert form_for_training(moving, "webp", 1) is not None
    lossless = tmp_path / "lossless.webp"
    frames[0].save(lossless, lossless=True)
    assert form_for_training(lossless, "webp", 6) == "png"
    assert form_for_training(tmp_path / "gone.heic", "heic", 1) == "jpeg"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_written_anew_stands_as_the_masks_expect(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "turned.png"
    half_and_half().save(path, exif=exif)
    size_wh = (60, 40) if orientation < 5 else (40, 60)
    rgb = read_upright(path, size_wh, **LIMITS)
    target = tmp_path / "new.png"
    write_picture(rgb, target, "png")
    with Image.open(target) as image:
        assert image.size == size_wh
        assert image.getexif().get(0x0112, 1) == 1
        seen = np.asarray(image.convert("RGB")).astype(int)
    red_at = {1: "top", 2: "top", 3: "low", 4: "low", 5: "left", 6: "right", 7: "right", 8: "left"}
    half = {
        "top": seen[:15], "low": seen[-15:], "left": seen[:, :15], "right": seen[:, -15:]
    }[red_at[orientation]]  # fmt: skip
    assert (half[..., 0] > half[..., 2] + 60).all()


def test_the_same_picture_gives_the_same_bytes(tmp_path):
    rgb = np.asarray(half_and_half())
    for form, name in (("jpeg", "x.jpg"), ("png", "x.png")):
        for folder in ("one", "two"):
            (tmp_path / folder).mkdir(exist_ok=True)
            write_picture(rgb, tmp_path / folder / name, form)
        assert content_id(str(tmp_path / "one" / name)) == content_id(str(tmp_path / "two" / name))
    with Image.open(tmp_path / "one" / "x.jpg") as image:
        close = np.abs(np.asarray(image).astype(int) - rgb.astype(int))
    assert close.mean() < 4


def test_another_size_than_the_masks_have_is_refused(tmp_path: Path):
    path = write(tmp_path / "a.jpg")
    with pytest.raises(MediaError, match="96 x 64 pixels, and 10 x 10 were expected"):
        read_upright(path, (10, 10), **LIMITS)
