"""The shipped segmenter: a labelled draft of the main object, without any download.

Where an image classifier sees its likeliest labels (`activation`), that map is spread over patches
of even colour and cut out (`spreading`). A second look at the part of the picture around each
object sharpens small ones. What comes out is a draft to correct, not instances as SAM gives them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from framekeep.geometry import box_mask, mask_iou, proposal
from framekeep.object_types import BoolMask, Prompt, Proposal, SegmenterInfo
from framekeep.segmenters.activation import Floats, Look, Looker
from framekeep.segmenters.base import BaseSegmenter, Kept, Segmenter
from framekeep.segmenters.pointing import bulge, distinct, hills, make_hints, obey, settled
from framekeep.segmenters.spreading import Found, Scene, cut, make_scene, settle
from framekeep.segmenters.superpixels import make_patches
from framekeep.segmenters.windows import Window, area_of, around, box_in, full_size, seen_from
from framekeep.settings import Settings
from framekeep.starter_data import StarterData
from framekeep.types import RgbImage

NAME = "starter"
METHOD = "s1"
MOST_OBJECTS = 4
KEPT_VIEWS = 8
"""Parts of pictures ready for further prompts; each takes some 10 MB."""
CLOSER_THAN = 0.6
"""Objects whose surroundings cover less than this share of the picture get a second look."""


def describe(name: str, settings: Settings) -> SegmenterInfo:  # noqa: ARG001
    """The starter segmenter's id, without loading it. Raises WeightsError."""
    return _info(StarterData())


def load(name: str, settings: Settings) -> Segmenter:  # noqa: ARG001
    """The starter segmenter. Raises WeightsError."""
    return StarterSegmenter()


def _info(data: StarterData) -> SegmenterInfo:
    return SegmenterInfo(NAME, f"{NAME}-seg@{data.digest[:12]}/{METHOD}", is_draft=True)


@dataclass(frozen=True, slots=True)
class View:
    """A part of a picture as it was looked at; `evidence` (h, w) at the working size."""

    window: Window
    look: Look
    scene: Scene
    evidence: Floats


class StarterSegmenter(BaseSegmenter):
    """Drafts by class-activation maps, superpixels and GrabCut; on the CPU.

    The network is loaded at its first use. Raises WeightsError for damaged data.
    """

    def __init__(self, data: StarterData | None = None) -> None:
        data = data or StarterData()
        super().__init__(_info(data))
        self._looker = Looker(data)
        self._views: Kept[View] = Kept(KEPT_VIEWS)

    def _segment(self, image: RgbImage) -> list[Proposal]:
        view = self._view(image)
        whole = _draft(view, view.evidence)
        if whole is None or float(np.ptp(view.scene.patches.lab, axis=0).max()) < 1:
            return []
        found: list[Proposal] = []
        parts = pieces(whole.mask, view.evidence)
        for piece in parts:
            one = self._object(image, view, replace(whole, mask=piece), alone=len(parts) == 1)
            if one is not None and all(mask_iou(one.mask, other.mask) < 0.4 for other in found):
                found.append(one)
        return found

    def _object(self, image: RgbImage, view: View, found: Found, *, alone: bool) -> Proposal | None:
        """The object that a mask shows, after a closer look where it is small."""
        odds: Floats = view.look.odds
        window = around(box_in(found.mask, view.window), 0.25, view.window)
        if area_of(window) < CLOSER_THAN * area_of(view.window):
            closer = self._view(image, window)
            shape = closer.evidence.shape
            before = seen_from(softened(found.mask), view.window, window, shape)
            again = _draft(closer, closer.evidence * before, most=0.85)
            # The whole picture's labels may be those of another object.
            odds = np.float32(0.5) * (odds + closer.look.odds) if alone else closer.look.odds
            if again is not None:
                view, found = closer, again
        mask = full_size(found.mask, view.window, image.shape)
        if not mask.any():
            return None
        label = int(odds.argmax())
        sure = float(odds[label])
        return proposal(mask, confidence(found, sure), self._looker.name(label), sure)

    def _view(self, image: RgbImage, window: Window | None = None) -> View:
        import cv2

        height, width = image.shape[:2]
        left, top, right, bottom = window or (0, 0, width, height)
        part = np.ascontiguousarray(image[top:bottom, left:right])
        look = self._looker.look(part)
        patches = make_patches(part)
        scene = make_scene(patches, patches.sample(look.features))
        size_wh = patches.patch.shape[::-1]
        finer = cv2.resize(look.evidence, size_wh, interpolation=cv2.INTER_CUBIC)
        evidence = np.asarray(np.clip(finer, 0, 1), np.float32)
        return View((left, top, right, bottom), look, scene, evidence)

    def _prompt(self, image: RgbImage, prompt: Prompt, key: str | None) -> list[Proposal]:
        height, width = image.shape[:2]
        window = (0, 0, width, height)
        if prompt.box_xyxy is not None:
            window = around(prompt.box_xyxy, 0.4, window)
        full_key = None if key is None else f"{key} {window}"
        view = self._views.of(full_key, image, lambda picture: self._view(picture, window))
        shape = view.evidence.shape
        if prompt.box_xyxy is not None:
            maps = [bulge(prompt.box_xyxy, window, shape)]
        else:
            maps = hills(prompt, window, shape)
        # Of two answers that are about as clear, the smaller one was right more often.
        return distinct(
            [self._answer(image, view, prompt, place, 0.05 * n) for n, place in enumerate(maps)]
        )

    def _answer(
        self, image: RgbImage, view: View, prompt: Prompt, place: NDArray[np.float64], less: float
    ) -> Proposal:
        hints = make_hints(view.scene, view.window, prompt)
        strength = settle(view.scene, view.scene.patches.mean(place), hints)
        found = cut(view.scene, strength, hints, least=0, most=1)
        mask, score = settled(found, hints, view.window, prompt)
        full = full_size(mask, view.window, image.shape)
        obey(full, prompt)
        if prompt.box_xyxy is not None and not full.any():
            full = box_mask(prompt.box_xyxy, (image.shape[1], image.shape[0]))
        return proposal(full, max(0.01, score - less))


def _draft(view: View, part: Floats, most: float = 0.65) -> Found | None:
    strength = settle(view.scene, view.scene.patches.mean(part))
    return cut(view.scene, strength, most=most)


def confidence(found: Found, sure: float) -> float:
    """How far to trust a mask, 0..1: the label's probability, and how clear the cut was."""
    clear = found.agreement * min(1.0, found.contrast / 0.7)
    score = 0.03 + 0.45 * clear + 0.35 * np.sqrt(sure)
    return float(score / 2 if found.plain else score)


def pieces(mask: BoolMask, evidence: Floats) -> list[BoolMask]:
    """The parts of a mask that each have a clear peak of evidence, the strongest first."""
    import cv2

    count, labels = cv2.connectedComponents(mask.astype(np.uint8))
    tops = [float(evidence[labels == n].max()) for n in range(1, count)]
    order = sorted(range(len(tops)), key=lambda n: -tops[n])
    return [labels == n + 1 for n in order[:MOST_OBJECTS] if tops[n] >= 0.35 * max(tops)]


def softened(mask: BoolMask) -> Floats:
    """A mask with a soft seam around it, so that a closer look may find a little more."""
    import cv2

    reach = max(3, min(mask.shape) // 12)
    wide = cv2.dilate(mask.astype(np.uint8), np.ones((reach, reach), np.uint8))
    return np.asarray(cv2.GaussianBlur(wide.astype(np.float32), (0, 0), reach / 2), np.float32)
