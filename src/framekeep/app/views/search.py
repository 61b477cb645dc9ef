"""The search page."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from framekeep.app.components.dropzone import picture_drop
from framekeep.app.query import (
    FILM,
    KINDS_OF,
    MOST,
    PAGE,
    ImageTerm,
    SearchState,
    parse_away,
    parse_params,
)
from framekeep.app.state import Context, context
from framekeep.app.views.beside import shown_name
from framekeep.app.views.common import (
    DATASETS_PAGE,
    OBJECTS_PAGE,
    counted,
    counted_hits,
    current_search,
    go,
    opened,
    photos_and_films,
    plain,
    run_anew,
    search_for,
    told,
)
from framekeep.app.views.detail import detail
from framekeep.app.views.dialogs import save_dialog
from framekeep.app.views.duplicates import duplicate_groups
from framekeep.app.views.finding import grouped, run_search
from framekeep.app.views.results import chip, hits_of, near_choice, results, shown, size_choice
from framekeep.app.views.sidebar import filters, nothing_yet
from framekeep.errors import FramekeepError
from framekeep.types import Hit

COPIES = "copies"
WORDS_OF = {"media": "Photos", "objects": "Objects", "both": "Both"}
NOUNS_OF = {"media": "photo", "objects": "object", "both": "photo or object"}


def page() -> None:
    """The search page: box, pictures, chips, results or one photo."""
    here = context()
    state = current_search()
    if not here.count():
        _box(state)
        nothing_yet()
        return
    copies_of = st.query_params.get(COPIES)
    _box(state)
    _chips(state)
    with st.sidebar:
        filters(state)
    if copies_of:
        _copies(copies_of)
        return
    with told():
        _found(here, state)


def _box(state: SearchState) -> None:
    """The search box with what belongs to it."""
    if st.session_state.get("box_shows") != state.text:
        st.session_state["box"] = st.session_state["box_shows"] = state.text
    with st.container(horizontal=True, vertical_alignment="bottom", key="searchbar"):
        st.text_input(
            "Search your photos",
            key="box",
            label_visibility="collapsed",
            placeholder="Search your photos: sunset over ocean, red car …",
            icon=":material/search:",
            on_change=_typed,
            width="stretch",
        )
        with st.popover("Picture", icon=":material/image_search:", help="Search with a picture"):
            _picture(state)
        with st.popover("Refine", icon=":material/tune:", help="Steer away, weigh, filter"):
            _refine(state)
        with st.popover("Searches", icon=":material/history:", help="Former and kept searches"):
            _searches(state)


def _typed() -> None:
    text = str(st.session_state["box"]).strip()
    st.session_state["box_shows"] = text
    search_for(replace(current_search(), text=text, limit=PAGE))


def _picture(state: SearchState) -> None:
    image = picture_drop(
        key="picture",
        label="Drop a picture here, or paste one",
        hint="Photos like it are found; it is not added.",
    )
    if image:
        term = ImageTerm("image", image)
        if term not in state.images:
            search_for(replace(state, images=(*state.images, term), limit=PAGE))
            run_anew()


def _refine(state: SearchState) -> None:
    with st.form("refine", border=False):
        away = st.text_input(
            "Steer away from",
            value=", ".join(state.away),
            placeholder="people, text",
            help="What you do not want to see, with commas between.",
        )
        text_weight = state.text_weight
        weights: list[float] = []
        if state.images:
            if state.text:
                text_weight = st.slider("Weight of the words", 0.1, 3.0, state.text_weight, 0.1)
            for number, term in enumerate(state.images, 1):
                label = "Weight of the picture" if len(state.images) == 1 else f"Picture {number}"
                weights.append(st.slider(label, 0.1, 3.0, min(3.0, term.weight), 0.1))
        where = st.text_input(
            "Filter",
            value=state.where,
            placeholder="taken>=2024-05 and not format:png",
            help="Fields: taken, added, format, folder, name, camera, tag, width, height, pixels, "
            "bytes, orientation, sharpness, brightness, has; of objects: label, state, source, "
            "otag, score, area, segmenter.",
        )
        limit = st.select_slider("Results", [10, 20, 60, 120, 240, 500], _nearest(state.limit))
        if st.form_submit_button("Search", type="primary"):
            images = tuple(
                replace(term, weight=weight)
                for term, weight in zip(state.images, weights, strict=False)
            )
            search_for(
                replace(
                    state,
                    away=parse_away(away),
                    where=where.strip(),
                    text_weight=text_weight,
                    images=images,
                    limit=int(limit),
                )
            )
            run_anew()


def _nearest(limit: int) -> int:
    return min((10, 20, 60, 120, 240, 500), key=lambda value: abs(value - limit))


def _searches(state: SearchState) -> None:
    library = context().library
    if not state.empty and st.button("Keep this search", icon=":material/bookmark_add:"):
        save_dialog(state)
    with told():
        kept, recent = library.saved_searches(), library.recent_searches(12)
        if kept:
            st.caption("Kept")
        for search in kept:
            with st.container(horizontal=True, vertical_alignment="center"):
                _search_link(search.query, search.name or "", f"kept_{search.search_id}")
                if st.button(
                    "",
                    icon=":material/delete:",
                    key=f"drop_{search.search_id}",
                    type="tertiary",
                    help=f"Forget {plain(search.name or '')}",
                ):
                    library.forget_search(search.search_id)
                    run_anew()
        if recent:
            st.caption("Former")
        for search in recent:
            _search_link(search.query, "", f"recent_{search.search_id}")
        if recent and st.button("Forget the former searches", type="tertiary"):
            library.forget_history()
            run_anew()
        if not kept and not recent:
            st.caption("Searches you make are listed here.")


def _search_link(query: str, name: str, key: str) -> None:
    from urllib.parse import parse_qs

    state = parse_params(parse_qs(query))
    if st.button(plain(name or state.described()), key=key, type="tertiary", width="stretch"):
        search_for(state)
        run_anew()


def _chips(state: SearchState) -> None:
    """What the query is made of beside its words, each to be taken away."""
    if not (state.images or state.away or state.where or state.facets):
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="chips"):
        for number, term in enumerate(state.images):
            _image_chip(state, term, number)
        for number, text in enumerate(state.away):
            if chip(f"not {text}", f"away_{number}", "Take this away"):
                _go_on(replace(state, away=tuple(t for t in state.away if t != text)))
        for number, (facet, where) in enumerate(state.facets):
            label = f"in {_film_name(where)}" if facet == FILM else where
            if chip(label, f"facet_{number}", "Take this filter away"):
                _go_on(state.toggled(facet, where, on=False))
        if state.where and chip(state.where, "where_chip", "Take this filter away"):
            _go_on(replace(state, where=""))


def _film_name(where: str) -> str:
    """A film's name, out of the filter for it."""
    hits = context().library.hits([where.removeprefix("film:")])
    return shown_name(hits[0]) if hits else "a film that is no longer there"


def _image_chip(state: SearchState, term: ImageTerm, number: int) -> None:
    address = (
        f"/fk/thumb/{term.ref}/small" if term.kind == "media" else f"/fk/query-image/{term.ref}"
    )
    st.html(
        f'<img src="{address}" alt="Picture {number + 1} of the query" '
        'style="height:44px;max-width:90px;object-fit:cover;border-radius:6px;display:block">',
        width="content",
    )
    label = "picture" if term.weight == 1 else f"picture × {term.weight:g}"
    if chip(label, f"image_{number}", "Take this picture away"):
        left = tuple(other for at, other in enumerate(state.images) if at != number)
        _go_on(replace(state, images=left))


def _go_on(state: SearchState) -> None:
    go(state)
    run_anew()


def _found(here: Context, state: SearchState) -> None:
    salt = "search?" + state.to_address()
    limit = shown(salt, state.limit, MOST)
    hits = _searched(here, state, limit)
    if hits is None:
        return
    tiles, moments = (hits, {}) if state.film else grouped(hits)
    photo = opened()
    if photo:
        detail(photo, list(dict.fromkeys(hit.media_id for hit in tiles)))
        return
    if not hits:
        _no_result(here, state)
        return
    more = min(MOST, limit + state.limit) if len(hits) == limit < MOST else None
    results(
        tiles,
        key="found",
        about=_about(state, hits, limit),
        salt=salt,
        label="Results" if state.ranked else f"Newest {WORDS_OF[state.of].lower()}",
        size=state.size,
        more=more,
        moments=moments,
        resize=lambda: _choices(state),
        near=state.near,
    )


def _choices(state: SearchState) -> None:
    """What is searched for and how it is shown, at the right of the results' bar."""
    of_choice(state)
    if state.of != "media":
        near_choice(state)
        if st.button(
            "Dataset",
            icon=":material/dataset:",
            key="to_dataset",
            help="Export what this search finds as a dataset",
        ):
            st.switch_page(DATASETS_PAGE, query_params=replace(state, limit=PAGE).to_params())
    size_choice(state)


def of_choice(state: SearchState) -> None:
    """Whether photos, objects or both are searched for."""
    films = context().count("kind:video")
    chosen = st.segmented_control(
        "What to search for",
        KINDS_OF,
        default=state.of,
        format_func=lambda of: "Photos, films" if films and of == "media" else WORDS_OF[of],
        key=f"of_{state.of}",
        label_visibility="collapsed",
    )
    if chosen and chosen != state.of:
        _go_on(replace(state, of=chosen, limit=PAGE))


def _searched(here: Context, state: SearchState, limit: int) -> list[Hit] | None:
    with st.spinner("Searching…", show_time=False):
        try:
            return run_search(here, state, limit)
        except FramekeepError as exc:
            st.error(_in_page(str(exc)), icon=":material/error:")
            return None


def _in_page(message: str) -> str:
    """An error's sentence; a filter's has a picture of where it went wrong below it."""
    first, _, drawing = message.partition("\n")
    return plain(first) + (f"\n```\n{drawing}\n```" if drawing else "")


def _about(state: SearchState, hits: list[Hit], limit: int) -> str:
    order = "best first" if state.ranked else "newest first"
    if state.film and not state.ranked and state.of == "media":
        return f"**{counted_hits(hits)}**, by time"
    if not state.ranked and state.of == "media":
        return f"**{photos_and_films(state.condition)}**, {order}"
    if len(hits) < limit:
        return f"**{counted_hits(hits)}**, {order}"
    return f"**The {'best' if state.ranked else 'newest'} {len(hits):,}**"


def _no_result(here: Context, state: SearchState) -> None:
    if state.of != "media" and not here.objects():
        st.info("No objects have been found in your photos yet.", icon=":material/category:")
        st.page_link(OBJECTS_PAGE, label="Find objects", icon=":material/category:")
        of_choice(state)
        return
    st.info(f"No {NOUNS_OF[state.of]} matches these filters.", icon=":material/search_off:")
    with st.container(horizontal=True):
        if state.condition and st.button("Search without filters", type="primary"):
            _go_on(replace(state, where="", facets=()))
        of_choice(state)


def _copies(hit_id: str) -> None:
    """Photos that show the same as one, or objects that show the same as one."""
    here = context()
    if st.button("Back to the search", icon=":material/arrow_back:"):
        go(current_search())
        run_anew()
    photo = opened()
    with told():
        original = hits_of([hit_id])
        if not original:
            st.info("This is no longer in the library.")
            return
        ids = here.kept(("copies", hit_id), lambda: _same(here, original[0]))
        hits = hits_of([hit_id, *ids])
        if photo:
            detail(photo, list(dict.fromkeys(hit.media_id for hit in hits)))
            return
        results(
            hits,
            key="copies",
            about=_about_copies(original[0], len(ids)),
            salt=f"copies {hit_id}",
            label="Duplicates",
            near=original[0].segment is not None,
        )


def _about_copies(original: Hit, number: int) -> str:
    noun = "object" if original.segment else "photo"
    about = (
        f"**{counted(number, f'other {noun}')}** like it"
        if number
        else f"No other {noun} shows the same"
    )
    files = 1 + len(original.other_paths)
    if files > 1 and not original.segment:
        about += f"; its own content lies in {files} places"
    return about


def _same(here: Context, original: Hit) -> list[str]:
    found: list[str] = []
    wanted = original.segment.segment_id if original.segment else original.media_id
    for kind in ("objects",) if original.segment else ("perceptual", "semantic"):
        for group in duplicate_groups(here, kind):
            if wanted in group.media_ids:
                found += group.media_ids
    return [other for other in dict.fromkeys(found) if other != wanted]
