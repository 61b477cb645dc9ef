"""What one file may cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from framekeep.media.film_reader import FilmLimits


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may cost, and how many threads decode. Films have limits of their own."""

    max_pixels: int = 250_000_000
    max_bytes: int = 1_000_000_000
    threads: int = 2
    max_film_bytes: int = 200_000_000_000
    max_film_s: float = 86_400.0

    @property
    def film(self) -> FilmLimits:
        """What one film may cost."""
        from framekeep.media.film_reader import FilmLimits

        return FilmLimits(
            max_pixels=self.max_pixels,
            max_bytes=self.max_film_bytes,
            max_duration_s=self.max_film_s,
        )
