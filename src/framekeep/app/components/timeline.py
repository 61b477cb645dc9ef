"""The months of a library as bars; a click jumps there."""

from __future__ import annotations

import calendar
from collections.abc import Sequence

from framekeep.app.components import keeping, mounted, sent
from framekeep.types import Month


def timeline(months: Sequence[Month], *, key: str, at: str = "") -> str | None:
    """Show the months; gives the one to jump to ("2024-05", or "" for the newest)."""
    mounted("timeline")(
        key=key,
        data={
            "months": [
                {
                    "at": f"{month.year:04}-{month.month:02}",
                    "year": month.year,
                    "title": f"{calendar.month_name[month.month]} {month.year}",
                    "count": month.count,
                }
                for month in months
            ],
            "at": at,
        },
        **keeping(key, "jump"),
    )
    jump = sent(key, "jump")
    return str(jump["at"]) if jump else None
