"""Notes and attributes of a photo, a film, a moment or an object, to be read and set."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from framekeep.app.state import context
from framekeep.app.views.common import plain, run_anew, told
from framekeep.app.views.desk import author, note_change
from framekeep.object_types import Segment
from framekeep.types import Hit


def remarks(hit: Hit, what: str, objects: Sequence[Segment] = ()) -> None:
    """What is noted of a medium, called `what`, and of its objects, with forms to change it."""
    with st.expander("Note and attributes", icon=":material/edit_note:"):
        names = {hit.media_id: f"The {what}"}
        names |= {
            each.segment_id: f"{number}. {each.label or 'object without a label'}"
            for number, each in enumerate(objects, 1)
        }
        target = hit.media_id
        if objects:
            target = st.selectbox(
                "Of", list(names), format_func=names.__getitem__, key=f"remarks_of_{hit.media_id}"
            )
        _note(target, hit)
        _attributes(target, hit)


def _target(target: str, hit: Hit) -> str | Hit:
    return hit if target == hit.media_id else target


def _note(target: str, hit: Hit) -> None:
    library = context().library
    said = library.annotations(_target(target, hit))
    kept = next((each.value for each in said if each.kind == "note"), "")
    with st.form(f"note_{target}", border=False):
        text = st.text_area("Note", value=kept, key=f"note_text_{target}")
        saved = st.form_submit_button("Save the note", icon=":material/save:")
    if saved and text.strip() != kept:
        with told():
            library.set_note(_target(target, hit), text.strip(), author=author())
            note_change()
            run_anew()


def _attributes(target: str, hit: Hit) -> None:
    library = context().library
    for each in library.annotations(_target(target, hit)):
        if each.kind != "attribute":
            continue
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plain(each.key)}** {plain(each.value)}", width="stretch")
            if st.button(
                "",
                icon=":material/close:",
                key=f"attribute_away_{target}_{each.key}",
                type="tertiary",
                help=f"Take the attribute {each.key} away",
            ):
                with told():
                    library.set_attribute(_target(target, hit), each.key, None, author=author())
                    note_change()
                    run_anew()
    with (
        st.form(f"attribute_{target}", border=False, clear_on_submit=True),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        name = st.text_input("Attribute", placeholder="colour", width="stretch")
        value = st.text_input("Value", placeholder="red", width="stretch")
        sent = st.form_submit_button("Set", icon=":material/add:")
    if sent and name.strip() and value.strip():
        with told():
            library.set_attribute(_target(target, hit), name, value, author=author())
            note_change()
            run_anew()
