"""The sidebar: the state of the library, work in progress, and the filters."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from framekeep.app.components.facets import facets
from framekeep.app.query import PAGE, SearchState, conjunction
from framekeep.app.state import context
from framekeep.app.views.common import counted, go, plain, run_anew
from framekeep.app.views.dialogs import OPEN
from framekeep.app.views.work import fraction, progress_text
from framekeep.errors import FramekeepError
from framekeep.types import EncoderInfo, FacetValue


def mode(info: EncoderInfo) -> str:
    """The encoder and how it runs, in words."""
    precision = "" if info.precision == "fp32" else f", {info.precision}"
    return f"{info.name}{precision}" + (" (works offline)" if info.name == "starter" else "")


@st.fragment(run_every=2.0)
def status() -> None:
    """Media, dimensions, mode and work in progress; notices when the library has changed."""
    here = context()
    try:
        info = here.library.info
        films = here.count("kind:video")
        photos = here.count() - films
        generation = here.library.generation()
    except FramekeepError as exc:
        st.error(plain(str(exc)))
        return
    job = here.jobs.current()
    with st.container(key="status", gap="xsmall"):
        if job is not None:
            st.progress(fraction(job), text=plain(f"{job.title}: {progress_text(job)}"))
        st.markdown(
            f"**{photos:,}** {'photo' if photos == 1 else 'photos'} · "
            + (f"**{films:,}** {'film' if films == 1 else 'films'} · " if films else "")
            + f"**{info.dim}** dimensions  \n"
            f"Mode: {plain(mode(info))}"
        )
    if st.session_state.get(OPEN):
        return
    if st.session_state.get("generation") not in (None, generation):
        st.session_state["generation"] = generation
        run_anew()
    st.session_state["generation"] = generation


def filters(state: SearchState) -> None:
    """The facets with their counts; a change moves to the narrower or wider search."""
    try:
        groups = counted_facets(state)
    except FramekeepError:
        return  # told in the page, where the results would be
    change = facets(groups, state.facets, key="facets", filtered=bool(state.facets or state.where))
    if change is None:
        return
    if change.reset:
        go(replace(state, facets=(), where="", limit=PAGE))
    else:
        go(state.toggled(change.facet, change.where, change.on))
    run_anew()


def counted_facets(state: SearchState) -> dict[str, list[FacetValue]]:
    """The facets as the other filters leave them, so that alternatives can be added to a choice."""
    here = context()

    def counts(condition: str) -> dict[str, list[FacetValue]]:
        made: dict[str, list[FacetValue]] = here.kept(
            ("facets", condition), lambda: here.library.facets(condition or None)
        )
        return made

    groups = dict(counts(state.condition))
    for facet in {facet for facet, _ in state.facets}:
        others = tuple(pair for pair in state.facets if pair[0] != facet)
        wider = SearchState(where=state.where, facets=others).condition
        if facet in groups:
            groups[facet] = counts(conjunction([wider]))[facet]
    return groups


def nothing_yet() -> None:
    """The start of an empty library: what to do."""
    here = context()
    job = here.jobs.current()
    if job is not None:
        st.info("Your photos are being added; the first ones appear here in a moment.")
        return
    st.markdown(
        "### Nothing here yet\n"
        "Drop photos and films on the **Add** page, or name a folder there that is to be searched "
        "where it lies. Nothing leaves this machine."
    )
    st.page_link(
        "app_pages/add.py", label="Add photos and films", icon=":material/add_photo_alternate:"
    )
    if here.library.info.name == "starter":
        st.caption(
            "Photos are described by the shipped starter model, which works offline. CLIP finds "
            "finer things; it can be fetched in Settings, best before many photos are added."
        )
    problems = sum(here.library.file_counts().get(s, 0) for s in ("failed", "skipped"))
    if problems:
        st.caption(f"{counted(problems, 'file')} could not be read: see Library, Problems.")
