"""`framekeep search`, `similar`, `duplicates` and `export-list`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from framekeep.cli.common import (
    JsonOption,
    LibraryOption,
    WhereOption,
    console,
    opened,
    print_json,
    say,
)
from framekeep.cli.lists import ListFormat, hit_json, write_list
from framekeep.cli.moments import by_film, place_of
from framekeep.cli.preview import can_preview, preview
from framekeep.errors import InputError
from framekeep.object_types import Segment
from framekeep.types import Hit

LimitOption = Annotated[int, typer.Option("--limit", "-n", min=1, help="How many results.")]
OffsetOption = Annotated[int, typer.Option(min=0, help="Leave out the first ones (paging).")]
GroupOption = Annotated[
    bool, typer.Option("--group", help="Show each film once, with how many more moments it has.")
]
PathsOption = Annotated[bool, typer.Option("--paths", help="Print nothing but paths.")]
TextArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[TEXT]", help="What to look for, in one sentence.")
]
MoreTextOption = Annotated[
    list[str] | None,
    typer.Option("--text", metavar="TEXT", help="A further text to mix in; may be repeated."),
]
ImagesOption = Annotated[
    list[str] | None,
    typer.Option("--image", metavar="FILE", help="A picture to look for; may be repeated."),
]
NotOption = Annotated[
    list[str] | None,
    typer.Option("--not", metavar="TEXT", help="Steer away from this; may be repeated."),
]


class SearchedFor(StrEnum):
    """What a search finds."""

    media = "media"
    objects = "objects"
    both = "both"


OfOption = Annotated[
    SearchedFor,
    typer.Option("--of", help="Find photos and moments in films, objects in them, or both."),
]


class MemberKind(StrEnum):
    """What is compared."""

    media = "media"
    objects = "objects"


class DuplicateKind(StrEnum):
    """What counts as a duplicate."""

    identical = "identical"
    perceptual = "perceptual"
    semantic = "semantic"


def search(
    text: TextArgument = None,
    more_text: MoreTextOption = None,
    image: ImagesOption = None,
    exclude: NotOption = None,
    where: WhereOption = None,
    of: OfOption = SearchedFor.media,
    limit: LimitOption = 20,
    offset: OffsetOption = 0,
    group: GroupOption = False,
    paths: PathsOption = False,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find photos and moments in films, or objects in them, by a sentence, a picture, or a filter.

    Texts and pictures are mixed with equal weight; "TEXT::0.5" or FILE::0.5 gives one another
    weight. Objects are there once `framekeep segment` has found them; --image takes their ids too.
    A filter alone lists photos and whole films.

    Examples:

        framekeep search "sunset over ocean"

        framekeep search "a dog" --of objects --where "score>0.5"

        framekeep search "a dog running" --where "kind:video and duration<10min" --group

        framekeep search "red car" --not "toy" --where "taken>=2024-05 and not format:png"

        framekeep search --image cat.jpg --text "in the snow::0.5" --limit 5 --json
    """
    texts = _texts(text, more_text)
    if not (texts or image or exclude or where):
        raise InputError("Say what to look for: a text, --image FILE or --where EXPR.")
    with opened(library) as lib:
        _tell_cut(lib.texts_cut([value for value, _ in texts]))
        hits = lib.search(
            texts, _weighted(image), _weighted(exclude), where, limit, offset, of.value
        )
        if not hits and of is not SearchedFor.media and not lib.status().objects:
            say("No objects have been looked for yet: run `framekeep segment` first.")
    show_hits(hits, as_json=as_json, paths=paths, group=group)


def similar(
    photo: Annotated[
        str | None, typer.Argument(help="A photo or film of the library: its path or media id.")
    ] = None,
    segment: Annotated[
        str | None, typer.Option("--object", metavar="ID", help="An object: find those like it.")
    ] = None,
    limit: LimitOption = 20,
    group: GroupOption = False,
    paths: PathsOption = False,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find the photos and moments most like one in the library, or the objects like an object.

    Examples:

        framekeep similar ~/Pictures/cat.jpg --limit 5

        framekeep similar --object 0123456789abcdef0123456789abcdef
    """
    if (photo is None) == (segment is None):
        raise InputError("Name one photo, or one object with --object ID.")
    with opened(library) as lib:
        hits = lib.similar(photo, limit) if photo else lib.similar_objects(segment or "", limit)
    show_hits(hits, as_json=as_json, paths=paths, group=group)


def duplicates(
    kind: Annotated[
        DuplicateKind | None,
        typer.Option(
            help="Same bytes, same look (resized, re-encoded), or same meaning (bursts, retakes). "
            "Photos: identical, if not told; objects: semantic."
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(help="perceptual: bits that may differ; semantic: least cosine."),
    ] = None,
    of: Annotated[
        MemberKind, typer.Option("--of", help="Compare whole photos, or the objects in them.")
    ] = MemberKind.media,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """List groups of photos or objects that show the same, the best of each first.

    Nothing is deleted.

    Examples:

        framekeep duplicates

        framekeep duplicates --kind semantic --threshold 0.97 --json

        framekeep duplicates --of objects
    """
    objects = of is MemberKind.objects
    chosen = kind or (DuplicateKind.semantic if objects else DuplicateKind.identical)
    with opened(library) as lib:
        groups = lib.duplicates(chosen.value, threshold, of.value)
        hits = [lib.object_hits(group.media_ids) if objects else [] for group in groups]
    if as_json:
        print_json(groups)
        return
    for number, (group, shown) in enumerate(zip(groups, hits, strict=True), 1):
        lines = [f"  {_in_a_line(hit)}" for hit in shown] or [f"  {path}" for path in group.paths]
        console.print(f"{number}.", *lines, sep="\n", markup=False, soft_wrap=True)
    what = " among objects" if objects else ""
    console.print(f"{len(groups)} groups of {chosen.value} duplicates{what}.")


def _in_a_line(hit: Hit) -> str:
    """An object with its photo, its label, its box and its id."""
    segment = hit.segment
    if segment is None:
        return str(hit.path)
    return (
        f"{hit.path}{place_of(hit)}  {segment.label or '-'}  {_box(segment)}  {segment.segment_id}"
    )


def export_list(
    out: Annotated[Path, typer.Argument(help="The file to write; - for standard output.")],
    text: TextArgument = None,
    more_text: MoreTextOption = None,
    image: ImagesOption = None,
    exclude: NotOption = None,
    where: WhereOption = None,
    of: OfOption = SearchedFor.media,
    limit: LimitOption = 1000,
    form: Annotated[ListFormat, typer.Option("--format")] = ListFormat.csv,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    library: LibraryOption = None,
) -> None:
    """Write the results of a search to a file: paths, CSV or JSON Lines.

    Examples:

        framekeep export-list dogs.csv "a dog" --where "sharpness>100" --limit 500

        framekeep export-list dogs.csv --of objects --where "label:dog and state:accepted"
    """
    to_stdout = str(out) == "-"
    objects = of is not SearchedFor.media
    if out.exists() and not to_stdout and not force:
        raise InputError(f"{out} exists already: name another file, or add --force.")
    texts = _texts(text, more_text)
    with opened(library) as lib:
        hits = lib.search(texts, _weighted(image), _weighted(exclude), where, limit, of=of.value)
    if to_stdout:
        write_list(hits, form, sys.stdout, objects=objects)
    else:
        try:
            with out.open("w", encoding="utf-8", newline="") as stream:
                write_list(hits, form, stream, objects=objects)
        except OSError as exc:
            raise InputError(f"{out} cannot be written: {exc.strerror}.") from exc
        console.print(f"{len(hits)} results written to {out}.", soft_wrap=True, markup=False)


def _texts(words: list[str] | None, more: list[str] | None) -> list[tuple[str, float]]:
    """The words of the argument as one sentence, and every --text."""
    return _weighted([" ".join(words)] if words else None) + _weighted(more)


def _weighted(values: list[str] | None) -> list[tuple[str, float]]:
    return [_split_weight(value) for value in values or []]


def _split_weight(value: str) -> tuple[str, float]:
    """Split "TEXT::0.5" into text and weight; the weight is 1 where none is given."""
    text, mark, weight = value.rpartition("::")
    try:
        return (text, float(weight)) if mark else (value, 1.0)
    except ValueError:
        return value, 1.0


def _box(segment: Segment) -> str:
    left, top, right, bottom = (round(edge) for edge in segment.bbox_xyxy)
    return f"{left},{top} {right},{bottom}"


def show_hits(
    hits: Sequence[Hit], *, as_json: bool = False, paths: bool = False, group: bool = False
) -> None:
    """Print hits as JSON, as bare paths, or as a table with previews where the terminal can.

    With `group`, a film with several moments stands there once.
    """
    further = {}
    if group:
        groups = by_film(hits)
        hits = [best for best, _ in groups]
        further = {best.media_id: more for best, more in groups}
    if as_json:
        print_json([_grouped_json(hit, further.get(hit.media_id)) for hit in hits])
        return
    if paths:
        sys.stdout.writelines(f"{hit.path}\n" for hit in hits)
        return
    if not hits:
        console.print("No photo matches.")
        return
    more = {media_id: len(others) for media_id, others in further.items()}
    console.print(hits_table(hits, previews=can_preview(console), more=more))


def _grouped_json(hit: Hit, further: Sequence[Hit] | None) -> dict[str, Any]:
    if further is None:
        return hit_json(hit)
    others = [
        {"media_id": h.media_id, "score": h.score, "time_s": h.time_s, "shot_s": h.shot_s}
        for h in further
    ]
    return {**hit_json(hit), "further_moments": others}


def hits_table(
    hits: Sequence[Hit], *, previews: bool, more: Mapping[str, int] | None = None
) -> Table:
    """The table of results; `more` counts further moments in the films of these hits."""
    table = Table(box=None, pad_edge=False)
    if previews:
        table.add_column("")
    table.add_column("score", justify="right")
    films = any(hit.media.video for hit in hits)
    table.add_column("photo or film" if films else "photo", overflow="fold")
    table.add_column("size", justify="right")
    table.add_column("taken")
    objects = any(hit.segment for hit in hits)
    for column in ("label", "box", "object") if objects else ():
        table.add_column(column, overflow="fold")
    for hit in hits:
        score = "" if hit.score is None else f"{hit.score:.3f}"
        taken = f"{hit.media.taken_at_local:%Y-%m-%d}" if hit.media.taken_at_local else ""
        width, height = hit.media.size_wh
        others = (more or {}).get(hit.media_id)
        named = f"{_short(hit.path)}{place_of(hit)}{f' and {others} more' if others else ''}"
        cells: list[Any] = [score, _plain_cell(named), f"{width}x{height}", taken]
        if hit.segment is not None:
            found = (hit.segment.label or "", _box(hit.segment), hit.segment.segment_id)
            cells += map(_plain_cell, found)
        table.add_row(*([_preview(hit)] if previews else []), *cells)
    return table


def _preview(hit: Hit) -> Any:
    """The photo small, or the box of the object in it."""
    if hit.segment is None:
        return preview(hit)
    width, height = hit.media.size_wh
    left, top, right, bottom = hit.segment.bbox_xyxy
    return preview(hit, (left / width, top / height, right / width, bottom / height))


def _short(path: Path) -> str:
    """The path as a person writes it, from the home folder on."""
    try:
        return str(Path("~") / path.relative_to(Path.home()))
    except (ValueError, RuntimeError):
        return str(path)


def _plain_cell(text: str) -> Any:
    from rich.text import Text

    return Text(text)


def _tell_cut(cut: Sequence[str]) -> None:
    for text in cut:
        say(f"The text is longer than the encoder reads; its end was left out: {text[:60]}…")
