"""From a query to hits: one unit vector, and the cheapest plan that finds its neighbours.

Without a filter the index answers. With one, SQL tells which media remain: few are scored exactly;
many are found by asking the index for more than is wanted and keeping those that match; where that
finds too few, the index searches among the remaining ids only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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

# Up to so many remaining media are read from the catalog and scored exactly (about 10 us each).
EXACT_LIMIT = 2500
# The first look into the index fetches so many times what is wanted, a later one more.
WIDEN = 4
WIDEST = 4096
# Among given ids the index is asked for so many at least: that makes its walk thorough.
THOROUGH = 1000
# The first pages of results together; each further layer of pages is so many times deeper.
PAGE_DEPTH = 64
DEEPEN = 4
# Asked for beyond what is wanted: the index may still hold media that have just gone.
SPARE = 8


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
        end = query.offset + query.limit
        return self._hits(self._ranked(vector, _filter(query.where), end)[query.offset :])

    def similar(self, media_id: str, limit: int, where: str | None = None) -> list[Hit]:
        """The media nearest to a member, without itself. Raises NotFoundError."""
        vector = self._stored(media_id)
        found = self._ranked(vector, _filter(where), limit + 1)
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

    def _ranked(self, vector: Vectors, where: Filter | None, end: int) -> Scored:
        """The first `end` of the one order that all pages of a query share.

        An approximate index asked more deeply may find what it missed before. So the order is
        built in layers, and what a deeper look adds comes after what the page before has shown.
        """
        ranked: Scored = []
        depth = PAGE_DEPTH
        while True:
            found = self.nearest(vector, where, depth)
            placed = {media_id for media_id, _ in ranked}
            ranked += [pair for pair in found if pair[0] not in placed]
            if len(ranked) >= end or len(found) < depth:
                return ranked[:end]
            depth *= DEEPEN

    def nearest(self, vector: Vectors, where: Filter | None, limit: int) -> Scored:
        """The `limit` nearest live media that match (all, where few do), as (id, cosine)."""
        if where is None:
            return self._unfiltered(vector, limit)
        few = self._catalog.select_ids(where, EXACT_LIMIT + 1, order=None)
        if len(few) <= EXACT_LIMIT:
            self.plan = Plan("exact", len(few))
            return self._exact(vector, few)
        found = self._widened(vector, where, limit)
        if found is not None:
            return found
        ids = self._catalog.select_ids(where, order=None)
        self.plan = Plan("restricted", len(ids))
        thorough = self._vectors.query(self._space, vector, max(limit, THOROUGH), ids)
        return _ordered(thorough)[:limit]

    def _unfiltered(self, vector: Vectors, limit: int) -> Scored:
        wanted = limit + SPARE
        while True:
            found = self._vectors.query(self._space, vector, wanted)
            live = self._catalog.live_ids([media_id for media_id, _ in found])
            if len(live) >= limit or len(found) < wanted:
                self.plan = Plan("index", len(found))
                return _ordered([pair for pair in found if pair[0] in live])[:limit]
            wanted *= 2

    def _exact(self, vector: Vectors, ids: Sequence[str]) -> Scored:
        kept, rows = self._catalog.get_vectors(self._space, ids)
        if not kept:
            return []
        scores = rows @ vector
        return _ordered(list(zip(kept, scores.tolist(), strict=True)))

    def _widened(self, vector: Vectors, where: Filter, limit: int) -> Scored | None:
        """Ask the index for ever more until enough match; None where that does not serve."""
        wanted = limit * WIDEN
        while wanted <= WIDEST:
            found = self._vectors.query(self._space, vector, wanted)
            ids = self._catalog.matching([media_id for media_id, _ in found], where)
            if len(found) < wanted or _rarer_nearby(found, ids):
                return None
            if len(ids) >= limit:
                self.plan = Plan("widened", len(found))
                return _ordered([pair for pair in found if pair[0] in ids])[:limit]
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
    return None if where is None or where == "" else parse_filter(where)


def _rarer_nearby(found: Scored, matching: set[str]) -> bool:
    """True where a filter goes against the query: what matches begins where the near ones end.

    So far out an index walk is unreliable, since it follows neighbours that do not match.
    """
    near = sum(media_id in matching for media_id, _ in found[: len(found) // 2])
    return 2 * near < len(matching) - near


def _ordered(found: Scored) -> Scored:
    return sorted(found, key=lambda pair: (-pair[1], pair[0]))
