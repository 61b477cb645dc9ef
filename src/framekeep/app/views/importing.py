"""Importing a dataset that lies on this machine."""

from __future__ import annotations

import streamlit as st

from framekeep.app.folders import EXPORTS, allowed_folder
from framekeep.app.state import Context
from framekeep.app.views.common import plain, told
from framekeep.app.views.work import kind_of_work

FORMATS = {"": "As its files tell", "coco": "COCO", "yolo": "YOLO"}


def import_form(here: Context) -> None:
    """Ask for the folder of a dataset, import it in the background, and tell what did not fit."""
    st.title("Import a dataset", anchor=False)
    st.markdown(
        "Boxes, outlines and masks of a COCO or YOLO dataset become objects with their labels. "
        "Photos are told by their content: those in the library gain objects, the others are added."
    )
    roots = [*here.settings.app_roots, here.library.path / EXPORTS]
    with st.form("import", border=False):
        text = st.text_input(
            "A folder, or a COCO file, on this machine",
            placeholder="~/datasets/dogs",
            key="import_path",
            help="It may lie below " + ", ".join(str(root) for root in roots),
        )
        kind = st.selectbox(
            "Format", list(FORMATS), format_func=FORMATS.__getitem__, key="import_format"
        )
        add = st.checkbox("Add photos that are not in the library", value=True, key="import_add")
        sent = st.form_submit_button("Import", type="primary", icon=":material/input:")
    if sent:
        with told():
            path = allowed_folder(text, roots)
            here.jobs.import_dataset({"path": str(path), "format": kind or None, "add": add})
            st.toast(f"Importing {plain(str(path))}")
    kind_of_work("import")
