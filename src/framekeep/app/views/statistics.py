"""The Statistics page."""

from __future__ import annotations

import html
import statistics as figures
from collections.abc import Sequence

import streamlit as st

from framekeep.app.components.scatter import scatter
from framekeep.app.query import SearchState
from framekeep.app.state import Context, context
from framekeep.app.views.common import counted, counted_hits, facts, megabytes, opened, told
from framekeep.app.views.detail import detail
from framekeep.app.views.edits import class_colours
from framekeep.app.views.results import results
from framekeep.app.views.sidebar import mode, nothing_yet
from framekeep.types import FacetValue, LibraryStatus

TITLES = {
    "year": "Years",
    "format": "Formats",
    "camera": "Cameras",
    "length": "Lengths of films",
    "size": "Sizes",
    "label": "Labels",
}


def page() -> None:
    """The Statistics page: counts, encoder, charts, the map, latency, problems."""
    here = context()
    photo = opened()
    if photo:
        detail(photo, list(st.session_state.get("lasso", ())))
        return
    st.title("Statistics", anchor=False)
    with told():
        status = here.library.status()
        _counts(here, status)
        if not status.media:
            nothing_yet()
            return
        _charts(here)
        _map(here)
    _latency(here)


def _counts(here: Context, status: LibraryStatus) -> None:
    info = here.library.info
    objects = here.kept(("object_counts",), here.library.object_counts)
    problems = sum(status.files.get(state, 0) for state in ("failed", "skipped", "missing"))
    with st.grid("auto", min_column_width=140):
        films = here.count("kind:video")
        st.metric("Photos", f"{status.media - films:,}", border=True)
        if films:
            moments = here.kept(("moments",), here.library.count_moments)
            st.metric("Films", f"{films:,}", border=True)
            st.metric("Moments", f"{moments:,}", border=True)
        st.metric("Files", f"{status.files.get('indexed', 0):,}", border=True)
        st.metric("Tags", f"{status.tags:,}", border=True)
        st.metric("Objects", f"{objects['segments']:,}", border=True)
        st.metric("Labelled objects", f"{objects['labelled']:,}", border=True)
        st.metric("Classes", f"{len(class_colours()):,}", border=True)
        st.metric("Problems", f"{problems:,}", border=True)
        st.metric("Library on disk", megabytes(status.bytes_on_disk), border=True)
        st.metric("Dimensions", f"{info.dim}", border=True)
    index = status.index_count if status.index_count >= 0 else "not open"
    rows = {
        "Encoder": info.id,
        "Mode": mode(info),
        "Vectors in the index": f"{index:,}" if isinstance(index, int) else index,
        "Index": "in the library's folder" if status.vectors == "local" else status.vectors,
        "Library": status.path,
    }
    if status.building:
        rows["Being built"] = status.building
    facts(rows)
    if problems:
        st.page_link(
            "app_pages/library.py",
            label=f"Look at {counted(problems, 'problem')}",
            icon=":material/report:",
            query_params={"view": "problems"},
        )


def _charts(here: Context) -> None:
    facets = here.kept(("facets", ""), lambda: here.library.facets(None))
    with st.grid("auto", min_column_width=330):
        for facet, title in TITLES.items():
            values = facets.get(facet, [])
            if values:
                with st.container(border=True):
                    st.markdown(f"**{title}**")
                    st.html(bars(facet, values[:12]))


def bars(facet: str, values: Sequence[FacetValue]) -> str:
    """A bar chart as HTML; each name leads to the search for what it stands for."""
    most = max(value.count for value in values)
    rows = []
    for value in values:
        address = SearchState(facets=((facet, value.where),)).to_address()
        rows.append(
            f'<a href="/?{html.escape(address)}" target="_self">{html.escape(value.label)}</a>'
            f'<i style="width:{100 * value.count / most:.1f}%"></i><b>{value.count:,}</b>'
        )
    return f'<div class="fk-bars">{"".join(rows)}</div>'


def _map(here: Context) -> None:
    st.subheader("Map", anchor=False)
    points = here.kept(("map",), lambda: here.library.map())
    drawn = len(points.media_ids)
    nouns = ("photo or moment", "photos and moments") if here.count("kind:video") else ("photo",)
    st.caption(
        counted(drawn, *nouns)
        + (f" of {points.total:,}, drawn at random" if drawn < points.total else "")
        + f": those with a like meaning lie together ({points.method}). Hover shows a photo; draw "
        "around some to see them."
    )
    chosen = scatter(points, key="map")
    if chosen is not None:
        st.session_state["lasso"] = chosen
    ids = st.session_state.get("lasso", ())
    if ids:
        hits = here.library.hits(list(ids))
        about = f"**{counted_hits(hits)}** chosen on the map"
        results(
            hits, key="lassoed", about=about, salt="lasso", label="Chosen on the map", size="small"
        )


def _latency(here: Context) -> None:
    st.subheader("Search latency", anchor=False)
    seen = list(here.latencies_s)
    if not seen:
        st.caption("No search has been made since the app was started.")
        return
    with st.grid("auto", min_column_width=170):
        st.metric("Searches", f"{len(seen):,}", border=True)
        st.metric("Median", f"{1000 * figures.median(seen):.0f} ms", border=True)
        ordered = sorted(seen)
        slow = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
        st.metric("Slowest twentieth", f"{1000 * slow:.0f} ms", border=True)
    if len(seen) > 1:
        st.html(spark(seen))


def spark(seen_s: Sequence[float]) -> str:
    """The latencies one after another as a line, drawn in SVG."""
    most = max(seen_s)
    step = 1000 / max(1, len(seen_s) - 1)
    points = " ".join(f"{i * step:.1f},{116 - 110 * s / most:.1f}" for i, s in enumerate(seen_s))
    text = f"Latency of the last {len(seen_s)} searches, at most {1000 * most:.0f} ms"
    return (
        f'<svg class="fk-spark" viewBox="0 0 1000 120" preserveAspectRatio="none" role="img" '
        f'aria-label="{text}"><polyline points="{points}" fill="none" stroke="#4c6ef5" '
        'stroke-width="2" vector-effect="non-scaling-stroke"/></svg>'
    )
