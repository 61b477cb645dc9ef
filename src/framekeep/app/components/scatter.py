"""The library as points in two dimensions; hovering shows the photo, a lasso selects."""

from __future__ import annotations

from framekeep.app.components import keeping, mounted, sent
from framekeep.types import LibraryMap


def scatter(points: LibraryMap, *, key: str) -> tuple[str, ...] | None:
    """Show the map; gives the ids inside a lasso when one has been drawn."""
    mounted("scatter")(
        key=key,
        data={
            "ids": list(points.media_ids),
            "xy": [[round(float(x), 4), round(float(y), 4)] for x, y in points.xy],
            "label": f"Map of {len(points.media_ids)} photos: those that look alike lie together. "
            "Arrow keys move, Enter chooses, dragging draws a lasso.",
            "base": "",
        },
        **keeping(key, "lasso"),
    )
    lasso = sent(key, "lasso")
    return None if not lasso else tuple(str(media_id) for media_id in lasso["ids"])
