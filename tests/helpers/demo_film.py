"""A film of packaged photos, for documents and the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from tests.helpers.datasets import demo_photos
from tests.helpers.films import MadeFilm, make_film


def demo_film(path: Path, seconds_each: float = 3.0) -> MadeFilm:
    """Write a film with sound that is panned over the first packaged photos, a shot for each."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures = []
    for photo in demo_photos(5):
        with Image.open(photo) as image:
            pictures.append(np.asarray(image.convert("RGB").resize((480, 360))))
    return make_film(path, pictures, seconds_each, (320, 240), 12, audio=True)
