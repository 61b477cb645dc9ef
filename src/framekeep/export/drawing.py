"""Samples to look at: pictures with the outlines and labels of their objects drawn in."""

from __future__ import annotations

import colorsys
import random
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from framekeep.export.records import Dataset, ExportImage
from framekeep.geometry import outline
from framekeep.types import RgbImage

if TYPE_CHECKING:
    from PIL import ImageDraw

SAMPLE_PX = 640
"""The longer side of a drawn sample."""


def draw_lots(dataset: Dataset, count: int, seed: int) -> list[ExportImage]:
    """So many images at random, the same for the same seed; those with objects come first."""
    images = sorted(dataset.images, key=lambda image: image.media_id)
    random.Random(seed).shuffle(images)  # noqa: S311 (no secret)
    return sorted(images, key=lambda image: not image.objects)[:count]


def colours_of(classes: Sequence[str], known: Mapping[str, str]) -> dict[str, str]:
    """A colour "#rrggbb" for each class: the one that is known, else one around the circle."""
    found = {}
    for number, name in enumerate(classes):
        red, green, blue = colorsys.hsv_to_rgb(number * 0.618 % 1, 0.85, 0.95)
        wheel = "#{:02x}{:02x}{:02x}".format(*(int(255 * part) for part in (red, green, blue)))
        found[name] = known.get(name.casefold(), wheel)
    return found


def drawn(rgb: RgbImage, image: ExportImage, colours: Mapping[str, str]) -> RgbImage:
    """A picture (H, W, 3) uint8 of any scale, made small, with the image's objects drawn in."""
    from PIL import Image, ImageDraw

    canvas = Image.fromarray(rgb)
    canvas.thumbnail((SAMPLE_PX, SAMPLE_PX), Image.Resampling.BICUBIC, reducing_gap=2.0)
    scale = np.array(canvas.size) / image.size_wh
    pen = ImageDraw.Draw(canvas)
    for thing in image.objects:
        colour = colours.get(thing.label, "#ffffff")
        for ring in outline(thing.mask):
            points = [tuple(point) for point in (np.array([*ring, ring[0]]) * scale).tolist()]
            pen.line(points, fill="#000000", width=4, joint="curve")
            pen.line(points, fill=colour, width=2, joint="curve")
    # Words over all outlines, so that none is crossed out.
    for thing in image.objects:
        left, top = np.array(thing.bbox_xyxy[:2]) * scale
        _write(pen, (float(left), float(top)), thing.label, colours.get(thing.label, "#ffffff"))
    return np.asarray(canvas)


def _write(pen: ImageDraw.ImageDraw, left_top: tuple[float, float], text: str, colour: str) -> None:
    from PIL import ImageFont

    font = ImageFont.load_default(14)
    at = (left_top[0] + 3, left_top[1] + 2)
    left, top, right, bottom = pen.textbbox(at, text, font=font)
    pen.rectangle((left - 3, top - 2, right + 3, bottom + 2), fill=colour)
    weights = ((1, 0.3), (3, 0.6), (5, 0.1))
    bright = sum(int(colour[i : i + 2], 16) * weight for i, weight in weights)
    pen.text(at, text, fill="#ffffff" if bright < 130 else "#000000", font=font)
