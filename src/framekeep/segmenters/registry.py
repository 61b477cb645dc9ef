"""From a segmenter's name to what is known of it, and to the segmenter itself."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from framekeep.errors import FramekeepError, NotFoundError
from framekeep.object_types import SegmenterInfo
from framekeep.segmenters.base import Segmenter
from framekeep.segmenters.models import kind_of, list_models
from framekeep.settings import Settings

DEFAULT = "starter"
PREFERRED = "sam2.1-tiny"

_MODULES = {
    "starter": "framekeep.segmenters.starter",
    "sam": "framekeep.segmenters.sam",
    "sam2": "framekeep.segmenters.sam2",
}
"""Each kind's module, imported when it is needed; it has `describe` and `load`, which both take
a name and the settings."""


def names(settings: Settings) -> list[str]:
    """The names of all segmenters that can be asked for: the shipped one, SAM's, the user's own."""
    return [model.name for model in list_models(settings)]


def describe(name: str, settings: Settings) -> SegmenterInfo:
    """A segmenter's id, without loading it.

    Raises NotFoundError for an unknown name, WeightsError where its weights are not on disk.
    """
    info: SegmenterInfo = _module(name, settings).describe(name, settings)
    return info


def load_segmenter(name: str, settings: Settings) -> Segmenter:
    """The segmenter of that name.

    Raises NotFoundError for an unknown name, WeightsError where its weights are not on disk,
    SegmenterError where it cannot run here.
    """
    segmenter: Segmenter = _module(name, settings).load(name, settings)
    return segmenter


def choose_default(settings: Settings) -> str:
    """SAM 2.1 tiny where its weights are on disk and transformers is installed, else `starter`."""
    if importlib.util.find_spec("transformers") is None:
        return DEFAULT
    try:
        describe(PREFERRED, settings)
    except FramekeepError:
        return DEFAULT
    return PREFERRED


def _module(name: str, settings: Settings) -> Any:
    kind = DEFAULT if name == DEFAULT else kind_of(name, settings)
    if kind is None:
        known = ", ".join(names(settings))
        raise NotFoundError(f"There is no segmenter {name}: there are {known}.")
    return importlib.import_module(_MODULES[kind])
