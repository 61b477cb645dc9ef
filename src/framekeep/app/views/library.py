"""The Library page: photos by date on a time line, duplicates, problems."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime

import streamlit as st

from framekeep.app.components.gallery import Section
from framekeep.app.components.timeline import timeline
from framekeep.app.query import SearchState
from framekeep.app.state import Context, context
from framekeep.app.views.common import (
    counted,
    current_search,
    go,
    opened,
    photos_and_films,
    run_anew,
    table,
    told,
)
from framekeep.app.views.detail import detail
from framekeep.app.views.duplicates import duplicates
from framekeep.app.views.results import results, shown, size_choice
from framekeep.app.views.sidebar import filters, nothing_yet
from framekeep.types import Hit, Month

WINDOW = 240
MOST = 4800
MOST_PROBLEMS = 1000
VIEWS = {"photos": "Photos", "duplicates": "Duplicates", "problems": "Problems"}


def page() -> None:
    """The Library page."""
    here = context()
    view = st.query_params.get("view", "photos")
    photo = opened()
    if not photo:
        chosen = st.segmented_control(
            "What to show",
            list(VIEWS),
            default=view if view in VIEWS else "photos",
            format_func=VIEWS.__getitem__,
            key=f"view_{view}",
            label_visibility="collapsed",
        )
        if chosen and chosen != view:
            go(SearchState(), view=chosen)
            run_anew()
    with told():
        if view == "duplicates":
            duplicates()
        elif view == "problems":
            _problems(here)
        else:
            _photos(here, current_search(), photo)


def _photos(here: Context, state: SearchState, photo: str | None) -> None:
    if not here.count():
        nothing_yet()
        return
    with st.sidebar:
        filters(state)
    condition = state.condition
    months = here.kept(("months", condition), lambda: here.library.timeline(condition or None))
    at = st.query_params.get("at", "")
    start = offset_of(months, at)
    salt = f"library {condition} {at}"
    limit = shown(salt, WINDOW, MOST)
    hits = here.kept(
        ("library", condition, start, limit),
        lambda: here.library.search(where=condition or None, limit=limit, offset=start),
    )
    if photo:
        detail(photo, [hit.media_id for hit in hits])
        return
    if not hits:
        st.info("No photo matches these filters.", icon=":material/search_off:")
        return
    jump = timeline(months, key="timeline", at=at)
    if jump is not None and jump != at:
        go(state, at=jump)
        run_anew()
    about = f"**{photos_and_films(condition)}**, newest first"
    if start:
        about += f", from the {start + 1:,}th on"
    results(
        hits,
        key="library",
        about=about,
        salt=salt,
        label="All photos by date",
        size=state.size,
        more=limit + WINDOW if len(hits) == limit < MOST else None,
        sections=month_sections(hits),
        resize=lambda: size_choice(state),
    )


def offset_of(months: list[Month], at: str) -> int:
    """How many media come before a month ("2024-05"), newest first; 0 where it is not one."""
    before = 0
    for month in months:
        if f"{month.year:04}-{month.month:02}" <= at:
            return before
        before += month.count
    return 0


def month_sections(hits: list[Hit]) -> list[Section]:
    """A heading wherever the month changes."""
    found: list[Section] = []
    last = ""
    for index, hit in enumerate(hits):
        when = sorted_at(hit)
        title = f"{calendar.month_name[when.month]} {when.year}"
        if title != last:
            found.append(Section(index, title))
            last = title
    return found


def sorted_at(hit: Hit) -> datetime:
    """The time that a photo is listed under: when it was taken, else when it was added (UTC)."""
    media = hit.media
    if media.taken_at_local:
        return media.taken_at_local
    added = media.added_at or datetime.now(UTC)
    return added.astimezone(UTC).replace(tzinfo=None)


def _problems(here: Context) -> None:
    problems = here.library.problems(limit=MOST_PROBLEMS)
    if not problems:
        st.success(
            "No problems: every file that was found can be searched.",
            icon=":material/check_circle:",
        )
        return
    names = here.library.shown_names([problem.path for problem in problems])
    states = {"failed": "cannot be read", "skipped": "not a photo or film", "missing": "gone"}
    counts = here.library.file_counts()
    told_counts = [f"{counts[s]:,} {word}" for s, word in states.items() if counts.get(s)]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"**{counted(len(problems), 'problem')}**: {', '.join(told_counts)}", width="stretch"
        )
        if st.button("Try again", icon=":material/refresh:", type="primary"):
            here.jobs.add([], retry=True, title="Trying the failed files again")
            st.toast("The failed files are read again.")
    table(
        [
            {
                "File": names.get(problem.path, problem.path),
                "What": states.get(problem.state, problem.state),
                "Reason": problem.reason,
            }
            for problem in problems
        ],
        "Problems",
        height_px=620,
    )
    if len(problems) == MOST_PROBLEMS:
        st.caption("The first 1,000 are shown; `framekeep problems` lists all.")
