"""The library as points in two dimensions; hovering shows the photo, a lasso selects."""

from __future__ import annotations

from framekeep.app.components import ignore, mounted
from framekeep.types import LibraryMap


def scatter(points: LibraryMap, *, key: str) -> tuple[str, ...] | None:
    """Show the map; gives the ids inside a lasso when one has been drawn."""
    result = mounted("scatter")(
        key=key,
        data={
            "ids": list(points.media_ids),
            "xy": [[round(float(x), 4), round(float(y), 4)] for x, y in points.xy],
            "label": f"Map of {len(points.media_ids)} photos: those that look alike lie together. "
            "Arrow keys move, Enter chooses, dragging draws a lasso.",
            "base": "",
        },
        on_lasso_change=ignore,
    )
    sent = result.lasso
    return None if not sent else tuple(str(media_id) for media_id in sent["ids"])
