"""The first version's import; see framekeep.seed."""

from framekeep.seed import ModelManager

__all__ = ["ModelManager"]
