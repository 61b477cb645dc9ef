"""Exporting a dataset: what goes in, which split it goes to, and the writing of it.

Told as a stream of events. Nothing stands at the dataset's place before all of it is written.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from framekeep.collecting import Collected, collect
from framekeep.dataset_files import (
    PictureWriter,
    Task,
    Written,
    of_poor,
    tasks,
    write_descriptions,
)
from framekeep.duplicates import alike_among, alike_by_look, perceptual
from framekeep.errors import InputError
from framekeep.export.dataset import count_images, count_objects
from framekeep.export.manifest import (
    MANIFEST_FILE,
    REPORT_FILE,
    Manifest,
    manifest_json,
    write_json,
)
from framekeep.export.options import TABLES, ExportOptions
from framekeep.export.placing import placed
from framekeep.export.records import Dataset, ExportImage
from framekeep.export.repeated import differences, report_of
from framekeep.export.reports import ExportEvent, ExportKind, ExportReport, LeftOut, Tally
from framekeep.export.splits import (
    Shot,
    assign_splits,
    bursts,
    groups,
    of_one_film,
    parse_shares,
)
from framekeep.lookahead import in_threads
from framekeep.media.limits import Limits
from framekeep.media.scan import content_id
from framekeep.store.catalog import Catalog
from framekeep.types import Vectors

Events = Generator[ExportEvent, None, None]
LARGE_GROUP = 0.5
_AHEAD = 16


@dataclass(frozen=True, slots=True)
class Source:
    """Where datasets come from; `space` and `object_space` name the vectors of media, objects."""

    catalog: Catalog
    space: str
    object_space: str
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class Plan:
    """A dataset before it is written: its splits settled, nothing read yet.

    `origin` tells a manifest what was asked for; `split_key` names the split among those that
    the catalog keeps, None without one.
    """

    collected: Collected
    options: ExportOptions
    origin: Mapping[str, Any]
    split_key: str | None = None
    groups: int = 0
    largest_group: int = 0
    notes: tuple[str, ...] = ()

    def report(self, dataset: Dataset, notes: Iterable[str] = (), out: str = "") -> ExportReport:
        """What the dataset holds, the plan's own or what is left of it after writing."""
        return ExportReport(
            format=self.options.format,
            classes=dataset.classes,
            splits=dataset.splits,
            images=count_images(dataset),
            objects=count_objects(dataset),
            groups=self.groups,
            largest_group=self.largest_group,
            empty_images=sum(not image.objects for image in dataset.images),
            left_out=self.collected.tally.left_out(),
            notes=(*self.notes, *notes),
            out=out,
        )


def make_plan(
    source: Source,
    ids: Sequence[str],
    options: ExportOptions,
    origin: Mapping[str, Any],
    split_key: str,
) -> Plan:
    """Settle what of these media goes into a dataset, and into which split.

    Raises InputError where nothing is left of them.
    """
    collected = collect(source.catalog, ids, options)
    dataset = collected.dataset
    if not dataset.images:
        raise InputError(_nothing(collected.tally.left_out()))
    plan = Plan(collected, options, origin, notes=_notes(collected, options))
    if options.split is None:
        count = len(dataset.images)
        return replace(plan, groups=count, largest_group=min(count, 1))
    shares = parse_shares(options.split)
    media = [image.media_id for image in dataset.images]
    grouped = groups(media, _together(source, collected, options))
    labels = {i.media_id: {*i.labels, *(t.label for t in i.objects)} for i in dataset.images}
    previous = _with_films(source.catalog.splits(split_key), dataset.images)
    assigned = assign_splits(grouped, labels, shares, options.seed, previous)
    images = tuple(replace(i, split=assigned.splits[i.media_id]) for i in dataset.images)
    largest = max(map(len, grouped))
    return replace(
        plan,
        collected=replace(collected, dataset=replace(dataset, images=images, splits=tuple(shares))),
        split_key=split_key,
        groups=len(grouped),
        largest_group=largest,
        notes=(*plan.notes, *assigned.notes, *_of_large_group(largest, len(media))),
    )


def _together(source: Source, collected: Collected, options: ExportOptions) -> list[Sequence[str]]:
    """Sets of media of which none may be in two splits."""
    ids = sorted(collected.items)
    alike = alike_among(source.catalog, source.space, ids, options.alike)
    near = [group.media_ids for group in perceptual(source.catalog)]
    shots = [Shot(i.media_id, i.camera, i.taken_at_local) for i in collected.items.values()]
    films = of_one_film({i: m.moment.film_id for i, m in collected.items.items() if m.moment})
    looks = alike_by_look(collected.items.values()) if films else []
    return [*near, *alike, *looks, *films, *bursts(shots, options.burst_s)]


def _with_films(previous: Mapping[str, str], images: Sequence[ExportImage]) -> dict[str, str]:
    """Former splits, where frames that were not there have their film's."""
    films = {i.media_id: previous[i.content] for i in images if i.content in previous}
    return {**films, **previous}


def _nothing(left_out: Sequence[LeftOut]) -> str:
    if not left_out:
        return (
            "There is nothing to export: no photo or frame matches, or none has an object or a "
            "label yet (`framekeep segment` finds objects)."
        )
    images = [each for each in left_out if each.what == "image"] or left_out
    most = max(images, key=lambda each: each.count)
    return (
        f"There is nothing to export: all is left out, {most.count} times for this reason: "
        f"{most.reason}"
    )


def _notes(collected: Collected, options: ExportOptions) -> tuple[str, ...]:
    notes = []
    empty = sum(not image.objects for image in collected.dataset.images)
    if empty and options.holds_pictures:
        notes.append(
            f"{_images(empty)} without an object: training takes them as showing none. What was "
            'never segmented is among them; --where "has-object" leaves them out.'
        )
    frames = sum(image.film_id is not None for image in collected.dataset.images)
    if frames and options.holds_pictures and options.images != "copy":
        notes.append(
            f"{_frames(frames)} of films written as images all the same: there is no file of a "
            "frame alone that could be linked or named."
        )
    anew = len(collected.forms) - frames
    if anew and options.holds_pictures:
        notes.append(
            f"{_images(anew)} written anew, upright and with eight bits, since "
            "training code would not read them as the masks expect."
        )
    return tuple(notes)


def _of_large_group(largest: int, count: int) -> tuple[str, ...]:
    if count < 10 or largest < LARGE_GROUP * count:
        return ()
    return (
        f"{largest} of {count} images hang together as near-duplicates, bursts or frames of "
        "one film and share a split; a greater --alike draws the line closer.",
    )


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count} images"


def _frames(count: int) -> str:
    return "1 frame" if count == 1 else f"{count} frames"


# Writing


def export_plan(plan: Plan, source: Source, out: Path) -> Events:
    """Write a plan's dataset to `out`, whose former content is replaced at the very end.

    An image that cannot be read is left out with its reason. Closing the generator, or a kill,
    leaves what was there before. Raises InputError where the place or the disk refuses.
    """
    origin = {**plan.origin, "segmenters": list(plan.collected.segmenters)}
    created = datetime.now(UTC).replace(microsecond=0).isoformat()
    info = {**plan.collected.dataset.info, "date_created": created, **plan.options.facts}
    dataset = replace(plan.collected.dataset, info=info)
    manifest = Manifest(dataset, plan.options, plan.collected.forms, origin=origin)

    def settle(written: Dataset, notes: Sequence[str]) -> dict[str, Any]:
        return plan.report(written, notes).as_json()

    with closing(_write(manifest, source, out, plan.collected.tally, settle)) as steps:
        last = yield from steps
    if plan.split_key is not None:
        # Of a film, too: frames that are chosen anew later stay where its frames were.
        images = last.dataset.images
        assigned = {some: i.split for i in images for some in (i.media_id, i.content)}
        source.catalog.put_splits(plan.split_key, assigned)
    report = plan.report(last.dataset, last.report["notes"][len(plan.notes) :], str(out))
    yield ExportEvent("done", len(last.dataset.images), len(dataset.images), report=report)


def export_again(manifest: Manifest, source: Source, out: Path) -> Events:
    """Write a manifest's dataset to `out` once more, byte for byte.

    Raises InputError, before anything is written, where the library no longer has all of it.
    """
    _check_present(manifest, source)
    tally = Tally()
    steps = _write(manifest, source, out, tally, lambda _dataset, _notes: manifest.report)
    with closing(steps):
        last = yield from steps
    notes = tuple(differences(manifest.files, last.files))
    report = replace(report_of(manifest), notes=notes, out=str(out))
    count = len(last.dataset.images)
    yield ExportEvent("done", count, count, report=report)


def _write(
    manifest: Manifest,
    source: Source,
    out: Path,
    tally: Tally,
    settle: Callable[[Dataset, Sequence[str]], Mapping[str, Any]],
) -> Generator[ExportEvent, None, Manifest]:
    """Write all files; gives the manifest of what was written. `settle` makes the report's."""
    options, dataset = manifest.options, manifest.dataset
    yield ExportEvent("started", 0, len(dataset.images), str(out))
    with placed(out) as part:
        pictures = _Pictures(manifest, source, part, tally)
        yield from pictures.write()
        if not pictures.kept:
            raise InputError(_nothing(tally.left_out()))
        written = replace(dataset, images=tuple(pictures.kept))
        vectors = manifest.vectors if pictures.again else _vectors(source, written, options)
        described, notes = write_descriptions(part, written, options, vectors)
        files = pictures.files | described
        report = settle(written, [*_of_copies(pictures.copied), *of_poor(pictures.poor), *notes])
        write_json(part / REPORT_FILE, report)
        files[REPORT_FILE] = content_id(str(part / REPORT_FILE))
        full = replace(manifest, dataset=written, vectors=vectors, report=report, files=files)
        write_json(part / MANIFEST_FILE, manifest_json(full))
    return full


class _Pictures:
    """Writes the pictures in threads; `kept` are the images that worked, `files` their files."""

    def __init__(self, manifest: Manifest, source: Source, part: Path, tally: Tally) -> None:
        self.again = bool(manifest.files)
        self.kept: list[ExportImage] = []
        self.files: dict[str, str] = {}
        self.copied = 0
        self.poor = 0
        self._dataset = manifest.dataset
        self._threads = source.limits.threads
        self._tally = tally
        self._writer = PictureWriter(
            part,
            manifest.dataset,
            manifest.options,
            manifest.forms,
            _finder(source, manifest.dataset),
            source.limits,
        )

    def write(self) -> Events:
        """Write them all. One that cannot be had is left out, or, when it is an export made
        again, an InputError."""
        images, done = self._dataset.images, 0
        self._writer.make_folders(self._dataset)
        outcomes = in_threads(tasks(images), Task, self._writer.write, self._threads, _AHEAD)
        with closing(outcomes):  # type: ignore[type-var]
            for written in outcomes:
                assert isinstance(written, list)  # noqa: S101 - nothing passes through
                for outcome in written:
                    done += 1
                    kind = self._settle(outcome)
                    name = outcome.image.file_name
                    yield ExportEvent(kind, done, len(images), name, outcome.reason)
        order = {image.media_id: number for number, image in enumerate(images)}
        self.kept.sort(key=lambda image: order[image.media_id])

    def _settle(self, outcome: Written) -> ExportKind:
        if outcome.reason is None:
            self.kept.append(outcome.image)
            self.files.update(outcome.files)
            self.copied += outcome.copied
            self.poor += outcome.poor
            return "written"
        if self.again:
            raise InputError(f"{outcome.image.file_name} cannot be had: {outcome.reason}")
        self._tally.add("image", outcome.reason, outcome.image.file_name)
        return "left_out"


def _finder(source: Source, dataset: Dataset) -> Callable[[ExportImage], Sequence[str]]:
    paths = source.catalog.paths([image.content for image in dataset.images])
    return lambda image: paths.get(image.content, [])


def _vectors(source: Source, dataset: Dataset, options: ExportOptions) -> dict[str, Vectors]:
    """The vectors (dim,) float32 of a table's images and objects, by id."""
    if options.format not in TABLES:
        return {}
    ids = [image.media_id for image in dataset.images]
    objects = [thing.segment_id for image in dataset.images for thing in image.objects]
    found = dict(zip(*source.catalog.get_vectors(source.space, ids), strict=True))
    kept, rows = source.catalog.objects.get_vectors(source.object_space, objects)
    return found | dict(zip(kept, rows, strict=True))


def _of_copies(copied: int) -> list[str]:
    if not copied:
        return []
    return [f"{_images(copied)} copied instead of linked: the system makes no link there."]


def _check_present(manifest: Manifest, source: Source) -> None:
    """Raise InputError naming what a manifest wants and the library no longer has."""
    options = manifest.options
    if options.format in TABLES:
        return
    paths = source.catalog.paths([image.content for image in manifest.dataset.images])
    lacking = [
        image.file_name
        for image in manifest.dataset.images
        if not any(map(_is_file, _wanted(image, manifest, paths)))
    ]
    if lacking:
        named = ", ".join(lacking[:5]) + (f" and {len(lacking) - 5} more" if lacking[5:] else "")
        raise InputError(
            f"The library has no file with the content of {named}: add the photos and films that "
            "the dataset was made of, then try again."
        )


def _wanted(
    image: ExportImage, manifest: Manifest, paths: Mapping[str, Sequence[str]]
) -> Sequence[str]:
    referenced = manifest.options.holds_pictures and manifest.options.images == "reference"
    if referenced and image.media_id not in manifest.forms:
        return [image.file_name]
    return paths.get(image.content, [])


def _is_file(path: str) -> bool:
    return Path(path).is_file()
