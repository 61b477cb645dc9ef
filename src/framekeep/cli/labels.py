"""`framekeep label`, `classes`, `objects`, `accept`, `reject`, `reopen` and `undo`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

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
    targets,
)
from framekeep.errors import InputError
from framekeep.film_types import clock
from framekeep.library import Library
from framekeep.object_types import Annotation, Change, Segment

app = typer.Typer(help="The classes that photos and objects are labelled with.")

SHOWN_CHANGES = 20
ClassArgument = Annotated[str, typer.Argument(metavar="CLASS", help="A class' name.")]
ObjectsArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="OBJECT…", help="Their ids, as `framekeep objects` lists them."),
]


def label(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help='The class, made if new; "" takes labels away.')
    ],
    photos: PhotosArgument = None,
    objects: ObjectOption = None,
    where: WhereOption = None,
    of: ChosenOption = Chosen.media,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Label photos, or objects in them.

    Examples:

        framekeep label beach ~/Pictures/sea.jpg

        framekeep label dog --where "label:puppy and score>0.8" --of objects
    """
    with opened(library) as lib:
        number = lib.label(targets(lib, photos, objects, where, of), name or None)
    if as_json:
        print_json({"labelled": number})
    else:
        console.print(f"{number} labelled." if name else f"{number} without a label of their own.")


def objects(
    photo: Annotated[str, typer.Argument(metavar="PHOTO", help="A photo's path or media id.")],
    rejected: Annotated[
        bool, typer.Option("--rejected", help="Show those that were rejected as well.")
    ] = False,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the objects in a photo, or in a film by time: their ids, labels, and who set them.

    Example: framekeep objects ~/Pictures/cat.jpg
    """
    with opened(library) as lib:
        times = lib.frame_times(photo)
        owners = list(times) or [lib.media_id(photo)]
        found = [each for owner in owners for each in lib.segments(owner, rejected=rejected)]
        said = {each.segment_id: lib.annotations(each.segment_id) for each in found}
    if as_json:
        print_json([_object(each, said[each.segment_id], times) for each in found])
        return
    if not found:
        console.print("No objects: find some with `framekeep segment`.")
        return
    table = Table(box=None, pad_edge=False)
    for column in ("object", "label", "by", "score", "box", "state", *(["at"] if times else [])):
        table.add_column(column)
    for each in found:
        by = next((one.author for one in said[each.segment_id] if one.kind == "label"), "")
        box = " ".join(f"{edge:.0f}" for edge in each.bbox_xyxy)
        row = [each.segment_id, each.label or "", by, f"{each.score:.2f}", box, each.state]
        row += [clock(times[each.media_id])] if times else []
        table.add_row(*map(Text, row))
    console.print(table)


def _object(each: Segment, said: list[Annotation], times: dict[str, float]) -> dict[str, object]:
    at = {"media_id": each.media_id, "time_s": times[each.media_id]} if times else {}
    return {
        "segment_id": each.segment_id, "label": each.label, "label_source": each.label_source,
        "label_score": each.label_score, "score": each.score, "bbox_xyxy": each.bbox_xyxy,
        "area_px": each.area_px, "state": each.state, "segmenter": each.segmenter_id,
        "mask_source": each.mask_source, "tags": each.tags, "annotations": said, **at,
    }  # fmt: skip


def accept(
    ids: ObjectsArgument = None,
    where: WhereOption = None,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find objects right as they are; a label that a segmenter gave counts as yours from then on.

    Example: framekeep accept --where "label:dog and score>0.9"
    """
    with opened(library) as lib:
        number = lib.accept(_asked_for(lib, ids, where))
    _tell_judged("accepted", number, as_json)


def reject(
    ids: ObjectsArgument = None,
    where: WhereOption = None,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find that these are no objects: searches and exports leave them out.

    Example: framekeep reject --where "score<0.2 and state:open"
    """
    with opened(library) as lib:
        number = lib.reject(_asked_for(lib, ids, where))
    _tell_judged("rejected", number, as_json)


def reopen(
    ids: ObjectsArgument = None,
    where: WhereOption = None,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take back that objects were accepted or rejected; their labels stay.

    Example: framekeep reopen --where "state:rejected"
    """
    with opened(library) as lib:
        number = lib.reopen(_asked_for(lib, ids, where))
    _tell_judged("reopened", number, as_json)


def _asked_for(lib: Library, ids: list[str] | None, where: str | None) -> list[str]:
    """The ids of the objects that are named or chosen."""
    if not (ids or where):
        raise InputError("Name objects by their ids, or choose them with --where EXPR.")
    return [*(ids or []), *(lib.object_ids(where) if where else [])]


def _tell_judged(done: str, number: int, as_json: bool) -> None:
    if as_json:
        print_json({done: number})
    else:
        console.print(f"{number} {'object' if number == 1 else 'objects'} {done}.")


def undo(
    show: Annotated[
        bool, typer.Option("--list", help="Show the changes made last; undo nothing.")
    ] = False,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take back the last change of labels, classes, masks or notes.

    Examples:

        framekeep undo

        framekeep undo --list
    """
    with opened(library) as lib:
        changes = lib.changes(SHOWN_CHANGES) if show else []
        change = None if show else lib.undo()
    if as_json:
        print_json(changes if show else change)
    elif show:
        _list_changes(changes)
    else:
        done = f"Taken back: {change.what}." if change else "Nothing is left to take back."
        console.print(done, markup=False)


def _list_changes(changes: list[Change]) -> None:
    for each in changes:
        when = each.changed_at.astimezone().strftime("%Y-%m-%d %H:%M")
        taken = " (taken back)" if each.undone else ""
        console.print(f"{when}  {each.author}  {each.what}{taken}", markup=False)
    if not changes:
        console.print("Nothing has been changed yet.")


@app.callback(invoke_without_command=True)
def classes(
    context: typer.Context, library: LibraryOption = None, as_json: JsonOption = False
) -> None:
    """List the classes with how many objects and photos carry each, or change them.

    Example: framekeep classes
    """
    if context.invoked_subcommand is None:
        list_classes(False, library, as_json)


@app.command("list")
def list_classes(
    every: Annotated[
        bool, typer.Option("--all", help="Also the names that only a segmenter has used.")
    ] = False,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the classes with how many objects and photos carry each by a person's word.

    Example: framekeep classes list --all
    """
    with opened(library) as lib:
        found = lib.classes(all_labels=every)
    if as_json:
        print_json(found)
        return
    if not found:
        console.print("There are no classes yet: they come with `framekeep label`.")
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("class")
    table.add_column("colour")
    table.add_column("objects", justify="right")
    table.add_column("photos", justify="right")
    for each in found:
        table.add_row(Text(each.name), each.colour, f"{each.segments:,}", f"{each.media:,}")
    console.print(table)


@app.command("add")
def add_class(
    name: ClassArgument,
    colour: Annotated[
        str | None, typer.Option(metavar="#RRGGBB", help="Its colour, else one is chosen.")
    ] = None,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a class before anything carries it.

    Example: framekeep classes add dog --colour "#3cb44b"
    """
    with opened(library) as lib:
        made = lib.add_class(name, colour)
    if as_json:
        print_json(made)
    else:
        console.print(f"{made.name} is a class now.", markup=False)


@app.command("rename")
def rename(
    old: ClassArgument,
    new: Annotated[str, typer.Argument(metavar="NEW", help="Its new name.")],
    library: LibraryOption = None,
) -> None:
    """Give a class another name; what carries it keeps it.

    Example: framekeep classes rename "tabby, tabby cat" cat
    """
    with opened(library) as lib:
        lib.rename_class(old, new)
    console.print(f"{old} is {new} now.", markup=False)


@app.command("merge")
def merge(
    names: Annotated[list[str], typer.Argument(metavar="CLASS…", help="Those that go.")],
    into: Annotated[str, typer.Option("--into", metavar="CLASS", help="The one that stays.")],
    library: LibraryOption = None,
) -> None:
    """Make several classes one; labels that a segmenter gave can be merged as well.

    Example: framekeep classes merge puppy hound --into dog
    """
    with opened(library) as lib:
        lib.merge_classes(names, into)
    console.print(f"{', '.join(names)} went into {into}.", markup=False)


@app.command("colour")
def colour(
    name: ClassArgument,
    value: Annotated[str, typer.Argument(metavar="#RRGGBB", help="Its new colour.")],
    library: LibraryOption = None,
) -> None:
    """Give a class another colour.

    Example: framekeep classes colour dog "#3cb44b"
    """
    with opened(library) as lib:
        lib.colour_class(name, value)
    console.print(f"{name} is {value} now.", markup=False)


@app.command("drop")
def drop(name: ClassArgument, library: LibraryOption = None) -> None:
    """Remove a class that nothing carries.

    Example: framekeep classes drop puppy
    """
    with opened(library) as lib:
        lib.drop_class(name)
    console.print(f"{name} is no class any more.", markup=False)
