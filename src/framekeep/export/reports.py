"""Records of how an export or an import went: its events, its report, its preview."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from framekeep.export.records import ImportProblem
from framekeep.types import RgbImage

ExportKind = Literal["started", "written", "left_out", "done"]
ImportKind = Literal["reading", "adding", "imported", "problem", "encoding", "done"]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What did not get into a dataset for one reason: how many, and the first few by name."""

    what: Literal["image", "object"]
    reason: str
    count: int
    examples: tuple[str, ...] = ()


class Tally:
    """Counts what is left out, by reason, and remembers the first few of each by name."""

    EXAMPLES = 20

    def __init__(self) -> None:
        self._counts: dict[tuple[Literal["image", "object"], str], int] = {}
        self._examples: dict[tuple[Literal["image", "object"], str], list[str]] = {}

    def add(self, what: Literal["image", "object"], reason: str, name: str) -> None:
        """Count one that is left out."""
        key = (what, reason)
        self._counts[key] = self._counts.get(key, 0) + 1
        examples = self._examples.setdefault(key, [])
        if len(examples) < self.EXAMPLES and name not in examples:
            examples.append(name)

    def left_out(self) -> tuple[LeftOut, ...]:
        """Everything counted so far, images first, the most frequent reason first."""
        found = [
            LeftOut(what, reason, count, tuple(self._examples[what, reason]))
            for (what, reason), count in self._counts.items()
        ]
        return tuple(sorted(found, key=lambda each: (each.what, -each.count, each.reason)))


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What a dataset holds.

    `images` counts by split ("" where there is none), `objects` by class and then by split, both
    with zeros. `groups` counts what must stay together, single images included; `notes` are
    sentences for a person.
    """

    format: str
    classes: tuple[str, ...]
    splits: tuple[str, ...]
    images: Mapping[str, int]
    objects: Mapping[str, Mapping[str, int]]
    groups: int = 0
    largest_group: int = 0
    empty_images: int = 0
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()
    out: str = ""

    @property
    def image_count(self) -> int:
        """The images of all splits."""
        return sum(self.images.values())

    @property
    def object_count(self) -> int:
        """The objects of all classes and splits."""
        return sum(sum(counts.values()) for counts in self.objects.values())

    def as_json(self) -> dict[str, Any]:
        """The report as it is written beside a dataset; where that lies is no part of it."""
        document = asdict(self)
        del document["out"]
        return document


@dataclass(frozen=True, slots=True)
class ExportEvent:
    """One step of an export: `done` of `total` images; the last event carries the report."""

    kind: ExportKind
    done: int = 0
    total: int = 0
    path: str | None = None
    reason: str | None = None
    report: ExportReport | None = None


@dataclass(frozen=True, slots=True)
class ExportPreview:
    """What an export would hold, and some of its images with their objects drawn in."""

    report: ExportReport
    samples: tuple[RgbImage, ...] = ()
    sample_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What came out of a dataset that was read.

    `images` counts those found in the library or added to it (`added` of them). Of the objects,
    `objects` are new (`boxes` of them were boxes and became masks that fill them), `labelled` were
    there and got a label, and `unchanged` were there as they are.
    """

    format: str
    images: int = 0
    added: int = 0
    objects: int = 0
    labelled: int = 0
    unchanged: int = 0
    boxes: int = 0
    classes: Mapping[str, int] = field(default_factory=dict)
    problems: tuple[ImportProblem, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportEvent:
    """One step of an import: `done` of `total` images; the last event carries the report."""

    kind: ImportKind
    done: int = 0
    total: int = 0
    path: str | None = None
    reason: str | None = None
    report: ImportReport | None = None
