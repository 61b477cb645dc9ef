"""Dialogs: tags for one photo or many, and the name of a search to keep."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from framekeep.app.query import SearchState
from framekeep.app.state import context
from framekeep.app.views.common import counted, plain, told, wish_focus


@st.dialog("Tags", icon=":material/sell:")
def tag_dialog(ids: Sequence[str]) -> None:
    """Add and remove tags of these photos."""
    library = context().library
    hits = library.hits(list(ids))
    st.write(counted(len(hits), "photo"))
    present = sorted({tag for hit in hits for tag in hit.tags})
    add = st.multiselect(
        "Add tags",
        list(library.tags()),
        accept_new_options=True,
        placeholder="Choose tags or type new ones",
        key="tag_add",
    )
    remove = st.multiselect("Remove tags", present, key="tag_remove") if present else []
    if st.button("Save", type="primary", key="tag_save", disabled=not (add or remove)):
        with told():
            changed = library.tag(list(ids), add, remove)
            st.session_state["said"] = f"{counted(changed, 'photo')} tagged."
            if ids:
                wish_focus(ids[0])
            st.rerun()


@st.dialog("Keep this search", icon=":material/bookmark:")
def save_dialog(state: SearchState) -> None:
    """Name a search to come back to."""
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
