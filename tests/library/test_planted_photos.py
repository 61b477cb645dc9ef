"""Real photos hidden in films are found again by their labels, at their moment."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from framekeep.library import Library
from framekeep.types import Hit
from tests.helpers.films import make_film

SIZE_WH = (480, 270)
PLANTED, PER_FILM = 60, 20
NEAR_S = 0.5


@pytest.fixture(scope="module")
def planted(
    measuring_photos: Path, tmp_path_factory
) -> tuple[Path, dict[str, tuple[str, float, float]]]:
    """A folder of films, and for each label the film and the span in which it is shown."""
    folder = tmp_path_factory.mktemp("planted")
    lines = (measuring_photos / "labels.tsv").read_text("utf-8").splitlines()[1::8][:PLANTED]
    rows = [(line.split("\t")[0], line.split("\t")[3]) for line in lines]
    spans = {}
    for number in range(0, PLANTED, PER_FILM):
        some = rows[number : number + PER_FILM]
        pictures = []
        for name, _ in some:
            with Image.open(measuring_photos / name) as file:
                pictures.append(np.asarray(ImageOps.fit(file.convert("RGB"), SIZE_WH)))
        seconds = [1.0 + 0.2 * (n % 6) for n in range(len(some))]
        fade_s = 0.4 if number == PER_FILM else 0.0
        film = make_film(
            folder / f"film{number}.mp4", pictures, seconds, size_wh=SIZE_WH, fade_s=fade_s,
            moves=number > PER_FILM,
        )  # fmt: skip
        for (_, label), (start_s, end_s) in zip(some, film.shots_s, strict=True):
            spans[label] = (film.path.name, start_s, end_s)
    return folder, spans


def shows(hit: Hit, where: tuple[str, float, float]) -> bool:
    name, start_s, end_s = where
    return (
        hit.path.name == name
        and hit.time_s is not None
        and start_s - NEAR_S <= hit.time_s <= end_s + NEAR_S
    )


def test_labels_find_the_moments_at_which_their_photos_are_shown(planted, tmp_path):
    folder, spans = planted
    with Library.open(tmp_path / "library", "starter") as library:
        assert [event.kind for event in library.add(folder)].count("indexed") == 3
        found = {
            label: [shows(hit, where) for hit in library.search(label, limit=5)]
            for label, where in spans.items()
        }
    recall_at_5 = np.mean([any(hits) for hits in found.values()])
    missed = [label for label, hits in found.items() if not any(hits)]
    assert recall_at_5 >= 0.9, missed
