"""Frozen records of objects within media: masks, segments, labels, prompts, crops.

Pixels are those of the upright picture at its full size (`MediaItem.size_wh`), x to the right and
y down; a box in `xyxy` runs along pixel edges, so that one pixel at the origin is (0, 0, 1, 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from framekeep.errors import InputError

BoolMask = NDArray[np.bool_]
"""A mask: (height, width), bool, True where the object is."""

BoxXyxy = tuple[float, float, float, float]
"""Left, top, right, bottom along pixel edges."""

Source = Literal["model", "person", "import"]
"""Who set something: a segmenter, a person, or a dataset that was imported."""

SegmentState = Literal["open", "accepted", "rejected"]
"""As a segmenter or a person left it; found right by a person; not an object after all."""

PERSON = "person"
"""The segmenter id of masks that a person drew."""


@dataclass(frozen=True, slots=True)
class Mask:
    """A binary mask as COCO's compressed run-length encoding: column by column, `counts` ASCII."""

    size_wh: tuple[int, int]
    counts: str

    def __post_init__(self) -> None:
        if min(self.size_wh) < 1 or not self.counts:
            raise InputError(f"A mask has at least one pixel and its runs, not {self.size_wh}.")


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a segmenter says is one object; box and area are those of the mask.

    `score` is its confidence in the mask, 0..1; `label` what it takes the object for, if it can.
    """

    mask: Mask
    bbox_xyxy: BoxXyxy
    area_px: int
    score: float
    label: str | None = None
    label_score: float | None = None


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a person points at: points with 1 (object) or 0 (background) each, and a box."""

    points_xy: tuple[tuple[float, float], ...] = ()
    point_labels: tuple[int, ...] = ()
    box_xyxy: BoxXyxy | None = None

    def __post_init__(self) -> None:
        if len(self.points_xy) != len(self.point_labels):
            raise InputError("Each point of a prompt needs a label, 1 or 0.")
        if any(label not in (0, 1) for label in self.point_labels):
            raise InputError("A point's label is 1 for the object or 0 for the background.")
        if not self.points_xy and self.box_xyxy is None:
            raise InputError("A prompt has at least one point or a box.")
        if self.box_xyxy is not None:
            left, top, right, bottom = self.box_xyxy
            if not (left < right and top < bottom):
                raise InputError(f"A box has left < right and top < bottom, not {self.box_xyxy}.")


@dataclass(frozen=True, slots=True)
class SegmenterInfo:
    """What is known of a segmenter without loading it.

    `id` names the model, its weights and settings; `is_draft` is True where its masks are a rough
    draft to correct; `takes_prompts` where it answers points and boxes.
    """

    name: str
    id: str
    is_draft: bool = False
    takes_prompts: bool = True


@dataclass(frozen=True, slots=True)
class Segment:
    """One object in one medium, as the library keeps it.

    `label` is a person's where there is one, else the segmenter's; `label_source` says whose it
    is. `version` counts the masks it has had; times are UTC.
    """

    segment_id: str
    media_id: str
    mask: Mask
    bbox_xyxy: BoxXyxy
    area_px: int
    score: float
    segmenter_id: str
    mask_source: Source = "model"
    label: str | None = None
    label_source: Source | None = None
    label_score: float | None = None
    state: SegmentState = "open"
    tags: tuple[str, ...] = ()
    attributes: tuple[tuple[str, str], ...] = ()
    note: str = ""
    version: int = 1
    created_at: datetime | None = None
    changed_at: datetime | None = None
    changed_by: str = ""


@dataclass(frozen=True, slots=True)
class LabelClass:
    """A class that objects and media are labelled with; names differ in more than case.

    `colour` is "#rrggbb"; `segments` and `media` count what carries the label of a person or an
    import.
    """

    class_id: int
    name: str
    colour: str
    segments: int = 0
    media: int = 0


@dataclass(frozen=True, slots=True)
class Annotation:
    """One thing that somebody said of a medium or a segment, and who and when (UTC).

    `key` is an attribute's name, else ""; `value` the label, tag, attribute's value or note.
    """

    target: Literal["media", "segment"]
    target_id: str
    kind: Literal["label", "tag", "attribute", "note"]
    key: str
    value: str
    source: Source
    author: str
    set_at: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """One step of editing that can be undone; `what` says it in words."""

    change_id: int
    what: str
    author: str
    changed_at: datetime
    undone: bool = False


CropMode = Literal["blur", "none", "mean"]


@dataclass(frozen=True, slots=True)
class CropSettings:
    """How an object is cut out before it is encoded.

    `blur` blurs the background with a Gaussian kernel of `kernel_px` (odd) applied where the
    picture's shorter side is `reference_px`, or at full size with None; `mean` fills it with the
    picture's mean colour, `none` leaves it. `sigma_px` None means OpenCV's own for the kernel.
    `margin` is the room around the box, as a share of its longer side.
    """

    mode: CropMode = "blur"
    kernel_px: int = 21
    sigma_px: float | None = None
    reference_px: int | None = 375
    margin: float = 0.1

    def __post_init__(self) -> None:
        if self.mode not in ("blur", "none", "mean"):
            raise InputError(f"A background is blur, none or mean, not {self.mode!r}.")
        if self.kernel_px < 3 or self.kernel_px % 2 == 0:
            raise InputError(f"A blur's kernel is an odd number from 3 on, not {self.kernel_px}.")
        if self.sigma_px is not None and not 0 < self.sigma_px <= 1000:
            raise InputError(f"A blur's sigma lies between 0 and 1,000, not at {self.sigma_px}.")
        if self.reference_px is not None and self.reference_px < 16:
            raise InputError("A blur's reference size is at least 16 px, or none.")
        if not 0 <= self.margin <= 2:
            raise InputError(f"A crop's margin lies between 0 and 2, not at {self.margin}.")

    @property
    def id(self) -> str:
        """Everything that shapes a crop, as part of the vectors' space."""
        background: str = self.mode
        if self.mode == "blur":
            sigma = "" if self.sigma_px is None else f"s{self.sigma_px:g}"
            background = f"blur{self.kernel_px}{sigma}@{self.reference_px or 'full'}"
        return f"crop1-{background}-m{self.margin:g}"


def object_space(encoder_space: str, crop: CropSettings) -> str:
    """The space of object vectors: those of one encoder and one way of cutting out compare."""
    return f"{encoder_space}:{crop.id}"
