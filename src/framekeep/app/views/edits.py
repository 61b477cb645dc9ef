"""Dialogs that label and tag many photos and objects at once, and the way to take that back."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from framekeep.app.state import context
from framekeep.app.views.common import counted, counted_hits, plain, run_anew, told, wish_focus
from framekeep.app.views.desk import (
    author,
    desk,
    edit,
    forget_change,
    let_go,
    note_change,
    objects_among,
    undo,
)
from framekeep.app.views.dialogs import OPEN, split_tags

KNOWN_CLASSES = 40
KNOWN_TAGS = 24


def what_they_are(ids: Sequence[str]) -> str:
    """A number of photos, films, moments and objects in words."""
    objects = objects_among(ids)
    media = context().library.hits([some for some in ids if some not in set(objects)])
    parts = [counted_hits(media)] if media or not objects else []
    return " and ".join([*parts, *([counted(len(objects), "object")] if objects else [])])


def label_names() -> list[str]:
    """The names to label with: the classes, then what segmenters have called things."""
    here = context()
    facets = here.kept(("facets", ""), lambda: here.library.facets(None))
    said = [value.label for value in facets.get("label", [])]
    return list(dict.fromkeys([*class_colours(), *said]))


def class_colours() -> dict[str, str]:
    """Every class with its colour ("#rrggbb"), the most used ones first.

    Within a session classes keep their places: the digit keys stand for the first ones.
    """
    here = context()
    known = here.kept(("classes",), here.library.classes)
    ranked = sorted(known, key=lambda each: (-each.segments - each.media, each.name))
    colours = {each.name: each.colour for each in ranked}
    places = dict.fromkeys([*st.session_state.get("class_order", ()), *colours])
    ordered = {name: colours[name] for name in places if name in colours}
    st.session_state["class_order"] = list(ordered)
    return ordered


@st.dialog("Label", icon=":material/label:", on_dismiss="rerun")
def label_dialog(ids: Sequence[str], key: str) -> None:
    """Give these photos and objects a class, or take it away; `key` is their gallery's."""
    st.session_state[OPEN] = True
    st.write(f"What {'does' if len(ids) == 1 else 'do'} {what_they_are(ids)} show?")
    with st.form("label_form", border=False):
        typed = st.text_input("Class", placeholder="dog", key="label_typed")
        known = label_names()[:KNOWN_CLASSES]
        chosen = st.pills("Known classes", known, key="label_known") if known else None
        with st.container(horizontal=True):
            sent = st.form_submit_button("Label", type="primary", key="label_save")
            removed = st.form_submit_button("Take the label away", key="label_remove")
    name = typed.strip() or str(chosen or "")
    if removed or (sent and name):
        with told():
            edit("class", ids, "" if removed else name)
            wish_focus(ids[0])
            let_go(key)
            run_anew()


@st.dialog("Tags", icon=":material/sell:", on_dismiss="rerun")
def tag_dialog(ids: Sequence[str]) -> None:
    """Add and remove tags of these photos and objects."""
    st.session_state[OPEN] = True
    library = context().library
    objects = objects_among(ids)
    photos = [some for some in ids if some not in set(objects)]
    present = {tag for hit in library.hits(photos) for tag in hit.tags} if photos else set()
    if objects:
        present |= {tag for s in library.segments_by_id(objects) for tag in s.tags}
    frequent = sorted(library.tags().items(), key=lambda pair: (-pair[1], pair[0]))
    st.write(what_they_are(ids))
    with st.form("tag_form", border=False):
        typed = st.text_input("Add tags", placeholder="trip, family", key="tag_add")
        known = [tag for tag, _ in frequent[:KNOWN_TAGS]]
        chosen = st.pills("Known tags", known, selection_mode="multi") if known else []
        away = st.pills("Remove tags", sorted(present), selection_mode="multi") if present else []
        sent = st.form_submit_button("Save", type="primary", key="tag_save")
    add, remove = [*split_tags(typed), *(chosen or [])], list(away or [])
    if sent and (add or remove):
        with told():
            if photos:
                library.tag(photos, add, remove)
            if objects:
                library.tag_segments(objects, add, remove, author=author())
                note_change()
            st.session_state["said"] = f"{what_they_are(ids)} tagged."
            wish_focus(ids[0])
            run_anew()


def undo_bar() -> None:
    """Say what was edited last, with a way back, at the lower edge of the page."""
    held = desk()
    if held.failed:
        st.toast(plain(held.failed), icon=":material/error:")
    if held.said:
        st.toast(plain(held.said), icon=":material/check:")
    held.failed = held.said = None
    if held.undoable is None:
        return
    with st.container(key="undo", horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(plain(held.undoable.what), width="content")
        if st.button("Undo", icon=":material/undo:", key="undo_go", help="Ctrl + Z"):
            with told():
                undo()
                run_anew()
        if st.button(
            "", icon=":material/close:", key="undo_hide", type="tertiary", help="Hide this"
        ):
            forget_change()
            run_anew()
