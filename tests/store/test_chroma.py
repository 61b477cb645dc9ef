"""What is special about Chroma: when it is opened, what it says when it fails, who else uses it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from framekeep.errors import IndexUnavailableError, StoreError
from framekeep.store.chroma import ChromaStore
from tests.helpers.catalog import SPACE, media_ids, unit

IDS = media_ids(50)

ADD = """
import sys
from pathlib import Path
from framekeep.store.chroma import ChromaStore
from tests.helpers.catalog import SPACE, media_ids, unit
start, count, times = (int(a) for a in sys.argv[2:5])
store = ChromaStore.local(Path(sys.argv[1]))
store.create(SPACE, 8)
for n in range(times):
    first = start + n * count
    store.upsert(SPACE, media_ids(count, first), unit(count, seed=first))
store.close()
"""


def python(code: str, *args: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, args)],
        stderr=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, [str(Path.cwd()), *sys.path])),
        },
    )


def finish(process: subprocess.Popen[str]) -> None:
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said


def test_an_index_that_is_not_there_is_not_made_by_reading(tmp_path: Path) -> None:
    store = ChromaStore.local(tmp_path / "chroma")
    assert store.count(SPACE) == 0
    assert store.query(SPACE, unit(1)[0], 3) == []
    assert store.spaces() == []
    assert list(tmp_path.iterdir()) == []


def test_chromadb_is_imported_at_first_use(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from framekeep.store.chroma import ChromaStore
store = ChromaStore.local(Path(sys.argv[1]))
assert store.spaces() == []
ChromaStore.server("http://127.0.0.1:1")
sys.exit("chromadb was imported" if "chromadb" in sys.modules else 0)
"""
    finish(python(code, tmp_path / "chroma"))


def test_a_dotenv_file_where_the_user_stands_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("CHROMA_API_IMPL=nonsense\nANONYMIZED_TELEMETRY=True\n")
    monkeypatch.chdir(tmp_path)
    store = ChromaStore.local(tmp_path / "chroma")
    store.create(SPACE, 8)
    assert store.spaces() == [SPACE]
    store.close()


@pytest.mark.parametrize("url", ["", "127.0.0.1:8000", "ftp://host", "http://", "http://a:99999"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(StoreError, match="address"):
        ChromaStore.server(url)


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    store = ChromaStore.server(f"http://127.0.0.1:{port}")
    with pytest.raises(IndexUnavailableError, match=rf"127\.0\.0\.1:{port} .*check that it runs"):
        store.count(SPACE)
    with pytest.raises(IndexUnavailableError):
        store.reset()
    store.close()


def test_a_damaged_database_is_told_with_the_way_out(tmp_path: Path) -> None:
    folder = tmp_path / "chroma"
    folder.mkdir()
    (folder / "chroma.sqlite3").write_bytes(b"rubbish" * 1000)
    store = ChromaStore.local(folder)
    for _ in range(2):  # the second failure tells the same, not what the first one left behind
        with pytest.raises(IndexUnavailableError, match=r"not a database.*framekeep repair"):
            store.count(SPACE)
    store.reset()
    assert not folder.exists()
    store.create(SPACE, 8)
    assert store.spaces() == [SPACE]
    store.close()


def test_closing_lets_go_of_all_files(tmp_path: Path) -> None:
    store = ChromaStore.local(tmp_path / "chroma")
    store.create(SPACE, 8)
    store.upsert(SPACE, IDS, unit(50))
    store.query(SPACE, unit(1)[0], 1)

    def opened() -> list[str]:
        return [f.path for f in psutil.Process().open_files() if str(tmp_path) in f.path]

    assert opened()
    store.close()
    for _ in range(100):  # Chroma's own threads close the database a moment later
        if not opened():
            break
        time.sleep(0.1)
    assert opened() == []


def test_stores_of_several_folders_live_side_by_side(tmp_path: Path) -> None:
    stores = [ChromaStore.local(tmp_path / name) for name in ("a", "b", "b")]
    for store in stores[:2]:
        store.create(SPACE, 8)
    stores[0].upsert(SPACE, IDS, unit(50))
    stores[1].upsert(SPACE, IDS[:10], unit(10))
    assert [store.count(SPACE) for store in stores] == [50, 10, 10]
    stores[1].close()
    stores[2].upsert(SPACE, IDS[10:20], unit(10))
    assert [store.count(SPACE) for store in stores] == [50, 20, 20]
    for store in stores:
        store.close()


def test_a_server_is_shared_by_namespace(tmp_path: Path) -> None:
    one, other = ChromaStore.server("http://h", "one"), ChromaStore.server("http://h", "other")
    assert one._name(SPACE) != other._name(SPACE)


def test_two_processes_writing_at_once_lose_nothing(tmp_path: Path) -> None:
    """Chroma alone lost a quarter of the vectors here; our turns keep every one.

    More than 1,000 each, so that the vector files are saved in between.
    """
    folder = tmp_path / "chroma"
    writers = [python(ADD, folder, start, 150, 10) for start in (0, 10_000)]
    for writer in writers:
        finish(writer)
    store = ChromaStore.local(folder)
    ids = media_ids(1500) + media_ids(1500, 10_000)
    assert store.count(SPACE) == 3000
    assert len(store.get(SPACE, ids)) == 3000
    for start in range(0, 1500, 150):
        for first in (start, 10_000 + start):
            row = unit(150, seed=first)[3]
            assert store.query(SPACE, row, 1)[0][0] == media_ids(1, first + 3)[0]
    store.close()


def test_a_reader_sees_at_once_what_another_process_wrote(tmp_path: Path) -> None:
    folder = tmp_path / "chroma"
    reader = ChromaStore.local(folder)
    for start in (0, 1000, 2000):
        finish(python(ADD, folder, start, 600, 1))
        row = unit(600, seed=start)[500]
        found = reader.query(SPACE, row, 1)
        assert found[0][0] == media_ids(1, start + 500)[0]
        assert reader.query(SPACE, row, 1, media_ids(1, start + 500))[0][1] > 0.999
    assert reader.count(SPACE) == 1800
    reader.close()


def test_recall_is_high_enough_on_clustered_vectors(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(40, 64))
    rows = centres[rng.integers(0, 40, 3000)] + 0.6 * rng.normal(size=(3000, 64))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    ids = media_ids(3000)
    store = ChromaStore.local(tmp_path / "chroma")
    store.create(SPACE, 64)
    store.upsert(SPACE, ids, rows)
    queries = centres + 0.8 * rng.normal(size=(40, 64))
    queries = (queries / np.linalg.norm(queries, axis=1, keepdims=True)).astype(np.float32)
    right = 0
    for query in queries:
        exact = {ids[n] for n in np.argsort(-(rows @ query))[:10]}
        right += len(exact & {media_id for media_id, _ in store.query(SPACE, query, 10)})
    assert right >= 0.99 * 10 * len(queries)
    store.close()
