"""What becomes of an object's background before it is encoded, and how well it is then found.

    python benchmarks/background.py ../shared/photos [--limit N]

The folder holds photos and a labels.tsv with the columns `file` and `label`. The starter segmenter
drafts the objects, the starter encoder encodes each of them, cut out in several ways; query =
label, gallery = the objects of all photos. A photo is found at rank r where r - 1 other photos
have an object that scores higher than the best one of its own. Only photos in which an object was
found count, in every line, the whole photos included. The margin is 0.1 throughout.

Exits with 1 where the shipped setting is no better than chance: it is a comparison, not a bound.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from pathlib import Path

import numpy as np

from framekeep.cropping import Cropper
from framekeep.encoders.starter import StarterEncoder
from framekeep.geometry import decode_mask
from framekeep.media.images import read_photo
from framekeep.object_types import CropSettings
from framekeep.segmenters import registry
from framekeep.settings import load_settings

MODES = {
    "crop, background kept": CropSettings(mode="none"),
    "crop, blur 21 at 375 px": CropSettings(),
    "crop, blur 21 literal": CropSettings(reference_px=None),
    "crop, strong blur": CropSettings(kernel_px=101, sigma_px=25),
    "crop, mean colour": CropSettings(mode="mean"),
}
SHIPPED = "crop, blur 21 at 375 px"
WHOLE = "whole photo"
AROUND = "whole photo, blur 21 at 375"
FULL_SIZE = 2**31
BATCH = 64


class Gallery:
    """Vectors of one way of cutting out, filled in batches."""

    def __init__(self, encoder: StarterEncoder) -> None:
        self._encoder = encoder
        self._waiting: list[np.ndarray] = []
        self._parts: list[np.ndarray] = []

    def add(self, picture: np.ndarray) -> None:
        self._waiting.append(self._encoder.prepare(picture))
        if len(self._waiting) >= BATCH:
            self._flush()

    def _flush(self) -> None:
        self._parts.append(self._encoder.encode_images(self._waiting))
        self._waiting = []

    def rows(self) -> np.ndarray:
        self._flush()
        return np.concatenate(self._parts)


def best_of_each(scores: np.ndarray, owners: np.ndarray, photos: int) -> np.ndarray:
    """From (queries, objects) to (queries, photos): the best of each photo's objects."""
    best = np.full((len(scores), photos), -np.inf)
    for owner in range(photos):
        best[:, owner] = scores[:, owners == owner].max(axis=1)
    return best


def line(name: str, best: np.ndarray) -> float:
    """Print one row of figures."""
    ranks = (best > best.diagonal()[:, None]).sum(axis=1)
    found = {k: float((ranks < k).mean()) for k in (1, 5, 10)}
    print(f"{name:30}" + "  ".join(f"R@{k} {value:.3f}" for k, value in found.items()))
    return found[1]


def measured(
    folder: Path, limit: int | None
) -> tuple[dict[str, np.ndarray], np.ndarray, list[str]]:
    """Vectors by mode, each object's photo, and the labels of the photos that have an object."""
    with (folder / "labels.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))[:limit]
    encoder = StarterEncoder()
    segmenter = registry.load_segmenter("starter", load_settings())
    galleries = {name: Gallery(encoder) for name in (WHOLE, AROUND, *MODES)}
    owners: list[int] = []
    labels: list[str] = []
    shares = []
    started = time.perf_counter()
    for row in rows:
        image = read_photo(str(folder / row["file"]), min_side_px=FULL_SIZE).rgb
        masks = [decode_mask(found.mask) for found in segmenter.segment(image)]
        if not masks:
            continue
        galleries[WHOLE].add(image)
        galleries[AROUND].add(Cropper(image).whole(masks[0]))
        for name, settings in MODES.items():
            cropper = Cropper(image, settings)
            for mask in masks:
                galleries[name].add(cropper.crop(mask))
        owners += [len(labels)] * len(masks)
        shares += [float(mask.mean()) for mask in masks]
        labels.append(row["label"])
    spent = time.perf_counter() - started
    print(
        f"{segmenter.info.id}, {encoder.info.id}: {len(rows)} photos, {len(owners)} objects in "
        f"{len(labels)} of them, covering {np.median(shares):.0%} of their photo at the median; "
        f"{spent:.0f} s"
    )
    return {name: each.rows() for name, each in galleries.items()}, np.array(owners), labels


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", nargs="?", type=Path, default=Path("../shared/photos"))
    parser.add_argument("--limit", type=int, default=None)
    options = parser.parse_args()
    if not (options.folder / "labels.tsv").exists():
        print(f"There is no labels.tsv in {options.folder}: nothing was measured.")
        return 2
    vectors, owners, labels = measured(options.folder, options.limit)
    queries = StarterEncoder().encode_texts(labels)
    each = np.arange(len(labels))
    best = {
        name: best_of_each(queries @ rows.T, each if name in (WHOLE, AROUND) else owners, len(each))
        for name, rows in vectors.items()
    }
    found = {name: line(name, scores) for name, scores in best.items()}
    line("photo or object, the better", np.maximum(best[WHOLE], best[SHIPPED]))
    return 0 if found[SHIPPED] > 2 / len(labels) else 1


if __name__ == "__main__":
    sys.exit(main())
