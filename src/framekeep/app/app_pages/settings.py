"""Settings: encoder, library, about."""

from __future__ import annotations

from framekeep.app.views.settings import page

page()
