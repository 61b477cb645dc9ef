"""Search plans on 100,000 vectors: recall against exact search, and latency per filter.

    python benchmarks/search_plans.py [--count 100000] [--keep FOLDER]

The vectors are made to lie like photos' do: 400 subjects of uneven size, each a direction in 512
numbers, every photo its subject's direction plus noise of the same length spread over 512 numbers
but stronger in the first ones. Queries are such points that are not in the library. The catalog and
the index are real; filters keep 100 %, 50 %, 1 % and 0.01 % at random, and two more go with and
against the subject of the query: one keeps every other subject, the query's own among them, and one
the others. Exits with 1 where the recall@10 without a filter or with one
of the four is below 0.99, or where the slowest median of the four is above ten times the unfiltered
one's. The last two depend on the query rather than on a share; they are shown, not judged.
`--keep` leaves the library there for the next run.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from framekeep.filters import Filter, parse_filter
from framekeep.search import Searcher
from framekeep.store.catalog import Catalog
from framekeep.store.chroma import ChromaStore
from framekeep.store.vectors import VectorStore
from framekeep.types import EncoderInfo, FileRecord, MediaItem, Query, Vectors

DIM, SUBJECTS, QUERIES, TOP = 512, 400, 40, 10
INFO = EncoderInfo("bench", "bench@000000000000/p1", DIM)
FILTERS: dict[str, str | tuple[str, str] | None] = {
    "none": None,
    "100 %": "sharpness>=0",
    "50 %": "sharpness<50",
    "1 %": "sharpness<1",
    "0.01 %": "sharpness<0.01",
    # For queries of an even and of an odd subject.
    "with the subject": ("brightness>=0.5", "brightness<0.5"),
    "against the subject": ("brightness<0.5", "brightness>=0.5"),
}
JUDGED = ("100 %", "50 %", "1 %", "0.01 %")


def points(count: int, seed: int) -> tuple[Vectors, np.ndarray]:
    """Unit rows (count, 512) float32, and the subject of each."""
    subjects = np.random.default_rng(0).normal(size=(SUBJECTS, DIM))
    rng = np.random.default_rng(seed)
    weights = 1 / np.arange(1, SUBJECTS + 1)
    of = rng.choice(SUBJECTS, count, p=weights / weights.sum())
    fall = 1 / np.sqrt(np.arange(1, DIM + 1))
    rows = np.empty((count, DIM), np.float32)
    for start in range(0, count, 10_000):
        part = of[start : start + 10_000]
        noise = rng.normal(size=(len(part), DIM)) * fall
        noise /= np.linalg.norm(noise, axis=1, keepdims=True)
        subject = subjects[part] / np.linalg.norm(subjects[part], axis=1, keepdims=True)
        mixed = subject + noise
        rows[start : start + 10_000] = mixed / np.linalg.norm(mixed, axis=1, keepdims=True)
    return rows, of


def build(catalog: Catalog, vectors: VectorStore, rows: Vectors, subjects: np.ndarray) -> None:
    """Fill catalog and index. Sharpness is a random share of 100, brightness tells the subject."""
    sharpness = np.random.default_rng(5).permutation(len(rows)) / len(rows) * 100
    vectors.create(INFO.space, DIM)
    first = datetime(2020, 1, 1)
    for start in range(0, len(rows), 5000):
        items, files = [], []
        for n in range(start, min(start + 5000, len(rows))):
            media_id = f"{n:064x}"
            items.append(
                MediaItem(
                    media_id=media_id,
                    kind="photo",
                    bytes=1000 + n,
                    size_wh=(4000, 3000),
                    format="jpeg",
                    taken_at_local=first + timedelta(minutes=n),
                    sharpness=float(sharpness[n]),
                    brightness=0.25 if subjects[n] % 2 else 0.75,
                    added_at=datetime.now(UTC),
                )
            )
            path = f"/photos/{n // 1000:04}/{n:07}.jpg"
            files.append(FileRecord(path, 1000 + n, 1, "indexed", None, media_id))
        ids = [item.media_id for item in items]
        part = rows[start : start + 5000]
        catalog.put_media(items)
        catalog.put_vectors(INFO.space, ids, part)
        vectors.upsert(INFO.space, ids, part)
        catalog.record_files(files, 1)
        catalog.mark_indexed(INFO.space, ids)


def exact(rows: Vectors, kept: np.ndarray, query: Vectors) -> set[str]:
    """The ids of the true nearest neighbours among the rows that a filter keeps."""
    scores = rows[kept] @ query
    best = kept[np.argsort(-scores)[:TOP]]
    return {f"{n:064x}" for n in best}


def measure(
    searcher: Searcher,
    catalog: Catalog,
    rows: Vectors,
    queries: tuple[Vectors, np.ndarray],
    filters: str | tuple[str, str] | None,
) -> tuple[float, float, str, int]:
    """Recall@10, median latency in seconds, the plan's name, and how many a filter keeps."""
    even_odd = filters if isinstance(filters, tuple) else (filters, filters)
    kept = [_kept(catalog, where) for where in even_odd]
    recalls, times, plans = [], [], []
    for query, subject in zip(*queries, strict=True):
        where, among = even_odd[subject % 2], kept[subject % 2]
        started = time.perf_counter()
        hits = searcher.by_vector(query, Query(where=where, limit=TOP))
        times.append(time.perf_counter() - started)
        plans.append(searcher.plan.name)
        truth = exact(rows, among, query)
        recalls.append(len(truth & {hit.media_id for hit in hits}) / len(truth))
    plan = max(set(plans), key=plans.count)
    mean_kept = sum(map(len, kept)) // 2
    return float(np.mean(recalls)), statistics.median(times), plan, mean_kept


def _kept(catalog: Catalog, where: str | None) -> np.ndarray:
    tree: Filter | None = parse_filter(where) if where else None
    return np.array([int(i, 16) for i in catalog.select_ids(tree, order="id")])


def run(count: int, folder: Path) -> dict[str, tuple[float, float, str, int]]:
    """Build (or reuse) the library and measure every filter."""
    rows, subjects = points(count, seed=1)
    queries = points(QUERIES, seed=2)
    catalog, vectors = (
        Catalog.open(folder / "catalog.sqlite3"),
        ChromaStore.local(folder / "chroma"),
    )
    try:
        if catalog.count_media() != count:
            started = time.perf_counter()
            build(catalog, vectors, rows, subjects)
            print(f"built in {time.perf_counter() - started:.0f} s", file=sys.stderr)
        searcher = Searcher(catalog, vectors, INFO, _no_encoder)
        searcher.by_vector(queries[0][0], Query(limit=TOP))
        return {
            name: measure(searcher, catalog, rows, queries, filters)
            for name, filters in FILTERS.items()
        }
    finally:
        vectors.close()
        catalog.close()


def _no_encoder() -> None:
    raise AssertionError("queries are vectors here")


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        found = run(options.count, folder)
    plain = found["none"][1]
    print(f"{options.count:,} vectors of {DIM} numbers, {QUERIES} queries, recall@{TOP}")
    for name, (recall, seconds, plan, kept) in found.items():
        print(
            f"{name:20} {kept:7,} kept  plan {plan:10}  recall {recall:.3f}  "
            f"median {seconds * 1000:6.1f} ms  {seconds / plain:5.1f} x unfiltered"
        )
    good = all(found[name][0] >= 0.99 for name in ("none", *JUDGED))
    quick = max(found[name][1] for name in JUDGED) <= 10 * plain
    print("bounds held" if good and quick else "bounds missed")
    return 0 if good and quick else 1


if __name__ == "__main__":
    sys.exit(main())
