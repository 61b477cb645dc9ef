"""The Datasets page: export with a look before, former exports, import."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from framekeep.app.query import SearchState
from framekeep.app.state import Context, context
from framekeep.app.views.common import OBJECTS_PAGE, current_search, go, plain, run_anew, told
from framekeep.app.views.dataset_form import Wanted, export_form
from framekeep.app.views.dataset_list import former_exports, list_exports, remember_place
from framekeep.app.views.dataset_report import report_tables, sample_grid
from framekeep.app.views.importing import import_form
from framekeep.app.views.sidebar import nothing_yet
from framekeep.app.views.work import kind_of_work
from framekeep.export.reports import ExportPreview

VIEWS = {"export": "Export", "former": "Former exports", "import": "Import"}
SAMPLES = 20
PREVIEW = "ds_preview"


def page() -> None:
    """The Datasets page."""
    here = context()
    view = st.query_params.get("view", "export")
    view = view if view in VIEWS else "export"
    chosen = st.segmented_control(
        "What to do",
        list(VIEWS),
        default=view,
        format_func=VIEWS.__getitem__,
        key=f"ds_view_{view}",
        label_visibility="collapsed",
    )
    if chosen and chosen != view:
        go(SearchState(), view=chosen)
        run_anew()
    shown: dict[str, Callable[[Context], None]] = {
        "export": _export,
        "former": former_exports,
        "import": import_form,
    }
    with told():
        shown[view](here)


def _export(here: Context) -> None:
    st.title("Export a dataset", anchor=False)
    if not here.count():
        nothing_yet()
        return
    if not here.objects():
        st.info("There are no objects to export yet: find them first.", icon=":material/category:")
        st.page_link(OBJECTS_PAGE, label="Find objects", icon=":material/category:")
        return
    left, right = st.columns([2, 3], gap="large")
    wanted: Wanted | None = None
    with left, told():
        wanted = export_form(here, current_search())
    with right:
        if wanted:
            _buttons(here, wanted)
        kind_of_work("export")
        _newest(here)
        if wanted:
            _look(wanted)


def _buttons(here: Context, wanted: Wanted) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Preview", icon=":material/visibility:", key="ds_look"):
            with st.spinner("Counting and drawing samples…"), told():
                preview = here.library.export_preview(**wanted.options, samples=SAMPLES)
                ids = here.parts.samples.put(preview.samples)
                st.session_state[PREVIEW] = (wanted.options, preview, ids)
        if st.button("Export", type="primary", icon=":material/archive:", key="ds_go"):
            with told():
                here.jobs.export(wanted.all_options)
                remember_place(here, wanted.out)
                st.toast(f"Exporting to {plain(str(wanted.out))}")


def _newest(here: Context) -> None:
    """What the last export came to, as long as its work is remembered."""
    ended = [job for job in here.jobs.states() if job.kind == "export" and job.status == "done"]
    found = list_exports(here) if ended else []
    if found:
        with st.expander(f"What {plain(found[0].folder.name)} holds"):
            report_tables(found[0].report)


def _look(wanted: Wanted) -> None:
    """The preview, as long as it is one of what is asked for."""
    kept: tuple[dict[str, object], ExportPreview, list[str]] | None = st.session_state.get(PREVIEW)
    if kept is None or kept[0] != wanted.options:
        st.caption("The preview shows the counts and twenty samples, and writes nothing.")
        return
    _, preview, ids = kept
    report_tables(preview.report)
    if ids:
        st.subheader("Samples", anchor=False)
        st.html(sample_grid(ids))
