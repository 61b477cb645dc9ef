"""Search: by words, by pictures, by both, narrowed by filters."""

from __future__ import annotations

from framekeep.app.views.search import page

page()
