"""The models there are, encoders and segmenters, for faces that let their user choose and fetch."""

from __future__ import annotations

from pathlib import Path

from framekeep.encoders import registry as encoders
from framekeep.errors import NotFoundError
from framekeep.model_folder import ModelStatus, VerifyResult
from framekeep.segmenters import models as segmenters
from framekeep.settings import Settings
from framekeep.weights import Progress

__all__ = [
    "SEGMENTER",
    "ModelStatus",
    "VerifyResult",
    "add_model",
    "list_models",
    "pull_model",
    "verify_models",
]

SEGMENTER = segmenters.SEGMENTER
"""The kind of models that find objects; all other kinds are encoders."""


def list_models(settings: Settings) -> list[ModelStatus]:
    """All encoders, then all segmenters: the shipped one, the known ones and the user's own.

    The shipped ones are both named starter.
    """
    return encoders.list_models(settings) + segmenters.list_models(settings)


def pull_model(name: str, settings: Settings, progress: Progress | None = None) -> ModelStatus:
    """Fetch a model's weights, verified; `progress` hears (text, bytes done, bytes in all).

    Raises NotFoundError, WeightsError, OfflineError.
    """
    if segmenters.kind_of(name, settings):
        return segmenters.pull(name, settings, progress)
    _known_name(name, settings)
    return encoders.pull(name, settings, progress)


def add_model(name: str, path: Path, settings: Settings) -> ModelStatus:
    """Take a local checkpoint under a name: of CLIP, SAM or SAM 2, which its tensors tell.

    Raises InputError, NotFoundError, WeightsError; SegmenterError where transformers is needed to
    check the file, and missing.
    """
    if name in segmenters.KNOWN or (name not in encoders.KNOWN and segmenters.takes(path)):
        return segmenters.add_model(name, path, settings)
    return encoders.add_model(name, path, settings)


def verify_models(settings: Settings, name: str | None = None) -> list[VerifyResult]:
    """Compare every model's file on disk, or one's, with its SHA-256.

    Raises NotFoundError for an unknown name, WeightsError for one that is not on disk.
    """
    if name is not None and segmenters.kind_of(name, settings):
        segmenters.describe(name, settings)
        return segmenters.verify(settings, name)
    if name is not None:
        _known_name(name, settings)
        return encoders.verify(settings, name)
    return encoders.verify(settings) + segmenters.verify(settings)


def _known_name(name: str, settings: Settings) -> None:
    names = list(dict.fromkeys(model.name for model in list_models(settings)))
    if name not in names:
        raise NotFoundError(f"There is no model {name}: there are {', '.join(names)}.")
