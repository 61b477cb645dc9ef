"""`framekeep clip`: the moments that are found, as files of their own."""

from __future__ import annotations

from collections.abc import Generator
from itertools import chain
from pathlib import Path, PurePath
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from framekeep.cli.common import (
    JsonOption,
    LibraryOption,
    WhereOption,
    console,
    opened,
    print_json,
    say,
    stderr,
)
from framekeep.cli.progress import asked_to_stop
from framekeep.film_types import ClipEvent, clock, parse_seconds


def clip(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="What the clips shall show.")],
    out: Annotated[str, typer.Argument(metavar="OUT", help="The folder to write; made if new.")],
    where: WhereOption = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, help="How many moments to cut, the best first.")
    ] = 10,
    pad: Annotated[
        str, typer.Option(metavar="1s", help="How much to keep before and after each shot.")
    ] = "1s",
    exact: Annotated[
        bool,
        typer.Option("--exact", help="Begin right there, which encodes the clips anew."),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace what is there, once all is written.")
    ] = False,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Cut the moments that a sentence finds out of their films.

    A clip holds the moment's shot; moments that overlap share one. Clips are copied without loss
    and begin a little earlier, where the film can be cut. A film that cannot be read is told, and
    the others go on.

    Examples:

        framekeep clip "a dog running" dogs --limit 5

        framekeep clip "a goal" goals --where "name:match*" --pad 3s --exact
    """
    pad_s = parse_seconds(pad)
    with opened(library) as lib:
        events = lib.clip(
            query, out, where, limit=limit, pad_s=pad_s, exact=exact, overwrite=overwrite
        )
        written, place = _follow(events)
    if as_json:
        print_json(written)
        return
    for each in written:
        shown = f"{clock(each.start_s)} to {clock(each.end_s)}"
        name = PurePath(each.clip or "").name
        console.print(f"{name}  {each.film} {shown}", markup=False, soft_wrap=True)
    count = "1 clip is" if len(written) == 1 else f"{len(written)} clips are"
    console.print(f"{count} in {place}.", markup=False, soft_wrap=True)


def _follow(events: Generator[ClipEvent, None, None]) -> tuple[list[ClipEvent], str]:
    """Show the cutting as a bar; give the clips and their folder. Ctrl-C leaves nothing behind."""
    written: list[ClipEvent] = []
    place = ""
    first = next(events, None)
    with (
        asked_to_stop() as asked,
        Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=stderr
        ) as bar,
    ):
        task = bar.add_task("Cutting", total=None)
        for event in chain([first] if first else [], events):
            if asked.is_set():
                events.close()
                say("Stopped: nothing was written to the clips' place.")
                raise typer.Exit(130)
            bar.update(task, completed=event.done, total=event.total or None)
            if event.kind == "written":
                written.append(event)
            elif event.kind == "failed":
                line = f"{event.film} {clock(event.time_s)}: {event.reason}"
                bar.console.print(line, soft_wrap=True, markup=False)
            place = event.clip or place if event.kind == "done" else place
    return written, str(Path(place))
