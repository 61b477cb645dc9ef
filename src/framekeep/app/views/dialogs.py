"""What dialogs share, the name of a search to keep, and telling what was done."""

from __future__ import annotations

import streamlit as st

from framekeep.app.query import SearchState
from framekeep.app.state import context
from framekeep.app.views.common import plain, run_anew, told

OPEN = "dialog_open"
"""The session's mark while a dialog is open: what runs the page anew would close it."""


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
            run_anew()


def say_what_was_done() -> None:
    """Tell, once, what a dialog has done."""
    said = st.session_state.pop("said", None)
    if said:
        st.toast(plain(said), icon=":material/check:")
