"""The classes in one place: add, rename, merge, colour, drop."""

from __future__ import annotations

import html

import streamlit as st

from framekeep.app.query import SearchState
from framekeep.app.state import Context, context
from framekeep.app.views.common import counted, plain, run_anew, told
from framekeep.app.views.desk import author, note_change
from framekeep.app.views.dialogs import OPEN
from framekeep.filters import Compare
from framekeep.object_types import LabelClass

PAGE = 50


def classes(here: Context) -> None:
    """All classes with their counts; each can be renamed, merged, coloured, and dropped."""
    known = sorted(here.library.classes(), key=lambda each: each.name.casefold())
    _add(here)
    if not known:
        st.info("No classes yet: they come with the first labels.", icon=":material/label:")
        return
    wanted = _wanted(known)
    pages = -(-len(wanted) // PAGE)
    number = int(st.number_input("Page", 1, pages, 1, key="class_page")) if pages > 1 else 1
    for each in wanted[(number - 1) * PAGE : number * PAGE]:
        _row(each)


def _add(here: Context) -> None:
    with (
        st.form("class_add", border=False, clear_on_submit=True),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        name = st.text_input("New class", placeholder="dog", key="class_new", width="stretch")
        sent = st.form_submit_button("Add the class", icon=":material/add:")
    if sent:
        with told():
            here.library.add_class(name, author=author())
            note_change()
            run_anew()


def _wanted(known: list[LabelClass]) -> list[LabelClass]:
    """The classes that the box above the list asks for."""
    if len(known) <= PAGE:
        return known
    typed = st.text_input("Classes whose name has", key="class_find").strip().casefold()
    found = [each for each in known if typed in each.name.casefold()]
    st.caption(f"{len(found):,} of {counted(len(known), 'class', 'classes')}")
    return found


def _row(each: LabelClass) -> None:
    with st.container(
        horizontal=True, vertical_alignment="center", key=f"class_{each.class_id}", gap="small"
    ):
        st.html(class_line(each), width="stretch")
        if st.button("Change", icon=":material/edit:", key=f"class_edit_{each.class_id}"):
            _class_dialog(each)


def class_line(each: LabelClass) -> str:
    """A class as HTML: its colour, its name as a way to what carries it, its counts."""
    state = SearchState(of="objects", where=label_filter(each.name))
    counts = [counted(each.segments, "object")]
    counts += [counted(each.media, "photo")] if each.media else []
    return (
        f'<div class="fk-class"><i style="background:{html.escape(each.colour)}"></i>'
        f'<a href="/?{html.escape(state.to_address())}" target="_self">{html.escape(each.name)}</a>'
        f" · {' · '.join(counts)}</div>"
    )


def label_filter(name: str) -> str:
    """The filter for what carries a label."""
    return str(Compare("label", "=", name))


@st.dialog("Class", icon=":material/label:", on_dismiss="rerun")
def _class_dialog(each: LabelClass) -> None:
    st.session_state[OPEN] = True
    library = context().library
    with st.form("class_form", border=False):
        name = st.text_input("Name", value=each.name, key="class_name")
        colour = st.color_picker("Colour", value=each.colour, key="class_colour")
        sent = st.form_submit_button("Save", type="primary", key="class_save")
    if sent:
        with told():
            if colour != each.colour:
                library.colour_class(each.name, colour, author=author())
                note_change()
            if name.strip() != each.name:
                library.rename_class(each.name, name, author=author())
                note_change()
            run_anew()
    others = [other.name for other in library.classes() if other.name != each.name]
    if others:
        with st.form("merge_form", border=False):
            into = st.selectbox("Merge into", sorted(others, key=str.casefold), key="class_into")
            st.caption(f"Everything labelled {plain(each.name)} gets that label instead.")
            merge = st.form_submit_button("Merge", icon=":material/merge:", key="class_merge")
        if merge and into:
            with told():
                library.merge_classes([each.name], into, author=author())
                note_change()
                run_anew()
    unused = not each.segments and not each.media
    if unused and st.button("Drop this class", icon=":material/delete:", key="class_drop"):
        with told():
            library.drop_class(each.name, author=author())
            note_change()
            run_anew()
