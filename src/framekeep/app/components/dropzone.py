"""Files from the browser, streamed to the server's own routes."""

from __future__ import annotations

from dataclasses import dataclass

from framekeep.app.components import keeping, mounted, sent
from framekeep.types import Problem


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A batch that has arrived, and the files that were not taken, by the names they had."""

    batch: str
    files: int
    failed: tuple[Problem, ...]


def dropzone(*, key: str, batch: str, label: str, hint: str = "") -> Uploaded | None:
    """Take many files or a folder; gives the batch once it has arrived."""
    data = {"mode": "many", "batch": batch, "label": label, "hint": hint, "base": "", "paste": True}
    mounted("dropzone")(key=key, data=data, **keeping(key, "uploaded", "picture"))
    found = sent(key, "uploaded")
    if not found:
        return None
    failed = tuple(Problem(str(f["name"]), "failed", str(f["reason"])) for f in found["failed"])
    return Uploaded(str(found["batch"]), int(found["files"]), failed)


def picture_drop(*, key: str, label: str, hint: str = "") -> str | None:
    """Take one picture to search with; gives its id once it has arrived."""
    data = {"mode": "one", "batch": "", "label": label, "hint": hint, "base": "", "paste": True}
    mounted("dropzone")(key=key, data=data, **keeping(key, "uploaded", "picture"))
    picture = sent(key, "picture")
    return str(picture["image"]) if picture else None
