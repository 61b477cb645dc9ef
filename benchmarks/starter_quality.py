"""How well the starter encoder finds labelled photos by their label, beside references.

    python benchmarks/starter_quality.py ../shared/photos

The folder holds photos and a labels.tsv with the columns `file` and `label`. Query = label,
gallery = all photos. Printed for the encoder as shipped, for ConSE without centring, for a half
of the photos each, and for chance. "AUC" is the share of (right pair, wrong pair) comparisons,
over all queries together, in which the right pair scores higher: it tells whether one threshold
serves every query. Exits with 1 where R@1 is below 0.92 or R@5 below 0.96.
"""

from __future__ import annotations

import csv
import sys
import time
from pathlib import Path

import numpy as np

from framekeep.encoders.starter import StarterEncoder
from framekeep.media.images import read_photo

LEAST = {1: 0.92, 5: 0.96}


def load(folder: Path, encoder: StarterEncoder) -> tuple[np.ndarray, list[str]]:
    """Every prepared photo with its label."""
    with (folder / "labels.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    side = encoder.decode_side_px
    pictures = [
        encoder.prepare(read_photo(str(folder / row["file"]), min_side_px=side).rgb) for row in rows
    ]
    return np.stack(pictures), [row["label"] for row in rows]


def ranks(scores: np.ndarray) -> np.ndarray:
    """For each query (row), how many photos score higher than its own (the diagonal)."""
    return (scores > scores.diagonal()[:, None]).sum(axis=1)


def auc(scores: np.ndarray) -> float:
    """Share of wrong pairs that a right pair outscores, over all queries together."""
    wrong = np.sort(scores[~np.eye(len(scores), dtype=bool)])
    return float((np.searchsorted(wrong, scores.diagonal()) / len(wrong)).mean())


def line(name: str, scores: np.ndarray) -> dict[int, float]:
    """Print one row of figures."""
    found = {k: float((ranks(scores) < k).mean()) for k in (1, 5, 10)}
    figures = "  ".join(f"R@{k} {value:.3f}" for k, value in found.items())
    print(f"{name:28} {figures}  AUC {auc(scores):.4f}  n={len(scores)}")
    return found


def uncentred(encoder: StarterEncoder, images: np.ndarray, texts: list[str]) -> np.ndarray:
    """Scores of plain ConSE: the same two models without the mean taken off."""
    mean = encoder._mean_vector
    names = encoder._embed_texts([names[0] for names in encoder._names]) + mean
    names /= np.linalg.norm(names, axis=1, keepdims=True)
    rows = []
    for start in range(0, len(images), 16):
        odds = np.exp(encoder._logits(list(images[start : start + 16])))
        least = np.partition(odds, -10, axis=1)[:, -10][:, None]
        rows.append(np.where(odds >= least, odds, 0) @ names)
    pictures = np.concatenate(rows)
    pictures /= np.linalg.norm(pictures, axis=1, keepdims=True)
    queries = np.concatenate([encoder._embed_texts([text]) for text in texts]) + mean
    return queries @ pictures.T


def main() -> int:
    """Measure and print."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/photos")
    if not (folder / "labels.tsv").exists():
        print(f"There is no labels.tsv in {folder}: nothing was measured.")
        return 2
    encoder = StarterEncoder()
    images, labels = load(folder, encoder)
    started = time.perf_counter()
    pictures = encoder.encode_images(list(images))
    rate = len(images) / (time.perf_counter() - started)
    scores = encoder.encode_texts(labels) @ pictures.T
    print(f"{encoder.info.id}, {len(images)} photos, encoded at {rate:.0f}/s")
    found = line("starter", scores)
    line("  photos 1, 3, 5, …", scores[::2, ::2])
    line("  photos 2, 4, 6, …", scores[1::2, 1::2])
    line("ConSE without centring", uncentred(encoder, images, labels))
    line("chance", np.random.default_rng(0).random(scores.shape))
    return 0 if all(found[k] >= least for k, least in LEAST.items()) else 1


if __name__ == "__main__":
    sys.exit(main())
