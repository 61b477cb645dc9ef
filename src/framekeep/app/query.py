"""A search as it stands in the page's address: everything that is needed to see it again."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import urlencode

from framekeep.errors import InputError
from framekeep.types import SearchOf

PAGE = 60
MOST = 500
FILM = "film"
"""The facet that narrows a search to one film."""
Size = Literal["small", "medium", "large"]
SIZES: tuple[Size, ...] = ("small", "medium", "large")
KINDS_OF: tuple[SearchOf, ...] = ("media", "objects", "both")
_ID = re.compile(r"[0-9a-f]{64}")
_OBJECT = re.compile(r"[0-9a-f]{32}")
_PICTURE = r"(media|image):([0-9a-f]{64})|(segment):([0-9a-f]{32})"
_WEIGHTED = re.compile(rf"(?:{_PICTURE})(?:\*(\d+(?:\.\d+)?))?")


@dataclass(frozen=True, slots=True)
class ImageTerm:
    """A picture to search with: a member of the library (media), one of its objects (segment),
    or one given by the user.
    """

    kind: Literal["media", "image", "segment"]
    ref: str
    weight: float = 1.0

    def __str__(self) -> str:
        return f"{self.kind}:{self.ref}" + ("" if self.weight == 1 else f"*{self.weight:g}")


@dataclass(frozen=True, slots=True)
class SearchState:
    """One search. `facets` are (facet, filter) pairs: those of one facet are alternatives.

    `of` is what is looked for; with `near`, objects fill their tiles instead of being outlined in
    their photos.
    """

    text: str = ""
    text_weight: float = 1.0
    images: tuple[ImageTerm, ...] = ()
    away: tuple[str, ...] = ()
    where: str = ""
    facets: tuple[tuple[str, str], ...] = ()
    limit: int = PAGE
    size: Size = "medium"
    of: SearchOf = "media"
    near: bool = False

    @property
    def empty(self) -> bool:
        """True where nothing is asked for: the start page."""
        return not (self.text or self.images or self.away or self.condition)

    @property
    def ranked(self) -> bool:
        """True where results have a score, not only a filter."""
        return bool(self.text or self.images or self.away)

    @property
    def condition(self) -> str:
        """The filter expression that where and facets come to; "" for none."""
        return conjunction([self.where, *_alternatives(self.facets)])

    @property
    def film(self) -> str | None:
        """The id of the film that is searched, where it is one alone."""
        films = [where.removeprefix("film:") for facet, where in self.facets if facet == FILM]
        return media_id_of(films[0]) if len(films) == 1 else None

    def within(self, film_id: str | None) -> SearchState:
        """The same search inside one film, or (None) outside of any."""
        kept = tuple(pair for pair in self.facets if pair[0] != FILM)
        own = ((FILM, f"film:{film_id}"),) if film_id else ()
        return replace(self, facets=(*kept, *own), limit=PAGE)

    def toggled(self, facet: str, where: str, on: bool) -> SearchState:
        """With one value of a facet chosen or let go."""
        kept = tuple(pair for pair in self.facets if pair != (facet, where))
        return replace(self, facets=(*kept, (facet, where)) if on else kept, limit=PAGE)

    def to_params(self) -> dict[str, list[str]]:
        """As query parameters; what is as usual is left out."""
        params: dict[str, list[str]] = {}
        if self.text:
            params["q"] = [self.text]
        if self.text_weight != 1:
            params["w"] = [f"{self.text_weight:g}"]
        if self.images:
            params["like"] = [str(term) for term in self.images]
        if self.away:
            params["not"] = list(self.away)
        if self.where:
            params["where"] = [self.where]
        if self.facets:
            params["f"] = [f"{facet}~{where}" for facet, where in self.facets]
        if self.limit != PAGE:
            params["n"] = [str(self.limit)]
        if self.size != "medium":
            params["size"] = [self.size]
        if self.of != "media":
            params["of"] = [self.of]
        if self.near:
            params["near"] = ["1"]
        return params

    def to_address(self) -> str:
        """The query part of the address, without the question mark; how much is shown left out."""
        params = replace(self, limit=PAGE, size="medium", near=False).to_params()
        return urlencode(params, doseq=True)

    def described(self) -> str:
        """In a few words, for lists of searches."""
        parts = [f"“{self.text}”"] if self.text else []
        if self.images:
            parts.append("a picture" if len(self.images) == 1 else f"{len(self.images)} pictures")
        parts += [f"not “{text}”" for text in self.away]
        if self.condition:
            parts.append(self.condition)
        if self.of != "media":
            parts.append({"objects": "objects", "both": "photos and objects"}[self.of])
        return " · ".join(parts) or "everything"


def parse_params(params: Mapping[str, Sequence[str]]) -> SearchState:
    """Read an address; what cannot be understood in it is left out, as an address may be old."""

    def first(name: str) -> str:
        values = params.get(name) or [""]
        return str(values[0])

    facets = [value.split("~", 1) for value in params.get("f", []) if "~" in value]
    size = first("size")
    return SearchState(
        text=first("q").strip(),
        text_weight=_weight(first("w")),
        images=tuple(filter(None, map(_image, params.get("like", [])))),
        away=tuple(text.strip() for text in params.get("not", []) if text.strip()),
        where=first("where").strip(),
        facets=tuple((facet, where) for facet, where in facets),
        limit=min(MOST, int(first("n"))) if re.fullmatch(r"[1-9]\d{0,5}", first("n")) else PAGE,
        size=size if size in SIZES else "medium",
        of=next((of for of in KINDS_OF if of == first("of")), "media"),
        near=first("near") == "1",
    )


def conjunction(parts: Sequence[str]) -> str:
    """Filter expressions joined by "and"; empty ones are left out."""
    given = [part.strip() for part in parts if part.strip()]
    return given[0] if len(given) == 1 else " and ".join(f"({part})" for part in given)


def parse_away(text: str) -> tuple[str, ...]:
    """Terms to steer away from, written with commas between them."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def media_id_of(value: str | None) -> str | None:
    """The id in an address, if it can be one."""
    return value if value and _ID.fullmatch(value) else None


def object_id_of(value: str | None) -> str | None:
    """The id of an object in an address, if it can be one."""
    return value if value and _OBJECT.fullmatch(value) else None


def checked_weight(value: float) -> float:
    """A weight for a part of a query. Raises InputError where it cannot be one."""
    if not 0 < value <= 10:
        raise InputError(f"A weight lies between 0 and 10, not at {value:g}.")
    return value


def _alternatives(facets: Sequence[tuple[str, str]]) -> list[str]:
    groups: dict[str, list[str]] = {}
    for facet, where in facets:
        groups.setdefault(facet, []).append(where)
    return [
        values[0] if len(values) == 1 else " or ".join(f"({value})" for value in values)
        for values in groups.values()
    ]


def _image(value: str) -> ImageTerm | None:
    match = _WEIGHTED.fullmatch(value)
    if match is None:
        return None
    weight = _weight(match[5] or "")
    if match[3]:
        return ImageTerm("segment", match[4], weight)
    return ImageTerm("media" if match[1] == "media" else "image", match[2], weight)


def _weight(text: str) -> float:
    try:
        return checked_weight(float(text))
    except (ValueError, InputError):
        return 1.0
