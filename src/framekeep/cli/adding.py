"""`framekeep add`."""

from __future__ import annotations

from typing import Annotated

import typer

from framekeep.cli.common import (
    JsonOption,
    LibraryOption,
    VectorsOption,
    console,
    opened,
    print_json,
)
from framekeep.cli.progress import follow
from framekeep.types import IngestCounts


def add(
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="PATH…", help="Files, folders or glob patterns."),
    ] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Try failed files again.")] = False,
    encoder: Annotated[
        str | None, typer.Option(metavar="NAME", help="The encoder of a new library.")
    ] = None,
    library: LibraryOption = None,
    vectors: VectorsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add photos to the library. They stay where they are; only new and changed ones are read.

    Run it again after changing a folder, or after stopping it with Ctrl-C: it goes on where it
    was. Files that cannot be read are listed by `framekeep problems`. Names that begin with a dot
    are passed over.

    Examples:

        framekeep add ~/Pictures

        framekeep add "trip/*.jpg" scans --library ~/trip-library
    """
    with opened(library, create=True, encoder=encoder, vectors=vectors) as lib:
        counts = follow(lib.add(*(paths or []), retry=retry), "Adding")
    report(counts, as_json)


def report(counts: IngestCounts, as_json: bool) -> None:
    """Tell how a run ended."""
    if as_json:
        print_json(counts)
        return
    told = {
        "indexed": counts.indexed,
        "known content": counts.linked,
        "unchanged": counts.unchanged,
        "skipped": counts.skipped,
        "failed": counts.failed,
        "missing": counts.missing,
    }
    parts = [f"{number} {name}" for name, number in told.items() if number]
    console.print(f"{counts.found} files: {', '.join(parts) or 'nothing to do'}.")
    if counts.missing and not counts.found:
        console.print(
            "Nothing was found there. If a drive is not connected, connect it and add again: "
            "nothing is lost."
        )
    if counts.failed or counts.missing:
        console.print("See `framekeep problems` for the reasons.")
