"""Libraries with labelled objects, and what tests ask of datasets."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from framekeep.library import Library
from framekeep.object_types import BoolMask

DEMO = Path(__file__).parents[2] / "src" / "framekeep" / "data" / "demo"
NAMES = ("dog", "cat", "bird")


def demo_photos(count: int) -> list[Path]:
    """The first packaged photos."""
    return sorted(DEMO.glob("*.jpg"))[:count]


def blob(size_wh: tuple[int, int], seed: int = 0) -> BoolMask:
    """A disc with a hole and an island, somewhere in a picture."""
    width, height = size_wh
    draw = np.random.default_rng(seed)
    x, y = draw.uniform(0.3, 0.7) * width, draw.uniform(0.3, 0.7) * height
    radius = draw.uniform(0.1, 0.25) * min(size_wh)
    rows, columns = np.mgrid[:height, :width]
    far = np.hypot(columns - x, rows - y)
    mask = (far < radius) & (far > radius / 4)
    mask[: 3 + seed % 3, :4] = True
    return mask


def label_all(library: Library, ids: Iterable[str] | None = None, each: int = 1) -> None:
    """Draw objects in media, by turns of three classes; in every medium where none are named."""
    chosen = sorted(library.ids_where("pixels>0") if ids is None else ids)
    for number, media_id in enumerate(chosen):
        size_wh = library.hits([media_id])[0].media.size_wh
        for more in range(each):
            mask = blob(size_wh, seed=7 * number + more)
            library.draw(media_id, mask, NAMES[(number + more) % len(NAMES)], author="tester")


def last(events: Generator[Any, None, None]) -> Any:
    """The report of a run that is followed to its end."""
    *_, event = events
    assert event.kind == "done"
    return event.report


def contents(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file in a folder, hidden ones too, by path."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
