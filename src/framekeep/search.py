"""From a query to hits: one unit vector, and the cheapest plan that finds its neighbours.

Without a filter the index answers. With one, SQL tells which media remain: few are scored exactly;
many are found by asking the index for more than is wanted and keeping those that match; where that
finds too few, the index searches among the remaining ids only.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import Literal

import numpy as np

from framekeep.encoders.base import Encoder
from framekeep.errors import InputError, NotFoundError
from framekeep.filters import Filter, parse_filter
from framekeep.object_types import CropSettings, object_space
from framekeep.store.catalog import Catalog
from framekeep.store.object_index import ObjectIndex, PictureIndex
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
    """Search over one catalog and index; `encoder` is called only where a query needs it.

    Finds media, or with `of="objects"` the objects that were cut out as `crop` says. `fresh` are
    ids of which the index does not have the present vector yet: they are scored exactly.
    """

    def __init__(
        self,
        catalog: Catalog,
        vectors: VectorStore,
        info: EncoderInfo,
        encoder: Callable[[], Encoder],
        *,
        of: Literal["media", "objects"] = "media",
        crop: CropSettings | None = None,
        fresh: Sequence[str] = (),
    ) -> None:
        self._catalog = catalog
        self._vectors = vectors
        self._spaces = {
            "media": info.space,
            "objects": object_space(info.space, crop or CropSettings()),
        }
        self._of = of
        self._space = self._spaces[of]
        self._fresh = frozenset(fresh)
        self._encoder = encoder
        self.plan = Plan("index", 0)

    @property
    def _part(self) -> PictureIndex | ObjectIndex:
        """What of the catalog is searched."""
        return self._catalog.pictures if self._of == "media" else self._catalog.objects

    @property
    def _listed(self) -> Catalog | ObjectIndex:
        """What of the catalog is listed where nothing is searched for: films, not their frames."""
        return self._catalog if self._of == "media" else self._catalog.objects

    def search(self, query: Query) -> list[Hit]:
        """The hits of a query, best first; equal scores in the order of their ids.

        Without terms, what matches the filter, newest first. `plan` then tells how it was done.
        Raises InputError, FilterError, NotFoundError, EncoderError, StoreError.
        """
        if not query.terms:
            where = _filter(query.where)
            ids = self._listed.select_ids(where, query.limit, query.offset)
            self.plan = Plan("filter", len(ids))
            return self.hits([(some_id, None) for some_id in ids])
        return self.by_vector(self.query_vector(query.terms), query)

    def by_vector(self, vector: Vectors, query: Query) -> list[Hit]:
        """The hits nearest to a unit vector (dim,) float32; the query's terms are not looked at."""
        end = query.offset + query.limit
        return self.hits(self.ranked(vector, query.where, end)[query.offset :])

    def similar(self, some_id: str, limit: int, where: str | None = None) -> list[Hit]:
        """What is nearest to a member, a medium or an object, without itself.

        Without a frame's own shot, and without a film's own frames. Raises NotFoundError.
        """
        vector = self._stored(self._of, some_id)
        own = {some_id} if self._of == "objects" else self._catalog.same_moment(some_id)
        # Of a shot only the best frame is ranked; any of them may be this one's.
        found = self.ranked(vector, where, limit + len(own))
        return self.hits([pair for pair in found if pair[0] not in own][:limit])

    def count(self, where: str | None) -> int:
        """How many media or objects match a filter."""
        return self._listed.count_matching(_filter(where))

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
        if term.kind in ("media", "segment"):
            return self._stored("media" if term.kind == "media" else "objects", str(term.value))
        if isinstance(term.value, str):
            rows = self._encoder().encode_texts([term.value])
        else:
            rows = self._encoder().encode_images([term.value])
        first: Vectors = rows[0]
        return first

    def _stored(self, of: str, some_id: str) -> Vectors:
        part = self._catalog if of == "media" else self._catalog.objects
        _, rows = part.get_vectors(self._spaces[of], [some_id])
        if not len(rows) and of == "media":
            # A film has no vector of its own: it is like the mean of its frames.
            _, rows = part.get_vectors(self._spaces[of], self._catalog.frame_ids(some_id))
            rows = unit_mean(rows) if len(rows) else rows
        if not len(rows):
            what = "medium" if of == "media" else "object"
            raise NotFoundError(f"There is no {what} {some_id} with a vector in this library.")
        row: Vectors = rows[0]
        return row

    def ranked(self, vector: Vectors, where: str | None, end: int) -> Scored:
        """The first `end` of the one order that all pages of a query share, as (id, cosine).

        An approximate index asked more deeply may find what it missed before. So the order is
        built in layers, and what a deeper look adds comes after what the page before has shown.
        Of a film's shot only the best frame is there.
        """
        matching = _filter(where)
        ranked: Scored = []
        depth = PAGE_DEPTH
        while True:
            found = self.nearest(vector, matching, depth)
            placed = {some_id for some_id, _ in ranked}
            ranked += [pair for pair in found if pair[0] not in placed]
            shown = self._one_per_shot(ranked)
            if len(shown) >= end or len(found) < depth:
                return shown[:end]
            depth *= DEEPEN

    def _one_per_shot(self, ranked: Scored) -> Scored:
        if self._of == "objects" or not self._with_films:
            return ranked
        moments = self._catalog.moments([some_id for some_id, _ in ranked])
        seen: set[tuple[str, float]] = set()
        kept: Scored = []
        for some_id, score in ranked:
            moment = moments.get(some_id)
            shot = (moment.film_id, moment.start_s) if moment else (some_id, 0.0)
            if shot not in seen:
                seen.add(shot)
                kept.append((some_id, score))
        return kept

    @cached_property
    def _with_films(self) -> bool:
        return self._catalog.has_films()

    def nearest(self, vector: Vectors, where: Filter | None, limit: int) -> Scored:
        """The `limit` nearest live ones that match (all, where few do), as (id, cosine)."""
        if not self._fresh:
            return self._indexed(vector, where, limit)
        # Of these the index may hold a former vector, which must not count.
        found = self._indexed(vector, where, limit + len(self._fresh))
        exact = self._exact(vector, sorted(self._part.matching(sorted(self._fresh), where)))
        kept = [pair for pair in found if pair[0] not in self._fresh]
        return _ordered(kept + exact)[:limit]

    def _indexed(self, vector: Vectors, where: Filter | None, limit: int) -> Scored:
        if where is None:
            return self._unfiltered(vector, limit)
        few = self._part.select_ids(where, EXACT_LIMIT + 1, order=None)
        if len(few) <= EXACT_LIMIT:
            self.plan = Plan("exact", len(few))
            return self._exact(vector, few)
        found = self._widened(vector, where, limit)
        if found is not None:
            return found
        ids = self._part.select_ids(where, order=None)
        self.plan = Plan("restricted", len(ids))
        thorough = self._vectors.query(self._space, vector, max(limit, THOROUGH), ids)
        if len(thorough) < min(limit, len(ids)):
            # Not all that matches is in the index: rejected objects are not, and can be asked for.
            return self._exact(vector, ids)[:limit]
        return _ordered(thorough)[:limit]

    def _unfiltered(self, vector: Vectors, limit: int) -> Scored:
        wanted = limit + SPARE
        while True:
            found = self._vectors.query(self._space, vector, wanted)
            live = self._part.live_ids([some_id for some_id, _ in found])
            if len(live) >= limit or len(found) < wanted:
                self.plan = Plan("index", len(found))
                return _ordered([pair for pair in found if pair[0] in live])[:limit]
            wanted *= 2

    def _exact(self, vector: Vectors, ids: Sequence[str]) -> Scored:
        kept, rows = self._part.get_vectors(self._space, ids)
        if not kept:
            return []
        scores = rows @ vector
        return _ordered(list(zip(kept, scores.tolist(), strict=True)))

    def _widened(self, vector: Vectors, where: Filter, limit: int) -> Scored | None:
        """Ask the index for ever more until enough match; None where that does not serve."""
        wanted = limit * WIDEN
        while wanted <= WIDEST:
            found = self._vectors.query(self._space, vector, wanted)
            ids = self._part.matching([some_id for some_id, _ in found], where)
            if len(found) < wanted or _rarer_nearby(found, ids):
                return None
            if len(ids) >= limit:
                self.plan = Plan("widened", len(found))
                return _ordered([pair for pair in found if pair[0] in ids])[:limit]
            # The share that matched so far tells how many are needed, with room to spare.
            share = max(len(ids), 0.5) / len(found)
            wanted = max(wanted * 2, int(1.5 * limit / share))
        return None

    def hits(self, found: Sequence[tuple[str, float | None]]) -> list[Hit]:
        """The records of these ids, with their scores; what is not there is left out."""
        if self._of == "media":
            return media_hits(self._catalog, found)
        return object_hits(self._catalog, found)


def media_hits(catalog: Catalog, found: Sequence[tuple[str, float | None]]) -> list[Hit]:
    """Hits on media, in this order; those that have no file now are left out."""
    ids = [media_id for media_id, _ in found]
    media, paths = catalog.media(ids), catalog.paths(ids)
    tags = catalog.tags_of(ids)
    return [
        Hit.at(media[media_id], paths[media_id], score, tags.get(media_id, ()))
        for media_id, score in found
        if media_id in media and media_id in paths
    ]


def object_hits(catalog: Catalog, found: Sequence[tuple[str, float | None]]) -> list[Hit]:
    """Hits on objects, each on its medium with its segment, in this order."""
    segments = catalog.segments([segment_id for segment_id, _ in found])
    owners = list(dict.fromkeys(segment.media_id for segment in segments.values()))
    media = {hit.media_id: hit for hit in media_hits(catalog, [(owner, None) for owner in owners])}
    return [
        replace(media[segment.media_id], score=score, segment=segment)
        for segment, score in ((segments.get(segment_id), score) for segment_id, score in found)
        if segment is not None and segment.media_id in media
    ]


def search_both(media: Searcher, objects: Searcher, query: Query) -> list[Hit]:
    """Media and objects together, best first; by a filter alone, the media before the objects."""
    if not query.terms:
        first = media.search(query)
        if len(first) == query.limit:
            return first
        start = max(query.offset - media.count(query.where), 0)
        rest = replace(query, offset=start, limit=query.limit - len(first))
        return first + objects.search(rest)
    vector = media.query_vector(query.terms)
    end = query.offset + query.limit
    ranked = heapq.merge(
        *(
            [(looker, pair) for pair in looker.ranked(vector, query.where, end)]
            for looker in (media, objects)
        ),
        key=lambda entry: -entry[1][1],
    )
    page = list(islice(ranked, query.offset, end))
    hits = {
        hit.segment.segment_id if hit.segment else hit.media_id: hit
        for looker in (media, objects)
        for hit in looker.hits([pair for of, pair in page if of is looker])
    }
    return [hits[some_id] for _, (some_id, _) in page if some_id in hits]


def unit_mean(rows: Vectors) -> Vectors:
    """The mean of rows (N, dim) as one row (1, dim) of unit length."""
    mean = rows.mean(axis=0, keepdims=True)
    scaled: Vectors = (mean / max(float(np.linalg.norm(mean)), 1e-12)).astype(np.float32)
    return scaled


def _filter(where: str | None) -> Filter | None:
    return None if where is None or where == "" else parse_filter(where)


def _rarer_nearby(found: Scored, matching: set[str]) -> bool:
    """True where a filter goes against the query: what matches begins where the near ones end.

    So far out an index walk is unreliable, since it follows neighbours that do not match.
    """
    near = sum(some_id in matching for some_id, _ in found[: len(found) // 2])
    return 2 * near < len(matching) - near


def _ordered(found: Scored) -> Scored:
    return sorted(found, key=lambda pair: (-pair[1], pair[0]))
