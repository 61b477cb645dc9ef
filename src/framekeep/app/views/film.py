"""One film: played from a moment, with its matches, what is known of it, and what is like it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from framekeep.app.components.player import PlayerEvent, player
from framekeep.app.query import ImageTerm, SearchState
from framekeep.app.state import context
from framekeep.app.views.beside import (
    objects_here,
    placed,
    places,
    shown_name,
    similar_to,
    tag_box,
)
from framekeep.app.views.common import (
    SEARCH_PAGE,
    current_search,
    facts,
    megabytes,
    open_photo,
    opened_object,
    run_anew,
    told,
)
from framekeep.app.views.edits import class_colours
from framekeep.app.views.finding import matches_among, scored_moments
from framekeep.app.views.remarks import remarks
from framekeep.app.views.results import annotate
from framekeep.film_types import clock
from framekeep.types import FilmView, Hit

CODECS = {"h264": "H.264", "hevc": "H.265 (HEVC)", "vp8": "VP8", "vp9": "VP9", "av1": "AV1"}


def film_detail(hit: Hit, order: Sequence[str]) -> None:
    """Show a film, or a moment in one; `order` are the results that previous and next go through.

    A film stands in the order itself, or one of its moments does for it.
    """
    app = context()
    library = app.library
    film: FilmView = app.kept(("film", hit.film_id or hit.media_id), lambda: library.film(hit))
    moment = hit if hit.film_id else None
    scored: list[Hit] = []
    with told():
        scored = scored_moments(app, current_search(), film.hit.media_id)
    own = {film.hit.media_id, *(frame_id for frame_id, _ in film.moments)}
    here = hit.media_id if hit.media_id in order else next((i for i in order if i in own), "")
    around, place = placed(here, order)
    objects = library.segments(hit) if moment else []
    event = player(
        film.hit,
        shown_name(hit),
        key="player",
        moment=moment,
        scored=scored,
        matches=matches_among(scored),
        around=around,
        place=place,
        objects=objects,
        chosen=opened_object(),
        colours=class_colours(),
    )
    if event:
        _act(event)
    _search_inside(film.hit)
    if objects:
        objects_here(objects, "moment")
    left, right = st.columns([3, 2], gap="large")
    with left:
        _facts(film, moment)
    with right:
        if moment:
            tag_box(moment, f"Tags of the moment at {clock(moment.time_s or 0)}")
            remarks(moment, "moment", library.segments(moment))
        tag_box(film.hit, "Tags of the film")
        places(hit, "More like this moment" if moment else "More like this film")
    with told():
        similar_to(hit, "Like this moment" if moment else "Like this film")


def _act(event: PlayerEvent) -> None:
    if event.what == "annotate":
        annotate(event.media_id, opened_object())
    elif event.what == "like":
        state = SearchState(images=(ImageTerm("media", event.media_id),))
        st.switch_page(SEARCH_PAGE, query_params=state.to_params())
    else:
        open_photo(event.media_id if event.what == "go" else None)
        run_anew()


def _search_inside(film: Hit) -> None:
    """A box that searches this film alone, and the way to its moments as pictures."""
    state = current_search()
    with (
        st.form(f"inside_{film.media_id}", border=False),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        text = st.text_input(
            "Search in this film", value=state.text, placeholder="a boat", width="stretch"
        )
        sent = st.form_submit_button("Search", icon=":material/search:", key="inside_go")
        listed = st.form_submit_button(
            "All its moments", icon=":material/grid_view:", key="inside_all"
        )
    if sent or listed:
        within = replace(state, text=text.strip(), of="media").within(film.media_id)
        params = dict(within.to_params()) | ({"open": [film.media_id]} if sent else {})
        st.switch_page(SEARCH_PAGE, query_params=params)


def _facts(film: FilmView, moment: Hit | None) -> None:
    media, video = film.hit.media, film.hit.media.video
    width, height = media.size_wh
    taken = media.taken_at_local
    shots = len({place.start_s for _, place in film.moments})
    known = {
        "Moment": _moment_text(moment) if moment else "",
        "Length": f"{clock(video.duration_s)} ({video.duration_s:,.1f} s)" if video else "",
        "Taken": taken.strftime("%Y-%m-%d %H:%M:%S") if taken else "not told by the file",
        "Camera": media.camera or "not told by the file",
        "Size": f"{width:,} × {height:,} px, {media.shape}",
        "Pictures a second": f"{video.fps:,.4g}" if video else "",
        "Codec": CODECS.get(video.codec, video.codec) if video else "",
        "Sound": ("yes" if video.has_audio else "none") if video else "",
        "File": f"{media.format.upper()}, {megabytes(media.bytes)}",
        "Looked at": f"{len(film.moments):,} pictures of {shots:,} shots",
        "Added": media.added_at.astimezone().strftime("%Y-%m-%d %H:%M") if media.added_at else "",
    }
    st.subheader("About this film", anchor=False)
    facts(known)


def _moment_text(moment: Hit) -> str:
    start_s, end_s = moment.shot_s or (0.0, 0.0)
    return f"{clock(moment.time_s or 0)}, in the shot from {clock(start_s)} to {clock(end_s)}"
