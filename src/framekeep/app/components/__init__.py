"""Our own components: each a Python function with its script and styles beside it."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from functools import cache, partial
from importlib import resources
from typing import Any

import streamlit as st

LATE_S = 10.0
"""What the browser sent so long ago is no longer what the user wants, but for `LASTING`."""

LASTING = ("uploaded",)
"""However late it comes: what has been uploaded is to be added."""

_EVENTS = "component_events"
_TURNS = "component_turns"


@cache
def mounted(
    name: str, *before: str, html: str = '<div class="fk-root"></div>'
) -> Callable[..., Any]:
    """Register the component in `name`.js and `name`.css, once; call it with key, data, callbacks.

    `before` are scripts that its own uses: they stand before it.
    """
    folder = resources.files(__name__)
    scripts = [(folder / f"{part}.js").read_text("utf-8") for part in ("base", *before, name)]
    registered: Callable[..., Any] = st.components.v2.component(
        f"framekeep_{name}",
        html=html,
        css=(folder / f"{name}.css").read_text("utf-8"),
        js="\n".join(scripts),
    )

    def show(*, key: str, data: Mapping[str, Any], **callbacks: Callable[[], None]) -> Any:
        return registered(key=key, data={**data, "turn": _turn(key, data)}, **callbacks)

    return show


def _turn(key: str, data: Mapping[str, Any]) -> int:
    """A number that grows where what a component shows has changed since it was last shown.

    An open page outlives its session: the clock makes the numbers of the next one greater.
    """
    turns: dict[str, tuple[int, str]] = st.session_state.setdefault(_TURNS, {})
    shown = hashlib.sha256(json.dumps(data).encode()).hexdigest()
    if turns.get(key, (0, ""))[1] != shown:
        last = max((turn for turn, _ in turns.values()), default=0)
        turns[key] = (max(last + 1, int(1000 * time.time())), shown)
    return turns[key][0]


def ignore() -> None:
    """A change that the script itself reads from the component's result."""


def keeping(key: str, *names: str) -> dict[str, Callable[[], None]]:
    """Callbacks that keep what a component sends under these names until `sent` takes it.

    A run of the page that is broken off by the next loses its triggers; callbacks come before that.
    """
    return {f"on_{name}_change": partial(_keep, key, name) for name in names}


def _keep(key: str, name: str) -> None:
    # Where the page has been left meanwhile, Streamlit knows the key no more.
    value = (st.session_state.get(key) or {}).get(name)
    if value:
        st.session_state.setdefault(_EVENTS, {})[key, name] = (time.monotonic(), value)


def sent(key: str, name: str) -> Any:
    """What the component with this key has sent under a name, once; None where nothing has come.

    What was sent before it, by whichever component, is forgotten, but for `LASTING`.
    """
    events: dict[tuple[str, str], tuple[float, Any]] = st.session_state.get(_EVENTS, {})
    at, value = events.pop((key, name), (0.0, None))
    if value is None or (name not in LASTING and time.monotonic() - at >= LATE_S):
        return None
    for other, (before, _) in list(events.items()):
        if before <= at and other[1] not in LASTING:
            del events[other]
    return value
