"""Classes as rows: found or made by name, each with a colour of its own as far as they last."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from framekeep.store.tables import classes

LONGEST_NAME = 100

PALETTE = (
    "#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#00a2b8", "#f032e6", "#8a9a0e",
    "#9a6324", "#008080", "#b8860b", "#800000", "#5b8c5a", "#c71585", "#000075", "#d2691e",
    "#2e8b57", "#6a5acd", "#b22222", "#607d8b",
)  # fmt: skip
"""Colours for outlines, told apart on photos; the least used one is given next."""


def tidy(name: str) -> str:
    """A class' name as it is kept: NFC, single spaces, not too long."""
    return " ".join(unicodedata.normalize("NFC", name).split())[:LONGEST_NAME].strip()


def name_key(name: str) -> str:
    """What two names have in common that differ in case only."""
    return name.casefold()


def known_classes(connection: Connection, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The rows of those of these names that there are, by `name_key`."""
    keys = sorted({name_key(tidy(name)) for name in names})
    query = sa.select(classes).where(classes.c.name_key.in_(keys))
    return {row["name_key"]: dict(row) for row in connection.execute(query).mappings()}


def new_class(
    connection: Connection, name: str, colour: str | None, author: str, now: datetime, kept: bool
) -> dict[str, Any]:
    """Make a class, or find the one that another process has just made; gives its row."""
    name = tidy(name)
    key = name_key(name)
    row = {
        "name": name, "name_key": key, "colour": colour or _next_colour(connection),
        "kept": kept, "set_at": now, "set_by": author,
    }  # fmt: skip
    on_sqlite = connection.dialect.name == "sqlite"
    insert = sqlite.insert(classes) if on_sqlite else postgresql.insert(classes)
    connection.execute(insert.values(row).on_conflict_do_nothing(index_elements=["name_key"]))
    return known_classes(connection, [name])[key]


def class_ids(
    connection: Connection, names: Iterable[str], author: str, now: datetime
) -> dict[str, int]:
    """The ids of names that a segmenter uses, by the names as given; new ones are made."""
    given = sorted({name for name in names if tidy(name)})
    known = known_classes(connection, given)
    for name in given:
        if name_key(tidy(name)) not in known:
            row = new_class(connection, name, None, author, now, kept=False)
            known[row["name_key"]] = row
    return {name: known[name_key(tidy(name))]["class_id"] for name in given}


def _next_colour(connection: Connection) -> str:
    query = sa.select(classes.c.colour, sa.func.count().label("times")).group_by(classes.c.colour)
    used = {row.colour: row.times for row in connection.execute(query)}
    return min(PALETTE, key=lambda colour: used.get(colour, 0))
