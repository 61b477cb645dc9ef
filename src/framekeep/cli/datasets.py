"""`framekeep export` and `import`: datasets to train on."""

from __future__ import annotations

from collections.abc import Generator
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

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
from framekeep.cli.progress import SHOWN_PROBLEMS, asked_to_stop
from framekeep.errors import InputError
from framekeep.export.reports import ExportEvent, ExportPreview, ExportReport, ImportReport
from framekeep.export.reports import ImportEvent as Imported
from framekeep.library import Library


class FormatName(StrEnum):
    """The forms of a dataset."""

    coco = "coco"
    yolo = "yolo"
    crops = "crops"
    csv = "csv"
    jsonl = "jsonl"
    parquet = "parquet"


class ReadableName(StrEnum):
    """The forms that are read."""

    coco = "coco"
    yolo = "yolo"


class LabelsName(StrEnum):
    """Whose labels count."""

    any = "any"
    person = "person"


class ImagesName(StrEnum):
    """What becomes of the photos."""

    copy = "copy"
    link = "link"
    reference = "reference"


class MasksName(StrEnum):
    """How COCO's masks are written."""

    rle = "rle"
    polygon = "polygon"


class TaskName(StrEnum):
    """What YOLO is trained for."""

    segment = "segment"
    detect = "detect"


def export(
    kind: Annotated[
        str | None, typer.Argument(metavar="FORMAT", help="coco, yolo, crops, csv, jsonl, parquet.")
    ] = None,
    out: Annotated[
        str | None, typer.Argument(metavar="OUT", help="The folder to write; made if new.")
    ] = None,
    where: WhereOption = None,
    query: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Take the best photos and moments of a search."),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", "-n", min=1, help="At most so many; 1,000 with --query."),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Only these classes, in this order; all, if not told."),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(metavar="80/10/10", help="Train, val and test in percent; 90/10 has no test."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Deals the split; another seed, another split.")] = 0,
    burst: Annotated[
        float, typer.Option(metavar="SECONDS", help="One camera's photos so close stay together.")
    ] = 3.0,
    alike: Annotated[
        float | None,
        typer.Option(metavar="COSINE", help="Photos so similar stay together; 0.96 if not told."),
    ] = None,
    labels: Annotated[
        LabelsName, typer.Option(help="person: leave a segmenter's own labels out.")
    ] = LabelsName.any,
    images: Annotated[
        ImagesName,
        typer.Option(
            help="Copy or hard-link photos, or name where they lie; frames are always written."
        ),
    ] = ImagesName.copy,
    masks: Annotated[MasksName, typer.Option(help="COCO: how masks are written.")] = MasksName.rle,
    task: Annotated[TaskName, typer.Option(help="YOLO: outlines or boxes.")] = TaskName.segment,
    only_labelled: Annotated[
        bool, typer.Option("--only-labelled", help="Leave photos without an object out.")
    ] = False,
    description: Annotated[
        str, typer.Option(metavar="TEXT", help="COCO: what the dataset says of itself.")
    ] = "",
    contributor: Annotated[
        str, typer.Option(metavar="TEXT", help="COCO: who made the dataset.")
    ] = "",
    licence: Annotated[
        str, typer.Option(metavar="NAME", help='COCO: the photos\' licence, such as "CC BY 4.0".')
    ] = "",
    licence_url: Annotated[
        str, typer.Option("--licence-url", metavar="URL", help="COCO: where the licence stands.")
    ] = "",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace what is there, once all is written.")
    ] = False,
    preview: Annotated[
        bool, typer.Option("--preview", help="Show what it would hold; write no dataset.")
    ] = False,
    samples: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="With --preview: twenty samples, drawn, go there."),
    ] = None,
    again: Annotated[
        Path | None,
        typer.Option(metavar="MANIFEST", help="Write that dataset again, byte for byte."),
    ] = None,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a dataset to train on: photos and frames, their objects and labels, without leaks.

    Without --where and --query, every photo or frame that has an object or a label is taken.
    Near-duplicates, bursts and the frames of a film stay in one split, and a photo stays in its
    split when others are added. Frames are written as images, named by film and time. Nothing
    stands at OUT before all of it is written. A manifest beside the dataset tells how it was made.

    Examples:

        framekeep export coco dogs --where "label:dog" --split 80/10/10

        framekeep export coco runs --where "kind:video and label:dog" --split 80/20

        framekeep export yolo street --query "a street at night" --classes car,person --preview

        framekeep export --again dogs/manifest.json dogs-again
    """
    if again is not None:
        _again(again, kind, out, overwrite, library, as_json)
        return
    form = _format(kind)
    choices: dict[str, Any] = {
        "query": query, "limit": limit, "classes": _listed(classes), "split": split,
        "seed": seed, "burst_s": burst, "alike": alike, "labels": labels.value,
        "images": images.value, "masks": masks.value, "task": task.value,
        "only_labelled": only_labelled, "description": description, "contributor": contributor,
        "licence": licence, "licence_url": licence_url,
    }  # fmt: skip
    if preview or samples:
        with opened(library) as lib:
            seen = lib.export_preview(form, where, **choices)  # type: ignore[arg-type]
        _show_preview(seen, samples, as_json)
        return
    if out is None:
        raise InputError("Name the folder that the dataset shall be written to: OUT.")
    with opened(library) as lib:
        events = lib.export(form, out, where, overwrite=overwrite, **choices)  # type: ignore[arg-type]
        report = _follow_export(events)
    _show_report(report, as_json)


def import_(
    kind: Annotated[ReadableName, typer.Argument(metavar="FORMAT", help="coco or yolo.")],
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="The dataset's folder, JSON or YAML file.")
    ],
    add: Annotated[
        bool, typer.Option("--add/--no-add", help="Add photos that the library lacks.")
    ] = True,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take over the objects and labels of a COCO or YOLO dataset.

    Photos are known by their content; those that the library lacks are added and stay where they
    are. Importing again changes nothing. What does not fit is told.

    Examples:

        framekeep import coco ~/datasets/dogs

        framekeep import yolo ~/datasets/street/data.yaml --no-add
    """
    with opened(library, create=True) as lib:
        report = _follow_import(lib, path, kind.value, add)
    if as_json:
        print_json(report)
        return
    console.print(
        f"{report.images} photos ({report.added} new): {report.objects} objects added, "
        f"{report.labelled} labelled, {report.unchanged} there already."
    )
    for name, count in report.classes.items():
        console.print(f"{count:8} {name}", markup=False)
    for note in report.notes:
        console.print(note, markup=False, soft_wrap=True)
    for problem in report.problems[:SHOWN_PROBLEMS]:
        console.print(f"{problem.where}: {problem.what}", markup=False, soft_wrap=True)
    if len(report.problems) > SHOWN_PROBLEMS:
        console.print(f"{len(report.problems)} problems in all: --json lists them.")


def _again(
    manifest: Path,
    kind: str | None,
    out: str | None,
    overwrite: bool,
    library: Path | None,
    as_json: bool,
) -> None:
    """Write a manifest's dataset again; what stands first is then the place, not the format."""
    place = out if out is not None else kind
    if out is not None and kind is not None:
        _format(kind)
    with opened(library) as lib:
        report = _follow_export(lib.export_again(manifest, place, overwrite=overwrite))
    _show_report(report, as_json)


def _format(kind: str | None) -> str:
    names = ", ".join(FormatName)
    if kind is None:
        raise InputError(f"Name the format of the dataset: {names}.")
    if kind not in list(FormatName):
        raise InputError(f"There is no format {kind}: take one of {names}.")
    return kind


def _listed(classes: str | None) -> list[str] | None:
    return None if classes is None else [name.strip() for name in classes.split(",")]


def _follow_export(events: Generator[ExportEvent, None, None]) -> ExportReport:
    """Show an export as a bar; Ctrl-C leaves nothing behind."""
    report = None
    first = next(events, None)
    with asked_to_stop() as asked, _bar() as bar:
        task = bar.add_task("Exporting", total=None)
        for event in chain([first] if first else [], events):
            if asked.is_set():
                events.close()
                say("Stopped: nothing was written to the dataset's place.")
                raise typer.Exit(130)
            bar.update(task, completed=event.done, total=event.total or None)
            if event.kind == "left_out":
                bar.console.print(f"{event.path}: {event.reason}", soft_wrap=True, markup=False)
            report = event.report
    if report is None:
        raise InputError("The export ended without a report: try again.")
    return report


def _follow_import(lib: Library, path: Path, kind: str, add: bool) -> ImportReport:
    """Show an import as bars, one for each of its steps."""
    events = lib.import_dataset(path, kind, add=add)
    names = {
        "reading": "Reading", "adding": "Adding photos", "imported": "Importing",
        "problem": "Importing", "encoding": "Reading objects",
    }  # fmt: skip
    tasks: dict[str, Any] = {}
    last: Imported | None = None
    first = next(events, None)
    with asked_to_stop() as asked, _bar() as bar:
        for event in chain([first] if first else [], events):
            if asked.is_set():
                events.close()
                raise KeyboardInterrupt
            name = names.get(event.kind)
            if name is not None:
                if name not in tasks:
                    tasks[name] = bar.add_task(name, total=None)
                bar.update(tasks[name], completed=event.done, total=event.total or None)
            last = event
    if last is None or last.report is None:
        raise InputError("The import ended without a report: try again.")
    return last.report


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=stderr
    )


def _show_report(report: ExportReport, as_json: bool) -> None:
    if as_json:
        print_json({**report.as_json(), "out": report.out})
        return
    console.print(_counts(report))
    _show_rest(report)
    what = f"{report.image_count} images with {report.object_count} objects"
    console.print(f"{what} are in {report.out}.", markup=False, soft_wrap=True)


def _counts(report: ExportReport) -> Table:
    """Objects by class and split, and the images of each split."""
    table = Table(box=None, pad_edge=False)
    table.add_column("class", overflow="fold")
    for split in report.splits:
        table.add_column(split or "objects", justify="right")
    for name, counts in report.objects.items():
        table.add_row(Text(name), *(str(counts[split]) for split in report.splits))
    table.add_row("images", *(str(report.images[split]) for split in report.splits))
    return table


def _show_rest(report: ExportReport) -> None:
    for left in report.left_out:
        what = "images" if left.what == "image" else "objects"
        such = ", ".join(left.examples[:3])
        line = f"{left.count} {what} left out: {left.reason} ({such}{', …' * (left.count > 3)})"
        console.print(line, markup=False, soft_wrap=True)
    for note in report.notes:
        console.print(note, markup=False, soft_wrap=True)


def _show_preview(seen: ExportPreview, samples: Path | None, as_json: bool) -> None:
    drawn = [] if samples is None else _write_samples(seen, samples)
    if as_json:
        print_json({**seen.report.as_json(), "samples": drawn})
        return
    console.print(_counts(seen.report))
    _show_rest(seen.report)
    if samples is not None:
        console.print(f"{len(drawn)} samples are in {samples}.", markup=False, soft_wrap=True)
    console.print("This is a preview: nothing was exported.")


def _write_samples(seen: ExportPreview, folder: Path) -> list[str]:
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for media_id, rgb in zip(seen.sample_ids, seen.samples, strict=True):
        path = folder / f"{media_id[:16]}.jpg"
        Image.fromarray(rgb).save(path, quality=90)
        names.append(str(path))
    return names
