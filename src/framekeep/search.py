"""From a query to hits: one unit vector, and the cheapest plan that finds its neighbours.

Without a filter the index answers. With one, SQL tells which media remain: few are scored exactly;
many are found by asking the index for more than is wanted and keeping those that match; where that
finds too few, the index searches among the remaining ids only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Literal

import numpy as np

from framekeep.encoders.base import Encoder
from framekeep.errors import InputError, NotFoundError
from framekeep.filters import Filter, parse_filter
from framekeep.store.catalog import Catalog
from framekeep.store.vectors import VectorStore
from framekeep.types import EncoderInfo, Hit, Query, Term, Vectors

PlanName = Literal["index", "exact", "widened", "restricted", "filter"]
Scored = list[tuple[str, float]]

# Up to so many remaining media are read from the catalog and scored exactly.
EXACT_LIMIT = 1500
# The first look into the index fetches so many times what is wanted, later ones more.
WIDEN = 4
WIDEST = 6000
# The first pages of results together.
PAGE_DEPTH = 64


@dataclass(frozen=True, slots=True)
class Plan:
    """How a query was answered, and how many candidates it looked at."""

    name: PlanName
    candidates: int


class Searcher:
    """Search over one catalog and index; `encoder` is called only where a query needs it."""

    def __init__(
        self,
        catalog: Catalog,
        vectors: VectorStore,
        info: EncoderInfo,
        encoder: Callable[[], Encoder],
    ) -> None:
        self._catalog = catalog
        self._vectors = vectors
        self._space = info.space
        self._encoder = encoder
        self.plan = Plan("index", 0)

    def search(self, query: Query) -> list[Hit]:
        """The hits of a query, best first; equal scores in the order of their ids.

        Without terms, what matches the filter, newest first. `plan` then tells how it was done.
        Raises InputError, FilterError, NotFoundError, EncoderError, StoreError.
        """
        if not query.terms:
            where = _filter(query.where)
            ids = self._catalog.select_ids(where, query.limit, query.offset)
            self.plan = Plan("filter", len(ids))
            return self._hits([(media_id, None) for media_id in ids])
        return self.by_vector(self.query_vector(query.terms), query)

    def by_vector(self, vector: Vectors, query: Query) -> list[Hit]:
        """The hits nearest to a unit vector (dim,) float32; the query's terms are not looked at."""
        where = _filter(query.where)
        # Pages of one query ask equally deep, so that an approximate index gives them one order.
        end = query.offset + query.limit
        depth = next(depth for depth in _depths() if depth >= end)
        return self._hits(self.nearest(vector, where, depth)[query.offset : end])

    def similar(self, media_id: str, limit: int, where: str | None = None) -> list[Hit]:
        """The media nearest to a member, without itself. Raises NotFoundError."""
        vector = self._stored(media_id)
        found = self.nearest(vector, _filter(where), limit + 1)
        return self._hits([pair for pair in found if pair[0] != media_id][:limit])

    def query_vector(self, terms: Sequence[Term]) -> Vectors:
        """The weighted sum of the terms' unit vectors, (dim,) float32 of unit length."""
        total = np.zeros(0, np.float32)
        for term in terms:
            vector = term.weight * self._term_vector(term)
            total = vector if not total.size else total + vector
        length = float(np.linalg.norm(total))
        if not np.isfinite(length) or length < 1e-6:
            raise InputError("The parts of this query cancel each other out: change their weights.")
        return (total / length).astype(np.float32)

    def _term_vector(self, term: Term) -> Vectors:
        if term.kind == "media":
            return self._stored(str(term.value))
        if isinstance(term.value, str):
            rows = self._encoder().encode_texts([term.value])
        else:
            rows = self._encoder().encode_images([term.value])
        first: Vectors = rows[0]
        return first

    def _stored(self, media_id: str) -> Vectors:
        _, rows = self._catalog.get_vectors(self._space, [media_id])
        if not len(rows):
            raise NotFoundError(f"There is no medium {media_id} with a vector in this library.")
        row: Vectors = rows[0]
        return row

    def nearest(self, vector: Vectors, where: Filter | None, limit: int) -> Scored:
        """The nearest live media that match, as (id, cosine), best first."""
        if where is None:
            return self._unfiltered(vector, limit)
        few = self._catalog.select_ids(where, EXACT_LIMIT + 1, order=None)
        if len(few) <= EXACT_LIMIT:
            self.plan = Plan("exact", len(few))
            return self._exact(vector, few, limit)
        found = self._widened(vector, where, limit)
        if found is not None:
            return found
        ids = self._catalog.select_ids(where, order=None)
        self.plan = Plan("restricted", len(ids))
        return _ordered(self._vectors.query(self._space, vector, limit, ids), limit)

    def _unfiltered(self, vector: Vectors, limit: int) -> Scored:
        # The index may still hold a medium that has just gone, so a few more are asked for.
        found = self._vectors.query(self._space, vector, limit + 8)
        live = self._catalog.live_ids([media_id for media_id, _ in found])
        self.plan = Plan("index", len(found))
        return _ordered([pair for pair in found if pair[0] in live], limit)

    def _exact(self, vector: Vectors, ids: Sequence[str], limit: int) -> Scored:
        kept, rows = self._catalog.get_vectors(self._space, ids)
        if not kept:
            return []
        scores = rows @ vector
        return _ordered(list(zip(kept, scores.tolist(), strict=True)), limit)

    def _widened(self, vector: Vectors, where: Filter, limit: int) -> Scored | None:
        """Ask the index for ever more until enough match; None where that would be too many."""
        wanted = limit * WIDEN
        while wanted <= WIDEST:
            found = self._vectors.query(self._space, vector, wanted)
            ids = self._catalog.matching([media_id for media_id, _ in found], where)
            if len(ids) >= limit:
                self.plan = Plan("widened", len(found))
                return _ordered([pair for pair in found if pair[0] in ids], limit)
            if len(found) < wanted:
                break
            # The share that matched so far tells how many are needed, with room to spare.
            share = max(len(ids), 0.5) / len(found)
            wanted = max(wanted * 2, int(1.5 * limit / share))
        return None

    def _hits(self, found: Sequence[tuple[str, float | None]]) -> list[Hit]:
        ids = [media_id for media_id, _ in found]
        media, paths = self._catalog.media(ids), self._catalog.paths(ids)
        tags = self._catalog.tags_of(ids)
        return [
            Hit.at(media[media_id], paths[media_id], score, tags.get(media_id, ()))
            for media_id, score in found
            if media_id in media and media_id in paths
        ]


def _filter(where: str | None) -> Filter | None:
    return parse_filter(where) if where and where.strip() else None


def _depths() -> Iterator[int]:
    return (PAGE_DEPTH * 4**step for step in count())


def _ordered(found: Scored, limit: int) -> Scored:
    return sorted(found, key=lambda pair: (-pair[1], pair[0]))[:limit]
