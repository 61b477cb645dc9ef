"""Thumbnail-sized previews as coloured half blocks, for terminals with 24-bit colour."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from framekeep.types import Hit

COLUMNS, ROWS = 24, 8


def can_preview(console: Console) -> bool:
    """True where the terminal shows 24-bit colours and is wide enough."""
    return console.is_terminal and console.color_system == "truecolor" and console.width >= 80


def preview(hit: Hit, part: tuple[float, float, float, float] | None = None) -> Text:
    """A hit's picture in 24 x 8 cells, two pixels a cell; empty where it cannot be read.

    Of a whole film it is one from its first third. `part` is left, top, right and bottom of what
    is shown, as shares of the picture.
    """
    from PIL import Image

    from framekeep.errors import MediaError
    from framekeep.media.limits import Limits
    from framekeep.media.pictures import read_picture

    poster_s = hit.media.video.duration_s / 3 if hit.media.video else 0.0
    side_px = 512 if part else 64
    try:
        rgb = read_picture(
            str(hit.path), hit.media, Limits(), min_side_px=side_px, poster_s=poster_s
        )
    except MediaError:
        return Text("")
    picture = Image.fromarray(rgb)
    if part is not None:
        edges = zip(part, 2 * picture.size, strict=True)
        left, top, right, bottom = (round(share * pixels) for share, pixels in edges)
        picture = picture.crop((left, top, max(right, left + 1), max(bottom, top + 1)))
    picture.thumbnail((COLUMNS, ROWS * 2))
    text = Text()
    for y in range(0, picture.height - 1, 2):
        for x in range(picture.width):
            upper, lower = picture.getpixel((x, y)), picture.getpixel((x, y + 1))
            text.append("▀", f"rgb({_rgb(upper)}) on rgb({_rgb(lower)})")
        text.append("\n")
    text.rstrip()
    return text


def _rgb(pixel: object) -> str:
    return ",".join(str(channel) for channel in pixel)  # type: ignore[attr-defined]
