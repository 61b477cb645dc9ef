"""Figures of a picture from its luma, at one reference size so that they can be compared."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

REFERENCE_SIDE_PX = 256

Luma = NDArray[np.uint8]


def _at(luma: Luma, size_wh: tuple[int, int]) -> NDArray[np.float32]:
    resized = Image.fromarray(luma).resize(size_wh, Image.Resampling.BOX)
    return np.asarray(resized, dtype=np.float32)


def _reference(luma: Luma) -> NDArray[np.float32]:
    height, width = luma.shape
    scale = min(1.0, REFERENCE_SIDE_PX / min(width, height))
    return _at(luma, (max(1, round(width * scale)), max(1, round(height * scale))))


def sharpness(luma: Luma) -> float:
    """Variance of the Laplacian (Pech-Pacheco et al. 2000) of (H, W) uint8 luma."""
    grey = _reference(luma)
    if min(grey.shape) < 3:
        return 0.0
    laplacian = (
        grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * grey[1:-1, 1:-1]
    )
    return float(laplacian.var())


def brightness(luma: Luma) -> float:
    """Mean of (H, W) uint8 luma, 0..1."""
    return float(luma.mean()) / 255


def phash(luma: Luma) -> str:
    """Difference hash of 9 x 8 luma values (Krawetz 2013): 64 bits as 16 hex digits."""
    small = _at(luma, (9, 8))
    bits = (small[:, 1:] > small[:, :-1]).flatten()
    return f"{int(''.join('1' if bit else '0' for bit in bits), 2):016x}"


def different_bits(one: str, other: str) -> int:
    """In how many of 64 bits two hashes differ."""
    return (int(one, 16) ^ int(other, 16)).bit_count()
