"""Alembic migrations, shipped in the package and run when a catalog is opened."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy.engine import Connection

from framekeep.errors import StoreError


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration without an ini file; env.py uses `connection`."""
    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    settings.attributes["connection"] = connection
    return settings


def upgrade(connection: Connection, place: str) -> None:
    """Run what is missing, within the connection's transaction.

    Raises StoreError for a catalog that a newer framekeep wrote.
    """
    settings = config(connection)
    try:
        command.upgrade(settings, "head")
    except CommandError as exc:
        raise StoreError(
            f"The catalog {place} was written by a newer framekeep; update framekeep to open it."
        ) from exc


def head() -> str:
    """The newest migration in this package."""
    return str(ScriptDirectory.from_config(config()).get_current_head())
