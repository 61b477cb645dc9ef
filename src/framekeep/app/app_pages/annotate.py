"""Annotate: draw, correct and label the objects of one photo."""

from __future__ import annotations

from framekeep.app.views.annotate import page

page()
