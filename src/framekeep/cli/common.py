"""What the commands share: consoles, options, opening a library, printing JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from framekeep.errors import InputError
from framekeep.library import Library
from framekeep.settings import Settings, load_settings

console = Console(highlight=False)
stderr = Console(stderr=True, highlight=False)

LibraryOption = Annotated[
    Path | None,
    typer.Option("--library", metavar="PATH", help="The library's folder.", show_default=False),
]
VectorsOption = Annotated[
    str | None,
    typer.Option("--vectors", metavar="URL", help="A Chroma server for a new library's index."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
WhereOption = Annotated[
    str | None,
    typer.Option("--where", metavar="EXPR", help='Filter, such as "taken>=2024-05 and tag:trip".'),
]


PhotosArgument = Annotated[
    list[str] | None, typer.Argument(metavar="PHOTO…", help="Paths or media ids.")
]
ObjectOption = Annotated[
    list[str] | None,
    typer.Option("--object", metavar="ID", help="An object's id; may be repeated."),
]


class Chosen(StrEnum):
    """What a filter chooses."""

    media = "media"
    objects = "objects"


ChosenOption = Annotated[
    Chosen, typer.Option("--of", help="What --where chooses: photos, or the objects in them.")
]


class GlobalOptions:
    """Options given before the command's name."""

    library: Path | None = None


@cache
def settings() -> Settings:
    """The user's settings, read once."""
    return load_settings()


def say(text: str) -> None:
    """Tell the user something that is not the command's result."""
    stderr.print(text, soft_wrap=True, markup=False)


@contextmanager
def opened(
    library: Path | None,
    *,
    create: bool = False,
    encoder: str | None = None,
    vectors: str | None = None,
) -> Iterator[Library]:
    """Open the library a command works on, and close it afterwards."""
    from framekeep.cli.progress import download_bar

    with download_bar() as progress:
        opened_library = Library.open(
            library or GlobalOptions.library,
            encoder,
            create=create,
            vectors=vectors,
            settings=settings(),
            progress=progress,
            notice=say,
        )
    opened_library.on_wait = say
    with opened_library:
        if opened_library.notice:
            say(opened_library.notice)
        yield opened_library


def targets(
    lib: Library,
    photos: list[str] | None,
    objects: list[str] | None,
    where: str | None,
    of: Chosen,
) -> list[str]:
    """The photos and objects that a command names or chooses. Raises InputError without any."""
    if not (photos or objects or where):
        raise InputError("Name photos, objects with --object ID, or choose with --where EXPR.")
    named = [*(photos or []), *(objects or [])]
    if not where:
        return named
    return [*named, *(lib.ids_where(where) if of is Chosen.media else lib.object_ids(where))]


def print_json(value: object) -> None:
    """Print one JSON document to standard output."""
    json.dump(value, sys.stdout, default=_plain, ensure_ascii=False, indent=2)
    sys.stdout.write("\n")


def _plain(value: Any) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
