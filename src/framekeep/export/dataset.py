"""Names of files and folders that are safe everywhere, and the counts of a dataset."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from framekeep.export.records import Dataset

LONGEST_NAME = 120
"""The most bytes (UTF-8) of a file's name, its suffix included."""

_FORBIDDEN = re.compile(r'[<>:"/\\|?*]')
_RESERVED = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])(\..*)?", re.IGNORECASE
)
_ID_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Wish:
    """A name that a file would like to have, and the suffix that it gets, such as ".jpg".

    `tail` stands behind the name, whatever of that has to be cut.
    """

    media_id: str
    name: str
    suffix: str
    tail: str = ""


def safe_text(text: str, longest: int = LONGEST_NAME) -> str:
    """A text as a name of a file or folder on any system, at most so many bytes; "" if nothing is
    left of it.

    Unicode stays, composed (NFC); separators, control characters and what is no valid Unicode
    become "_".
    """
    composed = unicodedata.normalize("NFC", text)
    plain = "".join("_" if _is_unsafe(char) else char for char in composed)
    plain = _cut(_FORBIDDEN.sub("_", plain).lstrip(" .-"), longest).rstrip(" .")
    return _cut(f"_{plain}", longest) if _RESERVED.fullmatch(plain) else plain


def safe_names(wishes: Iterable[Wish]) -> dict[str, str]:
    """A file name for every medium; no two differ only in case, in Unicode's form or in suffix.

    Where names clash, each of them gets the first digits of its content's id in front.
    """
    by_id = {wish.media_id: wish for wish in wishes}
    return _unique(by_id, lambda key, level: _named(by_id[key], level), _without_suffix)


def safe_folders(classes: Sequence[str]) -> dict[str, str]:
    """A folder name for every class, as safe and as unique as the names of files."""

    number = {name: n for n, name in enumerate(classes, 1)}

    def named(name: str, level: int) -> str:
        wanted = safe_text(name, LONGEST_NAME - 8 * level) or "class"
        return wanted + f"-{number[name]}" * level

    return _unique(classes, named, str)


def count_objects(dataset: Dataset) -> dict[str, dict[str, int]]:
    """How many objects there are of each class in each split, zeros included."""
    counts = {name: dict.fromkeys(dataset.splits, 0) for name in dataset.classes}
    for image in dataset.images:
        for thing in image.objects:
            counts[thing.label][image.split] += 1
    return counts


def count_images(dataset: Dataset) -> dict[str, int]:
    """How many images there are in each split, zeros included."""
    return dict.fromkeys(dataset.splits, 0) | Counter(image.split for image in dataset.images)


def _is_unsafe(char: str) -> bool:
    # Controls, lone surrogates, line separators; and marks that turn the reading direction,
    # which make a name look like another one.
    return unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") or char in _TURNS


_TURNS = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def _cut(text: str, longest: int) -> str:
    """The longest beginning of a text that has at most so many bytes, no character torn."""
    return text.encode()[:longest].decode("utf-8", "ignore")


def _named(wish: Wish, level: int) -> str:
    """The name wished for; further levels put ever more of the content's id in front."""
    end = wish.tail + wish.suffix
    room = LONGEST_NAME - len(end.encode())
    if level == 0:
        stem = safe_text(wish.name, room)
        if stem:
            return stem + end
    digits = wish.media_id[: _ID_DIGITS * max(level, 1)]
    stem = safe_text(wish.name, room - len(digits) - 1)
    return f"{digits}-{stem}{end}" if stem and level < 5 else wish.media_id + wish.suffix


def _without_suffix(name: str) -> str:
    return name.rpartition(".")[0]


def _unique(
    keys: Iterable[str], named: Callable[[str, int], str], seen_as: Callable[[str], str]
) -> dict[str, str]:
    """Names from `named` at the least level at which no two are seen as the same but for case."""
    levels = dict.fromkeys(keys, 0)
    while True:
        names = {key: named(key, level) for key, level in levels.items()}
        alike: dict[str, list[str]] = {}
        for key, name in names.items():
            folded = unicodedata.normalize("NFC", seen_as(name).casefold())
            alike.setdefault(folded, []).append(key)
        clashing = [key for keys in alike.values() if len(keys) > 1 for key in keys]
        if not clashing:
            return names
        for key in clashing:
            levels[key] += 1
