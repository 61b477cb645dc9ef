"""Statistics: the library in numbers and as a map."""

from __future__ import annotations

from framekeep.app.views.statistics import page

page()
