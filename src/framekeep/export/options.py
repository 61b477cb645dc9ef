"""What an export can be told, checked once."""

from __future__ import annotations

import unicodedata
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

LONGEST_FACT = 2000
_FACTS = {
    "description": "description",
    "contributor": "contributor",
    "licence": "license",
    "licence_url": "license_url",
}
"""The options that only tell of a dataset, and what COCO calls them."""


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """The options of an export, but for where it is written and what it takes.

    `classes` restricts and orders; `split` is such as "80/10/10"; `labels="person"` leaves the
    segmenter's labels out; `only_labelled` leaves out images without an object. Images taken by
    one camera within `burst_s` seconds of each other, and those with a cosine of `alike` (None:
    as for duplicates), stay in one split. `description`, `contributor`, `licence` (its name) and
    `licence_url` are told in COCO's documents and in every manifest. Raises InputError for what
    does not go together.
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
    description: str = ""
    contributor: str = ""
    licence: str = ""
    licence_url: str = ""

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
        for name in _FACTS:
            _check_fact(name, getattr(self, name))
        if self.licence_url and not self.licence_url.lower().startswith(("https://", "http://")):
            raise InputError(f"A licence's address begins with https://, not {self.licence_url!r}.")
        if self.licence_url and not self.licence:
            raise InputError("A licence's address needs its name as well: give licence.")

    @property
    def holds_pictures(self) -> bool:
        """True where files of whole pictures are part of the dataset."""
        return self.format in ("coco", "yolo")

    @property
    def facts(self) -> dict[str, str]:
        """What is told of the dataset, as `Dataset.info` has it; what was not given is left out."""
        given = {theirs: getattr(self, name) for name, theirs in _FACTS.items()}
        return {name: text for name, text in given.items() if text}

    def as_json(self) -> dict[str, Any]:
        """The options as a manifest keeps them."""
        known = {each.name: getattr(self, each.name) for each in fields(self)}
        # Without them, a manifest is the same as before there were any.
        known = {name: value for name, value in known.items() if value or name not in _FACTS}
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


def _check_fact(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise InputError(f"A {name} is a text, not {value!r}.")
    if len(value) > LONGEST_FACT:
        raise InputError(f"A {name} has at most {LONGEST_FACT:,} characters, not {len(value):,}.")
    if any(unicodedata.category(char)[0] == "C" and char not in "\n\t" for char in value):
        raise InputError(f"The {name} has a control character; leave it out.")


_CHOICES: dict[str, tuple[str, ...]] = {
    "format": get_args(DatasetFormat),
    "labels": get_args(Labels),
    "images": get_args(ImageMode),
    "masks": get_args(Masks),
    "task": get_args(Task),
}
