"""A catalog of each former version upgrades by itself and keeps what it holds."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.script import ScriptDirectory

from framekeep.library import Library
from framekeep.store.catalog import Catalog
from framekeep.store.migrations import config
from framekeep.store.tables import SCHEMA_HEAD, files, media, meta, metadata
from framekeep.testing import HashEncoder
from tests.helpers.catalog import item, media_ids
from tests.helpers.pictures import write_folder
from tests.helpers.segments import boxed

FORMER = [
    script.revision
    for script in ScriptDirectory.from_config(config()).walk_revisions()
    if script.revision != SCHEMA_HEAD
]
FIRST_TABLES = {"media", "files", "vectors", "ledger", "tags", "meta", "precision_checks"}


def version(path: Path) -> str:
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        found = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    engine.dispose()
    return str(found)


def make_former(path: Path, revision: str) -> sa.Engine:
    """A new database as that version made it."""
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        command.upgrade(config(connection), revision)
    assert version(path) == revision
    return engine


FILM_COLUMNS = (
    "duration_s", "fps", "codec", "has_audio", "frames_by", "read_to_s", "film_id", "time_s",
    "shot_start_s", "shot_end_s",
)  # fmt: skip


def take_films_away(connection: sa.Connection) -> None:
    """The media table as it was before films."""
    for index in ("ix_media_film_id_time_s", "ix_media_kind_duration_s"):
        connection.execute(sa.text(f"DROP INDEX {index}"))
    for column in FILM_COLUMNS:
        connection.execute(sa.text(f"ALTER TABLE media DROP COLUMN {column}"))


def test_there_are_former_versions() -> None:
    assert "0001" in FORMER


@pytest.mark.parametrize("revision", FORMER)
def test_a_former_catalog_upgrades_and_keeps_its_media(tmp_path: Path, revision: str) -> None:
    path = tmp_path / "catalog.sqlite3"
    engine = make_former(path, revision)
    (media_id,) = media_ids(1)
    photo = item(media_id)
    with engine.begin() as connection:
        connection.execute(
            sa.insert(media).values(
                media_id=media_id, kind="photo", bytes=1234, width=640, height=480,
                pixels=640 * 480, format="jpeg", taken_at_local=photo.taken_at_local,
                camera=photo.camera, exif_orientation=6, shape="landscape", sharpness=12.5,
                brightness=0.25, phash=photo.phash, added_at=photo.added_at,
                sort_at=photo.taken_at_local, state="indexed",
            )
        )  # fmt: skip
        connection.execute(
            sa.insert(files).values(
                path="/p/a.jpg", folder="/p", name="a.jpg", bytes=1234, mtime_ns=1,
                state="indexed", media_id=media_id, run_id=1,
            )
        )  # fmt: skip
        connection.execute(sa.insert(meta).values(key="encoder_id", value="x"))
    engine.dispose()
    for _ in range(2):
        catalog = Catalog.open(path)
        assert catalog.media([media_id]) == {media_id: photo}
        assert catalog.paths([media_id]) == {media_id: ["/p/a.jpg"]}
        assert catalog.get_meta("encoder_id") == "x"
        catalog.put_search("", "q=dog")
        catalog.put_upload("/u/a.jpg", "shown.jpg")
        assert [search.query for search in catalog.searches(named=False)] == ["q=dog"]
        assert catalog.shown_names(["/u/a.jpg"]) == {"/u/a.jpg": "shown.jpg"}
        assert catalog.searches(named=False)[0].used_at <= datetime.now(UTC)
        catalog.put_segments(media_id, "cutter@1", [boxed((0, 0, 9, 9), label="dog")])
        catalog.set_label([media_id], "beach", author="me")
        assert len(catalog.objects.select_ids(None)) == 1
        assert catalog.undo() is not None
        catalog.close()
        assert version(path) == SCHEMA_HEAD


def test_a_library_of_the_first_version_opens_and_searches(tmp_path: Path) -> None:
    with Library.open(tmp_path / "library", HashEncoder()) as library:
        list(library.add(*write_folder(tmp_path / "in", 3)))
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'library' / 'catalog.sqlite3'}")
    with engine.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            if table.name not in FIRST_TABLES:
                connection.execute(sa.text(f"DROP TABLE {table.name}"))
        take_films_away(connection)
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0001'"))
    engine.dispose()
    with Library.open(tmp_path / "library", HashEncoder(), create=False) as library:
        assert len(library.search("red")) == 3
        library.save_search("Red", "q=red")
        assert [search.name for search in library.saved_searches()] == ["Red"]


def test_a_library_of_the_second_version_keeps_all_it_has(tmp_path: Path) -> None:
    with Library.open(tmp_path / "library", HashEncoder()) as library:
        list(library.add(*write_folder(tmp_path / "in", 3)))
        library.tag(library.ids_where("pixels>0"), "trip")
        library.save_search("Red", "q=red")
        library.note_upload("/u/a.jpg", "shown.jpg")
        before = library.search("red", where="tag:trip")
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'library' / 'catalog.sqlite3'}")
    with engine.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            if table.name not in {*FIRST_TABLES, "searches", "uploads"}:
                connection.execute(sa.text(f"DROP TABLE {table.name}"))
        take_films_away(connection)
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0002'"))
    engine.dispose()
    with Library.open(tmp_path / "library", HashEncoder(), create=False) as library:
        assert library.search("red", where="tag:trip") == before
        assert [search.name for search in library.saved_searches()] == ["Red"]
        assert library.shown_names(["/u/a.jpg"]) == {"/u/a.jpg": "shown.jpg"}
        assert library.object_counts()["segments"] == 0
        assert library.search("red", of="objects") == []
        assert library.repair().clean
        library.label(library.ids_where("pixels>0"), "colour")
        assert library.count("label:colour") == 3
