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
    settings,
)
from framekeep.cli.progress import follow
from framekeep.errors import InputError
from framekeep.film_types import FrameChoice, parse_seconds
from framekeep.types import IngestCounts


def add(
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="PATH…", help="Files, folders or glob patterns."),
    ] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Try failed files again.")] = False,
    every: Annotated[
        str | None,
        typer.Option(metavar="2s", help="Films: a frame every so often, instead of by shots."),
    ] = None,
    keyframes: Annotated[
        bool, typer.Option("--keyframes", help="Films: the frames that their encoder set.")
    ] = False,
    per_minute: Annotated[
        int | None,
        typer.Option(
            "--frames-per-minute", metavar="N", help="Films: at most so many; 120 if not told."
        ),
    ] = None,
    encoder: Annotated[
        str | None, typer.Option(metavar="NAME", help="The encoder of a new library.")
    ] = None,
    library: LibraryOption = None,
    vectors: VectorsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add photos and films. They stay where they are; only new and changed ones are read.

    Run it again after changing a folder, or after stopping it with Ctrl-C: it goes on where it
    was, also within a film. Files that cannot be read are listed by `framekeep problems`. Names
    that begin with a dot are passed over.

    Of a film the best frames of each shot are looked at; --every, --keyframes and
    --frames-per-minute choose others, also of films that are there already.

    Examples:

        framekeep add ~/Pictures

        framekeep add "trip/*.jpg" scans --library ~/trip-library

        framekeep add ~/Videos --every 2s
    """
    frames = frame_choice(every, keyframes, per_minute)
    with opened(library, create=True, encoder=encoder, vectors=vectors) as lib:
        counts = follow(lib.add(*(paths or []), retry=retry, frames=frames), "Adding")
    report(counts, as_json)


def frame_choice(every: str | None, keyframes: bool, per_minute: int | None) -> FrameChoice | None:
    """Which frames of films to look at, None as before. Raises InputError."""
    if every is not None and (keyframes or per_minute is not None):
        raise InputError(
            "--every already says how many frames there are: leave --keyframes and "
            "--frames-per-minute out, or --every."
        )
    if every is not None:
        return FrameChoice("every", parse_seconds(every))
    if not keyframes and per_minute is None:
        return None
    most = settings().frames_per_minute if per_minute is None else per_minute
    return FrameChoice("keyframes" if keyframes else "shots", None, most)


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
    if counts.frames:
        console.print(f"{counts.frames} moments in films.")
    if counts.missing and not counts.found:
        console.print(
            "Nothing was found there. If a drive is not connected, connect it and add again: "
            "nothing is lost."
        )
    if counts.failed or counts.missing:
        console.print("See `framekeep problems` for the reasons.")
