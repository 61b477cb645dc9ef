"""Photos in rows: look, move, select, open, act on one."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from framekeep.app.components import ignore, mounted
from framekeep.types import Hit

# A page of results has at least so many: those that come on scrolling change nothing.
FIRST = 10
ROWS_PX = {"small": 112, "medium": 184, "large": 300}


@dataclass(frozen=True, slots=True)
class GalleryEvent:
    """What the user did: `what` is select, open, more, or the name of an action on `ids`."""

    what: str
    ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """A heading before the item at an index."""

    at: int
    title: str


def revision(ids: Sequence[str], salt: str = "") -> str:
    """Changes when a gallery begins to show something else, not when more is added below."""
    head = ",".join(ids[:FIRST])
    return hashlib.sha256(f"{salt}|{head}".encode()).hexdigest()[:12]


def gallery(
    hits: Sequence[Hit],
    *,
    key: str,
    rev: str,
    label: str,
    size: str = "medium",
    more: bool = False,
    selected: Sequence[str] = (),
    mark: int = 0,
    focus: tuple[str, int] | None = None,
    sections: Sequence[Section] = (),
    names: dict[str, str] | None = None,
    escape: bool = False,
    pictures: bool = False,
) -> GalleryEvent | None:
    """Show photos; gives what the user did in this run. See `sent_selection` for the selection.

    `mark` changes when `selected` is to replace what the browser has selected. `focus` is an id
    to move to and a number that changes with each such wish. With `pictures`, one that is dropped
    or pasted is searched with: the event "picture" has its id.
    """
    result = mounted("gallery")(
        key=key,
        data={
            "rev": rev,
            "items": [_item(hit, names or {}) for hit in hits],
            "row": ROWS_PX[size],
            "more": more,
            "selected": list(selected),
            "mark": mark,
            "focus": focus[0] if focus else None,
            "focusMark": focus[1] if focus else None,
            "sections": [{"at": section.at, "title": section.title} for section in sections],
            "label": label,
            "escape": escape,
            "pictures": pictures,
            "base": "",
        },
        on_selection_change=ignore,
        on_open_change=ignore,
        on_more_change=ignore,
        on_act_change=ignore,
    )
    return _event(result, rev)


def _item(hit: Hit, names: dict[str, str]) -> dict[str, Any]:
    width, height = hit.media.size_wh
    path = str(hit.path)
    return {
        "id": hit.media_id,
        "name": names.get(path, hit.path.name),
        "path": path,
        "w": width,
        "h": height,
        "score": None if hit.score is None else round(hit.score, 4),
        "tags": list(hit.tags),
        "copies": len(hit.other_paths) + 1 if hit.other_paths else 0,
    }


def sent_selection(component_state: Any, rev: str, mark: int) -> tuple[str, ...] | None:
    """What the browser says is selected; None where it says so of an older view."""
    sent = component_state.get("selection") if component_state else None
    if not sent or sent.get("rev") != rev or sent.get("mark") != mark:
        return None
    return tuple(str(media_id) for media_id in sent.get("ids", ()))


def _event(result: Any, rev: str) -> GalleryEvent | None:
    for what in ("open", "more", "act"):
        sent = getattr(result, what, None)
        if sent and sent.get("rev") == rev:
            ids = sent.get("ids") or ([sent["id"]] if sent.get("id") else [])
            name = str(sent.get("what", what))
            return GalleryEvent(name, tuple(str(media_id) for media_id in ids))
    return None
