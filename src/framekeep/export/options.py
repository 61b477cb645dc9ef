"""What an export can be told, checked once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from framekeep.errors import InputError
from framekeep.export.records import DatasetFormat, ImageMode
from framekeep.export.splits import BURST_S, parse_shares

Labels = Literal["any", "person"]
Masks = Literal["rle", "polygon"]
Task = Literal["segment", "detect"]

TABLES = frozenset(["csv", "jsonl", "parquet"])
"""The formats that hold no pictures."""


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """The options of an export, but for where it is written and what it takes.

    `classes` restricts and orders; `split` is such as "80/10/10"; `labels="person"` leaves the
    segmenter's labels out; `only_labelled` leaves out images without an object. Images taken by
    one camera within `burst_s` seconds of each other, and those with a cosine of `alike` (None:
    as for duplicates), stay in one split. Raises InputError for what does not go together.
    """

    format: DatasetFormat
    classes: tuple[str, ...] | None = None
    split: str | None = None
    seed: int = 0
    labels: Labels = "any"
    images: ImageMode = "copy"
    masks: Masks = "rle"
    task: Task = "segment"
    only_labelled: bool = False
    burst_s: float = BURST_S
    alike: float | None = None

    def __post_init__(self) -> None:
        for name, allowed in _CHOICES.items():
            value = getattr(self, name)
            if value not in allowed:
                raise InputError(f"{name} is one of {', '.join(allowed)}, not {value!r}.")
        if not isinstance(self.seed, int):
            raise InputError(f"A seed is a whole number, not {self.seed!r}.")
        if self.split is not None:
            parse_shares(self.split)
        if self.classes is not None and not all(name.strip() for name in self.classes):
            raise InputError("A class of a dataset has a name: name at least one.")
        if self.classes == ():
            raise InputError("Name at least one class, or leave classes out to take all.")
        if not 0 <= self.burst_s <= 86_400:
            raise InputError(f"A burst's pause is 0 to 86,400 seconds, not {self.burst_s}.")
        if self.format == "yolo" and self.images == "reference":
            raise InputError(
                "YOLO finds labels by where a picture lies, so its pictures cannot be referenced: "
                "take copy or link."
            )

    @property
    def holds_pictures(self) -> bool:
        """True where files of whole pictures are part of the dataset."""
        return self.format in ("coco", "yolo")

    def as_json(self) -> dict[str, Any]:
        """The options as a manifest keeps them."""
        known = {each.name: getattr(self, each.name) for each in fields(self)}
        known["classes"] = None if self.classes is None else list(self.classes)
        return known

    @classmethod
    def from_json(cls, known: Mapping[str, Any]) -> ExportOptions:
        """The options that a manifest keeps; names that are not known are an InputError."""
        names = {each.name for each in fields(cls)}
        if unknown := sorted(set(known) - names):
            raise InputError(f"A newer framekeep wrote this manifest: {unknown[0]} is not known.")
        classes = known.get("classes")
        return cls(**{**known, "classes": None if classes is None else tuple(classes)})


_CHOICES: dict[str, tuple[str, ...]] = {
    "format": get_args(DatasetFormat),
    "labels": get_args(Labels),
    "images": get_args(ImageMode),
    "masks": get_args(Masks),
    "task": get_args(Task),
}
