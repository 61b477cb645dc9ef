"""How moments in films are told: their time, and several of one film together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from framekeep.film_types import clock
from framekeep.types import Hit


def place_of(hit: Hit) -> str:
    """Where in a film a hit lies, with a blank in front; nothing for a photo or a whole film."""
    return "" if hit.time_s is None else f" {clock(hit.time_s)}"


def moment_json(hit: Hit) -> dict[str, Any]:
    """What is told of a film or of a moment in one, beside what photos have."""
    video = hit.media.video
    if video is None:
        return {}
    facts = {
        "kind": hit.media.kind,
        "duration_s": video.duration_s,
        "fps": video.fps,
        "codec": video.codec,
        "has_audio": video.has_audio,
    }
    if hit.shot_s is None:
        return facts
    return {**facts, "film_id": hit.film_id, "time_s": hit.time_s, "shot_s": list(hit.shot_s)}


def by_film(hits: Sequence[Hit]) -> list[tuple[Hit, list[Hit]]]:
    """The best hit of each film, in the order of hits, with its further moments; photos alone."""
    groups: dict[object, tuple[Hit, list[Hit]]] = {}
    for number, hit in enumerate(hits):
        key = hit.film_id if hit.film_id is not None else number
        if key in groups:
            groups[key][1].append(hit)
        else:
            groups[key] = (hit, [])
    return list(groups.values())
