"""Importing a dataset: pictures are told by their content, objects become segments with labels.

Importing the same twice changes nothing: an object is known by its picture, its mask and its label.
"""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from framekeep.curate import clean_name, clean_text
from framekeep.errors import InputError, MediaError
from framekeep.export.records import ImportedImage, ImportedObject, ImportProblem
from framekeep.export.reports import ImportEvent, ImportReport
from framekeep.geometry import proposal
from framekeep.lookahead import in_threads
from framekeep.media.scan import content_id
from framekeep.object_types import Mask, Segment
from framekeep.store.catalog import Catalog
from framekeep.store.segment_rows import NewSegment
from framekeep.types import IngestEvent, MediaItem

Events = Generator[ImportEvent, None, None]
AddFiles = Callable[[Sequence[str]], Iterator[IngestEvent]]
# So many objects are written as one change, which one undo takes back.
BATCH = 5000
_AHEAD = 32
NOT_THERE = "The picture is not there."
NOT_THE_SAME = (
    "The dataset names a picture outside of its folder, and what lies there is another one or "
    "none: add the photo itself, then import again."
)
NOT_IN_LIBRARY = "The picture is not in the library, and was not to be added."


@dataclass(frozen=True, slots=True)
class _Told:
    """A picture of the dataset with its content's id, or the reason why it has none."""

    image: ImportedImage
    media_id: str | None = None
    reason: str | None = None


def import_images(
    images: Sequence[ImportedImage],
    problems: Sequence[ImportProblem],
    kind: str,
    name: str,
    catalog: Catalog,
    add_files: AddFiles | None,
    threads: int = 2,
) -> Events:
    """Bring a dataset that was read into the catalog; the last event carries the report.

    `name` is the dataset's, of which the author is made; `add_files` adds pictures that are not
    in the library, and without it those are problems. One bad picture never stops the import.
    """
    yield from _Importing(kind, name, catalog, list(problems)).run(images, add_files, threads)


@dataclass(slots=True)
class _Importing:
    kind: str
    name: str
    catalog: Catalog
    problems: list[ImportProblem]
    counts: Counter[str] = field(default_factory=Counter)
    waiting: list[NewSegment] = field(default_factory=list)
    relabel: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    classes: Counter[str] = field(default_factory=Counter)
    seen: dict[str, dict[Mask, list[Segment]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.name = _author(self.name)

    def run(
        self, images: Sequence[ImportedImage], add_files: AddFiles | None, threads: int
    ) -> Events:
        """Read, add, write."""
        total = len(images)
        yield ImportEvent("reading", 0, total)
        told: list[_Told] = []
        named = [image.media_id for image in images if image.media_id is not None]
        known = self.catalog.live_ids(named)
        tell = partial(_tell, known=known)
        outcomes = in_threads(images, ImportedImage, tell, threads, _AHEAD)
        with closing(outcomes):  # type: ignore[type-var]
            for outcome in outcomes:
                assert isinstance(outcome, _Told)  # noqa: S101 - nothing passes through
                told.append(outcome)
        yield from self._add(told, add_files)
        items = self.catalog.media([each.media_id for each in told if each.media_id])
        live = self.catalog.pictures.live_ids(list(items))
        for done, each in enumerate(told, 1):
            reason = self._take(each, items, live)
            where = str(each.image.path)
            if reason is not None:
                self.problems.append(ImportProblem(where, reason))
            yield ImportEvent("problem" if reason else "imported", done, total, where, reason)
            if len(self.waiting) >= BATCH:
                self._flush()
        self._flush()
        yield ImportEvent("done", total, total, report=self._finished(told))

    def _add(self, told: Sequence[_Told], add_files: AddFiles | None) -> Events:
        """Add the pictures that the library lacks."""
        ids = {each.media_id for each in told if each.media_id is not None}
        lacking = ids - self.catalog.pictures.live_ids(sorted(ids))
        paths = {e.media_id: str(e.image.path) for e in reversed(told) if e.media_id in lacking}
        if not paths or add_files is None:
            return
        for event in add_files(sorted(paths.values())):
            if event.kind in ("indexed", "linked"):
                self.counts["added"] += 1
            if event.kind not in ("scanning", "done"):
                done, total = event.counts.done, len(paths)
                yield ImportEvent("adding", done, total, event.path, event.reason)

    def _take(self, told: _Told, items: dict[str, MediaItem], live: set[str]) -> str | None:
        """Put one picture's objects with what is to be written; gives the reason against it."""
        if told.media_id is None:
            return told.reason
        item = items.get(told.media_id)
        if item is None or told.media_id not in live:
            return self._why_not_added(told)
        if item.size_wh != told.image.size_wh:
            return _of_size(item, told.image.size_wh)
        if told.media_id not in self.seen:
            self.seen[told.media_id] = self._there_already(told.media_id)
            self.counts["images"] += 1
        for number, thing in enumerate(told.image.objects, 1):
            try:
                self._take_object(told.media_id, thing)
            except InputError as exc:
                where = f"{told.image.path.name}, object {number}"
                self.problems.append(ImportProblem(where, str(exc)))
        return None

    def _why_not_added(self, told: _Told) -> str:
        known = self.catalog.files_at([str(told.image.path)]).get(str(told.image.path))
        return known.reason if known is not None and known.reason else NOT_IN_LIBRARY

    def _there_already(self, media_id: str) -> dict[Mask, list[Segment]]:
        found: dict[Mask, list[Segment]] = defaultdict(list)
        for segment in self.catalog.segments_of([media_id], rejected=True).get(media_id, []):
            found[segment.mask].append(segment)
        return found

    def _take_object(self, media_id: str, thing: ImportedObject) -> None:
        label = clean_name(thing.label)
        there = self.seen[media_id].get(thing.mask, [])
        same = next((s for s in there if _key(s.label or "") == _key(label)), None)
        if same is not None:
            # Each is met once: a dataset may hold the same object twice.
            there.remove(same)
            self.counts["unchanged"] += 1
            return
        self.classes[label] += 1
        free = next((s for s in there if s.label is None or s.label_source == "model"), None)
        if free is not None:
            there.remove(free)
            self.relabel[label].append(free.segment_id)
            self.counts["labelled"] += 1
            return
        found = proposal(thing.mask, thing.score, label)
        attributes = tuple(
            (clean_name(name, "name of an attribute"), clean_text(value, "attribute's value"))
            for name, value in thing.attributes
        )
        self.waiting.append(NewSegment(media_id, found, attributes))
        self.counts["objects"] += 1
        self.counts["boxes"] += thing.is_box

    def _flush(self) -> None:
        """Write what waits, as one change for the objects and one for each label given."""
        waiting, self.waiting = self.waiting, []
        if waiting:
            self.catalog.add_segments(waiting, self.name, author=self.name, source="import")
        for label, ids in self.relabel.items():
            self.catalog.set_label(ids, label, author=self.name, source="import")
        self.relabel.clear()

    def _finished(self, told: Sequence[_Told]) -> ImportReport:
        notes = []
        if self.counts["boxes"]:
            notes.append(
                f"{self.counts['boxes']} objects were boxes alone: their masks fill the boxes."
            )
        if any(each.image.split for each in told):
            notes.append("The dataset's own split was not taken over: an export splits anew.")
        return ImportReport(
            self.kind,
            **self.counts,
            classes=dict(sorted(self.classes.items())),
            problems=tuple(self.problems),
            notes=tuple(notes),
        )


def _tell(image: ImportedImage, known: Container[str]) -> _Told:
    """Which content a picture has; runs in a thread. What is in the library need not be read."""
    if image.media_id is not None:
        if image.media_id in known or _content(image.path) == image.media_id:
            return _Told(image, image.media_id)
        # Whether anything lies there is no dataset's business.
        return _Told(image, reason=NOT_THE_SAME)
    if not image.path.is_file():
        return _Told(image, reason=NOT_THERE)
    try:
        return _Told(image, content_id(str(image.path)))
    except MediaError as exc:
        return _Told(image, reason=str(exc))


def _content(path: Path) -> str | None:
    try:
        return content_id(str(path)) if path.is_file() else None
    except MediaError:
        return None


def _of_size(item: MediaItem, size_wh: tuple[int, int]) -> str:
    width, height = item.size_wh
    reason = (
        f"Its annotations are made for {size_wh[0]} x {size_wh[1]} pixels, and the picture has "
        f"{width} x {height}"
    )
    if item.exif_orientation >= 5 and size_wh == (height, width):
        return (
            f"{reason}: they were drawn on the picture as it is stored, before its EXIF block "
            "turns it upright. Turn the picture or the annotations, then import again."
        )
    return f"{reason}: they belong to another size of it."


def _author(name: str) -> str:
    plain = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in name)
    return clean_name(f"import:{plain.strip() or 'dataset'}"[:100], "dataset's name")


def _key(label: str) -> str:
    return label.casefold()


def dataset_name(path: Path) -> str:
    """What a dataset is called: its folder, or the one that its document lies in."""
    folder = path if path.is_dir() else path.parent
    return folder.resolve().name or "dataset"
