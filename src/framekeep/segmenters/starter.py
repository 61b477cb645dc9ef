"""The shipped segmenter: a labelled draft of the main object, without any download."""

from __future__ import annotations

from framekeep.errors import SegmenterError
from framekeep.object_types import SegmenterInfo
from framekeep.segmenters.base import Segmenter
from framekeep.settings import Settings


def describe(name: str, settings: Settings) -> SegmenterInfo:  # noqa: ARG001
    """The starter segmenter's id, without loading it."""
    return SegmenterInfo("starter", "starter-seg@dab28f459478/s1", is_draft=True)


def load(name: str, settings: Settings) -> Segmenter:  # noqa: ARG001
    """The starter segmenter."""
    raise SegmenterError("The starter segmenter is being built.")
