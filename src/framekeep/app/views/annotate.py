"""The annotation page: one photo after the other, in the order of a search or of the review."""

from __future__ import annotations

import streamlit as st

from framekeep.app.components.annotator import AnnotatorEvent, annotator
from framekeep.app.query import MOST, SearchState
from framekeep.app.state import Context, context
from framekeep.app.views.beside import shown_name
from framekeep.app.views.common import (
    LIBRARY_PAGE,
    OBJECTS_PAGE,
    SEARCH_PAGE,
    current_search,
    opened,
    opened_object,
    run_anew,
    told,
)
from framekeep.app.views.desk import forget_change
from framekeep.app.views.finding import run_search
from framekeep.app.views.remarks import remarks
from framekeep.app.views.review import BATCH_KEY
from framekeep.app.views.sidebar import nothing_yet
from framekeep.film_types import clock

FROM = "from"
REVIEW = "review"
PAGES = {"search": SEARCH_PAGE, "library": LIBRARY_PAGE, REVIEW: OBJECTS_PAGE}
DRAFTS = ("starter",)
_ORDER = "annotate_order"


def page() -> None:
    """The annotation page: the photo in the address, else the first that wants labels."""
    here = context()
    forget_change()  # taking back is done in the view itself
    if not here.count():
        nothing_yet()
        return
    with told():
        media_id = opened() or _first(here)
        if media_id:
            _show(here, media_id)
        else:
            st.success("Every photo has its labels.", icon=":material/check_circle:")


def _first(here: Context) -> str | None:
    """The first photo that wants labels; it is put into the address."""
    media_id = here.library.next_unlabelled(None, current_search().condition or None)
    if media_id:
        st.query_params["open"] = media_id
    return media_id


def _show(here: Context, media_id: str) -> None:
    hits = here.library.hits([media_id])
    if not hits:
        st.info("This photo is no longer in the library.", icon=":material/image_not_supported:")
        if st.button("Back", key="annotate_back"):
            _leave(None)
        return
    order = _order(here, media_id)
    at = order.index(media_id) if media_id in order else -1
    around = (
        order[at - 1] if at > 0 else None,
        order[at + 1] if 0 <= at < len(order) - 1 else None,
    )
    time_s = hits[0].time_s
    event = annotator(
        media_id,
        shown_name(hits[0]) + (f" at {clock(time_s)}" if time_s is not None else ""),
        hits[0].media.size_wh,
        key="annotator",
        around=around,
        place=f"{at + 1:,} of {len(order):,}" if at >= 0 else "",
        generation=here.library.generation(),
        segmenter=_segmenter(here),
        object_id=opened_object(),
        film=hits[0].media.video is not None,
    )
    if event:
        _act(here, event)
    what = "moment" if time_s is not None else "photo"
    remarks(hits[0], what, here.library.segments(media_id))


def _segmenter(here: Context) -> tuple[str, bool]:
    """The name of what answers prompts, and whether its masks are drafts."""
    given = here.parts.segmenter
    if given is not None and not isinstance(given, str):
        return given.info.name, given.info.is_draft
    name = given or here.library.default_segmenter()
    return name, name in DRAFTS


def _order(here: Context, media_id: str) -> list[str]:
    """The photos that previous and next go through.

    They stay the same while one goes through them, though labels take some out of the search.
    """
    state, review = current_search(), st.query_params.get(FROM) == REVIEW
    salt = f"{review}?{state.to_address()}"
    kept: tuple[str, list[str]] | None = st.session_state.get(_ORDER)
    if kept and kept[0] == salt and media_id in kept[1]:
        return kept[1]
    order = _reviewed(here, state) if review else _searched(here, state)
    st.session_state[_ORDER] = (salt, order)
    return order


def _searched(here: Context, state: SearchState) -> list[str]:
    hits = run_search(here, state, MOST)
    # A film as a whole has no picture to draw on; its moments do.
    return list(dict.fromkeys(hit.media_id for hit in hits if hit.media.kind != "video"))


def _reviewed(here: Context, state: SearchState) -> list[str]:
    """The photos of the review's batch, or of the head of the queue."""
    kept = st.session_state.get(BATCH_KEY)
    if kept and kept[0] == state.condition:
        segments = here.library.segments_by_id(kept[1])
    else:
        segments = here.library.review(limit=MOST, where=state.condition or None)
    return list(dict.fromkeys(segment.media_id for segment in segments))


def _act(here: Context, event: AnnotatorEvent) -> None:
    if event.what == "close":
        _leave(event.media_id)
    elif event.what == "go":
        _go(event.media_id)
    else:
        where = current_search().condition or None
        found = here.library.next_unlabelled(event.media_id, where)
        if found and found != event.media_id:
            _go(found)
        st.toast(
            "This is the only photo that wants labels." if found else "Every photo has its labels.",
            icon=":material/check_circle:",
        )


def _go(media_id: str) -> None:
    params = {name: st.query_params.get_all(name) for name in st.query_params}
    params.pop("object", None)
    params["open"] = [media_id]
    st.query_params.from_dict(params)
    run_anew()


def _leave(media_id: str | None) -> None:
    """Back to the page that the photo was opened from, with the photo still open."""
    where = st.query_params.get(FROM, "search")
    params = dict(current_search().to_params())
    if media_id:
        params["open"] = [media_id]
    if where == REVIEW:
        params["view"] = [REVIEW]
    st.switch_page(PAGES.get(where, SEARCH_PAGE), query_params=params)
