"""The encoders there are, for faces that let their user choose and fetch one."""

from __future__ import annotations

from framekeep.encoders import registry
from framekeep.encoders.registry import ModelStatus
from framekeep.encoders.weights import Progress
from framekeep.settings import Settings

__all__ = ["ModelStatus", "list_models", "pull_model"]


def list_models(settings: Settings) -> list[ModelStatus]:
    """The shipped encoder, the known ones, and the user's own."""
    return registry.list_models(settings)


def pull_model(name: str, settings: Settings, progress: Progress | None = None) -> ModelStatus:
    """Fetch an encoder's weights, verified; `progress` hears (text, bytes done, bytes in all).

    Raises NotFoundError, WeightsError, OfflineError.
    """
    return registry.pull(name, settings, progress)
