"""Our own components: each a Python function with its script and styles beside it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import resources
from typing import Any


@cache
def mounted(
    name: str, *before: str, html: str = '<div class="fk-root"></div>'
) -> Callable[..., Any]:
    """Register the component in `name`.js and `name`.css, once.

    `before` are scripts that its own uses: they stand before it.
    """
    import streamlit as st

    folder = resources.files(__name__)
    return st.components.v2.component(
        f"framekeep_{name}",
        html=html,
        css=(folder / f"{name}.css").read_text("utf-8"),
        js="\n".join((folder / f"{part}.js").read_text("utf-8") for part in (*before, name)),
    )


def ignore() -> None:
    """A change that the script itself reads from the component's result."""
