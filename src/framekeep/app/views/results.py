"""A gallery with its bar: what is shown and how, or what to do with what is selected."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import streamlit as st

from framekeep.app.components.gallery import (
    GalleryEvent,
    ObjectView,
    Section,
    gallery,
    hit_id,
    revision,
    sent_selection,
)
from framekeep.app.query import SIZES, ImageTerm, SearchState
from framekeep.app.state import context
from framekeep.app.views.common import (
    ANNOTATE_PAGE,
    SEARCH_PAGE,
    current_search,
    focus_wish,
    go,
    open_photo,
    plain,
    run_anew,
    search_for,
    told,
)
from framekeep.app.views.desk import (
    desk,
    edit,
    handle_quick_edits,
    handled,
    let_go,
    objects_among,
)
from framekeep.app.views.edits import class_colours, label_dialog, tag_dialog, what_they_are
from framekeep.types import Hit, SearchOf

MOST_LIKE = 8


def results(
    hits: Sequence[Hit],
    *,
    key: str,
    about: str,
    salt: str,
    label: str,
    size: str = "medium",
    more: int | None = None,
    moments: Mapping[str, int] | None = None,
    sections: Sequence[Section] = (),
    escape: bool = False,
    resize: Callable[[], None] | None = None,
    near: bool = False,
    review: bool = False,
) -> None:
    """Show photos and objects with their bar, in which `resize` shows the choice of sizes.

    `more` is the number to show when the end is reached; `salt` tells views apart whose first
    photos are the same. `moments` are the further moments of films behind some hits. With `near`,
    objects fill their tiles; with `review`, judging one by keyboard moves on to the next.
    """
    hits, rev = _held(hits, key, salt)
    selected, mark = _selection(key, rev)
    _bar(hits, selected, key, about, resize)
    names = context().library.shown_names([str(hit.path) for hit in hits])
    event = gallery(
        hits,
        key=key,
        rev=rev,
        label=label,
        size=size,
        more=more is not None,
        have=len(hits) + sum((moments or {}).values()),
        moments=moments,
        selected=selected,
        mark=mark,
        focus=focus_wish(),
        sections=sections,
        names=names,
        escape=escape,
        pictures=key == "found",
        objects=ObjectView(
            near, review, class_colours(), handled(key), desk().undoable is not None
        ),
        on_edits=lambda: handle_quick_edits(key),
    )
    if event:
        _act(event, hits, more, salt, key)


def shown(salt: str, at_first: int, most: int) -> int:
    """How many photos this view shows by now."""
    return min(most, int(st.session_state.get(f"shown:{salt}", at_first)))


def _held(hits: Sequence[Hit], key: str, salt: str) -> tuple[Sequence[Hit], str]:
    """The photos to show: the former ones as long as some of them are selected.

    Otherwise photos that arrive meanwhile would take the selection away.
    """
    rev = revision([hit_id(hit) for hit in hits], salt)
    held = st.session_state.get(f"{key}_held")
    if held and held[0] == salt and held[1] != rev and _selection(key, held[1])[0]:
        fresh = {hit_id(hit): hit for hit in hits_of([hit_id(h) for h in held[2]])}
        kept = [replace(fresh[hit_id(h)], score=h.score) for h in held[2] if hit_id(h) in fresh]
        return kept, held[1]
    st.session_state[f"{key}_held"] = (salt, rev, list(hits))
    return hits, rev


def hits_of(ids: Sequence[str]) -> list[Hit]:
    """Photos and objects by their ids, in this order; those that are no more are left out."""
    library = context().library
    objects = objects_among(ids)
    media = [some for some in ids if some not in set(objects)]
    found = library.hits(media) if media else []
    found += library.object_hits(objects) if objects else []
    by_id = {hit_id(hit): hit for hit in found}
    return [by_id[some] for some in ids if some in by_id]


def _selection(key: str, rev: str) -> tuple[tuple[str, ...], int]:
    """What is selected in this view, and the number of the last change made from here."""
    mark = int(st.session_state.get(f"{key}_mark", 0))
    sent = sent_selection(st.session_state.get(key), rev, mark)
    return sent or (), mark


def size_choice(state: SearchState) -> None:
    """How large the photos are shown."""
    chosen = st.segmented_control(
        "Size of the photos",
        SIZES,
        default=state.size,
        format_func=lambda size: {"small": "S", "medium": "M", "large": "L"}[size],
        key=f"size_{state.size}",
        label_visibility="collapsed",
    )
    if chosen and chosen != state.size:
        extra = {name: st.query_params.get(name, "") for name in ("at", "view", "copies")}
        go(replace(state, size=chosen), **extra)
        run_anew()


def near_choice(state: SearchState) -> None:
    """Whether objects are shown in their photos or close up."""
    words = {False: "In the photo", True: "Close up"}
    chosen = st.segmented_control(
        "How objects are shown",
        [False, True],
        default=state.near,
        format_func=words.__getitem__,
        key=f"near_{state.near}",
        label_visibility="collapsed",
    )
    if chosen is not None and chosen != state.near:
        go(replace(state, near=chosen), view=st.query_params.get("view", ""))
        run_anew()


def _bar(
    hits: Sequence[Hit],
    selected: Sequence[str],
    key: str,
    about: str,
    resize: Callable[[], None] | None,
) -> None:
    if not (about or selected):
        return
    with st.container(horizontal=True, vertical_alignment="center", key=f"{key}_bar"):
        if not selected:
            st.markdown(about, width="stretch")
            if resize:
                resize()
            return
        st.markdown(f"**{what_they_are(selected)} selected**", width="stretch")
        if st.button("Label", icon=":material/label:", key=f"{key}_label", help="l"):
            label_dialog(selected, key)
        if objects_among(selected):
            _judging(selected, key)
        if st.button("Tag", icon=":material/sell:", key=f"{key}_tag", help="t"):
            tag_dialog(selected)
        _elsewhere(hits, selected, key)
        if st.button("Let go", icon=":material/close:", key=f"{key}_none", help="Escape"):
            let_go(key)
            run_anew()


def _judging(selected: Sequence[str], key: str) -> None:
    """Accept or reject the objects that are selected."""
    for what, icon in (("accept", ":material/check:"), ("reject", ":material/block:")):
        if st.button(what.capitalize(), icon=icon, key=f"{key}_{what}", help=what[0]):
            with told():
                edit(what, selected)
                let_go(key)
                run_anew()


def _elsewhere(hits: Sequence[Hit], selected: Sequence[str], key: str) -> None:
    """What takes the selection elsewhere: a search for more like it, a list of paths."""
    if st.button("More like these", icon=":material/image_search:", key=f"{key}_like"):
        _search_like(selected)
    chosen = set(selected)
    paths = dict.fromkeys(str(hit.path) for hit in hits if hit_id(hit) in chosen)
    st.download_button(
        "List of paths",
        "\n".join(paths) + "\n",
        "framekeep-selection.txt",
        icon=":material/list:",
        key=f"{key}_paths",
        on_click="ignore",
    )


def _act(event: GalleryEvent, hits: Sequence[Hit], more: int | None, salt: str, key: str) -> None:
    if event.what == "more" and more is not None:
        st.session_state[f"shown:{salt}"] = more
        run_anew()
    elif event.what == "leave":
        open_photo(None)
        run_anew()
    elif event.ids:
        _act_on(event, hits, key)


def _act_on(event: GalleryEvent, hits: Sequence[Hit], key: str) -> None:
    first = event.ids[0]
    hit = next((hit for hit in hits if hit_id(hit) == first), None)
    hit = hit or next(iter(hits_of([first])), None)  # shown before, and no longer
    media_id = hit.media_id if hit else first
    object_id = first if objects_among([first]) else None
    if event.what == "open":
        open_photo(media_id, object_id)
        run_anew()
    elif event.what == "tag":
        tag_dialog(event.ids)
    elif event.what == "label":
        label_dialog(event.ids, key)
    elif event.what == "like":
        _search_like(event.ids)
    elif event.what == "inside":
        _search_inside(hit)
    elif event.what == "duplicates":
        st.switch_page(SEARCH_PAGE, query_params={"copies": first})
    elif event.what == "annotate":
        annotate(media_id, object_id)
    elif event.what == "picture":
        _search_with([ImageTerm("image", first)])


def annotate(media_id: str, object_id: str | None = None) -> None:
    """Go to where outlines are drawn and corrected; previous and next go through this search."""
    review = st.query_params.get("view") == "review"
    came_from = "review" if review else str(st.session_state.get("page", "search"))
    params: dict[str, str | list[str]] = dict(current_search().to_params())
    params |= {"open": media_id, "from": came_from, **({"object": object_id} if object_id else {})}
    st.switch_page(ANNOTATE_PAGE, query_params=params)


def _search_like(ids: Sequence[str]) -> None:
    """Search for more like these; for objects where all of them are."""
    objects = set(objects_among(ids))
    images = [ImageTerm("segment" if some in objects else "media", some) for some in ids]
    _search_with(images, "objects" if len(objects) == len(ids) else "media")


def _search_inside(hit: Hit | None) -> None:
    """Search on within the film of a hit; from elsewhere than a search, show all its moments."""
    if hit is None:
        return
    within = hit.film_id or hit.media_id
    if st.session_state.get("page") == "search":
        search_for(replace(current_search(), of="media").within(within))
        run_anew()
    st.switch_page(SEARCH_PAGE, query_params=SearchState().within(within).to_params())


def _search_with(images: Sequence[ImageTerm], of: SearchOf = "media") -> None:
    """Search with these pictures, on the search page."""
    state = SearchState(images=tuple(images)[:MOST_LIKE], of=of)
    if st.session_state.get("page") == "search":
        search_for(state)
        run_anew()
    st.switch_page(SEARCH_PAGE, query_params=state.to_params())


def chip(label: str, key: str, help_text: str) -> bool:
    """A part of the query that can be taken away."""
    return st.button(
        plain(label), icon=":material/close:", key=key, help=help_text, type="secondary"
    )
