"""One photo, large, with its neighbours."""

from __future__ import annotations

from dataclasses import dataclass

from framekeep.app.components import ignore, mounted


@dataclass(frozen=True, slots=True)
class ViewerEvent:
    """Go to another photo, or (without an id) leave."""

    go: str | None


def viewer(
    media_id: str,
    name: str,
    path: str,
    *,
    key: str,
    around: tuple[str | None, str | None],
    place: str,
) -> ViewerEvent | None:
    """Show a photo; `around` are the ids before and after it, `place` says where it stands."""
    result = mounted("viewer")(
        key=key,
        data={
            "id": media_id,
            "name": name,
            "path": path,
            "previous": around[0],
            "next": around[1],
            "place": place,
            "base": "",
        },
        on_go_change=ignore,
        on_close_change=ignore,
    )
    if result.go:
        return ViewerEvent(str(result.go["id"]))
    return ViewerEvent(None) if result.close else None
