"""The objects page."""

from __future__ import annotations

from framekeep.app.views.objects import page

page()
