"""From a vague map of where an object is to its mask, over a graph of patches.

Each patch is judged by place (the map) and by colour (is it commoner where the map is strong than
elsewhere?). Neighbours alike in colour and in the network's features then settle on one answer
(a random walk with restart, as in manifold ranking, Zhou et al. 2003), and GrabCut (Rother et al.
2004) draws the edge pixel by pixel.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from framekeep.object_types import BoolMask
from framekeep.segmenters.superpixels import Patches, pairwise
from framekeep.types import RgbImage

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]

COLOUR_REACH = 10.0
"""Units of Lab within which two colours count as alike."""
ROUNDS = 2
WALK_STEPS = 30
RING_REACH = 0.12
"""How far around an object its background is looked for above all, in shorter sides."""
_grabcut_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture ready to be asked about.

    Of its n patches, all (n, n): `alike` how much neighbours have in common, `same_colour` and
    `near` how close any two are in colour and in place; 1 is closest.
    """

    patches: Patches
    alike: Floats
    same_colour: Floats
    near: Floats


@dataclass(frozen=True, slots=True)
class Hints:
    """What is known to be object, and what background: pixels (h, w), and patches (n,)."""

    object: BoolMask
    background: BoolMask
    object_patches: NDArray[np.bool_]
    background_patches: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Found:
    """A mask (h, w), and how strongly each pixel is in it, 0..1.

    `agreement` is the overlap, 0..1, of the mask before and after GrabCut; `contrast` by how much
    the map is stronger inside than outside; `plain` is True where GrabCut's answer was refused.
    """

    mask: BoolMask
    strength: Floats
    agreement: float
    contrast: float
    plain: bool = False


def make_scene(patches: Patches, features: Doubles) -> Scene:
    """Join patches into a graph by colour and by a network's features (n, channels)."""
    difference = pairwise(patches.lab)
    features = features - features.mean(axis=0)
    features /= np.linalg.norm(features, axis=1, keepdims=True) + 1e-6
    step = patches.touching.astype(np.float32)
    near = patches.touching | (step @ step > 0)
    np.fill_diagonal(near, val=False)
    likeness = np.exp(-difference / 12 - (1 - features @ features.T) / 0.25)
    return Scene(
        patches,
        (likeness * near).astype(np.float32),
        np.exp(-((difference / COLOUR_REACH) ** 2)).astype(np.float32),
        np.exp(-((patches.distances() / RING_REACH) ** 2) / 2).astype(np.float32),
    )


def settle(scene: Scene, place: Doubles, hints: Hints | None = None) -> Doubles:
    """How strongly each patch belongs to the object, 0..1, from a map `place` (n,), 0..1."""
    patches = scene.patches
    area = patches.area_px
    place = place / max(float(place.max()), 1e-6)
    by_place = np.clip(np.log((place + 0.02) / (1.02 - place)), -3, 1)
    inside = np.clip((place - 0.3) / 0.7, 0, None)
    outside = np.clip((0.35 - place) / 0.35, 0, None) * (1 + patches.at_edge)
    restart = np.full(len(area), 0.4 * np.median(scene.alike.sum(axis=1)) + 1e-9)
    yes = no = np.zeros(len(area), np.bool_)
    if hints is not None:
        yes, no = hints.object_patches, hints.background_patches
        restart = np.where(yes | no, restart * 50, restart)
    first_outside = np.where(no, 1.0, outside)
    outside = first_outside
    strength = place
    for _ in range(ROUNDS):
        inside, outside = (inside + yes) * area, outside * area
        inside, outside = inside / (inside.sum() + 1e-9), outside / (outside.sum() + 1e-9)
        ring = outside * (scene.near @ inside)
        outside = 0.5 * outside + 0.5 * ring / (ring.sum() + 1e-9)
        same = scene.same_colour
        by_colour = np.log((same @ inside + 0.01) / (same @ outside + 0.01))
        own = 1 / (1 + np.exp(-2 * np.clip(by_colour, -2, 2) - by_place))
        own = np.where(yes, 1.0, np.where(no, 0.0, own))
        strength = _walk(scene.alike, own, restart)
        inside = strength * np.maximum(place, 0.1) * (strength > 0.5)
        outside = np.maximum(first_outside, 0.5 - strength)
    return np.clip(strength, 0, 1)


def _walk(alike: Floats, own: Doubles, restart: Doubles) -> Doubles:
    """Each patch between its own answer (n,) and its neighbours': a random walk with restart."""
    total = alike.sum(axis=1) + restart
    answer = own
    for _ in range(WALK_STEPS):
        answer = (alike @ answer + restart * own) / total
    return answer


def cut(
    scene: Scene,
    strength: Doubles,
    hints: Hints | None = None,
    *,
    least: float = 0.01,
    most: float = 0.65,
) -> Found | None:
    """Draw the object's edge; None where there is nothing to draw.

    `least` and `most` are shares of the picture that a mask may cover. Masks beyond them, and
    inverted ones, are refused for the plain, thresholded map.
    """
    import cv2

    patches = scene.patches
    level = float(np.clip(_otsu(strength, patches.area_px), 0.4, 0.65))
    smooth = np.asarray(cv2.GaussianBlur(patches.spread(strength), (0, 0), 1.5), np.float32)
    draft = smooth > level
    if not draft.any():
        return None
    trimap = np.where(draft, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    trimap[smooth < level / 2] = cv2.GC_BGD
    trimap[smooth > (level + float(smooth.max())) / 2] = cv2.GC_FGD
    if hints is not None:
        trimap[hints.background] = cv2.GC_BGD
        trimap[hints.object] = cv2.GC_FGD
    seeds = hints.object if hints is not None and hints.object.any() else None
    mask = tidy(grab(patches.picture, trimap), seeds)
    agreement = overlap(mask, draft)
    contrast = _contrast(smooth, mask)
    share = float(mask.mean())
    if least <= share <= most and agreement >= 0.3 and contrast > 0.1:
        return Found(mask, smooth, agreement, contrast)
    if draft.mean() > most:
        draft = smooth > np.quantile(smooth, 1 - most)
    plain = tidy(draft if seeds is None else draft | seeds, seeds)
    return Found(plain, smooth, agreement, _contrast(smooth, plain), plain=True)


def grab(picture: RgbImage, trimap: NDArray[np.uint8]) -> BoolMask:
    """One round of GrabCut from a map of OpenCV's four kinds; always the same answer."""
    import cv2

    draft: BoolMask = trimap % 2 == 1
    if draft.all() or not draft.any():
        return draft
    models = np.zeros((1, 65)), np.zeros((1, 65))
    everywhere = (0, 0, picture.shape[1], picture.shape[0])
    bgr = np.ascontiguousarray(picture[..., ::-1])
    # GrabCut starts with k-means, which draws from OpenCV's random state.
    with _grabcut_lock:
        cv2.setRNGSeed(0)
        cv2.grabCut(bgr, trimap, everywhere, *models, 1, cv2.GC_INIT_WITH_MASK)
    mask: BoolMask = trimap % 2 == 1
    return mask


def tidy(mask: BoolMask, seeds: BoolMask | None = None) -> BoolMask:
    """Without pieces much smaller than the largest one, and with its small holes filled.

    With `seeds` (h, w), the pieces that have some of them are kept instead.
    """
    import cv2

    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    if count < 2:
        return mask
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    kept = areas >= 0.15 * areas.max()
    if seeds is not None and (mask & seeds).any():
        kept = np.isin(np.arange(count), labels[mask & seeds])
    whole: BoolMask = kept[labels]
    count, labels, stats, _ = cv2.connectedComponentsWithStats((~whole).astype(np.uint8))
    small = stats[:, cv2.CC_STAT_AREA] < 0.02 * whole.sum()
    small[0] = False
    filled: BoolMask = whole | small[labels]
    return filled


def overlap(one: BoolMask, other: BoolMask) -> float:
    """Intersection over union."""
    union = (one | other).sum()
    return float((one & other).sum() / union) if union else 0.0


def _contrast(strength: Floats, mask: BoolMask) -> float:
    if not mask.any() or mask.all():
        return 0.0
    return float(strength[mask].mean() - strength[~mask].mean())


def _otsu(values: Doubles, weights: Doubles) -> float:
    """The level that parts weighted values into two classes best (Otsu 1979)."""
    low, span = float(values.min()), float(np.ptp(values)) + 1e-9
    bins = np.minimum(((values - low) / span * 64).astype(int), 63)
    counts = np.bincount(bins, weights, 64)
    below = np.cumsum(counts)
    moment = np.cumsum(counts * np.arange(64))
    between = (moment[-1] * below / below[-1] - moment) ** 2 / (below * (below[-1] - below) + 1e-9)
    return low + (int(between[:-1].argmax()) + 1) / 64 * span
