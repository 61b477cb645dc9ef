"""The packaged demo photos keep what SOURCES.md says of them."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

from PIL import Image

FOLDER = Path(str(resources.files("framekeep"))) / "data" / "demo"
FREE = ("CC0 1.0", "CC BY 2.0", "CC BY 4.0", "CC BY-SA 4.0", "public domain")


def test_every_photo_has_a_source_and_a_free_licence() -> None:
    rows = re.findall(
        r"^\| (demo-\d\d\.jpg) \|(.+)\|$", (FOLDER / "SOURCES.md").read_text(), re.MULTILINE
    )
    assert [name for name, _ in rows] == sorted(path.name for path in FOLDER.glob("*.jpg"))
    assert len(rows) >= 20
    for name, row in rows:
        title, author, package, file, licence = (cell.strip() for cell in row.split("|"))
        assert all((title, author, package, file)), name
        assert licence in (*FREE, "no known copyright restrictions"), name


def test_every_photo_is_small_upright_and_bare() -> None:
    for path in FOLDER.glob("*.jpg"):
        assert path.stat().st_size <= 150_000, path.name
        with Image.open(path) as image:
            assert (image.format, image.mode) == ("JPEG", "RGB")
            assert max(image.size) <= 1024, path.name
            assert not image.getexif(), path.name
