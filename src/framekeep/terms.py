"""From what a caller writes as a query to the terms of one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from framekeep.types import RgbImage, Term

Texts = str | Sequence[str | tuple[str, float]]
Image = str | Path | RgbImage
Images = Image | Sequence[Image | tuple[Image, float]]

# Half as strong as what is looked for, so that the result still lies near the query.
EXCLUDE_WEIGHT = -0.5


def query_terms(
    text: Texts | None,
    image: Images | None,
    exclude: Texts | None,
    read: Callable[[Image], Term],
) -> tuple[Term, ...]:
    """The terms of a query; `read` turns a picture, however it is named, into a term."""
    terms = [Term("text", value, weight) for value, weight in weighted(text)]
    terms += [replace(read(value), weight=weight) for value, weight in weighted(image)]
    terms += [Term("text", value, EXCLUDE_WEIGHT * weight) for value, weight in weighted(exclude)]
    return tuple(terms)


def listed(values: str | Sequence[str]) -> list[str]:
    """One text or many, as a list."""
    return [values] if isinstance(values, str) else list(values)


def weighted(values: Texts | Images | None) -> list[tuple[Any, float]]:
    """One value or many, each alone or with a weight, as pairs."""
    if values is None:
        return []
    if _is_pair(values):
        return [values]  # type: ignore[list-item]
    many = values if isinstance(values, list | tuple) else [values]
    return [value if _is_pair(value) else (value, 1.0) for value in many]  # type: ignore[misc]


def _is_pair(value: object) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], int | float)
