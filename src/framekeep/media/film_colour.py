"""From a decoded picture to RGB as it is meant to be seen: upright, square pixels, sRGB.

High dynamic range (PQ and HLG of ITU-R BT.2100) is brought to SDR: to light on a display by
BT.2100's EOTF, for HLG its inverse OETF and OOTF at 1,000 cd/m2; highlights of 1,000 cd/m2 are
rolled off to reference white, 203 cd/m2 (BT.2408), by the EETF of BT.2390 on the largest of R, G
and B, which keeps hues; BT.2020's primaries go to BT.709's by BT.2087, then sRGB's curve follows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from framekeep.types import RgbImage

if TYPE_CHECKING:
    import av

Floats = NDArray[np.float32]
# Numbers of ITU-T H.273.
_UNTOLD = (0, 2, 3)
_BT2020, _PQ, _HLG = 9, 16, 18
_PEAK, _WHITE = 1000.0, 203.0
_STEPS = 4096
_ROWS = 64
_TO_BT709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)
_HD_SIDE_PX = 1280


@dataclass(frozen=True, slots=True)
class Upright:
    """How a film's pictures are laid upright: size as displayed, quarter turns, mirrored or not.

    `stored_wh` is the size with square pixels before turning.
    """

    size_wh: tuple[int, int]
    stored_wh: tuple[int, int]
    turns: int = 0
    mirrored: bool = False

    @classmethod
    def of(cls, frame: av.VideoFrame, stream: Any) -> Upright:
        """From a film's first picture: its display matrix and its pixels' shape."""
        turns, mirrored = _turns(frame)
        ratio = stream.sample_aspect_ratio
        told = bool(ratio) and 0.05 < ratio < 20
        width = max(1, round(frame.width * ratio)) if told else frame.width
        stored = (width, frame.height)
        return cls(stored[::-1] if turns % 2 else stored, stored, turns, mirrored)

    def rgb(self, frame: av.VideoFrame, min_side_px: int | None) -> RgbImage:
        """(height, width, 3) uint8; reduced to a shorter side of `min_side_px` where given."""
        width, height = self.stored_wh
        if min_side_px is not None and min(width, height) > min_side_px:
            scale = min_side_px / min(width, height)
            width, height = max(1, round(width * scale)), max(1, round(height * scale))
        rgb = _converted(frame, width, height)
        if self.mirrored:
            rgb = rgb[:, ::-1]
        return np.ascontiguousarray(np.rot90(rgb, self.turns))


def _turns(frame: av.VideoFrame) -> tuple[int, bool]:
    """Quarter turns counter-clockwise, and whether it is mirrored first, by its display matrix."""
    from av.sidedata.sidedata import Type

    try:
        matrix = np.frombuffer(bytes(frame.side_data[Type.DISPLAYMATRIX]), np.int32)
    except KeyError:
        return 0, False
    a, b, c, d = (float(matrix[i]) for i in (0, 1, 3, 4))
    mirrored = a * d - b * c < 0
    if mirrored:
        a, b = -a, -b
    # Rows of the matrix are where the axes go, and the picture's second axis points down.
    return -round(float(np.degrees(np.arctan2(b, a))) / 90) % 4, mirrored


def _converted(frame: av.VideoFrame, width: int, height: int) -> RgbImage:
    wide = frame.color_trc in (_PQ, _HLG) or frame.color_primaries == _BT2020
    if wide:
        return _to_sdr(_scaled(frame, width, height, "rgb48le"), int(frame.color_trc))
    if any(component.is_alpha for component in frame.format.components):
        rgba = _scaled(frame, width, height, "rgba").astype(np.uint16)
        alpha = rgba[..., 3:]
        return ((rgba[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    return _scaled(frame, width, height, "rgb24")


def _scaled(frame: av.VideoFrame, width: int, height: int, form: str) -> NDArray[Any]:
    from av.video.reformatter import Colorspace, Interpolation

    reduced = width < frame.width or height < frame.height
    way = Interpolation.AREA if reduced else Interpolation.BICUBIC
    colours = None
    if frame.colorspace in _UNTOLD and max(frame.width, frame.height) >= _HD_SIDE_PX:
        # Where a film does not tell, the custom of its size holds, as in players.
        colours = Colorspace.ITU709
    elif int(frame.colorspace) in (_BT2020, _BT2020 + 1):
        colours = Colorspace.BT2020
    converted = frame.reformat(
        width,
        height,
        form,
        src_colorspace=colours,
        interpolation=way | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT,
    )
    return np.asarray(converted.to_ndarray())


def _to_sdr(codes: NDArray[np.uint16], curve: int) -> RgbImage:
    """(H, W, 3) 16-bit values in BT.2020 to sRGB, by bands so that memory stays small."""
    rgb = np.empty(codes.shape, np.uint8)
    for top in range(0, len(codes), _ROWS):
        band = codes[top : top + _ROWS]
        light = _light(curve)[band >> 4]
        if curve == _HLG:
            luminance = light @ np.array([0.2627, 0.6780, 0.0593], np.float32)
            light = light * (_PEAK / _WHITE * np.power(luminance, 0.2))[..., None]
        if curve in (_PQ, _HLG):
            top_light = np.sqrt(light.max(-1) * (_WHITE / _PEAK)).clip(0, 1)
            light = light * _roll_off()[(top_light * (_STEPS - 1)).astype(np.int32)][..., None]
        levels = (light @ _TO_BT709.T).clip(0, 1) * 65535
        rgb[top : top + _ROWS] = _srgb_codes()[levels.astype(np.uint16)]
    return rgb


@cache
def _light(curve: int) -> Floats:
    """Light for each of 4,096 codes: 1.0 is reference white, for HLG the scene's peak."""
    code = np.linspace(0, 1, _STEPS)
    if curve == _PQ:
        return (_from_pq(code) / _WHITE).astype(np.float32)
    if curve == _HLG:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        scene = np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)
        return scene.astype(np.float32)
    linear = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    return linear.astype(np.float32)


@cache
def _srgb_codes() -> NDArray[np.uint8]:
    light = np.linspace(0, 1, 65536)
    code = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.round(code * 255).astype(np.uint8)


@cache
def _roll_off() -> Floats:
    """BT.2390's EETF as a factor on light, by the root of light against the peak."""
    light = np.linspace(0, 1, _STEPS) ** 2 * _PEAK
    source = _to_pq(light) / _to_pq(np.array(_PEAK))
    most = float(_to_pq(np.array(_WHITE)) / _to_pq(np.array(_PEAK)))
    knee = 1.5 * most - 0.5
    t = (source - knee) / (1 - knee)
    bent = (
        (2 * t**3 - 3 * t**2 + 1) * knee
        + (t**3 - 2 * t**2 + t) * (1 - knee)
        + (-2 * t**3 + 3 * t**2) * most
    )
    target = _from_pq(np.where(source > knee, bent, source) * _to_pq(np.array(_PEAK)))
    return (target / np.maximum(light, 1e-6)).clip(0, 1).astype(np.float32)


def _from_pq(code: NDArray[np.float64]) -> NDArray[np.float64]:
    """BT.2100's PQ EOTF: codes 0..1 to cd/m2."""
    root = code ** (1 / 78.84375)
    return 10000 * (np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (
        1 / 0.1593017578125
    )


def _to_pq(light: NDArray[np.float64]) -> NDArray[np.float64]:
    power = (light / 10000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375
