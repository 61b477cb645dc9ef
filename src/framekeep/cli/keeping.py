"""`framekeep status`, `problems`, `tag` and `repair`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from framekeep.cli.adding import report
from framekeep.cli.common import (
    Chosen,
    ChosenOption,
    JsonOption,
    LibraryOption,
    ObjectOption,
    PhotosArgument,
    WhereOption,
    console,
    opened,
    print_json,
)
from framekeep.cli.progress import follow
from framekeep.errors import InputError
from framekeep.types import LibraryStatus

SHOWN_SKIPPED = 20
NO_OBJECTS = "no objects"
"""The state, in words, of a photo on which a segmenter failed."""


def status(library: LibraryOption = None, as_json: JsonOption = False) -> None:
    """Show what the library holds: counts, encoder, sizes.

    Example: framekeep status --json
    """
    with opened(library) as lib:
        state = lib.status()
    if as_json:
        print_json(state)
    else:
        console.print(status_table(state))


def status_table(state: LibraryStatus) -> Table:
    """The library's state as a table of two columns."""
    table = Table(box=None, show_header=False, pad_edge=False)
    rows = {
        "library": state.path,
        "photos": str(state.photos),
        **({"films": str(state.films), "moments": str(state.frames)} if state.films else {}),
        **({"objects": str(state.objects)} if state.objects else {}),
        **{f"files {name}": str(number) for name, number in state.files.items()},
        "tags": str(state.tags),
        "on disk": f"{state.bytes_on_disk / 1e6:.1f} MB",
    }
    if state.encoder is not None:
        rows["encoder"] = f"{state.encoder.id} ({state.encoder.dim} numbers)"
        rows["precision"] = state.encoder.precision
    rows["index"] = f"{state.vectors}, {_index_state(state)}"
    if state.building:
        rows["building"] = f"{state.building} (go on with `framekeep library encoder`)"
    for check in state.precision_checks:
        verdict = "passed" if check.passed else "not passed"
        rows[f"check {check.precision}"] = (
            f"{verdict}: mean cosine {check.mean_cosine:.4f}, top-10 overlap "
            f"{check.top10_overlap:.2f} on {check.sample} photos"
        )
    for name, value in rows.items():
        table.add_row(name, Text(value))
    return table


def _index_state(state: LibraryStatus) -> str:
    if state.index_count < 0:
        return "cannot be opened: run `framekeep repair`"
    if state.index_count != state.pictures:
        what = "photos and moments" if state.films else "photos"
        return f"{state.index_count} of {state.pictures} {what}: run `framekeep repair`"
    return f"{state.index_count} vectors"


def problems(
    retry: Annotated[bool, typer.Option("--retry", help="Try the failed files again.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Show at most so many.")] = None,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the files that are not searchable, with the reason for each.

    Photos in which no objects could be looked for come as well: `framekeep segment --retry` tries
    them again.

    Examples:

        framekeep problems

        framekeep problems --retry
    """
    with opened(library) as lib:
        if retry:
            counts = follow(lib.add(retry=True), "Trying again")
            if not as_json:
                report(counts, as_json=False)
        found = lib.problems(limit)
        unsegmented = lib.segment_problems(limit)
    if as_json:
        print_json([*found, *({**asdict(each), "state": NO_OBJECTS} for each in unsegmented)])
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("state")
    table.add_column("file", overflow="fold")
    table.add_column("reason", overflow="fold")
    # What was never a photo comes last, and not at length.
    photos = [problem for problem in found if problem.state != "skipped"]
    others = [problem for problem in found if problem.state == "skipped"]
    for problem in photos:
        table.add_row(problem.state, Text(problem.path), Text(problem.reason))
    for problem in unsegmented:
        table.add_row(NO_OBJECTS, Text(problem.path), Text(problem.reason))
    for problem in others[:SHOWN_SKIPPED]:
        table.add_row(problem.state, Text(problem.path), Text(problem.reason))
    console.print(table if found or unsegmented else "No problems.")
    if len(others) > SHOWN_SKIPPED:
        more = len(others) - SHOWN_SKIPPED
        console.print(f"And {more} more files that are no photos: --json lists all.")


def tag(
    photos: PhotosArgument = None,
    add: Annotated[
        list[str] | None, typer.Option("--add", "-a", metavar="TAG", help="May be repeated.")
    ] = None,
    remove: Annotated[
        list[str] | None, typer.Option("--remove", "-r", metavar="TAG", help="May be repeated.")
    ] = None,
    objects: ObjectOption = None,
    where: WhereOption = None,
    of: ChosenOption = Chosen.media,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add and remove tags of photos or of objects; without any, list the tags there are.

    Examples:

        framekeep tag ~/Pictures/cat.jpg --add pet --add "best of 2024"

        framekeep tag --where "taken:2024-05" --add trip

        framekeep tag --where "label:dog and score<0.4" --of objects --add blurred
    """
    with opened(library) as lib:
        if not (photos or objects or where):
            if add or remove:
                raise InputError("Name the photos to tag, or choose them with --where EXPR.")
            _list_tags(lib.tags(), as_json)
            return
        media, things = list(photos or []), list(objects or [])
        if where and of is Chosen.objects:
            things += lib.object_ids(where)
        elif where:
            media += lib.ids_where(where)
        done = {}
        if things:
            done["objects"] = lib.tag_segments(things, add or [], remove or [])
        if media or not things:
            done["media"] = lib.tag(media, add or [], remove or [])
    if as_json:
        print_json(done)
        return
    words = {"media": "photos", "objects": "objects"}
    told = " and ".join(f"{number} {words[kind]}" for kind, number in done.items())
    console.print(f"{told} tagged.")


def _list_tags(tags: dict[str, int], as_json: bool) -> None:
    if as_json:
        print_json(tags)
        return
    for name, number in tags.items():
        console.print(f"{number:6} {name}", markup=False)
    if not tags:
        console.print("There are no tags yet: add some with `framekeep tag PHOTO --add TAG`.")


def repair(library: LibraryOption = None, as_json: JsonOption = False) -> None:
    """Compare the index with the catalog and mend every difference, without encoding again.

    Example: framekeep repair
    """
    with opened(library) as lib:
        mended = lib.repair()
    if as_json:
        print_json(mended)
    elif mended.clean:
        console.print(f"{mended.checked} vectors checked, nothing to mend.")
    else:
        console.print(
            f"{mended.checked} vectors checked: {mended.added} added, {mended.replaced} replaced, "
            f"{mended.removed} removed."
        )
