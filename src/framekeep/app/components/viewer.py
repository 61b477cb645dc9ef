"""One photo, large, with its neighbours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from framekeep.app.components import keeping, mounted, sent
from framekeep.app.components.gallery import object_item
from framekeep.object_types import Segment


@dataclass(frozen=True, slots=True)
class ViewerEvent:
    """Go to another photo, or (without an id) leave; with `annotate`, draw on this one."""

    go: str | None
    annotate: bool = False


def viewer(
    media_id: str,
    name: str,
    path: str,
    *,
    key: str,
    around: tuple[str | None, str | None],
    place: str,
    size_wh: tuple[int, int],
    objects: Sequence[Segment] = (),
    chosen: str | None = None,
    colours: Mapping[str, str] | None = None,
) -> ViewerEvent | None:
    """Show a photo; `around` are the ids before and after it, `place` says where it stands.

    The outlines of `objects` lie over it; the one with the id `chosen` stands out.
    """
    mounted("viewer", "outlines")(
        key=key,
        data={
            "id": media_id,
            "name": name,
            "path": path,
            "previous": around[0],
            "next": around[1],
            "place": place,
            "size": list(size_wh),
            "objects": [object_item(segment, colours or {}) for segment in objects],
            "chosen": chosen,
            "base": "",
        },
        **keeping(key, "annotate", "go", "close"),
    )
    if sent(key, "annotate"):
        return ViewerEvent(None, annotate=True)
    if found := sent(key, "go"):
        return ViewerEvent(str(found["id"]))
    return ViewerEvent(None) if sent(key, "close") else None
