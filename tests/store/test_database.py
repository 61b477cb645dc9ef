"""Opening and migrating a catalog, and what it says when the database fails."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from framekeep.errors import LibraryLockedError, StoreError
from framekeep.store import database
from framekeep.store.catalog import Catalog
from framekeep.store.migrations import head
from framekeep.store.tables import SCHEMA_HEAD, metadata
from tests.helpers.catalog import SPACE, file_of, fill, item, media_ids, unit


def open_close(path: Path) -> None:
    Catalog.open(path).close()


def read_all(path: Path) -> None:
    catalog = Catalog.open(path)
    try:
        list(catalog.vector_pages(SPACE))
    finally:
        catalog.close()


def test_the_migrations_make_exactly_the_tables(tmp_path: Path) -> None:
    open_close(tmp_path / "catalog.sqlite3")
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'catalog.sqlite3'}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()
    assert head() == SCHEMA_HEAD


def test_opening_again_imports_no_alembic(tmp_path: Path) -> None:
    open_close(tmp_path / "catalog.sqlite3")
    code = """
import sys
from pathlib import Path
from framekeep.store.catalog import Catalog
Catalog.open(Path(sys.argv[1])).close()
sys.exit("alembic was imported" if "alembic" in sys.modules else 0)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "catalog.sqlite3")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_catalog_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite3"
    open_close(path)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match="newer framekeep"):
        Catalog.open(path)


def test_many_can_open_a_new_catalog_at_once(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite3"
    start = threading.Barrier(4)

    def opens(_: int) -> int:
        start.wait()
        catalog = Catalog.open(path)
        try:
            return catalog.count_media(live=False)
        finally:
            catalog.close()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(opens, range(4))) == [0, 0, 0, 0]


@pytest.mark.parametrize("name", ["catalog.sqlite3", "with space and %.sqlite3", "ä?#.sqlite3"])
def test_sqlite_is_set_for_safety(tmp_path: Path, name: str) -> None:
    catalog = Catalog.open(tmp_path / name)
    assert (tmp_path / name).exists()
    with catalog._db.read() as connection:
        values = {
            pragma: connection.exec_driver_sql(f"PRAGMA {pragma}").scalar()
            for pragma in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert values == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 15_000,
    }
    catalog.close()
    assert [p.name for p in tmp_path.iterdir()] == [name], "closing leaves one whole file"


def test_a_url_works_too(tmp_path: Path) -> None:
    catalog = Catalog.open(f"sqlite:///{tmp_path / 'catalog.sqlite3'}")
    catalog.set_meta("a", "b")
    catalog.close()
    again = Catalog.open(tmp_path / "catalog.sqlite3")
    assert again.get_meta("a") == "b"
    again.close()


@pytest.mark.parametrize("url", ["mysql://host/db", "no such dialect://x", "oracle://x"])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(StoreError):
        Catalog.open(url)


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be opened"):
        Catalog.open(tmp_path / "none" / "catalog.sqlite3")


def test_something_else_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "catalog.sqlite3").write_bytes(b"hello" * 1000)
    with pytest.raises(StoreError, match="not a catalog"):
        Catalog.open(tmp_path / "catalog.sqlite3")


def test_a_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite3"
    catalog = Catalog.open(path)
    fill(catalog, media_ids(2000))
    catalog.close()
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StoreError, match="damaged"):
        read_all(path)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite3"
    open_close(path)
    path.chmod(0o444)
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(StoreError, match=r"written|opened"):
            Catalog.open(path).set_meta("a", "b")
    finally:
        tmp_path.chmod(0o755)


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    catalog = Catalog.open(tmp_path / "catalog.sqlite3")
    ids = media_ids(500)
    catalog.put_media([item(i) for i in ids])
    with catalog._db.read() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError, match="full"):
        catalog.put_vectors(SPACE, ids, unit(500, dim=512))
    assert catalog.count_vectors(SPACE, live_only=False) == 0
    catalog.close()


def test_a_writer_that_never_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.2)
    catalog = Catalog.open(tmp_path / "catalog.sqlite3")
    other = sqlite3.connect(tmp_path / "catalog.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(LibraryLockedError, match="locked by another process"):
        catalog.set_meta("a", "b")
    assert catalog.get_meta("a") is None, "reading goes on meanwhile"
    other.execute("ROLLBACK")
    other.close()
    catalog.set_meta("a", "b")
    catalog.close()


def test_an_error_undoes_the_whole_step(tmp_path: Path) -> None:
    catalog = Catalog.open(tmp_path / "catalog.sqlite3")
    known, unknown = media_ids(2)
    catalog.put_media([item(known)])
    with pytest.raises(StoreError):
        catalog.record_files([file_of(known, "/a"), file_of(unknown, "/b")], 1)
    assert catalog.files_at(["/a", "/b"]) == {}
    catalog.close()


def test_threads_may_share_a_catalog(tmp_path: Path) -> None:
    catalog = Catalog.open(tmp_path / "catalog.sqlite3")
    ids = media_ids(80)

    def adds(media_id: str) -> int:
        catalog.put_media([item(media_id)])
        catalog.put_vectors(SPACE, [media_id], unit(1))
        catalog.record_files([file_of(media_id)], 1)
        catalog.bump_generation()
        return len(catalog.have_vectors(SPACE, ids))

    with ThreadPoolExecutor(8) as pool:
        assert max(pool.map(adds, ids)) <= 80
    assert catalog.count_vectors(SPACE) == 80
    assert catalog.generation() == 80
    catalog.close()
