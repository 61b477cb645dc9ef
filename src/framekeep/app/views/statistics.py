"""The Statistics page."""

from __future__ import annotations

import statistics as figures
from collections.abc import Sequence

import streamlit as st

from framekeep.app.components.scatter import scatter
from framekeep.app.state import Context, context
from framekeep.app.views.common import counted, megabytes, opened, plain, told
from framekeep.app.views.detail import detail
from framekeep.app.views.results import results
from framekeep.app.views.sidebar import mode, nothing_yet
from framekeep.types import FacetValue, LibraryStatus


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
    problems = sum(status.files.get(state, 0) for state in ("failed", "skipped", "missing"))
    with st.grid("auto", min_column_width=170):
        st.metric("Photos", f"{status.media:,}", border=True)
        st.metric("Files", f"{status.files.get('indexed', 0):,}", border=True)
        st.metric("Tags", f"{status.tags:,}", border=True)
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
    st.markdown("| | |\n|---|---|\n" + "\n".join(f"| {k} | {plain(v)} |" for k, v in rows.items()))
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
        for facet, title in (
            ("year", "Years"),
            ("format", "Formats"),
            ("camera", "Cameras"),
            ("size", "Sizes"),
        ):
            values = facets.get(facet, [])
            if values:
                _chart(title, list(reversed(values)) if facet == "year" else values[:12])


def _chart(title: str, values: Sequence[FacetValue]) -> None:
    with st.container(border=True):
        st.markdown(f"**{title}**")
        st.bar_chart(
            {"": [value.label for value in values], "Photos": [value.count for value in values]},
            x="",
            y="Photos",
            horizontal=title != "Years",
            height=240,
            sort=False,
        )
        listed = ", ".join(f"{value.label}: {value.count:,}" for value in values)
        st.caption(plain(listed))


def _map(here: Context) -> None:
    st.subheader("Map", anchor=False)
    points = here.kept(("map",), lambda: here.library.map())
    drawn = len(points.media_ids)
    st.caption(
        f"{counted(drawn, 'photo')}"
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
        about = f"**{counted(len(hits), 'photo')}** chosen on the map"
        results(hits, key="lassoed", about=about, salt="lasso", label="Chosen on the map", size="small")


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
    st.line_chart({"ms": [1000 * value for value in seen]}, height=180, y_label="ms", x_label="search")
