"""A film that plays from a moment, with a line of its shots and of where a query matches."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from framekeep.app.components import keeping, mounted, sent
from framekeep.app.components.gallery import object_item
from framekeep.object_types import Segment
from framekeep.types import Hit


@dataclass(frozen=True, slots=True)
class PlayerEvent:
    """What the user wants: `what` is go, close, annotate or like, of the medium `media_id`."""

    what: str
    media_id: str


def player(
    film: Hit,
    name: str,
    *,
    key: str,
    moment: Hit | None,
    scored: Sequence[Hit],
    matches: Collection[str],
    around: tuple[str | None, str | None],
    place: str,
    objects: Sequence[Segment] = (),
    chosen: str | None = None,
    colours: Mapping[str, str] | None = None,
) -> PlayerEvent | None:
    """Show a film at a moment, or (None) from its beginning.

    `scored` are the moments that a search has scored, by time, and `matches` the ids of those that
    stand out. `around` are the ids of the results before and after; the outlines of `objects` lie
    over the moment's picture.
    """
    video = film.media.video
    mounted("player", "outlines", "player_line")(
        key=key,
        data={
            "id": moment.media_id if moment else film.media_id,
            "film": film.media_id,
            "moment": moment.media_id if moment else None,
            "at": (moment.time_s if moment else None) or 0.0,
            "name": name,
            "path": str(film.path),
            "previous": around[0],
            "next": around[1],
            "place": place,
            "size": list(film.media.size_wh),
            "duration": video.duration_s if video else 0.0,
            "format": film.media.format,
            "scored": [
                [hit.media_id, hit.time_s, round(hit.score or 0.0, 4), hit.media_id in matches]
                for hit in scored
            ],
            "objects": [object_item(segment, colours or {}) for segment in objects],
            "chosen": chosen,
            "base": "",
        },
        **keeping(key, "close", "annotate", "like", "go"),
    )
    for what in ("close", "annotate", "like", "go"):
        if found := sent(key, what):
            return PlayerEvent(what, str(found["id"]))
    return None
