"""Part of the library: segmenting media, object vectors, objects like one."""

from __future__ import annotations


class Objects:
    """Part of `Library`: segmenting media, object vectors, objects like one."""
