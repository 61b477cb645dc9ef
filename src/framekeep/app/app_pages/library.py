"""Library: everything by date, duplicates, problems."""

from __future__ import annotations

from framekeep.app.views.library import page

page()
