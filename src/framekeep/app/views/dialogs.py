"""Dialogs: tags for one photo or many, and the name of a search to keep."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from framekeep.app.query import SearchState
from framekeep.app.state import context
from framekeep.app.views.common import counted, plain, told, wish_focus

KNOWN_TAGS = 24
OPEN = "dialog_open"
"""The session's mark while a dialog is open: what runs the page anew would close it."""


@st.dialog("Tags", icon=":material/sell:", on_dismiss="rerun")
def tag_dialog(ids: Sequence[str]) -> None:
    """Add and remove tags of these photos."""
    st.session_state[OPEN] = True
    library = context().library
    hits = library.hits(list(ids))
    present = sorted({tag for hit in hits for tag in hit.tags})
    frequent = sorted(library.tags().items(), key=lambda pair: (-pair[1], pair[0]))
    st.write(counted(len(hits), "photo"))
    with st.form("tag_form", border=False):
        typed = st.text_input("Add tags", placeholder="trip, family", key="tag_add")
        known = [tag for tag, _ in frequent[:KNOWN_TAGS]]
        chosen = st.pills("Known tags", known, selection_mode="multi") if known else []
        remove = st.pills("Remove tags", present, selection_mode="multi") if present else []
        sent = st.form_submit_button("Save", type="primary", key="tag_save")
    add = [*split_tags(typed), *(chosen or [])]
    if sent and (add or remove):
        with told():
            changed = library.tag(list(ids), add, list(remove or []))
            st.session_state["said"] = f"{counted(changed, 'photo')} tagged."
            wish_focus(ids[0])
            st.rerun()


def split_tags(text: str) -> list[str]:
    """Tags written with commas between them."""
    return [tag.strip() for tag in text.split(",") if tag.strip()]


@st.dialog("Keep this search", icon=":material/bookmark:", on_dismiss="rerun")
def save_dialog(state: SearchState) -> None:
    """Name a search to come back to."""
    st.session_state[OPEN] = True
    st.write(plain(state.described()))
    name = st.text_input("Name", value=state.text, max_chars=80, key="save_name")
    if st.button("Save", type="primary", key="save_go"):
        with told():
            context().library.save_search(name, state.to_address())
            st.session_state["said"] = "The search is kept."
            st.rerun()


def say_what_was_done() -> None:
    """Tell, once, what a dialog has done."""
    said = st.session_state.pop("said", None)
    if said:
        st.toast(plain(said), icon=":material/check:")
