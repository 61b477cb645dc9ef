"""The datasets page."""

from __future__ import annotations

from framekeep.app.views.datasets import page

page()
