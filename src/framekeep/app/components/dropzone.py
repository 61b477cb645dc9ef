"""Files from the browser, streamed to the server's own routes."""

from __future__ import annotations

from dataclasses import dataclass

from framekeep.app.components import ignore, mounted
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
    result = mounted("dropzone")(
        key=key, data=data, on_uploaded_change=ignore, on_picture_change=ignore
    )
    sent = result.uploaded
    if not sent:
        return None
    failed = tuple(Problem(str(f["name"]), "failed", str(f["reason"])) for f in sent["failed"])
    return Uploaded(str(sent["batch"]), int(sent["files"]), failed)


def picture_drop(*, key: str, label: str, hint: str = "") -> str | None:
    """Take one picture to search with; gives its id once it has arrived."""
    data = {"mode": "one", "batch": "", "label": label, "hint": hint, "base": "", "paste": True}
    result = mounted("dropzone")(
        key=key, data=data, on_uploaded_change=ignore, on_picture_change=ignore
    )
    sent = result.picture
    return str(sent["image"]) if sent else None
