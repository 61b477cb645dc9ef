"""kill -9 at any moment, and a reader beside a writer: real processes on real files."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from framekeep.store.catalog import Catalog
from framekeep.store.chroma import ChromaStore
from framekeep.store.repair import repair, replay
from tests.helpers.catalog import SPACE, media_ids, unit

DIM = 16
BATCH = 40

WRITE = """
import sys
from pathlib import Path
from framekeep.store.catalog import Catalog
from framekeep.store.chroma import ChromaStore
from framekeep.store.repair import replay
from tests.helpers.catalog import SPACE, file_of, item, media_ids, unit
folder, start, batches = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
catalog, index = Catalog.open(folder / "catalog.sqlite3"), ChromaStore.local(folder / "chroma")
replay(catalog, index, SPACE)
index.create(SPACE, 16)
for n in range(batches):
    first = start + n * 40
    ids, rows = media_ids(40, first), unit(40, 16, seed=first)
    catalog.put_media([item(i) for i in ids])
    catalog.put_vectors(SPACE, ids, rows)
    index.upsert(SPACE, ids, rows)
    catalog.mark_indexed(SPACE, ids)
    catalog.record_files([file_of(i) for i in ids], 1)
    catalog.bump_generation()
    print(first, flush=True)
catalog.close()
index.close()
"""


def writer(folder: Path, start: int, batches: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITE, str(folder), str(start), str(batches)],
        stdout=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, [str(Path.cwd()), *sys.path])),
        },
    )


def test_a_killed_writer_loses_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    rng = random.Random(5)
    acknowledged: list[int] = []
    start = 0
    for _ in range(4):
        process = writer(tmp_path, start, 10_000)
        assert process.stdout is not None
        for _ in range(rng.randint(1, 12)):
            line = process.stdout.readline()
            assert line, "the writer ended by itself"
            acknowledged.append(int(line))
        time.sleep(rng.random() * 0.1)
        process.kill()
        acknowledged += [int(line) for line in process.stdout if line.endswith("\n")]
        process.wait()
        process.stdout.close()
        start = acknowledged[-1] + 2 * BATCH  # as if the file being added had gone meanwhile

    connection = sqlite3.connect(tmp_path / "catalog.sqlite3")
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
    catalog, index = (
        Catalog.open(tmp_path / "catalog.sqlite3"),
        ChromaStore.local(tmp_path / "chroma"),
    )
    replay(catalog, index, SPACE)
    assert catalog.unindexed(SPACE) == []
    for first in acknowledged:
        ids, rows = media_ids(BATCH, first), unit(BATCH, DIM, seed=first)
        assert catalog.live_ids(ids) == set(ids)
        found, kept = catalog.get_vectors(SPACE, ids)
        np.testing.assert_array_equal(kept[np.argsort(found)], rows)
        held = index.get(SPACE, ids)
        np.testing.assert_allclose(np.stack([held[i] for i in ids]), rows, atol=1e-6)
        assert index.query(SPACE, rows[5], 1)[0][0] == ids[5]
    assert index.count(SPACE) == catalog.count_vectors(SPACE)
    assert repair(catalog, index, SPACE, DIM).clean
    catalog.close()
    index.close()


def test_a_reader_sees_what_a_writer_adds(tmp_path: Path) -> None:
    catalog, index = (
        Catalog.open(tmp_path / "catalog.sqlite3"),
        ChromaStore.local(tmp_path / "chroma"),
    )
    process = writer(tmp_path, 0, 12)
    assert process.stdout is not None
    generation = 0
    for line in process.stdout:
        first = int(line)
        assert catalog.generation() > generation
        generation = catalog.generation()
        index.reopen()
        row = unit(BATCH, DIM, seed=first)[1]
        assert index.query(SPACE, row, 1)[0][0] == media_ids(1, first + 1)[0]
        assert catalog.count_vectors(SPACE) >= first + BATCH
    assert process.wait() == 0
    process.stdout.close()
    assert index.count(SPACE) == 12 * BATCH
    catalog.close()
    index.close()
