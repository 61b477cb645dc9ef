"""`framekeep note` and `attribute`."""

from __future__ import annotations

from typing import Annotated

import typer

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


def note(
    text: Annotated[
        str, typer.Argument(metavar="TEXT", help='In place of a former one; "" takes it away.')
    ],
    photos: PhotosArgument = None,
    objects: ObjectOption = None,
    where: WhereOption = None,
    of: ChosenOption = Chosen.media,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give photos, or objects in them, a note.

    Example: framekeep note "the neighbour's" ~/Pictures/cat.jpg
    """
    with opened(library) as lib:
        number = lib.set_note(targets(lib, photos, objects, where, of), text)
    _tell(number, "with this note" if text.strip() else "without a note", as_json)


def attribute(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Such as pose.")],
    value: Annotated[
        str, typer.Argument(metavar="VALUE", help='Such as lying; "" takes the attribute away.')
    ],
    photos: PhotosArgument = None,
    objects: ObjectOption = None,
    where: WhereOption = None,
    of: ChosenOption = Chosen.media,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give photos, or objects in them, an attribute; COCO exports hold those of objects.

    Examples:

        framekeep attribute pose lying --object 0123456789abcdef0123456789abcdef

        framekeep attribute season winter --where "taken:2024-01"
    """
    with opened(library) as lib:
        chosen = targets(lib, photos, objects, where, of)
        number = lib.set_attribute(chosen, name, value or None)
    _tell(number, f"with this {name}" if value else f"without {name}", as_json)


def _tell(number: int, words: str, as_json: bool) -> None:
    if as_json:
        print_json({"changed": number})
    else:
        console.print(f"{number} {words}.", markup=False)
