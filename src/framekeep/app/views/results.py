"""A gallery with its bar: count and size, or what to do with what is selected."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import streamlit as st

from framekeep.app.components.gallery import (
    GalleryEvent,
    Section,
    gallery,
    revision,
    sent_selection,
)
from framekeep.app.query import SIZES, ImageTerm, SearchState
from framekeep.app.state import context
from framekeep.app.views.common import (
    SEARCH_PAGE,
    counted,
    focus_wish,
    go,
    open_photo,
    plain,
    search_for,
)
from framekeep.app.views.dialogs import tag_dialog
from framekeep.types import Hit

MOST_LIKE = 8


def results(
    hits: Sequence[Hit],
    *,
    key: str,
    about: str,
    salt: str,
    label: str,
    size: str = "medium",
    more: int | None = None,
    sections: Sequence[Section] = (),
    escape: bool = False,
    resize: Callable[[], None] | None = None,
) -> None:
    """Show photos with their bar, in which `resize` shows the choice of sizes.

    `more` is the number to show when the end is reached; `salt` tells views apart whose first
    photos are the same.
    """
    hits, rev = _held(hits, key, salt)
    selected, mark = _selection(key, rev)
    _bar(hits, selected, key, about, resize)
    names = context().library.shown_names([str(hit.path) for hit in hits])
    event = gallery(
        hits,
        key=key,
        rev=rev,
        label=label,
        size=size,
        more=more is not None,
        selected=selected,
        mark=mark,
        focus=focus_wish(),
        sections=sections,
        names=names,
        escape=escape,
        pictures=key == "found",
    )
    if event:
        _act(event, more, salt)


def shown(salt: str, at_first: int, most: int) -> int:
    """How many photos this view shows by now."""
    return min(most, int(st.session_state.get(f"shown:{salt}", at_first)))


def _held(hits: Sequence[Hit], key: str, salt: str) -> tuple[Sequence[Hit], str]:
    """The photos to show: the former ones as long as some of them are selected.

    Otherwise photos that arrive meanwhile would take the selection away.
    """
    rev = revision([hit.media_id for hit in hits], salt)
    held = st.session_state.get(f"{key}_held")
    if held and held[0] == salt and held[1] != rev and _selection(key, held[1])[0]:
        fresh = {hit.media_id: hit for hit in context().library.hits([h.media_id for h in held[2]])}
        kept = [replace(fresh[h.media_id], score=h.score) for h in held[2] if h.media_id in fresh]
        return kept, held[1]
    st.session_state[f"{key}_held"] = (salt, rev, list(hits))
    return hits, rev


def _selection(key: str, rev: str) -> tuple[tuple[str, ...], int]:
    """What is selected in this view, and the number of the last change made from here."""
    mark = int(st.session_state.get(f"{key}_mark", 0))
    sent = sent_selection(st.session_state.get(key), rev, mark)
    return sent or (), mark


def _let_go(key: str) -> None:
    st.session_state[f"{key}_mark"] = int(st.session_state.get(f"{key}_mark", 0)) + 1


def size_choice(state: SearchState) -> None:
    """How large the photos are shown."""
    chosen = st.segmented_control(
        "Size of the photos",
        SIZES,
        default=state.size,
        format_func=lambda size: {"small": "S", "medium": "M", "large": "L"}[size],
        key=f"size_{state.size}",
        label_visibility="collapsed",
    )
    if chosen and chosen != state.size:
        extra = {name: st.query_params.get(name, "") for name in ("at", "view", "copies")}
        go(replace(state, size=chosen), **extra)
        st.rerun()


def _bar(
    hits: Sequence[Hit],
    selected: Sequence[str],
    key: str,
    about: str,
    resize: Callable[[], None] | None,
) -> None:
    if not (about or selected):
        return
    with st.container(horizontal=True, vertical_alignment="center", key=f"{key}_bar"):
        if not selected:
            st.markdown(about, width="stretch")
            if resize:
                resize()
            return
        st.markdown(f"**{counted(len(selected), 'photo')} selected**", width="stretch")
        if st.button("Tag", icon=":material/sell:", key=f"{key}_tag"):
            tag_dialog(selected)
        if st.button("More like these", icon=":material/image_search:", key=f"{key}_like"):
            _search_like([ImageTerm("media", media_id) for media_id in selected])
        paths = "\n".join(str(hit.path) for hit in hits if hit.media_id in set(selected)) + "\n"
        st.download_button(
            "List of paths",
            paths,
            "framekeep-selection.txt",
            icon=":material/list:",
            key=f"{key}_paths",
            on_click="ignore",
        )
        if st.button("Let go", icon=":material/close:", key=f"{key}_none", help="Escape"):
            _let_go(key)
            st.rerun()


def _act(event: GalleryEvent, more: int | None, salt: str) -> None:
    if event.what == "open" and event.ids:
        open_photo(event.ids[0])
        st.rerun()
    elif event.what == "more" and more is not None:
        st.session_state[f"shown:{salt}"] = more
        st.rerun()
    elif event.what == "tag" and event.ids:
        tag_dialog(event.ids)
    elif event.what == "like":
        _search_like([ImageTerm("media", media_id) for media_id in event.ids])
    elif event.what == "duplicates" and event.ids:
        st.switch_page(SEARCH_PAGE, query_params={"copies": event.ids[0]})
    elif event.what == "picture" and event.ids:
        _search_like([ImageTerm("image", event.ids[0])])
    elif event.what == "leave":
        open_photo(None)
        st.rerun()


def _search_like(images: Sequence[ImageTerm]) -> None:
    """Search with these pictures, on the search page."""
    state = SearchState(images=tuple(images)[:MOST_LIKE])
    if st.session_state.get("page") == "search":
        search_for(state)
        st.rerun()
    st.switch_page(SEARCH_PAGE, query_params=state.to_params())


def chip(label: str, key: str, help_text: str) -> bool:
    """A part of the query that can be taken away."""
    return st.button(
        plain(label), icon=":material/close:", key=key, help=help_text, type="secondary"
    )
