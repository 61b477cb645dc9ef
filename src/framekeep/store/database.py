"""One SQL database: opened, migrated, with its errors put into words once."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import SQLAlchemyError

from framekeep.errors import LibraryLockedError, StoreError
from framekeep.store.tables import SCHEMA_HEAD

T = TypeVar("T")

BUSY_TIMEOUT_S = 15.0
PAGE = 4096
"""Ids per SQL statement: well below SQLite's 32,766 variables."""


class Database:
    """An engine with short transactions: `read()` for a snapshot, `write()` to change things.

    Thread-safe. SQLite runs in WAL, so that readers and the writer never wait for each other,
    and with synchronous=FULL: what was committed survives a power cut (tags have no other copy),
    at one fsync per batch.
    """

    def __init__(self, url_or_path: str | Path) -> None:
        self.url = _url(url_or_path)
        self.place = self.url.database or self.url.render_as_string(hide_password=True)
        self._wrote = False
        with _mapped(self.place):
            self.engine = _engine(self.url)
        try:
            self._migrate()
        except BaseException:
            self.engine.dispose()
            raise

    @property
    def is_sqlite(self) -> bool:
        """True for SQLite, False for PostgreSQL."""
        return self.engine.dialect.name == "sqlite"

    def close(self) -> None:
        """Close every connection; a writer refreshes SQLite's statistics, as SQLite recommends."""
        if self.is_sqlite and self._wrote:
            try:
                with self.write() as connection:
                    connection.execute(sa.text("PRAGMA analysis_limit=1000"))
                    connection.execute(sa.text("PRAGMA optimize"))
            except StoreError:
                pass  # only a hint for the planner: a busy or read-only database does without
        self.engine.dispose()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads: one consistent snapshot."""
        with _mapped(self.place), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that writes, committed at the end, rolled back on any error."""
        with _mapped(self.place), self.engine.connect() as connection:
            connection = connection.execution_options(framekeep_write=True)
            with connection.begin():
                self._wrote = True
                yield connection

    def upsert(
        self,
        connection: Connection,
        table: sa.Table,
        rows: Sequence[dict[str, Any]],
        *,
        keep: Sequence[str] = (),
        also: dict[str, Any] | None = None,
    ) -> None:
        """Insert rows; where the primary key exists, replace all columns but `keep`.

        `also` sets columns to SQL expressions on such a conflict.
        """
        if not rows:
            return
        insert = sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)
        keys = [column.name for column in table.primary_key]
        new = {n: insert.excluded[n] for n in rows[0] if n not in keys and n not in keep}
        new.update(also or {})
        statement = (
            insert.on_conflict_do_update(index_elements=keys, set_=new)
            if new
            else insert.on_conflict_do_nothing(index_elements=keys)
        )
        connection.execute(statement, list(rows))

    def _migrate(self) -> None:
        """Bring the tables to SCHEMA_HEAD; one SELECT where they are there already."""
        if self._version() == SCHEMA_HEAD:
            return
        # Alembic is imported only here: opening an up-to-date library stays quick.
        from framekeep.store.migrations import upgrade

        with self.write() as connection:
            if not self.is_sqlite:
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(5703287)"))
            upgrade(connection, self.place)

    def _version(self) -> str | None:
        with self.read() as connection:
            if not sa.inspect(connection).has_table("alembic_version"):
                return None
            found = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
            return None if found is None else str(found)


def pages(items: Sequence[T], size: int = PAGE) -> Iterator[Sequence[T]]:
    """Cut a list into parts that fit into one SQL statement."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _url(url_or_path: str | Path) -> URL:
    if isinstance(url_or_path, Path):
        return URL.create("sqlite+pysqlite", database=str(url_or_path))
    if "://" not in url_or_path:
        return URL.create("sqlite+pysqlite", database=url_or_path)
    try:
        url = make_url(url_or_path)
    except SQLAlchemyError as exc:
        raise StoreError("The catalog's address is not a database URL.") from exc
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise StoreError(
            f"The catalog lives in SQLite or PostgreSQL, not in {url.get_backend_name()}."
        )
    return url


def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        try:
            return sa.create_engine(url, pool_pre_ping=True)
        except ImportError as exc:
            raise StoreError(
                f"The driver for {url.drivername} is not installed; install it or change the URL."
            ) from exc
    engine = sa.create_engine(
        url,
        connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False},
        pool_size=16,
        max_overflow=48,
    )
    sa.event.listen(engine, "connect", _prepare_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    # The driver's own transactions start late and unpredictably: `_begin_sqlite` starts ours.
    connection.isolation_level = None
    # SQLite's own knows only the letters A to Z; PostgreSQL's knows all, as this one does.
    connection.create_function("lower", 1, _lower, deterministic=True)
    cursor = connection.cursor()
    try:
        _switch_to_wal(cursor)
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA journal_size_limit=67108864")
    finally:
        cursor.close()


def _switch_to_wal(cursor: sqlite3.Cursor) -> None:
    """Set the journal's mode, which a file keeps; while another does so, SQLite does not wait."""
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as exc:
            if "locked" not in str(exc) or time.monotonic() > deadline:
                raise
        time.sleep(0.01)


def _lower(text: str | None) -> str | None:
    return None if text is None else str(text).lower()


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes the lock at once: a read that turns into a write could not wait for it.
    writing = connection.get_execution_options().get("framekeep_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


@contextmanager
def _mapped(place: str) -> Iterator[None]:
    """Turn the driver's errors into ours, each a sentence."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error, UnicodeEncodeError) as exc:
        raise _in_words(exc, place) from exc


def _in_words(exc: Exception, place: str) -> StoreError:
    said = str(getattr(exc, "orig", None) or exc).strip().splitlines()
    first = said[0] if said else type(exc).__name__
    text = first.lower()
    if "locked" in text or "busy" in text:
        return LibraryLockedError(
            f"The catalog {place} stayed locked by another process for {BUSY_TIMEOUT_S:.0f} s; "
            "try again when that one is done."
        )
    for mark, sentence in _SENTENCES:
        if mark in text:
            return StoreError(sentence.format(place=place))
    return StoreError(f"The catalog {place} failed: {first}")


_SENTENCES = (
    ("disk is full", "The disk that holds the catalog {place} is full; make room and try again."),
    (
        "malformed",
        "The catalog {place} is damaged; restore that file from a backup, or move it away "
        "and add your folders again.",
    ),
    ("not a database", "{place} is not a catalog: something else was written to that file."),
    ("readonly", "The catalog {place} cannot be written to; check the file's permissions."),
    ("read-only", "The catalog {place} cannot be written to; check the file's permissions."),
    (
        "unable to open",
        "The catalog {place} cannot be opened; check that its folder exists, is yours and can be "
        "written to, which searching needs as well.",
    ),
    (
        "disk i/o",
        "The disk failed while the catalog {place} was read or written; check the disk.",
    ),
    (
        "foreign key",
        "The catalog {place} refused a row about a medium that it does not know.",
    ),
)
