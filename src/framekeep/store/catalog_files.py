"""The catalog's ledger of paths: every file ever seen, with its state."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import PurePath

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from framekeep.store.database import Database, pages
from framekeep.store.tables import LIVE, SHOWN, files, media
from framekeep.types import FileRecord, Problem

GONE = "The file is no longer where it was."

_RECORD = (
    files.c.path,
    files.c.bytes,
    files.c.mtime_ns,
    files.c.state,
    files.c.reason,
    files.c.media_id,
)


class FilesPart:
    """Part of `Catalog`: files."""

    _db: Database

    def files_at(self, paths: Sequence[str]) -> dict[str, FileRecord]:
        """What is known of these paths; unknown ones are left out."""
        found: dict[str, FileRecord] = {}
        with self._db.read() as connection:
            for page in pages(paths):
                query = sa.select(*_RECORD).where(files.c.path.in_(page))
                found.update({row.path: FileRecord(*row) for row in connection.execute(query)})
        return found

    def knows_path(self, path: str) -> bool:
        """True where this path, or a file below it, has been seen before."""
        query = sa.select(sa.exists().where(_under(path)))
        with self._db.read() as connection:
            return bool(connection.scalar(query))

    def record_files(self, records: Sequence[FileRecord], run_id: int) -> None:
        """Add or replace files as seen in this run; the state of their media follows.

        Media that lost their last file become missing, media that got one become live. A file
        that could not be read this time keeps the medium it had, and with it the tags.
        """
        rows = [_row(record, run_id) for record in records]
        with self._db.write() as connection:
            former: dict[str, str] = {}
            for page in pages([record.path for record in records]):
                before = sa.select(files.c.path, files.c.media_id).where(
                    files.c.path.in_(page), files.c.media_id.is_not(None)
                )
                former.update({row.path: row.media_id for row in connection.execute(before)})
            for row in rows:
                if row["media_id"] is None and row["state"] in ("failed", "skipped"):
                    row["media_id"] = former.get(str(row["path"]))
            touched = {str(row["media_id"]) for row in rows if row["media_id"]}
            touched.update(former.values())
            self._db.upsert(connection, files, rows)
            settle_media(connection, sorted(touched))

    def touch_files(self, paths: Sequence[str], run_id: int) -> None:
        """Note that these files were seen in this run, unchanged."""
        with self._db.write() as connection:
            for page in pages(paths):
                seen = sa.update(files).where(files.c.path.in_(page))
                connection.execute(seen.values(run_id=run_id))

    def mark_missing(
        self,
        roots: Sequence[str],
        run_id: int,
        still_there: Callable[[str], bool] = lambda _path: False,
    ) -> list[FileRecord]:
        """Files at or under `roots` not seen in this run become missing; returns the new ones.

        Those that are `still_there` were only passed over, as in a folder with a dot, or in a
        library's own; they stay what they are.
        """
        gone: dict[str, FileRecord] = {}
        with self._db.write() as connection:
            for root in roots:
                unseen = sa.and_(_under(root), files.c.run_id != run_id, files.c.state != "missing")
                query = sa.select(*_RECORD).where(unseen).order_by(files.c.path)
                for row in connection.execute(query):
                    if not still_there(row.path):
                        record = FileRecord(*row)
                        gone[row.path] = replace(record, state="missing", reason=GONE)
            for page in pages(list(gone)):
                change = sa.update(files).where(files.c.path.in_(page))
                connection.execute(change.values(state="missing", reason=GONE))
            settle_media(connection, sorted({r.media_id for r in gone.values() if r.media_id}))
        return list(gone.values())

    def problems(self, limit: int | None = None, offset: int = 0) -> list[Problem]:
        """Files that are skipped, failed or missing, by path.

        A file that is gone while its content lies elsewhere was moved, which is no problem.
        """
        query = (
            sa.select(files.c.path, files.c.state, files.c.reason)
            .where(files.c.state.in_(("skipped", "failed", "missing")), ~_moved())
            .order_by(files.c.path)
            .limit(limit)
            .offset(offset)
        )
        with self._db.read() as connection:
            return [Problem(r.path, r.state, r.reason or "") for r in connection.execute(query)]

    def file_counts(self) -> dict[str, int]:
        """How many files are in which state, moved ones aside; empty states are left out."""
        count = sa.func.count().label("total")
        query = sa.select(files.c.state, count).where(~_moved()).group_by(files.c.state)
        with self._db.read() as connection:
            return {row.state: row.total for row in connection.execute(query)}

    def failed_paths(self) -> list[str]:
        """The files to try again with `--retry`, by path."""
        query = sa.select(files.c.path).where(files.c.state == "failed").order_by(files.c.path)
        with self._db.read() as connection:
            return list(connection.scalars(query))

    def media_of_path(self, path: str) -> str | None:
        """The content that lies, or last lay, at this path."""
        query = sa.select(files.c.media_id).where(files.c.path == path)
        with self._db.read() as connection:
            return connection.scalar(query)

    def paths(self, ids: Sequence[str]) -> dict[str, list[str]]:
        """Where these media lie now, sorted; media without a file present are left out.

        A frame lies where its film does.
        """
        found: dict[str, list[str]] = {}
        with self._db.read() as connection:
            films: dict[str, str] = {}
            for page in pages(ids):
                frames = sa.select(media.c.media_id, media.c.film_id).where(
                    media.c.media_id.in_(page), media.c.film_id.is_not(None)
                )
                films.update((row.media_id, row.film_id) for row in connection.execute(frames))
            owners = list(dict.fromkeys([*ids, *films.values()])) if films else ids
            for page in pages(owners):
                query = (
                    sa.select(files.c.media_id, files.c.path)
                    .where(files.c.media_id.in_(page), files.c.state == LIVE)
                    .order_by(files.c.path)
                )
                for media_id, path in connection.execute(query):
                    found.setdefault(media_id, []).append(path)
        if not films:
            return found
        held = {some: films.get(some, some) for some in ids}
        return {some: list(found[owner]) for some, owner in held.items() if owner in found}

    def identical_files(self) -> list[tuple[str, list[str]]]:
        """Media with more than one file present, and those files, by medium."""
        several = (
            sa.select(files.c.media_id)
            .where(files.c.state == LIVE, files.c.media_id.is_not(None))
            .group_by(files.c.media_id)
            .having(sa.func.count() > 1)
            .order_by(files.c.media_id)
        )
        with self._db.read() as connection:
            ids = [i for i in connection.scalars(several) if i]
        paths = self.paths(ids)
        return [(media_id, paths[media_id]) for media_id in ids if media_id in paths]


def settle_media(connection: Connection, ids: Sequence[str]) -> None:
    """Make the state of these media, and of their frames, follow from their files."""
    held_as = sa.func.coalesce(media.c.film_id, media.c.media_id)
    present = sa.exists().where(files.c.media_id == held_as, files.c.state == LIVE)
    state = sa.case((~present, "missing"), (media.c.kind == "frame", SHOWN), else_=LIVE)
    for page in pages(ids):
        for some in (media.c.media_id, media.c.film_id):
            connection.execute(sa.update(media).where(some.in_(page)).values(state=state))


def _under(root: str) -> sa.ColumnElement[bool]:
    """At `root`, or below it: a range on the path, which the primary key answers."""
    start = root.rstrip(os.sep) + os.sep
    end = start[:-1] + chr(ord(os.sep) + 1)
    return sa.or_(files.c.path == root, sa.and_(files.c.path >= start, files.c.path < end))


def _moved() -> sa.ColumnElement[bool]:
    """A file that is gone while its content is still found at another path."""
    elsewhere = sa.exists().where(media.c.media_id == files.c.media_id, media.c.state == LIVE)
    return sa.and_(files.c.state == "missing", elsewhere)


def _row(record: FileRecord, run_id: int) -> dict[str, object]:
    pure = PurePath(record.path)
    return {
        "path": record.path,
        "folder": str(pure.parent),
        "name": pure.name,
        "bytes": record.bytes,
        "mtime_ns": record.mtime_ns,
        "state": record.state,
        "reason": record.reason,
        "media_id": record.media_id,
        "run_id": run_id,
    }
