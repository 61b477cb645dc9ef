"""Cutting objects out of pictures, their background blurred, filled or left as it is.

Blurring what is not meant steers an encoder to the object; the same was done for whole pictures in
"Fine-Grained Visual Prompting" (Yang and others, NeurIPS 2023). A kernel of fixed size does next to
nothing on a large photo once that is scaled down to an encoder's input, so it is applied at a
reference size.
"""

from __future__ import annotations

import numpy as np

from framekeep.errors import InputError
from framekeep.object_types import BoolMask, CropSettings
from framekeep.types import RgbImage

# OpenCV's warp takes no picture of more than 32,767 pixels a side: it works on tiles.
TILE_PX = 8192

Ltrb = tuple[int, int, int, int]


def crop_object(image: RgbImage, mask: BoolMask, settings: CropSettings | None = None) -> RgbImage:
    """One object of a picture (H, W, 3) uint8, by its mask (H, W) bool, as (h, w, 3) uint8.

    The mask's box with the margin, clipped to the picture; pixels of the mask stay as they are.
    Raises InputError where picture and mask do not go together or the mask is empty.
    """
    return Cropper(image, settings).crop(mask)


class Cropper:
    """Cuts objects out of one picture; what they share is worked out once. Not thread-safe."""

    def __init__(self, image: RgbImage, settings: CropSettings | None = None) -> None:
        self._image = image
        self._settings = settings or CropSettings()
        self._small: RgbImage | None = None
        self._mean: tuple[float, ...] | None = None

    def crop(self, mask: BoolMask) -> RgbImage:
        """One object, (h, w, 3) uint8; see `crop_object`."""
        return self._composed(mask, self.box(mask))

    def whole(self, mask: BoolMask) -> RgbImage:
        """The whole picture, (H, W, 3) uint8, with everything around the object as in a crop."""
        height, width = self._image.shape[:2]
        return self._composed(mask, (0, 0, width, height))

    def _composed(self, mask: BoolMask, box: Ltrb) -> RgbImage:
        if mask.shape != self._image.shape[:2] or mask.dtype != np.bool_:
            raise InputError(
                f"A mask of shape {mask.shape} does not fit a picture of {self._image.shape[:2]}."
            )
        left, top, right, bottom = box
        whole: RgbImage = self._image[top:bottom, left:right]
        if self._settings.mode == "none":
            return whole.copy()
        import cv2

        background = self._filled(box) if self._settings.mode == "mean" else self._blurred(box)
        inside = mask[top:bottom, left:right].astype(np.uint8)
        return np.asarray(cv2.copyTo(whole, inside, background), dtype=np.uint8)

    def box(self, mask: BoolMask) -> Ltrb:
        """The mask's box with the margin, clipped to the picture: left, top, right, bottom."""
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if not rows.size:
            raise InputError("An empty mask has no object to cut out.")
        top, bottom = int(rows[0]), int(rows[-1]) + 1
        left, right = int(columns[0]), int(columns[-1]) + 1
        room = round(self._settings.margin * max(right - left, bottom - top))
        return self._clipped((left, top, right, bottom), room)

    def _clipped(self, box: Ltrb, room: int) -> Ltrb:
        height, width = self._image.shape[:2]
        left, top, right, bottom = box
        return (
            max(left - room, 0),
            max(top - room, 0),
            min(right + room, width),
            min(bottom + room, height),
        )

    def _filled(self, box: Ltrb) -> RgbImage:
        import cv2

        if self._mean is None:
            self._mean = cv2.mean(self._image)[:3]
        left, top, right, bottom = box
        return np.full((bottom - top, right - left, 3), np.round(self._mean), np.uint8)

    def _blurred(self, box: Ltrb) -> RgbImage:
        reference, kernel = self._settings.reference_px, self._settings.kernel_px
        if reference is None:
            return self._blurred_in_full(box, kernel, self._sigma)
        shorter = min(self._image.shape[:2])
        if reference < shorter:
            return self._enlarged(box, reference / shorter)
        # Below the reference size the kernel shrinks rather than that the picture grows.
        share = shorter / reference
        return self._blurred_in_full(
            box, 2 * max(round(kernel // 2 * share), 1) + 1, self._sigma * share
        )

    @property
    def _sigma(self) -> float:
        """The blur's standard deviation; where none is set, OpenCV's own for the kernel."""
        radius = (self._settings.kernel_px - 1) / 2
        return self._settings.sigma_px or 0.3 * (radius - 1) + 0.8

    def _blurred_in_full(self, box: Ltrb, kernel: int, sigma: float) -> RgbImage:
        """The blurred picture within a box; only the box and the kernel's reach are looked at."""
        import cv2

        left, top, right, bottom = box
        x, y, far_x, far_y = self._clipped(box, kernel // 2)
        # A copy: OpenCV would look beyond the edges of a part of a larger picture.
        part = np.ascontiguousarray(self._image[y:far_y, x:far_x])
        blurred = cv2.GaussianBlur(part, (kernel, kernel), sigma)
        return np.ascontiguousarray(blurred[top - y : bottom - y, left - x : right - x])

    def _enlarged(self, box: Ltrb, scale: float) -> RgbImage:
        """The picture blurred at the reference size and scaled up again, within a box."""
        import cv2

        height, width = self._image.shape[:2]
        if self._small is None:
            size_wh = (max(round(width * scale), 1), max(round(height * scale), 1))
            small = cv2.resize(self._image, size_wh, interpolation=cv2.INTER_AREA)
            kernel = self._settings.kernel_px
            self._small = np.asarray(
                cv2.GaussianBlur(small, (kernel, kernel), self._sigma), dtype=np.uint8
            )
        left, top, right, bottom = box
        out = np.empty((bottom - top, right - left, 3), np.uint8)
        for y in range(top, bottom, TILE_PX):
            for x in range(left, right, TILE_PX):
                tile = (x, y, min(x + TILE_PX, right), min(y + TILE_PX, bottom))
                out[y - top : tile[3] - top, x - left : tile[2] - left] = _scaled_part(
                    self._small, (width, height), tile
                )
        return out


def _scaled_part(small: RgbImage, size_wh: tuple[int, int], box: Ltrb) -> RgbImage:
    """What `small`, scaled up to a size, shows within a box there; bilinear, as cv2.resize."""
    import cv2

    left, top, right, bottom = box
    step_x, step_y = small.shape[1] / size_wh[0], small.shape[0] / size_wh[1]
    # Two pixels more than are covered, since those beside take part.
    x, far_x = max(int(left * step_x) - 2, 0), int(right * step_x) + 3
    y, far_y = max(int(top * step_y) - 2, 0), int(bottom * step_y) + 3
    back = np.array(
        [
            [step_x, 0, (left + 0.5) * step_x - 0.5 - x],
            [0, step_y, (top + 0.5) * step_y - 0.5 - y],
        ]
    )
    part = cv2.warpAffine(
        np.ascontiguousarray(small[y:far_y, x:far_x]),
        back,
        (right - left, bottom - top),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(part, dtype=np.uint8)
