"""framekeep: search your own photos by meaning, on your own machine.

``framekeep.open(path)`` gives a `Library`; see docs/python.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from framekeep.errors import FramekeepError
from framekeep.types import Hit, IngestEvent, Query, Term

if TYPE_CHECKING:
    from pathlib import Path

    from framekeep.encoders.base import Encoder
    from framekeep.library import Library

__version__ = "0.1.0"
__all__ = ["FramekeepError", "Hit", "IngestEvent", "Library", "Query", "Term", "open"]


def open(path: str | Path | None = None, encoder: str | Encoder | None = None) -> Library:  # noqa: A001
    """Open the library in the folder `path`, making it if it is new.

    `encoder` is a model's name or an `Encoder`; without one a new library takes CLIP where its
    weights can be had, else the shipped `starter`. For further options see `Library.open`.
    """
    from framekeep.library import Library

    return Library.open(path, encoder)


def __getattr__(name: str) -> object:
    """Import `Library` only when it is asked for."""
    if name == "Library":
        from framekeep.library import Library

        return Library
    raise AttributeError(f"module 'framekeep' has no attribute {name!r}")
