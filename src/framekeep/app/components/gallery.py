"""Photos and objects in rows: look, move, select, open, act on one, judge many."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from framekeep.app.components import ignore, keeping, mounted, sent
from framekeep.object_types import Segment
from framekeep.types import Hit

# A page of results has at least so many: those that come on scrolling change nothing.
FIRST = 10
ROWS_PX = {"small": 112, "medium": 184, "large": 300}
CLASS_KEYS = 9
EDITS = ("accept", "reject", "reopen", "class", "undo")


@dataclass(frozen=True, slots=True)
class GalleryEvent:
    """What the user did: `what` is select, open, more, or the name of an action on `ids`."""

    what: str
    ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GalleryEdit:
    """A quick edit by keyboard: accept, reject, reopen, undo, or class, with a label's name.

    Several may be waiting; `number` grows from one to the next.
    """

    number: int
    what: str
    ids: tuple[str, ...]
    value: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A heading before the item at an index."""

    at: int
    title: str


@dataclass(frozen=True, slots=True)
class ObjectView:
    """How objects are shown: close up or in their photos, and the classes with their colours.

    With `review`, judging one moves on to the next. `handled` is the number of the last quick
    edit that has been made; `undo` is True where there is something to take back.
    """

    near: bool = False
    review: bool = False
    colours: Mapping[str, str] | None = None
    handled: int = 0
    undo: bool = False


def hit_id(hit: Hit) -> str:
    """What stands for a hit in a gallery: the id of its object (32 digits), else its medium's."""
    return hit.segment.segment_id if hit.segment else hit.media_id


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
    have: int | None = None,
    moments: Mapping[str, int] | None = None,
    selected: Sequence[str] = (),
    mark: int = 0,
    focus: tuple[str, int] | None = None,
    sections: Sequence[Section] = (),
    names: dict[str, str] | None = None,
    escape: bool = False,
    pictures: bool = False,
    objects: ObjectView | None = None,
    on_edits: Callable[[], None] = ignore,
) -> GalleryEvent | None:
    """Show photos; gives what the user did in this run. See `sent_selection` for the selection,
    `sent_edits` for quick edits.

    `moments` are the numbers of further moments of a film behind a hit that stands for it, `have`
    the number of hits with those. `mark` changes when `selected` is to replace what the browser
    has selected. `focus` is an id to move to and a number that changes with each such wish. With
    `pictures`, one that is dropped or pasted is searched with: the event "picture" has its id.
    """
    view = objects or ObjectView()
    colours = view.colours or {}
    mounted("gallery", "outlines", "tiles")(
        key=key,
        data={
            "rev": rev,
            "items": [_item(hit, names or {}, colours, moments or {}) for hit in hits],
            "have": len(hits) if have is None else have,
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
            "near": view.near,
            "review": view.review,
            "classes": list(colours)[:CLASS_KEYS],
            "handled": view.handled,
            "undo": view.undo,
            "base": "",
        },
        on_selection_change=ignore,
        on_edits_change=on_edits,
        **keeping(key, "open", "more", "act"),
    )
    return _event(key, rev)


def _item(
    hit: Hit, names: dict[str, str], colours: Mapping[str, str], moments: Mapping[str, int]
) -> dict[str, Any]:
    width, height = hit.media.size_wh
    path = str(hit.path)
    segment = hit.segment
    return {
        "id": hit_id(hit),
        "media": hit.media_id,
        "name": names.get(path, hit.path.name),
        "path": path,
        "w": width,
        "h": height,
        "score": None if hit.score is None else round(hit.score, 4),
        "tags": list(segment.tags if segment else hit.tags),
        "copies": len(hit.other_paths) + 1 if hit.other_paths and not segment else 0,
        "object": object_item(segment, colours) if segment else None,
        "film": _film_item(hit, moments.get(hit_id(hit), 0)) if hit.media.video else None,
    }


def _film_item(hit: Hit, more: int) -> dict[str, Any]:
    """A film or a moment in one, where `at` is its time in seconds; `more` are further ones."""
    video = hit.media.video
    return {
        "id": hit.film_id or hit.media_id,
        "at": hit.time_s,
        "length": video.duration_s if video else 0.0,
        "more": more,
    }


def object_item(segment: Segment, colours: Mapping[str, str]) -> dict[str, Any]:
    """An object as the scripts draw it; a draft is a model's that nobody has found right."""
    return {
        "id": segment.segment_id,
        "version": segment.version,
        "box": [round(edge, 1) for edge in segment.bbox_xyxy],
        "label": segment.label or "",
        "source": segment.label_source or "",
        "state": segment.state,
        "draft": segment.mask_source == "model" and segment.state != "accepted",
        "rough": is_rough(segment),
        "colour": colours.get(segment.label or "", ""),
    }


def is_rough(segment: Segment) -> bool:
    """Whether a mask is the starter's: a draft of the main object, not a careful outline."""
    return segment.mask_source == "model" and segment.segmenter_id.startswith("starter")


def sent_selection(component_state: Any, rev: str, mark: int) -> tuple[str, ...] | None:
    """What the browser says is selected; None where it says so of an older view."""
    told = component_state.get("selection") if component_state else None
    if not told or told.get("rev") != rev or told.get("mark") != mark:
        return None
    return tuple(str(hit) for hit in told.get("ids", ()))


def sent_edits(component_state: Any, handled: int) -> list[GalleryEdit]:
    """The quick edits that have come since the one numbered `handled`, in order.

    They are kept as state, not as triggers: of several triggers during one run only the last
    would arrive.
    """
    told = component_state.get("edits") if component_state else None
    edits = [
        GalleryEdit(
            int(edit["number"]), edit["what"], tuple(map(str, edit["ids"])), str(edit["value"])
        )
        for edit in told or ()
        if edit.get("what") in EDITS
    ]
    return sorted((e for e in edits if e.number > handled), key=lambda edit: edit.number)


def _event(key: str, rev: str) -> GalleryEvent | None:
    for what in ("open", "more", "act"):
        found = sent(key, what)
        # What was meant of a photo is meant of it, also where others are shown by now.
        if found and (what != "more" or found.get("rev") == rev):
            ids = found.get("ids") or ([found["id"]] if found.get("id") else [])
            name = str(found.get("what", what))
            return GalleryEvent(name, tuple(str(hit) for hit in ids))
    return None
