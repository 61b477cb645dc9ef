"""Groups of media that show the same: byte for byte, by look, or by meaning."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from framekeep.errors import InputError
from framekeep.object_types import Segment
from framekeep.store.catalog import Catalog
from framekeep.store.object_index import ObjectIndex
from framekeep.store.vectors import VectorStore
from framekeep.types import DuplicateGroup, MediaItem, Vectors

BITS = 64
MOST_DIFFERENT_BITS = 12
DEFAULT_BITS = 6
DEFAULT_COSINE = 0.96
# Up to so many vectors each is compared with each: exact, and quicker than asking the index
# for every one. The rows are held in memory meanwhile, 200 MB at 512 numbers.
COMPARE_ALL = 100_000
TILE = 2048
NEIGHBOURS = 12

Indices = NDArray[np.int64]
Part = Catalog | ObjectIndex


def find_duplicates(
    catalog: Catalog, vectors: VectorStore, space: str, kind: str, threshold: float | None
) -> list[DuplicateGroup]:
    """Groups of one kind; `threshold` is the kind's own. Raises InputError for another kind."""
    if kind == "identical":
        return identical(catalog)
    if kind == "perceptual":
        return perceptual(catalog, threshold)
    if kind == "semantic":
        return semantic(catalog, vectors, space, threshold)
    raise InputError(f"Duplicates are identical, perceptual or semantic, not {kind}.")


def identical(catalog: Catalog) -> list[DuplicateGroup]:
    """Files with the same bytes; a link to a file is no copy of it."""
    groups = []
    for media_id, paths in catalog.identical_files():
        copies = _without_links(paths)
        if len(copies) > 1:
            groups.append(DuplicateGroup("identical", tuple(map(Path, copies)), (media_id,)))
    return groups


def _without_links(paths: Sequence[str]) -> list[str]:
    """One path per file on disk, the real one before links to it."""
    found: dict[object, str] = {}
    for path in sorted(paths, key=lambda path: (os.path.realpath(path) != path, path)):
        try:
            status = os.stat(path)  # noqa: PTH116 - paths are texts here
        except OSError:
            found[path] = path
        else:
            found.setdefault((status.st_dev, status.st_ino), path)
    return sorted(found.values())


def perceptual(catalog: Catalog, different_bits: float | None = None) -> list[DuplicateGroup]:
    """Media whose perceptual hashes differ in at most so many of 64 bits.

    Found by the pigeonhole principle (Manku et al. 2007): of two more bands than bits that may
    differ, two such hashes share at least two bands.
    """
    bits = DEFAULT_BITS if different_bits is None else int(different_bits)
    if not 0 <= bits <= MOST_DIFFERENT_BITS:
        raise InputError(f"Between 0 and {MOST_DIFFERENT_BITS} bits of a hash may differ.")
    hashes = [(media_id, int(phash, 16)) for media_id, phash in catalog.phashes()]
    return _best_first("perceptual", catalog, _alike_by_hash(hashes, bits))


def alike_by_look(items: Iterable[MediaItem]) -> list[list[str]]:
    """Groups of these photos and frames alone whose perceptual hashes hardly differ."""
    hashes = [(item.media_id, int(item.phash, 16)) for item in items if item.phash]
    return _alike_by_hash(hashes, DEFAULT_BITS)


def semantic(
    catalog: Catalog, vectors: VectorStore, space: str, cosine: float | None = None
) -> list[DuplicateGroup]:
    """Media whose vectors are at least so similar: bursts, retakes, edits."""
    groups = _alike(catalog, vectors, space, cosine)
    if catalog.has_films():
        # The frames of one film are always alike: only photos are duplicates of each other.
        kept = catalog.live_ids([some_id for group in groups for some_id in group])
        groups = [[some_id for some_id in group if some_id in kept] for group in groups]
    return _best_first("semantic", catalog, [group for group in groups if len(group) > 1])


def alike_among(
    catalog: Catalog, space: str, ids: Sequence[str], cosine: float | None = None
) -> list[list[str]]:
    """Groups of these media alone whose vectors are at least so similar; all are compared."""
    least = _least(cosine)
    kept, rows = catalog.get_vectors(space, ids)
    return _alike_rows(kept, rows, least) if kept else []


def duplicate_objects(
    catalog: Catalog, vectors: VectorStore, space: str, kind: str, cosine: float | None = None
) -> list[DuplicateGroup]:
    """Objects whose vectors are at least so similar; the largest comes first.

    A group's `media_ids` are segment ids, its `paths` a file of each. Raises InputError for
    another kind than `semantic`.
    """
    if kind != "semantic":
        raise InputError(f"Objects are compared by meaning (semantic), not as {kind}.")
    groups = _alike(catalog.objects, vectors, space, cosine)
    segments = catalog.segments([segment_id for group in groups for segment_id in group])
    paths = catalog.paths(list({segment.media_id for segment in segments.values()}))
    found = []
    for group in groups:
        known = [segments[i] for i in group if i in segments and segments[i].media_id in paths]
        best = sorted(known, key=_worth_of_object)
        if len(best) > 1:
            places = tuple(Path(paths[segment.media_id][0]) for segment in best)
            found.append(
                DuplicateGroup("semantic", places, tuple(segment.segment_id for segment in best))
            )
    return sorted(found, key=lambda group: (-len(group.media_ids), group.media_ids))


def _worth_of_object(segment: Segment) -> tuple[float, float, str]:
    """The largest, then the surest."""
    return (-segment.area_px, -segment.score, segment.segment_id)


def _alike(
    catalog: Part, vectors: VectorStore, space: str, cosine: float | None
) -> list[list[str]]:
    least = _least(cosine)
    few = catalog.count_vectors(space) <= COMPARE_ALL
    return (
        _alike_by_all(catalog, space, least)
        if few
        else _alike_by_index(catalog, vectors, space, least)
    )


def _least(cosine: float | None) -> float:
    least = DEFAULT_COSINE if cosine is None else cosine
    if not 0 < least <= 1:
        raise InputError("The least cosine of duplicates is above 0 and at most 1.")
    return least


class _Joined:
    """Union-find over the numbers below `count`, fed with arrays of pairs."""

    def __init__(self, count: int) -> None:
        self._parent = np.arange(count)

    def join(self, one: Indices, other: Indices) -> None:
        """Put each of `one` (N,) into the same group as its counterpart in `other` (N,)."""
        roots = self.roots()
        pairs = np.stack([roots[one], roots[other]], axis=1)
        for pair in np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0).tolist():
            a, b = map(self._root, pair)
            self._parent[max(a, b)] = min(a, b)

    def _root(self, number: int) -> int:
        while (above := int(self._parent[number])) != number:
            number = above
        return number

    def roots(self) -> Indices:
        """The group of each number, (count,), named by its least member."""
        while True:
            above = self._parent[self._parent]
            if np.array_equal(above, self._parent):
                return above
            self._parent = above

    def groups(self, names: Sequence[Sequence[str]]) -> list[list[str]]:
        """All names of each group; number n stands for names[n]."""
        members: dict[int, list[str]] = defaultdict(list)
        for root, of_number in zip(self.roots().tolist(), names, strict=True):
            members[root].extend(of_number)
        return [group for group in members.values() if len(group) > 1]


def _alike_by_hash(hashes: Sequence[tuple[str, int]], bits: int) -> list[list[str]]:
    by_hash: dict[int, list[str]] = defaultdict(list)
    for media_id, value in hashes:
        by_hash[value].append(media_id)
    values = np.fromiter(by_hash, np.uint64, len(by_hash))
    joined = _Joined(len(values))
    edges = [BITS * band // (bits + 2) for band in range(bits + 3)]
    bands = [np.uint64(2**high - 2**low) for low, high in pairwise(edges)]
    for one, other in combinations(bands, 2):
        keys = values & (one | other)
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        # Each is compared with the next in order, the one after that, and so on, while they
        # have the same key.
        at, step = np.arange(len(keys) - 1), 1
        while (at := at[keys[at] == keys[at + step]]).size:
            left, right = order[at], order[at + step]
            near = _bit_count(values[left] ^ values[right]) <= bits
            joined.join(left[near], right[near])
            step += 1
            at = at[at + step < len(keys)]
    return joined.groups(list(by_hash.values()))


def _bit_count(values: NDArray[np.uint64]) -> Indices:
    """The number of set bits in each, by adding up ever wider fields (NumPy 1 has no function)."""
    fields = (0x5555555555555555, 0x3333333333333333, 0x0F0F0F0F0F0F0F0F, 0x00FF00FF00FF00FF)
    for width, field in enumerate((*fields, 0x0000FFFF0000FFFF, 0x00000000FFFFFFFF)):
        mask = np.uint64(field)
        values = (values & mask) + ((values >> np.uint64(2**width)) & mask)
    return values.astype(np.int64)


def _alike_by_all(catalog: Part, space: str, least: float) -> list[list[str]]:
    pages = list(catalog.vector_pages(space))
    ids = [media_id for page, _ in pages for media_id in page]
    if not ids:
        return []
    return _alike_rows(ids, np.concatenate([part for _, part in pages]), least)


def _alike_rows(ids: Sequence[str], rows: Vectors, least: float) -> list[list[str]]:
    """Groups of ids whose unit vectors (N, dim) have at least this cosine."""
    joined = _Joined(len(ids))
    for top in range(0, len(ids), TILE):
        for left in range(top, len(ids), TILE):
            scores = rows[top : top + TILE] @ rows[left : left + TILE].T
            one, other = np.nonzero(scores >= least)
            joined.join(one + top, other + left)
    return joined.groups([[media_id] for media_id in ids])


def _alike_by_index(
    catalog: Part, vectors: VectorStore, space: str, least: float
) -> list[list[str]]:
    number: dict[str, int] = {}
    pairs: list[tuple[int, int]] = []
    for ids, rows in catalog.vector_pages(space):
        for media_id, row in zip(ids, rows, strict=True):
            one = number.setdefault(media_id, len(number))
            for other, score in vectors.query(space, row, NEIGHBOURS):
                if score >= least:
                    pairs.append((one, number.setdefault(other, len(number))))
    joined = _Joined(len(number))
    both = np.array(pairs, np.int64).reshape(-1, 2)
    joined.join(both[:, 0], both[:, 1])
    return joined.groups([[media_id] for media_id in number])


def _best_first(kind: str, catalog: Catalog, groups: list[list[str]]) -> list[DuplicateGroup]:
    """The best first within each group, the largest groups first."""
    ids = [media_id for group in groups for media_id in group]
    items, paths = catalog.media(ids), catalog.paths(ids)
    found = []
    for group in groups:
        best = sorted((i for i in group if i in paths), key=lambda i: _worth(items[i]))
        if len(best) > 1:
            found.append(
                DuplicateGroup(
                    kind,  # type: ignore[arg-type]
                    tuple(Path(path) for i in best for path in paths[i]),
                    tuple(best),
                )
            )
    return sorted(found, key=lambda group: (-len(group.media_ids), group.media_ids))


def _worth(item: MediaItem) -> tuple[float, float, datetime, str]:
    """Most pixels, then sharpest, then oldest."""
    width, height = item.size_wh
    return (-width * height, -item.sharpness, item.taken_at_local or datetime.max, item.media_id)
