"""The review queue: the most doubtful objects first, judged by keyboard in batches."""

from __future__ import annotations

import streamlit as st

from framekeep.app.components.gallery import hit_id, is_rough
from framekeep.app.query import SearchState
from framekeep.app.state import Context
from framekeep.app.views.common import OBJECTS_PAGE, current_search, go, opened, plain, run_anew
from framekeep.app.views.detail import detail
from framekeep.app.views.edits import class_colours
from framekeep.app.views.results import hits_of, near_choice, results, size_choice

BATCH = 40
BATCH_KEY = "review_batch"


def review(here: Context) -> None:
    """A batch of the queue. It stays as it is until all of it is judged or the next is asked for,
    so that nothing moves away under the keys.
    """
    state = current_search()
    hits = hits_of(_batch(here, state.condition))
    photo = opened()
    if photo:
        detail(photo, list(dict.fromkeys(hit.media_id for hit in hits)))
        return
    if not hits:
        _done(state)
        return
    left = [hit for hit in hits if hit.segment and hit.segment.state == "open"]
    if not left:
        _next(state, "The whole batch is judged.")
    _legend()
    if any(hit.segment and is_rough(hit.segment) for hit in left):
        st.caption("The starter's outlines are drafts of the main object: expect to correct some.")
    results(
        hits,
        key="review",
        about=f"**{len(left):,} of {len(hits):,} left** in this batch, the most doubtful first",
        salt=f"review {state.condition} {hit_id(hits[0])}",
        label="Objects to look over",
        size=state.size,
        near=state.near,
        review=True,
        resize=lambda: _choices(state),
    )


def _batch(here: Context, where: str) -> list[str]:
    kept = st.session_state.get(BATCH_KEY)
    if kept and kept[0] == where and kept[1]:
        return list(kept[1])
    found = here.library.review(limit=BATCH, where=where or None)
    ids = [segment.segment_id for segment in found if segment.state == "open"]
    st.session_state[BATCH_KEY] = (where, ids)
    return ids


def _filter(state: SearchState) -> None:
    """Narrow the queue to what matches."""
    with st.form("review_filter", border=False):
        where = st.text_input(
            "Only objects that match",
            value=state.condition,
            placeholder="label:dog or segmenter:sam",
            help="A filter, as on the Search page.",
            key=f"review_where_{state.condition}",
        )
        sent = st.form_submit_button("Show", type="primary", key="review_filter_go")
    if sent:
        st.session_state.pop(BATCH_KEY, None)
        go(SearchState(where=where.strip(), size=state.size, near=state.near), view="review")
        run_anew()


def _choices(state: SearchState) -> None:
    with st.popover("Filter", icon=":material/filter_list:"):
        _filter(state)
    if st.button("Next batch", icon=":material/skip_next:", key="review_next"):
        _go_on()
    near_choice(state)
    size_choice(state)


def _next(state: SearchState, sentence: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.success(sentence, icon=":material/check_circle:")
        if st.button("Go on", type="primary", icon=":material/skip_next:", key="review_on"):
            _go_on()
        if state.condition and st.button("Review all objects", key="review_all"):
            go(SearchState(size=state.size, near=state.near), view="review")
            run_anew()


def _go_on() -> None:
    st.session_state.pop(BATCH_KEY, None)
    run_anew()


def _done(state: SearchState) -> None:
    st.success("Nothing is left to look over.", icon=":material/check_circle:")
    with st.container(horizontal=True):
        if st.button("Look again", icon=":material/refresh:", key="review_again"):
            _go_on()
        if state.condition and st.button("Review all objects", key="review_all"):
            go(SearchState(), view="review")
            run_anew()
    st.page_link(OBJECTS_PAGE, label="Find objects in more photos", icon=":material/category:")


def _legend() -> None:
    """The keys, with the classes that digits stand for."""
    digits = [
        f"**{number}** {plain(name)}" for number, name in enumerate(list(class_colours())[:9], 1)
    ]
    keys = ["**a** accept", "**r** reject", "**l** label", "**e** correct the outline"]
    st.caption(" · ".join([*keys, *digits]))
