"""`framekeep segment`."""

from __future__ import annotations

from dataclasses import asdict, replace
from enum import StrEnum
from typing import Annotated, Any

import typer

from framekeep.cli.common import (
    JsonOption,
    LibraryOption,
    WhereOption,
    console,
    opened,
    print_json,
    say,
)
from framekeep.cli.progress import follow
from framekeep.errors import InputError
from framekeep.library import Library
from framekeep.object_types import CropSettings, SegmenterInfo
from framekeep.types import IngestCounts

FULL_SIZE = "none"


class Background(StrEnum):
    """What becomes of an object's background before it is encoded."""

    blur = "blur"
    none = "none"
    mean = "mean"


def segment(
    where: WhereOption = None,
    segmenter: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="starter, sam2.1-tiny, …; if not told, the best one here.",
        ),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Also photos that have objects already.")
    ] = False,
    retry: Annotated[bool, typer.Option("--retry", help="Try failed photos again.")] = False,
    background: Annotated[
        Background | None,
        typer.Option(help="Around an object, before it is encoded: blurred, kept, or its mean."),
    ] = None,
    kernel: Annotated[
        int | None, typer.Option(metavar="PX", help="The blur's kernel, an odd number.")
    ] = None,
    sigma: Annotated[
        float | None, typer.Option(metavar="PX", help="The blur's sigma; 0: as the kernel has it.")
    ] = None,
    blur_reference: Annotated[
        str | None,
        typer.Option(
            metavar="PX|none", help="The shorter side at which to blur; none: the photo's own."
        ),
    ] = None,
    margin: Annotated[
        float | None, typer.Option(help="Room around an object, as a share of its longer side.")
    ] = None,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find the objects in photos, so that they can be searched, corrected and exported.

    Takes every photo that has none yet; stopped, it goes on where it was. With the shipped
    starter, an object is a draft of the photo's main object, to be looked over. How objects are cut
    out is kept for the library: at first with a margin of 0.1, their background blurred with a
    kernel of 21 where the photo's shorter side is 375; another way encodes all of them again.

    Examples:

        framekeep segment

        framekeep segment --where "tag:trip" --segmenter starter --retry

        framekeep segment --background blur --kernel 41 --blur-reference none --margin 0.2
    """
    with opened(library) as lib:
        changed = _changed(lib.crop_settings, background, kernel, sigma, blur_reference, margin)
        _cut_anew(lib, changed)
        info = lib.segmenter(segmenter).info
        events = lib.segment(where, segmenter, again=again, retry=retry)
        counts = follow(events, f"Segmenting with {shown_name(info)}")
        objects = lib.status().objects
    if as_json:
        told: dict[str, Any] = {**asdict(counts), "objects": objects, "segmenter": info.id}
        print_json({**told, "draft": info.is_draft})
    else:
        _report(counts, objects)


def shown_name(info: SegmenterInfo) -> str:
    """A segmenter's name as a user meets it: one that only drafts says so."""
    return f"{info.name} (a draft of the main object)" if info.is_draft else info.name


def _changed(
    now: CropSettings,
    background: Background | None,
    kernel: int | None,
    sigma: float | None,
    blur_reference: str | None,
    margin: float | None,
) -> CropSettings:
    """The library's crop settings with those changed that were given. Raises InputError."""
    given: dict[str, Any] = {
        "mode": background and background.value,
        "kernel_px": kernel,
        "margin": margin,
    }
    given = {name: value for name, value in given.items() if value is not None}
    if sigma is not None:
        given["sigma_px"] = sigma or None
    if blur_reference is not None:
        given["reference_px"] = _reference(blur_reference)
    return replace(now, **given)


def _reference(text: str) -> int | None:
    if text.lower() == FULL_SIZE:
        return None
    try:
        return int(text)
    except ValueError:
        raise InputError(f"--blur-reference is a number of pixels or none, not {text!r}.") from None


def _cut_anew(lib: Library, wanted: CropSettings) -> None:
    if wanted == lib.crop_settings:
        return
    if lib.status().objects:
        follow(lib.use_crop(wanted), "Cutting out objects anew")
        return
    for _ in lib.use_crop(wanted):
        pass


def _report(counts: IngestCounts, objects: int) -> None:
    told = {
        "segmented": counts.indexed,
        "unchanged": counts.unchanged,
        "failed": counts.failed,
    }
    parts = [f"{number} {name}" for name, number in told.items() if number]
    console.print(f"{counts.found} photos: {', '.join(parts) or 'nothing to do'}.")
    console.print(f"{objects} objects in the library.")
    if counts.failed:
        say("See `framekeep problems` for the reasons, and try again with --retry.")
