"""What stands below a photo, a film or a moment: objects, tags, where it lies, what is like it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from framekeep.app.components.gallery import is_rough
from framekeep.app.query import ImageTerm, SearchState
from framekeep.app.state import context
from framekeep.app.views.common import SEARCH_PAGE, counted, run_anew, told
from framekeep.app.views.dialogs import split_tags
from framekeep.app.views.results import chip, results
from framekeep.object_types import Segment
from framekeep.types import Hit

SIMILAR = 24


def placed(media_id: str, order: Sequence[str]) -> tuple[tuple[str | None, str | None], str]:
    """The ids before and after a medium in an order, and where it stands there in words."""
    at = order.index(media_id) if media_id in order else -1
    around = (
        order[at - 1] if at > 0 else None,
        order[at + 1] if 0 <= at < len(order) - 1 else None,
    )
    return around, f"{at + 1:,} of {len(order):,}" if at >= 0 else ""


def shown_name(hit: Hit) -> str:
    """The name a photo or film goes by: the one it was uploaded under, else its file's."""
    path = str(hit.path)
    return context().library.shown_names([path]).get(path, hit.path.name)


def objects_here(objects: Sequence[Segment], where: str) -> None:
    """The objects of one picture, a "photo" or a "moment"."""
    hits = context().library.object_hits([segment.segment_id for segment in objects])
    st.subheader("Objects", anchor=False)
    if any(is_rough(each) and each.state == "open" for each in objects):
        st.caption(
            "The starter's outlines are drafts of the main object: look them over, and correct "
            "what is wrong."
        )
    results(
        hits,
        key="objects_here",
        about=f"**{counted(len(hits), 'object')}** in this {where}"
        + (", the largest first" if len(hits) > 1 else ""),
        salt=f"objects {objects[0].media_id}",
        label=f"Objects in this {where}",
        size="small",
        near=True,
    )


def tag_box(hit: Hit, title: str) -> None:
    """A medium's tags, each to be taken away, with a box for more."""
    library = context().library
    # A film and a moment of it may be on the page together.
    mark = "film_" if hit.media.kind == "video" else ""
    st.subheader(title, anchor=False)
    if hit.tags:
        with st.container(horizontal=True, gap="small"):
            for tag in hit.tags:
                if chip(tag, f"untag_{mark}{tag}", f"Take the tag {tag} away"):
                    with told():
                        library.tag(hit, remove=tag)
                        run_anew()
    with (
        st.form(f"tags_{hit.media_id}", border=False, clear_on_submit=True),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        typed = st.text_input("Add tags", placeholder="trip, family", width="stretch")
        sent = st.form_submit_button("Add", icon=":material/add:")
    if sent and split_tags(typed):
        with told():
            library.tag(hit, add=split_tags(typed))
            run_anew()


def places(hit: Hit, like: str) -> None:
    """Where a medium's file lies, and ways to what is like it; `like` is what that is called."""
    st.subheader("Where it lies", anchor=False)
    st.code(str(hit.path), language=None, wrap_lines=True)
    if hit.other_paths:
        st.caption("The same content lies here as well:")
        for path in hit.other_paths:
            st.code(str(path), language=None, wrap_lines=True)
    with st.container(horizontal=True):
        if st.button(like, icon=":material/image_search:", key="detail_like"):
            state = SearchState(images=(ImageTerm("media", hit.media_id),))
            st.switch_page(SEARCH_PAGE, query_params=state.to_params())
        if hit.media.kind == "photo" and st.button(
            "Duplicates of this", icon=":material/content_copy:", key="detail_copies"
        ):
            st.switch_page(SEARCH_PAGE, query_params={"copies": hit.media_id})


def similar_to(hit: Hit, title: str) -> None:
    """What is most like a medium."""
    here = context()
    similar = here.kept(("similar", hit.media_id), lambda: here.library.similar(hit, limit=SIMILAR))
    st.subheader(title, anchor=False)
    results(
        similar,
        key="similar",
        about="",
        salt=f"similar {hit.media_id}",
        label=title,
        size="small",
    )
