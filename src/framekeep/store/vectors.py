"""The protocol of a vector index: cosine search within named spaces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

from framekeep.types import Vectors


@runtime_checkable
class VectorStore(Protocol):
    """An index of unit vectors, one collection per space (see `EncoderInfo.space`).

    All methods raise IndexUnavailableError where the backend cannot be reached, StoreError where
    it fails otherwise. Reading methods on a space that does not exist behave as on an empty one.
    """

    def spaces(self) -> list[str]:
        """The spaces that exist, sorted."""

    def create(self, space: str, dim: int) -> None:
        """Make the space if it does not exist yet; StoreError where it has another dimension."""

    def drop(self, space: str) -> None:
        """Remove the space and its vectors; nothing happens if there is none."""

    def count(self, space: str) -> int:
        """How many vectors the space holds."""

    def ids(self, space: str) -> Iterator[list[str]]:
        """All ids, in pages."""

    def get(self, space: str, ids: Sequence[str]) -> dict[str, Vectors]:
        """The stored vectors, each (dim,) float32, of those ids that exist."""

    def upsert(self, space: str, ids: Sequence[str], vectors: Vectors) -> None:
        """Add or replace vectors (N, dim) under their ids; any N."""

    def delete(self, space: str, ids: Sequence[str]) -> None:
        """Remove vectors; unknown ids are no error."""

    def query(
        self, space: str, vector: Vectors, limit: int, ids: Sequence[str] | None = None
    ) -> list[tuple[str, float]]:
        """The nearest vectors to the unit vector (dim,), as (id, cosine), best first.

        With `ids`, only among those.
        """

    def reopen(self) -> None:
        """See what other processes have written since this store was opened."""

    def close(self) -> None:
        """Let go of files and connections."""
