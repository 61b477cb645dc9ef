"""Part of the library: labels, classes, tags and notes on media and objects, with undo."""

from __future__ import annotations


class Annotating:
    """Part of `Library`: labels, classes, tags and notes on media and objects, with undo."""
