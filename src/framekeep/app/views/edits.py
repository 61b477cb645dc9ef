"""Edits of many photos and objects at once: label, accept, reject, tag; each can be taken back."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from framekeep.app.components.gallery import sent_edits
from framekeep.app.state import context
from framekeep.app.views.common import counted, plain, told, wish_focus
from framekeep.app.views.dialogs import OPEN, split_tags
from framekeep.errors import FramekeepError

UNDOABLE = "undoable"
FAILED = "edit_failed"
KNOWN_CLASSES = 40
KNOWN_TAGS = 24
OBJECT_ID_LENGTH = 32


def author() -> str | None:
    """Who edits: the account that is signed in, or None for the user of this machine."""
    if context().parts.users is None:
        return None
    return str(st.user.get("email") or "") or None


def objects_among(ids: Sequence[str]) -> list[str]:
    """Those ids that stand for objects, not for photos."""
    return [some for some in ids if len(some) == OBJECT_ID_LENGTH]


def what_they_are(ids: Sequence[str]) -> str:
    """A number of photos and objects in words."""
    objects = len(objects_among(ids))
    photos = len(ids) - objects
    if objects and photos:
        return f"{counted(photos, 'photo')} and {counted(objects, 'object')}"
    return counted(objects, "object") if objects else counted(photos, "photo")


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


def edit(what: str, ids: Sequence[str], value: str = "") -> None:
    """Accept, reject or reopen objects, or give photos and objects a label ("class").

    What was done can be taken back. Raises FramekeepError.
    """
    library = context().library
    objects = objects_among(ids)
    if what == "class":
        library.label(list(ids), value or None, author=author())
    elif not objects:
        return
    elif what == "accept":
        library.accept(objects, author=author())
    elif what == "reject":
        library.reject(objects, author=author())
    else:
        library.reopen(objects, author=author())
    note_change()


def note_change() -> None:
    """Offer to take back what was done last."""
    newest = context().library.changes(1)
    st.session_state[UNDOABLE] = newest[0] if newest else None


def handle_quick_edits(key: str) -> None:
    """Make the edits that a gallery has sent since the last run; called before the page runs."""
    try:
        for quick in sent_edits(st.session_state.get(key), handled(key)):
            st.session_state[f"{key}_handled"] = quick.number
            if quick.what == "undo":
                undo()
            else:
                edit(quick.what, quick.ids, quick.value)
            if len(quick.ids) > 1:
                let_go(key)
    except FramekeepError as exc:
        st.session_state[FAILED] = str(exc)


def handled(key: str) -> int:
    """The number of a gallery's last quick edit that has been made."""
    return int(st.session_state.get(f"{key}_handled", 0))


def let_go(key: str) -> None:
    """Have a gallery select nothing."""
    st.session_state[f"{key}_mark"] = int(st.session_state.get(f"{key}_mark", 0)) + 1


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
            st.rerun()


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
            st.rerun()


def undo() -> None:
    """Take back what was done last from here, unless something else was done since."""
    wanted = st.session_state.pop(UNDOABLE, None)
    if wanted is None:
        return
    library = context().library
    newest = library.changes(1)
    if not newest or newest[0].change_id != wanted.change_id:
        st.session_state["said"] = "Something else was edited since: nothing was taken back."
        return
    undone = library.undo()
    if undone:
        st.session_state["said"] = f"Taken back: {undone.what}."


def undo_bar() -> None:
    """Say what was edited last, with a way back, at the lower edge of the page."""
    failed = st.session_state.pop(FAILED, None)
    if failed:
        st.toast(plain(failed), icon=":material/error:")
    change = st.session_state.get(UNDOABLE)
    if change is None:
        return
    with st.container(key="undo", horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(plain(change.what), width="content")
        if st.button("Undo", icon=":material/undo:", key="undo_go", help="Ctrl + Z"):
            with told():
                undo()
                st.rerun()
        if st.button(
            "", icon=":material/close:", key="undo_hide", type="tertiary", help="Hide this"
        ):
            st.session_state.pop(UNDOABLE)
            st.rerun()
