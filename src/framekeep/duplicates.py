"""Groups of media that show the same: byte for byte, by look, or by meaning."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations, pairwise
from pathlib import Path

from framekeep.errors import InputError
from framekeep.store.catalog import Catalog
from framekeep.store.vectors import VectorStore
from framekeep.types import DuplicateGroup, MediaItem

BITS = 64
MOST_DIFFERENT_BITS = 12
DEFAULT_BITS = 6
DEFAULT_COSINE = 0.96
NEIGHBOURS = 12


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
    """Files with the same bytes."""
    return [
        DuplicateGroup("identical", tuple(map(Path, paths)), (media_id,))
        for media_id, paths in catalog.identical_files()
    ]


def perceptual(catalog: Catalog, different_bits: float | None = None) -> list[DuplicateGroup]:
    """Media whose perceptual hashes differ in at most so many of 64 bits.

    Found by the pigeonhole principle (Manku et al. 2007): of one more bands than bits that may
    differ, two such hashes share at least one band.
    """
    bits = DEFAULT_BITS if different_bits is None else int(different_bits)
    if not 0 <= bits <= MOST_DIFFERENT_BITS:
        raise InputError(f"Between 0 and {MOST_DIFFERENT_BITS} bits of a hash may differ.")
    hashes = [(media_id, int(phash, 16)) for media_id, phash in catalog.phashes()]
    return _groups("perceptual", catalog, _near_hashes(hashes, bits))


def semantic(
    catalog: Catalog, vectors: VectorStore, space: str, cosine: float | None = None
) -> list[DuplicateGroup]:
    """Media whose vectors are at least so similar: bursts, retakes, edits."""
    least = DEFAULT_COSINE if cosine is None else cosine
    if not 0 < least <= 1:
        raise InputError("The least cosine of duplicates is above 0 and at most 1.")
    return _groups("semantic", catalog, _near_vectors(catalog, vectors, space, least))


def _near_hashes(hashes: Sequence[tuple[str, int]], bits: int) -> Iterator[tuple[str, str]]:
    by_hash: dict[int, list[str]] = defaultdict(list)
    for media_id, value in hashes:
        by_hash[value].append(media_id)
    for same in by_hash.values():
        yield from ((same[0], other) for other in same[1:])
    edges = [BITS * band // (bits + 1) for band in range(bits + 2)]
    for low, high in pairwise(edges):
        mask = (1 << (high - low)) - 1
        buckets: dict[int, list[int]] = defaultdict(list)
        for value in by_hash:
            buckets[(value >> low) & mask].append(value)
        for bucket in buckets.values():
            for one, other in combinations(bucket, 2):
                if (one ^ other).bit_count() <= bits:
                    yield by_hash[one][0], by_hash[other][0]


def _near_vectors(
    catalog: Catalog, vectors: VectorStore, space: str, least: float
) -> Iterator[tuple[str, str]]:
    for ids, rows in catalog.vector_pages(space):
        for media_id, row in zip(ids, rows, strict=True):
            for other, score in vectors.query(space, row, NEIGHBOURS):
                if other != media_id and score >= least:
                    yield media_id, other


def _groups(kind: str, catalog: Catalog, pairs: Iterable[tuple[str, str]]) -> list[DuplicateGroup]:
    """Join pairs to groups (union-find), the best first within each, largest groups first."""
    parent: dict[str, str] = {}

    def root(media_id: str) -> str:
        while parent.setdefault(media_id, media_id) != media_id:
            parent[media_id] = parent[parent[media_id]]
            media_id = parent[media_id]
        return media_id

    for one, other in pairs:
        parent[root(one)] = root(other)
    members: dict[str, list[str]] = defaultdict(list)
    for media_id in parent:
        members[root(media_id)].append(media_id)
    items, paths = catalog.media(list(parent)), catalog.paths(list(parent))
    groups = []
    for group in members.values():
        best = sorted((i for i in group if i in paths), key=lambda i: _worth(items[i]))
        if len(best) > 1:
            groups.append(
                DuplicateGroup(
                    kind,  # type: ignore[arg-type]
                    tuple(Path(path) for i in best for path in paths[i]),
                    tuple(best),
                )
            )
    return sorted(groups, key=lambda group: (-len(group.media_ids), group.media_ids))


def _worth(item: MediaItem) -> tuple[float, ...]:
    width, height = item.size_wh
    return (-width * height, -item.sharpness, -item.bytes)
