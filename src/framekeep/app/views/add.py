"""The Add page."""

from __future__ import annotations

import secrets

import streamlit as st

from framekeep.app.components.dropzone import dropzone
from framekeep.app.folders import allowed_folder
from framekeep.app.state import Context, context
from framekeep.app.views.common import counted, megabytes, plain, run_anew, told
from framekeep.app.views.work import job_card


def page() -> None:
    """The Add page: the drop zone, a folder by its path, and the work in progress."""
    here = context()
    st.title("Add photos and films", anchor=False)
    _drop(here)
    _folder(here)
    _process(here)
    st.subheader("Work", anchor=False)
    _work()


def _drop(here: Context) -> None:
    batch = st.session_state.setdefault("batch", secrets.token_urlsafe(12))
    if st.session_state.get("came_from") != "add":
        _take(here, batch)  # what had arrived when the page was left in the middle of a drop
    limit, film_limit = map(megabytes, (here.settings.max_bytes, here.settings.max_film_bytes))
    uploaded = dropzone(
        key="dropzone",
        batch=batch,
        label="Drop photos, films or whole folders here, paste them, or choose them",
        hint=f"JPEG, PNG, WebP, HEIC, AVIF, TIFF, GIF, BMP and camera raw, up to {limit} each; "
        f"MP4, MOV, MKV, WebM, AVI and other films, up to {film_limit} each. "
        "They are kept in the library's folder on this machine.",
    )
    if uploaded is None or uploaded.batch == st.session_state.get("batch_done"):
        return
    st.session_state["batch_done"] = uploaded.batch
    _take(here, uploaded.batch)
    st.session_state["batch"] = secrets.token_urlsafe(12)
    run_anew()


def _take(here: Context, batch: str) -> None:
    """Have the files added that have arrived for a batch."""
    with told():
        received = here.parts.inbox.take(batch)
        if received:
            title = f"Adding {counted(len(received), 'uploaded file')}"
            here.jobs.add([str(file.path) for file in received], title=title)


def _folder(here: Context) -> None:
    with (
        st.form("folder", border=False),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        text = st.text_input(
            "A folder on this machine",
            placeholder="~/Pictures",
            help="Its photos and films stay where they are. Folders that may be added: "
            + ", ".join(str(root) for root in here.settings.app_roots),
            key="folder_path",
            width="stretch",
        )
        sent = st.form_submit_button("Add the folder", icon=":material/create_new_folder:")
    if sent:
        with told():
            path = allowed_folder(text, here.settings.app_roots)
            here.jobs.add([str(path)], title=f"Adding {path}")
            st.toast(f"Adding {plain(str(path))}")


def _process(here: Context) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        pressed = st.button(
            "Process images",
            type="primary",
            icon=":material/play_arrow:",
            help="Goes through everything that was uploaded, and adds what is not in yet.",
        )
        st.caption(
            "What is dropped is processed at once; this button takes up what was left over.",
            width="stretch",
        )
    if pressed:
        with told():
            uploads = here.library.path / "uploads"
            uploads.mkdir(parents=True, exist_ok=True)
            here.jobs.add([str(uploads)], retry=True, title="Processing the uploaded images")


@st.fragment(run_every=1.0)
def _work() -> None:
    """The jobs, newest first; looked at anew every second."""
    with told():
        jobs = context().jobs.states()
        if not jobs:
            st.caption("Nothing is being worked on.")
        for job in jobs:
            job_card(job)
