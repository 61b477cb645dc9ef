"""Duplicates: groups of photos or objects that show the same, of which the best is kept."""

from __future__ import annotations

import streamlit as st

from framekeep.app.components.gallery import hit_id
from framekeep.app.state import Context, context
from framekeep.app.views.common import counted, opened, run_anew, table
from framekeep.app.views.desk import OBJECT_ID_LENGTH, author, note_change
from framekeep.app.views.detail import detail
from framekeep.app.views.edits import what_they_are
from framekeep.app.views.results import hits_of, results
from framekeep.types import DuplicateGroup

KINDS = {
    "perceptual": "Look the same",
    "semantic": "Show the same",
    "identical": "Same content",
    "objects": "Objects that show the same",
}
PAGE = 10
TAG = "duplicate"
MOST_ROWS = 500


def duplicate_groups(here: Context, kind: str) -> list[DuplicateGroup]:
    """The groups of one kind, as long as the library does not change."""

    def made() -> list[DuplicateGroup]:
        if kind == "objects":
            return here.library.duplicates("semantic", of="objects")
        return here.library.duplicates(kind)

    groups: list[DuplicateGroup] = here.kept(("duplicates", kind), made)
    return groups


def duplicates() -> None:
    """The groups of one kind, largest first; nothing is ever deleted."""
    here = context()
    kind = st.segmented_control(
        "Kind", list(KINDS), default="perceptual", format_func=KINDS.__getitem__, key="dup_kind"
    )
    if kind is None:
        return
    with st.spinner("Comparing…"):
        groups = duplicate_groups(here, kind)
    if kind == "identical":
        _identical(groups)
        return
    hidden = _hidden(here, kind, groups)
    groups = [g for g in groups if len(set(g.media_ids) - hidden) > 1]
    photo = opened()
    if photo:
        order = next((g.media_ids for g in groups if photo in g.media_ids), (photo,))
        detail(photo, list(order))
        return
    if not groups:
        st.success("No duplicates of this kind.", icon=":material/check_circle:")
        return
    _summary(groups)
    pages = -(-len(groups) // PAGE)
    number = int(st.number_input("Page", 1, pages, 1, key="dup_page")) if pages > 1 else 1
    for at, group in enumerate(groups[(number - 1) * PAGE : number * PAGE]):
        _group(group, f"{kind}_{number}_{at}")


def _hidden(here: Context, kind: str, groups: list[DuplicateGroup]) -> set[str]:
    """The ids of what carries the tag already."""
    if kind != "objects":
        return set(here.library.ids_where(f"tag:{TAG}"))
    ids = [some for group in groups for some in group.media_ids]
    return {s.segment_id for s in here.library.segments_by_id(ids) if TAG in s.tags}


def _set_aside(ids: list[str]) -> None:
    """Tag what is beside the best ones."""
    library = context().library
    if ids and len(ids[0]) == OBJECT_ID_LENGTH:
        library.tag_segments(ids, TAG, author=author())
        note_change()
    else:
        library.tag(ids, add=TAG)
        st.session_state["said"] = f"{counted(len(ids), 'photo')} tagged “{TAG}”."
    run_anew()


def _summary(groups: list[DuplicateGroup]) -> None:
    extra = [some for group in groups for some in group.media_ids[1:]]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"**{counted(len(groups), 'group')}**, {what_they_are(extra)} beside the best "
            f"ones. Keeping the best gives the others the tag “{TAG}”; no file is deleted.",
            width="stretch",
        )
        if st.button("Keep the best of all", icon=":material/done_all:"):
            _set_aside(extra)


def _group(group: DuplicateGroup, key: str) -> None:
    hits = hits_of(group.media_ids)
    if len(hits) < 2:
        return
    with st.container(border=True):
        best = hits[0]
        about = f"**{what_they_are([hit_id(hit) for hit in hits])}**; the best comes first"
        if best.segment is None:
            width, height = best.media.size_wh
            about += f": {width} × {height} px"
        results(
            hits,
            key=f"dup_{key}",
            about=about,
            salt=f"dup {key}",
            label="These show the same",
            size="small",
            near=best.segment is not None,
        )
        if st.button("Keep the best", key=f"keep_{key}", icon=":material/check:"):
            _set_aside([hit_id(hit) for hit in hits[1:]])


def _identical(groups: list[DuplicateGroup]) -> None:
    if not groups:
        st.success("No content lies in two places.", icon=":material/check_circle:")
        return
    st.markdown(
        f"**{counted(len(groups), 'content', 'contents')}** in more than one place. Files are "
        "yours to delete: framekeep never does."
    )
    table(
        [
            {
                "Copies": str(len(group.paths)),
                "First": str(group.paths[0]),
                "Others": "\n".join(str(path) for path in group.paths[1:]),
            }
            for group in groups[:MOST_ROWS]
        ],
        "Contents in more than one place",
        height_px=560,
    )
    if len(groups) > MOST_ROWS:
        st.caption(f"The first {MOST_ROWS:,} are shown; the list below has all.")
    others = "".join(f"{path}\n" for group in groups for path in group.paths[1:])
    st.download_button(
        "List of the other copies", others, "framekeep-copies.txt", icon=":material/list:"
    )
