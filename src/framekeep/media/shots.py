"""Choosing frames: a film's shots and the best frames of each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from framekeep.film_types import FilmStep, FrameChoice, PickedFrame, Shot
from framekeep.media.film_reader import FilmLimits, Picture, open_film
from framekeep.media.quality import brightness, phash, sharpness

_CUT = 0.12
_ONE_MORE_PER_S = 10.0


def choose_frames(
    path: str | Path,
    choice: FrameChoice,
    limits: FilmLimits,
    *,
    min_side_px: int,
    start_s: float = 0.0,
) -> Iterator[FilmStep]:
    """Read a film and tell each shot with the frames chosen from it, in the film's order.

    `start_s` is the `read_to_s` of an earlier step with a shot: the reading goes on from there
    and tells the same shots as if it had not been interrupted. Steps without a shot are signs of
    life; nothing can be resumed from their `read_to_s`. Raises MediaError.
    """
    with open_film(path, limits) as film:
        begun_s, end_s = start_s, start_s
        before = None
        best: list[PickedFrame] = []
        for picture in film.pictures(start_s):
            small = _small(picture)
            if before is not None and np.abs(small - before).mean() > _CUT:
                yield FilmStep(picture.time_s, Shot(begun_s, picture.time_s, tuple(best)))
                begun_s, best = picture.time_s, []
            before = small
            if not best or picture.time_s - best[-1].time_s >= _ONE_MORE_PER_S:
                best.append(_picked(picture, min_side_px))
            end_s = picture.time_s
        end_s = max(end_s, film.info.video.duration_s)
        if best:
            yield FilmStep(end_s, Shot(begun_s, end_s, tuple(best)))


def _small(picture: Picture) -> np.ndarray:
    frame = picture.frame.reformat(32, 18, "rgb24")
    return frame.to_ndarray().astype(np.float32) / 255


def _picked(picture: Picture, min_side_px: int) -> PickedFrame:
    rgb = picture.rgb(min_side_px)
    luma = np.asarray(Image.fromarray(rgb).convert("L"))
    return PickedFrame(picture.time_s, rgb, sharpness(luma), brightness(luma), phash(luma))
