"""Animated WebP read as a film, by Pillow: FFmpeg's reader of it is young."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import accumulate
from pathlib import Path

import numpy as np

from framekeep.errors import MediaError
from framekeep.film_types import VideoFacts
from framekeep.media import film_facts
from framekeep.media.film_colour import Upright
from framekeep.media.film_reader import TICK_S, FilmInfo, FilmLimits, Picture
from framekeep.media.images import _check_pixels, _open, _reasons, _to_rgb
from framekeep.media.kinds import webp_times_ms

# The whole file is held while it is read.
_MOST_BYTES = 500_000_000


class AnimatedWebp:
    """An animated WebP; the file is held in memory, of its pictures one at a time."""

    def __init__(self, path: Path, limits: FilmLimits) -> None:
        if path.stat().st_size > _MOST_BYTES:
            raise MediaError(
                f"An animated WebP may have {_MOST_BYTES / 1e6:,.0f} MB at most: convert it to MP4."
            )
        with _reasons("webp"):
            self._times_ms = list(webp_times_ms(path))
            self._image = _open(path)
        _check_pixels(self._image.size, limits.max_pixels)
        duration_s = sum(self._times_ms) / 1000
        if duration_s > limits.max_duration_s:
            raise MediaError(film_facts.too_long(duration_s, limits.max_duration_s))
        self._upright = Upright(self._image.size, self._image.size)
        self.info = FilmInfo(
            size_wh=self._image.size,
            format="webp",
            video=VideoFacts(
                duration_s, round(len(self._times_ms) / duration_s, 3), "webp", has_audio=False
            ),
        )

    def close(self) -> None:
        """Close the file."""
        self._image.close()

    def pictures(self, from_s: float = 0.0) -> Iterator[Picture]:
        """Pictures in order, from the one that is shown at `from_s` on. Raises MediaError.

        Each is laid on those before it, so that reading always begins with the first.
        """
        import av

        starts_ms = [0, *accumulate(self._times_ms)]
        wanted = max((i for i, ms in enumerate(starts_ms[:-1]) if ms / 1000 <= from_s + TICK_S))
        for index in range(wanted, len(self._times_ms)):
            with _reasons("webp"):
                try:
                    self._image.seek(index)
                    rgb = np.asarray(_to_rgb(self._image, None))
                except EOFError:
                    return
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
            frame.pts, frame.time_base = starts_ms[index], Fraction(1, 1000)
            yield Picture(round(starts_ms[index] / 1000, 6), frame, self._upright)

    def check_whole(self, end_s: float) -> None:
        """Raise MediaError where a film that was read up to `end_s` should have gone on."""
        film_facts.check_whole(end_s, self.info.video.duration_s)
