"""Bringing the vector index in line with the catalog, without encoding anything again."""

from __future__ import annotations

import numpy as np

from framekeep.errors import IndexUnavailableError, StoreError
from framekeep.store.catalog import Catalog
from framekeep.store.database import pages
from framekeep.store.object_index import ObjectIndex, PictureIndex
from framekeep.store.vectors import VectorStore
from framekeep.types import RepairReport, Vectors

PAGE = 2048
TOLERANCE = 1e-6
"""How far a number in the index may be from the catalog's; an index may renormalise in float32."""

PROBE_COSINE = 0.999

Part = PictureIndex | ObjectIndex
"""What has vectors in the catalog: pictures, or the objects in them."""


def replay(
    catalog: Catalog, vectors: VectorStore, space: str, objects_in: str | None = None
) -> None:
    """Finish what a crash cut short: called by a writer before it starts, quick when all is well.

    The index gets the vectors that it has not acknowledged and loses those of media that are not
    live, and likewise of objects in their space `objects_in`. Where it was torn by the crash, or
    its size differs from the ledger's (its folder was removed, a disk failed), a full repair
    follows.
    """
    changed, whole = False, True
    try:
        for part, each in _parts(catalog, space, objects_in):
            changed |= _catch_up(part, vectors, each)
            whole &= vectors.count(each) == part.count_indexed(each)
    except IndexUnavailableError:
        whole = False
    if not whole:
        repair(catalog, vectors, space, objects_in=objects_in)
    if changed:
        catalog.bump_generation()


def remove_stale(
    catalog: Catalog, vectors: VectorStore, space: str, objects_in: str | None = None
) -> None:
    """Take what is no longer live out of the index."""
    removed = False
    for part, each in _parts(catalog, space, objects_in):
        removed |= _remove_stale(part, vectors, each)
    if removed:
        catalog.bump_generation()


def _parts(catalog: Catalog, space: str, objects_in: str | None) -> list[tuple[Part, str]]:
    """What of the catalog the index follows, each with its space."""
    return [(catalog.pictures, space), *([(catalog.objects, objects_in)] if objects_in else [])]


def _catch_up(catalog: Part, vectors: VectorStore, space: str) -> bool:
    """Bring the index up to the ledger; True where there was something to do."""
    removed, unindexed = _remove_stale(catalog, vectors, space), catalog.unindexed(space)
    for ids in pages(unindexed, PAGE):
        held, rows = catalog.get_vectors(space, ids)
        vectors.create(space, rows.shape[1])
        vectors.upsert(space, held, rows)
        catalog.mark_indexed(space, held)
    return removed or bool(unindexed)


def _remove_stale(catalog: Part, vectors: VectorStore, space: str) -> bool:
    stale = catalog.stale(space)
    for ids in pages(stale, PAGE):
        vectors.delete(space, ids)
        catalog.mark_unindexed(space, ids)
    return bool(stale)


def check_index(catalog: Part, vectors: VectorStore, space: str) -> None:
    """Raise IndexUnavailableError where the catalog knows an index of which nothing is there."""
    if catalog.count_indexed(space) and not vectors.count(space):
        raise IndexUnavailableError(
            "The vector index of this library is gone or empty, though its catalog has vectors; "
            "`framekeep repair` rebuilds it."
        )


def repair(
    catalog: Catalog,
    vectors: VectorStore,
    space: str,
    dim: int | None = None,
    objects_in: str | None = None,
) -> RepairReport:
    """Compare every vector of the catalog's live media with the index, and mend differences.

    With `objects_in`, those of objects in that space as well. Rebuilds the index where it cannot be
    opened. Memory is bounded by a page; the caller holds the writer lock. Raises
    IndexUnavailableError where even a fresh index cannot be written.
    """
    try:
        vectors.reopen()
        if not getattr(vectors, "sound", lambda: True)():
            raise IndexUnavailableError("The index cannot be read.")
        reports = _compare_all(catalog, vectors, space, dim, objects_in, probe=True)
    except IndexUnavailableError:
        _reset(catalog, vectors, space, objects_in)
        reports = _compare_all(catalog, vectors, space, dim, objects_in, probe=False)
    report = RepairReport(
        checked=sum(each.checked for each in reports),
        added=sum(each.added for each in reports),
        replaced=sum(each.replaced for each in reports),
        removed=sum(each.removed for each in reports),
    )
    if not report.clean:
        catalog.bump_generation()
    return report


def _compare_all(
    catalog: Catalog,
    vectors: VectorStore,
    space: str,
    dim: int | None,
    objects_in: str | None,
    probe: bool,
) -> list[RepairReport]:
    reports = []
    for part, each in _parts(catalog, space, objects_in):
        width = _width(part, each)
        if part is catalog.pictures or (width is None and vectors.count(each)):
            width = width or dim
        # A library without objects has no space for them in its index.
        if width is not None:
            reports.append(_compare(part, vectors, each, width, probe))
    return reports


def _compare(
    catalog: Part, vectors: VectorStore, space: str, dim: int, probe: bool
) -> RepairReport:
    try:
        vectors.create(space, dim)
    except IndexUnavailableError:
        raise
    except StoreError:  # it is there with another dimension, so nothing in it can be right
        vectors.drop(space)
        vectors.create(space, dim)
    removed = _remove_strangers(catalog, vectors, space)
    checked = added = replaced = 0
    catalog.mark_unindexed(space, catalog.stale(space))
    for ids, rows in catalog.vector_pages(space, live_only=True, page=PAGE):
        held = vectors.get(space, ids)
        lacking = [n for n, media_id in enumerate(ids) if media_id not in held]
        wrong = [
            n
            for n, media_id in enumerate(ids)
            if media_id in held and not _same(held[media_id], rows[n])
        ]
        mend = lacking + wrong
        if mend:
            vectors.upsert(space, [ids[n] for n in mend], rows[mend])
        if probe:
            _probe(vectors, space, rows[0])
        catalog.mark_indexed(space, ids)
        checked, added, replaced = checked + len(ids), added + len(lacking), replaced + len(wrong)
    return RepairReport(checked=checked, added=added, replaced=replaced, removed=removed)


def _remove_strangers(catalog: Part, vectors: VectorStore, space: str) -> int:
    """Take out what the catalog does not want in the index; returns how many."""
    strangers: list[str] = []
    # Collected first: deleting while paging would skip some. Ids only, and few of them.
    for ids in vectors.ids(space):
        wanted = catalog.live_ids(ids) & catalog.have_vectors(space, ids)
        strangers += [media_id for media_id in ids if media_id not in wanted]
    for some in pages(strangers, PAGE):
        vectors.delete(space, some)
        catalog.mark_unindexed(space, some)
    return len(strangers)


def _probe(vectors: VectorStore, space: str, row: Vectors) -> None:
    """Raise IndexUnavailableError where the index holds a vector but does not find it."""
    best = vectors.query(space, row, 1)
    if not best or best[0][1] < PROBE_COSINE * float(row @ row):
        raise IndexUnavailableError(
            f"The index does not find the vectors that it holds in {space}."
        )


def _reset(catalog: Catalog, vectors: VectorStore, space: str, objects_in: str | None) -> None:
    """Empty an index that cannot be used; one that can start afresh does so by `reset`."""
    reset = getattr(vectors, "reset", None)
    if reset is None:
        for part, each in _parts(catalog, space, objects_in):
            vectors.drop(each)
            part.mark_unindexed(each)
        return
    reset()
    catalog.mark_all_unindexed()  # the other spaces are filled by `replay` when next written


def _same(held: Vectors, row: Vectors) -> bool:
    return held.shape == row.shape and bool(np.abs(held - row).max() <= TOLERANCE)


def _width(catalog: Part, space: str) -> int | None:
    for _, rows in catalog.vector_pages(space, live_only=False, page=1):
        return int(rows.shape[1])
    return None
