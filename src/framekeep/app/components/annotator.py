"""One photo with its objects, to be corrected, drawn and labelled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from framekeep.app.components import keeping, mounted, sent

SCRIPTS = (
    "masks",
    "annotator_stage",
    "annotator_saving",
    "annotator_pointer",
    "annotator_drawing",
    "annotator_corners",
    "annotator_panel",
)


@dataclass(frozen=True, slots=True)
class AnnotatorEvent:
    """Where the user wants to go: to the photo `media_id`, to the next unlabelled one, or back."""

    what: Literal["go", "unlabelled", "close"]
    media_id: str


def annotator(
    media_id: str,
    name: str,
    size_wh: tuple[int, int],
    *,
    key: str,
    around: tuple[str | None, str | None],
    place: str,
    generation: int,
    segmenter: tuple[str, bool],
    object_id: str | None = None,
    film: bool = False,
) -> AnnotatorEvent | None:
    """Show a photo to annotate; edits go to our own routes, without the page running anew.

    `around` are the ids before and after it, `place` says where it stands. `segmenter` is the name
    of what answers prompts, and whether its masks are drafts. A new `generation` has the objects
    looked up again. `object_id` is selected at first. With `film`, the picture is a moment's, whose
    original is a film.
    """
    mounted("annotator", *SCRIPTS)(
        key=key,
        data={
            "media": media_id,
            "name": name,
            "size": list(size_wh),
            "film": film,
            "previous": around[0],
            "next": around[1],
            "place": place,
            "generation": generation,
            "segmenter": {"name": segmenter[0], "draft": segmenter[1]},
            "object": object_id,
            "base": "",
        },
        **keeping(key, "go", "unlabelled", "close"),
    )
    whats: tuple[Literal["go", "unlabelled", "close"], ...] = ("go", "unlabelled", "close")
    for what in whats:
        if found := sent(key, what):
            return AnnotatorEvent(what, str(found["id"]))
    return None
