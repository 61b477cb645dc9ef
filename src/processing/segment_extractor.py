"""The first version's import; see framekeep.seed."""

from framekeep.seed import SegmentExtractor

__all__ = ["SegmentExtractor"]
