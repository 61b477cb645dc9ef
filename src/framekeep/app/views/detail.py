"""One photo: large, with everything that is known of it, and those like it beneath."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from framekeep.app.components.gallery import is_rough
from framekeep.app.components.viewer import viewer
from framekeep.app.query import ImageTerm, SearchState
from framekeep.app.state import context
from framekeep.app.views.common import (
    SEARCH_PAGE,
    counted,
    facts,
    megabytes,
    open_photo,
    opened_object,
    told,
)
from framekeep.app.views.dialogs import split_tags
from framekeep.app.views.edits import class_colours
from framekeep.app.views.results import annotate, chip, results
from framekeep.object_types import Segment
from framekeep.types import Hit

SIMILAR = 24
SAID = {"label": "Label", "attribute": "", "note": "Note"}
"""What is told of what was said of a photo itself; its tags have a place of their own."""


def detail(media_id: str, order: Sequence[str]) -> None:
    """Show a photo; `order` are the ids that previous and next go through."""
    library = context().library
    hits = library.hits([media_id])
    if not hits:
        st.info("This photo is no longer in the library.", icon=":material/image_not_supported:")
        if st.button("Back", key="detail_back"):
            open_photo(None)
            st.rerun()
        return
    hit = hits[0]
    name = shown_name(hit)
    at = order.index(media_id) if media_id in order else -1
    around = (
        order[at - 1] if at > 0 else None,
        order[at + 1] if 0 <= at < len(order) - 1 else None,
    )
    place = f"{at + 1:,} of {len(order):,}" if at >= 0 else ""
    objects = library.segments(hit)
    event = viewer(
        media_id,
        name,
        str(hit.path),
        key="viewer",
        around=around,
        place=place,
        size_wh=hit.media.size_wh,
        objects=objects,
        chosen=opened_object(),
        colours=class_colours(),
    )
    if event and event.annotate:
        annotate(media_id, opened_object())
    elif event:
        open_photo(event.go)
        st.rerun()
    if objects:
        _objects(objects)
    left, right = st.columns([3, 2], gap="large")
    with left:
        _facts(hit)
    with right:
        _tags(hit)
        _places(hit)
    with told():
        _similar(hit)


def shown_name(hit: Hit) -> str:
    """The name a photo goes by: the one it was uploaded under, else its file's."""
    path = str(hit.path)
    return context().library.shown_names([path]).get(path, hit.path.name)


def _objects(objects: Sequence[Segment]) -> None:
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
        about=f"**{counted(len(hits), 'object')}** in this photo"
        + (", the largest first" if len(hits) > 1 else ""),
        salt=f"objects {objects[0].media_id}",
        label="Objects in this photo",
        size="small",
        near=True,
    )


def _facts(hit: Hit) -> None:
    media = hit.media
    width, height = media.size_wh
    taken = media.taken_at_local
    known = {
        "Taken": taken.strftime("%Y-%m-%d %H:%M:%S") if taken else "not told by the file",
        "Camera": media.camera or "not told by the file",
        "Size": f"{width:,} × {height:,} px ({width * height / 1e6:.1f} MP), {media.shape}",
        "File": f"{media.format.upper()}, {megabytes(media.bytes)}",
        "Sharpness": f"{media.sharpness:,.0f}",
        "Brightness": f"{media.brightness:.2f}",
        "Added": media.added_at.astimezone().strftime("%Y-%m-%d %H:%M") if media.added_at else "",
    }
    said = [each for each in context().library.annotations(hit) if each.kind in SAID]
    for each in said:
        when = each.set_at.astimezone()
        name = each.key if each.kind == "attribute" else SAID[each.kind]
        known[name] = f"{each.value} ({each.author}, {when:%Y-%m-%d %H:%M})"
    st.subheader("About this photo", anchor=False)
    facts(known)


def _tags(hit: Hit) -> None:
    library = context().library
    st.subheader("Tags", anchor=False)
    if hit.tags:
        with st.container(horizontal=True, gap="small"):
            for tag in hit.tags:
                if chip(tag, f"untag_{tag}", f"Take the tag {tag} away"):
                    with told():
                        library.tag(hit, remove=tag)
                        st.rerun()
    with (
        st.form(f"tags_{hit.media_id}", border=False, clear_on_submit=True),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        typed = st.text_input("Add tags", placeholder="trip, family", width="stretch")
        sent = st.form_submit_button("Add", icon=":material/add:")
    if sent and split_tags(typed):
        with told():
            library.tag(hit, add=split_tags(typed))
            st.rerun()


def _places(hit: Hit) -> None:
    st.subheader("Where it lies", anchor=False)
    st.code(str(hit.path), language=None, wrap_lines=True)
    if hit.other_paths:
        st.caption("The same content lies here as well:")
        for path in hit.other_paths:
            st.code(str(path), language=None, wrap_lines=True)
    with st.container(horizontal=True):
        if st.button("More like this", icon=":material/image_search:", key="detail_like"):
            state = SearchState(images=(ImageTerm("media", hit.media_id),))
            st.switch_page(SEARCH_PAGE, query_params=state.to_params())
        if st.button("Duplicates of this", icon=":material/content_copy:", key="detail_copies"):
            st.switch_page(SEARCH_PAGE, query_params={"copies": hit.media_id})


def _similar(hit: Hit) -> None:
    here = context()
    similar = here.kept(("similar", hit.media_id), lambda: here.library.similar(hit, limit=SIMILAR))
    st.subheader("Similar photos", anchor=False)
    results(
        similar,
        key="similar",
        about="",
        salt=f"similar {hit.media_id}",
        label="Similar photos",
        size="small",
    )
