"""Real picture files made on the spot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

COLOURS = {
    "red": (200, 30, 30),
    "green": (30, 180, 40),
    "blue": (30, 40, 200),
    "yellow": (220, 210, 40),
}


def noisy(
    colour: tuple[int, int, int], size_wh: tuple[int, int] = (96, 64), seed: int = 0
) -> Image.Image:
    """A picture of one colour with noise, so that every seed gives another content."""
    noise = np.random.default_rng(seed).integers(-25, 25, (size_wh[1], size_wh[0], 3))
    return Image.fromarray(np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8))


def write_picture(path: Path, colour: str = "red", seed: int = 0, **save: object) -> Path:
    """Write one picture; the format follows the extension."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noisy(COLOURS[colour], seed=seed).save(path, **save)
    return path


def write_folder(folder: Path, count: int, start: int = 0) -> list[Path]:
    """Write `count` different JPEGs."""
    names = list(COLOURS)
    return [
        write_picture(folder / f"{i:04}.jpg", names[i % len(names)], seed=i)
        for i in range(start, start + count)
    ]
