"""What an image classifier sees where: class-activation maps (Zhou et al. 2016) of a picture.

The classifier is EfficientNet-Lite2, which ships with framekeep. Its last layer weighs 1,280
features averaged over the picture; the same weights applied at each place of the feature map tell
how much each place speaks for a label.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from framekeep.starter_data import StarterData
from framekeep.types import RgbImage

Floats = NDArray[np.float32]

LOOK_SIDE_PX = 256
"""The shorter side at which the network sees whole pictures. Of 250 labelled photos it got 0.90
right that way, 0.91 by their centre alone, 0.85 squeezed and 0.82 padded to a square."""
LONGEST_RATIO = 2.0
TOP_LABELS = 8
_STRIDE_PX = 32
_HEAD = "/_swish_1/Clip_output_0"
_MIDDLE = "/_blocks.14/Add_output_0"
_WEIGHTS = "_fc.weight:fp16"


@dataclass(frozen=True, slots=True)
class Look:
    """One look of the network at a picture.

    `odds` (1000,) of its labels sum to 1; `evidence` (h, w), 0..1, says where the most probable
    ones are seen; `features` (H, W, 120) are those of a middle layer, of twice the resolution.
    """

    odds: Floats
    evidence: Floats
    features: Floats


class Looker:
    """The classifier with its insides laid open. Loaded when first used; thread-safe.

    Raises WeightsError for damaged data.
    """

    def __init__(self, data: StarterData) -> None:
        self._data = data
        self._lock = threading.Lock()

    def name(self, label: int) -> str:
        """A label's usual name."""
        return self._data.names[label][0]

    def look(self, image: RgbImage) -> Look:
        """Look at a whole picture (H, W, 3); very long ones are squeezed."""
        with self._lock:
            session, weights = self._session, self._weights
        logits, head, middle = (found[0] for found in session.run(None, {"pixels": _pixels(image)}))
        odds = _softmax(logits)
        return Look(odds, _evidence(odds, head, weights), middle.transpose(1, 2, 0))

    @cached_property
    def _session(self) -> Any:
        return self._data.tapped_session("vision.onnx", [_HEAD, _MIDDLE])

    @cached_property
    def _weights(self) -> Floats:
        """(1000, 1280): the classifier's last layer."""
        return self._data.weights("vision.onnx", _WEIGHTS)


def _pixels(image: RgbImage) -> Floats:
    """(1, 3, h, w) with sides that are multiples of the network's stride."""
    import cv2

    height, width = image.shape[:2]
    scale = LOOK_SIDE_PX / min(height, width)
    longest = LOOK_SIDE_PX * LONGEST_RATIO
    size_wh = [
        max(1, round(min(side * scale, longest) / _STRIDE_PX)) * _STRIDE_PX
        for side in (width, height)
    ]
    small = cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA)
    pixels = (small.astype(np.float32) - 127) / 128
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])


def _softmax(logits: Floats) -> Floats:
    odds = np.exp(logits - logits.max(axis=0))
    normal: Floats = odds / odds.sum(axis=0)
    return normal


def _evidence(odds: Floats, head: Floats, weights: Floats) -> Floats:
    """(h, w): the activation map of the likeliest labels, and how sure each place is of them.

    The map peaks at what is most telling (a face); the labels' odds at each place, as if it were
    the whole picture, reach over the whole object. Each is blurred where the other is sharp.
    """
    features = head.reshape(head.shape[0], -1)
    best = np.argsort(-odds)[:TOP_LABELS]
    mix = odds[best] / odds[best].sum()
    activation = np.maximum(mix @ (weights[best] - weights.mean(axis=0)) @ features, 0)
    activation /= max(float(activation.max()), 1e-6)
    sure = _softmax(weights @ features)[best].sum(axis=0)
    evidence: Floats = 0.4 * activation + 0.6 * sure * np.sqrt(activation)
    return evidence.reshape(head.shape[1:])
