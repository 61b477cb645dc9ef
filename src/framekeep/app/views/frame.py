"""The frame's looks: what the theme's settings cannot say."""

from __future__ import annotations

import streamlit as st

CSS = """
<style>
[data-testid="stHeader"] { background: transparent; height: 2.75rem; min-height: 2.75rem; }
[data-testid="stMainBlockContainer"] { padding: 2.6rem 2rem 3rem; max-width: none; }
[data-testid="stAppDeployButton"], [data-testid="stStatusWidget"] svg { display: none; }
[data-testid="stSidebarUserContent"] { padding-bottom: 2rem; }
[data-testid="stMain"] h1 { padding-top: 0; }
@media (max-width: 640px) {
  [data-testid="stMainBlockContainer"] { padding: 2.6rem 0.8rem 2rem; }
}
</style>
"""


def style() -> None:
    """Put the frame's styles into the page."""
    st.html(CSS)
