"""Running the search that stands in an address: its hits, films' moments together, matches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from framekeep.app.query import SearchState
from framekeep.app.state import Context
from framekeep.types import Hit

MOST_MATCHES = 400
STANDS_OUT = 0.5
"""A moment is a match from so far between the film's lowest and its best score."""


def run_search(here: Context, state: SearchState, limit: int) -> list[Hit]:
    """The hits of a search, or the newest that match where nothing is ranked.

    Inside one film nothing ranked means all its moments, by time.
    """

    def found() -> list[Hit]:
        where = state.condition or None
        if state.film and not state.ranked and state.of == "media":
            return here.library.moments_in(state.film, where=where, limit=limit)
        return here.library.search(**_terms(here, state), where=where, limit=limit, of=state.of)

    def search() -> list[Hit]:
        return here.timed(found) if state.ranked else found()

    hits: list[Hit] = here.kept(("search", state.to_address(), limit), search)
    return hits


def scored_moments(here: Context, state: SearchState, film_id: str) -> list[Hit]:
    """A film's moments with their scores in this search, by time; none where it ranks nothing."""
    if not state.ranked:
        return []

    def search() -> list[Hit]:
        here.warm()
        terms = _terms(here, state)
        return here.library.moments_in(film_id, **terms, limit=MOST_MATCHES)

    hits: list[Hit] = here.kept(("moments", state.to_address(), film_id), search)
    return sorted(hits, key=lambda hit: hit.time_s or 0.0)


def matches_among(moments: Sequence[Hit]) -> set[str]:
    """Those moments that stand out of their film: nearer to its best score than to its lowest."""
    scores = [hit.score for hit in moments if hit.score is not None]
    if not scores:
        return set()
    bound = min(scores) + STANDS_OUT * (max(scores) - min(scores))
    return {hit.media_id for hit in moments if hit.score is not None and hit.score >= bound}


def grouped(hits: Sequence[Hit]) -> tuple[list[Hit], dict[str, int]]:
    """Of each film its first moment alone; and for those the number that was left out.

    Objects, photos and films stay as they are.
    """
    kept: list[Hit] = []
    leads: dict[str, str] = {}
    more: dict[str, int] = {}
    for hit in hits:
        if hit.film_id is None or hit.segment is not None:
            kept.append(hit)
        elif hit.film_id in leads:
            lead = leads[hit.film_id]
            more[lead] = more.get(lead, 0) + 1
        else:
            leads[hit.film_id] = hit.media_id
            kept.append(hit)
    return kept, more


def _terms(here: Context, state: SearchState) -> dict[str, Any]:
    """What is searched for, as the library's `search` takes it."""
    images = [
        (here.parts.queries.path(term.ref) if term.kind == "image" else term.ref, term.weight)
        for term in state.images
    ]
    return {
        "text": [(state.text, state.text_weight)] if state.text else None,
        "image": images or None,
        "exclude": list(state.away) or None,
    }
