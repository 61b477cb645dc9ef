"""The first version's import; see framekeep.seed."""

from framekeep.seed import VectorDatabase

__all__ = ["VectorDatabase"]
