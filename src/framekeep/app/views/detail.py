"""One photo or film: large, with everything that is known of it, and those like it beneath."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from framekeep.app.components.viewer import viewer
from framekeep.app.state import context
from framekeep.app.views.beside import (
    objects_here,
    placed,
    places,
    shown_name,
    similar_to,
    tag_box,
)
from framekeep.app.views.common import facts, megabytes, open_photo, opened_object, run_anew, told
from framekeep.app.views.edits import class_colours
from framekeep.app.views.film import film_detail
from framekeep.app.views.remarks import remarks
from framekeep.app.views.results import annotate
from framekeep.types import Hit

SAID = {"label": "Label", "attribute": "", "note": "Note"}
"""What is told of what was said of a photo itself; its tags have a place of their own."""


def detail(media_id: str, order: Sequence[str]) -> None:
    """Show a photo, a film or a moment; `order` are the ids that previous and next go through."""
    library = context().library
    hits = library.hits([media_id])
    if not hits:
        st.info("This photo is no longer in the library.", icon=":material/image_not_supported:")
        if st.button("Back", key="detail_back"):
            open_photo(None)
            run_anew()
        return
    hit = hits[0]
    if hit.media.video:
        film_detail(hit, order)
        return
    around, place = placed(media_id, order)
    objects = library.segments(hit)
    event = viewer(
        media_id,
        shown_name(hit),
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
        run_anew()
    if objects:
        objects_here(objects, "photo")
    left, right = st.columns([3, 2], gap="large")
    with left:
        _facts(hit)
    with right:
        tag_box(hit, "Tags")
        remarks(hit, "photo", objects)
        places(hit, "More like this")
    with told():
        similar_to(hit, "Similar photos")


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
