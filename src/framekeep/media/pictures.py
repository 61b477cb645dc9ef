"""The picture of a medium, whatever it is: a photo's own, a frame's out of its film."""

from __future__ import annotations

from framekeep.media.images import read_photo
from framekeep.media.limits import Limits
from framekeep.types import MediaItem, RgbImage


def read_picture(
    path: str, item: MediaItem, limits: Limits, *, min_side_px: int, poster_s: float = 0.0
) -> RgbImage:
    """A medium's picture upright, (height, width, 3) uint8 RGB, from a file that holds it.

    Of a photo at the smallest scale that a JPEG has with that shorter side, of a frame at its
    film's full size, of a film the picture at `poster_s`. Raises MediaError with the reason.
    """
    if item.video is None:
        return read_photo(
            path,
            min_side_px=min_side_px,
            max_pixels=limits.max_pixels,
            max_bytes=limits.max_bytes,
        ).rgb
    from framekeep.media.video import frame_at

    return frame_at(path, item.moment.time_s if item.moment else poster_s, limits.film)
