"""Add: drop files, or name a folder; watch the work."""

from __future__ import annotations

from framekeep.app.views.add import page

page()
