"""The Settings page."""

from __future__ import annotations

import streamlit as st

from framekeep import __version__
from framekeep.app import state as app_state
from framekeep.app.state import Context, context
from framekeep.app.views.common import megabytes, photos_and_films, plain, run_anew, told
from framekeep.app.views.dialogs import OPEN
from framekeep.app.views.work import job_card
from framekeep.errors import FramekeepError
from framekeep.modelling import SEGMENTER, ModelStatus, list_models

CLEAR_WORDS = "clear the library"
STRENGTH = {
    "starter": "Ships with framekeep and works with no network. Knows what a thousand everyday "
    "things look like: good for “dog”, “teapot”, “beach”; weak for actions, colours, moods and "
    "rare things.",
    "clip-vit-b-32": "Finds scenes, actions, colours and styles described in free words. The usual "
    "choice: quick on a processor.",
    "clip-vit-b-16": "Sees finer detail than B/32, at about three times the work.",
    "clip-vit-l-14": "Clearly stronger than the B models, at about ten times the work: for a "
    "graphics card, or patience.",
    "clip-vit-l-14-336": "The strongest and slowest: looks at pictures in more detail than L/14.",
}


def page() -> None:
    """The Settings page: encoder, segmenters, library, about."""
    st.title("Settings", anchor=False)
    with told():
        _encoders()
    with told():
        _segmenters()
    with told():
        _library(context())
    _about()


def _encoders() -> None:
    here = context()
    info = here.library.info
    st.subheader("Encoder", anchor=False)
    st.markdown(
        f"Photos are described by **{plain(info.name)}** ({info.dim} numbers a photo). Another one "
        "reads every photo again, in the background; until it is done, the present one serves."
    )
    _encoder_work()
    for model in list_models(here.settings):
        if model.kind != SEGMENTER:
            _encoder(here, model, current=model.name == info.name)


def _encoder(here: Context, model: ModelStatus, *, current: bool) -> None:
    with (
        st.container(border=True, key=f"model_{model.name}"),
        st.container(horizontal=True, vertical_alignment="center"),
    ):
        where = "on this machine" if model.on_disk else "not on this machine yet"
        text = STRENGTH.get(model.name, "A checkpoint that you added.")
        st.markdown(
            f"**{plain(model.name)}** · {model.dim} numbers · {megabytes(model.bytes)} · {where}"
            f"  \n{text}",
            width="stretch",
        )
        if current:
            st.badge("in use", icon=":material/check:")
        elif not model.on_disk:
            if st.button("Fetch", key=f"pull_{model.name}", icon=":material/download:"):
                here.jobs.pull(model.name)
                run_anew()
        elif st.button("Use", key=f"use_{model.name}", icon=":material/swap_horiz:"):
            here.jobs.use_encoder(model.name)
            run_anew()


def _segmenters() -> None:
    here = context()
    st.subheader("Segmenters", anchor=False)
    st.markdown(
        "They find the objects in photos, and answer clicks. Where none is chosen, "
        f"**{plain(here.library.default_segmenter())}** is taken."
    )
    for model in list_models(here.settings):
        if model.kind == SEGMENTER:
            _segmenter(here, model)


def _segmenter(here: Context, model: ModelStatus) -> None:
    with (
        st.container(border=True, key=f"segmenter_{model.name}"),
        st.container(horizontal=True, vertical_alignment="center"),
    ):
        where = "on this machine" if model.on_disk else "not on this machine yet"
        note = f"{model.note[:1].upper()}{model.note[1:]}."
        st.markdown(
            f"**{plain(model.name)}** · {megabytes(model.bytes)} · {where}  \n{note}",
            width="stretch",
        )
        if not model.on_disk and st.button(
            "Fetch", key=f"pull_{model.name}", icon=":material/download:"
        ):
            here.jobs.pull(model.name)
            run_anew()


@st.fragment(run_every=1.0)
def _encoder_work() -> None:
    for job in context().jobs.states():
        if job.kind in ("pull", "encoder") and (job.active or job.status == "failed"):
            job_card(job)


def _library(here: Context) -> None:
    st.subheader("Library", anchor=False)
    st.code(str(here.library.path), language=None)
    st.caption(
        "Another library: start the app with `framekeep app --library FOLDER`. Uploaded files lie "
        "in the folder `uploads` in it; all other photos stay where they are."
    )
    with st.container(horizontal=True):
        if st.button("Check and mend the index", icon=":material/build:"):
            here.jobs.repair()
            st.toast("The index is being compared with the catalog; see the Add page.")
        if st.button("Clear the library", icon=":material/delete_forever:"):
            _clear_dialog()


@st.dialog("Clear the library", icon=":material/delete_forever:", on_dismiss="rerun")
def _clear_dialog() -> None:
    st.session_state[OPEN] = True
    st.write(
        f"This forgets {photos_and_films()} with their tags, searches and vectors. "
        "Nothing of them is deleted: uploaded files stay in the library's folder as well."
    )
    typed = st.text_input(f"Type “{CLEAR_WORDS}” to go on", key="clear_typed")
    if st.button("Clear", type="primary", key="clear_go"):
        if typed.strip().lower() != CLEAR_WORDS:
            st.error(f"Nothing was cleared: type “{CLEAR_WORDS}” first.")
            return
        try:
            app_state.clear_library()
        except FramekeepError as exc:
            st.error(plain(str(exc)))
            return
        st.session_state["said"] = "The library is empty now."
        run_anew()


def _about() -> None:
    st.subheader("About", anchor=False)
    st.markdown(
        f"framekeep {__version__}, Apache-2.0. It runs on this machine: no photo, no search and no "
        "count of anything leaves it."
    )
    with st.expander("Troubleshooting"):
        st.markdown(
            "- **A file is missing from the results**: see Library, Problems; it has its reason.\n"
            "- **Another process holds the library**: the page says which one; wait for it, or "
            "stop it.\n"
            "- **The index is damaged or was deleted**: press “Check and mend the index” above; "
            "nothing is read again.\n"
            "- **A model cannot be fetched**: copy its file here and run "
            "`framekeep models add NAME FILE`.\n"
            "- **A drive was not connected**: connect it and add its folder again; nothing is lost."
        )
    with st.expander("Licences"):
        st.markdown(
            "- framekeep: Apache-2.0\n"
            "- The starter model: EfficientNet-Lite2 and all-MiniLM-L6-v2, both Apache-2.0\n"
            "- CLIP's vocabulary: OpenAI, MIT; its weights are fetched on request and not part of "
            "framekeep\n"
            "- SAM and SAM 2.1: Meta, Apache-2.0; their weights are fetched on request as well\n"
            "- The demo photos: see the list that lies beside them in the package"
        )
