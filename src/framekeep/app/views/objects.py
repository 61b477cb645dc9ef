"""The Objects page: find objects in photos, look them over, keep the classes in order."""

from __future__ import annotations

import streamlit as st

from framekeep.app.query import SearchState
from framekeep.app.state import Context, context
from framekeep.app.views.classes import classes
from framekeep.app.views.common import (
    SEARCH_PAGE,
    counted,
    go,
    megabytes,
    opened,
    plain,
    run_anew,
    table,
    told,
)
from framekeep.app.views.review import review
from framekeep.app.views.sidebar import nothing_yet
from framekeep.app.views.work import kind_of_work
from framekeep.modelling import ModelStatus, list_models

VIEWS = {
    "find": "Find objects",
    "review": "Review",
    "classes": "Classes",
    "problems": "Problems",
}
MOST_PROBLEMS = 1000
WHAT_IT_IS = {
    "starter": "A draft of the main object, with a label. Ships with framekeep and works with no "
    "network, in about half a second a photo. It guesses: look its outlines over before you rely "
    "on them.",
    "sam2.1-tiny": "All objects, with sharp outlines and no labels. The usual choice on a "
    "processor: some ten seconds a photo.",
    "sam2.1-small": "All objects, no labels; somewhat better than tiny, somewhat slower.",
    "sam2.1-base-plus": "All objects, no labels; for a graphics card.",
    "sam2.1-large": "All objects, no labels; the best of SAM 2.1, for a graphics card.",
    "sam-vit-b": "All objects, no labels; the smallest of the first SAM.",
    "sam-vit-l": "All objects, no labels; for a graphics card.",
    "sam-vit-h": "All objects, no labels; the largest of the first SAM, for a graphics card with "
    "8 GB.",
}
OWN = "A checkpoint that you added."
SEGMENTER = "segmenter"


def page() -> None:
    """The Objects page."""
    here = context()
    view = st.query_params.get("view", "find")
    view = view if view in VIEWS else "find"
    if not opened():
        chosen = st.segmented_control(
            "What to do",
            list(VIEWS),
            default=view,
            format_func=VIEWS.__getitem__,
            key=f"objects_view_{view}",
            label_visibility="collapsed",
        )
        if chosen and chosen != view:
            go(SearchState(), view=chosen)
            run_anew()
    with told():
        if not here.count():
            nothing_yet()
        elif view == "review":
            review(here)
        elif view == "classes":
            classes(here)
        elif view == "problems":
            _problems(here)
        else:
            _find(here)


def _find(here: Context) -> None:
    st.title("Objects", anchor=False)
    counts = here.kept(("object_counts",), here.library.object_counts)
    _counts(here, counts)
    st.subheader("Find objects in photos", anchor=False)
    models = [model for model in list_models(here.settings) if model.kind == SEGMENTER]
    ready = [model for model in models if model.on_disk]
    others = [model for model in models if not model.on_disk]
    _order(here, ready)
    kind_of_work("segment", "pull")
    if others:
        _fetch(here, others)


def _counts(here: Context, counts: dict[str, int]) -> None:
    photos = here.count()
    with st.grid("auto", min_column_width=140):
        st.metric("Objects", f"{counts['segments']:,}", border=True)
        st.metric("Photos with objects", f"{counts['media']:,} of {photos:,}", border=True)
        st.metric("Labelled", f"{counts['labelled']:,}", border=True)
        st.metric("Accepted", f"{counts['accepted']:,}", border=True)
        st.metric("Rejected", f"{counts['rejected']:,}", border=True)
    if counts["segments"]:
        with st.container(horizontal=True):
            state = SearchState(of="objects")
            if st.button("Show all objects", icon=":material/search:"):
                st.switch_page(SEARCH_PAGE, query_params=state.to_params())
            if st.button("Look them over", icon=":material/rule:"):
                go(SearchState(), view="review")
                run_anew()


def _order(here: Context, ready: list[ModelStatus]) -> None:
    """What to segment, and with what."""
    with st.form("segment", border=True):
        names = [model.name for model in ready]
        name = st.radio(
            "Segmenter",
            names,
            index=names.index(here.library.default_segmenter()),
            captions=[WHAT_IT_IS.get(name, OWN) for name in names],
            key="segmenter",
        )
        where = st.text_input(
            "Only photos that match",
            placeholder="taken>=2024-05 and not format:png",
            help="A filter, as on the Search page; leave it empty for all photos.",
            key="segment_where",
        )
        again = st.checkbox(
            "Photos that have objects already, too",
            help="Objects that somebody has labelled, corrected, accepted or rejected stay as they "
            "are; the others are replaced.",
            key="segment_again",
        )
        sent = st.form_submit_button(
            "Find objects", type="primary", icon=":material/category:", key="segment_go"
        )
    if sent and name:
        with told():
            number = here.count(where.strip())  # raises where the filter cannot be read
            here.jobs.segment(where.strip() or None, name, again=again)
            st.toast(f"Looking for objects in {counted(number, 'photo')}.")


def _fetch(here: Context, others: list[ModelStatus]) -> None:
    with st.expander("Segmenters that are not on this machine yet"):
        for model in others:
            with st.container(horizontal=True, vertical_alignment="center"):
                text = WHAT_IT_IS.get(model.name, OWN)
                st.markdown(
                    f"**{plain(model.name)}** · {megabytes(model.bytes)}  \n{text}",
                    width="stretch",
                )
                if st.button("Fetch", key=f"pull_{model.name}", icon=":material/download:"):
                    with told():
                        here.jobs.pull(model.name)
                        run_anew()


def _problems(here: Context) -> None:
    problems = here.library.segment_problems(MOST_PROBLEMS)
    if not problems:
        st.success(
            "No problems: every photo that was segmented could be read.",
            icon=":material/check_circle:",
        )
        return
    names = here.library.shown_names([problem.path for problem in problems])
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"**{counted(len(problems), 'photo')}** could not be segmented", width="stretch"
        )
        if st.button("Try again", icon=":material/refresh:", type="primary"):
            here.jobs.segment(None, None, retry=True)
            st.toast("These photos are segmented again.")
    table(
        [{"File": names.get(p.path, p.path), "Reason": p.reason} for p in problems],
        "Problems of segmenting",
        height_px=620,
    )
