"""Part of the library: exporting and importing datasets."""

from __future__ import annotations


class Datasets:
    """Part of `Library`: exporting and importing datasets."""
