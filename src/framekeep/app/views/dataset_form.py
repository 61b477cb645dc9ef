"""The choices of an export: what goes in, in which form, where to."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import streamlit as st

from framekeep.app.folders import EXPORTS, allowed_target, is_former_export, is_free
from framekeep.app.query import MOST, SearchState
from framekeep.app.state import Context
from framekeep.app.views.common import counted, go, plain, run_anew
from framekeep.app.views.edits import label_names
from framekeep.app.views.finding import run_search
from framekeep.app.views.results import chip
from framekeep.datasets import MOST_FOUND, WORTH_EXPORTING
from framekeep.errors import InputError
from framekeep.export.options import LONGEST_FACT, ExportOptions
from framekeep.terms import EXCLUDE_WEIGHT

FORMATS = {
    "coco": "COCO: masks, boxes and classes in JSON",
    "yolo": "YOLO: outlines or boxes in text files",
    "crops": "Crops: each object as a picture, in class folders",
    "csv": "CSV: a table of objects",
    "jsonl": "JSON Lines: objects with their vectors",
    "parquet": "Parquet: objects with their vectors",
}
SPLITS = {"": "No split", "80/10/10": "80/10/10", "60/20/20": "60/20/20", "own": "Other"}
LABELS = {"any": "A person's, else the segmenter's", "person": "Only a person's"}
IMAGES = {
    "copy": "Copied into the dataset",
    "link": "Hard-linked: no room taken, on the same disk only",
    "reference": "Left where they are, and named",
}
MASKS = {"rle": "Exact (RLE)", "polygon": "Polygons, where an object has no holes; else RLE"}
NEVER = ("yolo", "reference")
EMPTY = "A model learns from photos without objects, too: what not to find."
TASKS = {"segment": "Outlines (segment)", "detect": "Boxes (detect)"}


@dataclass(frozen=True)
class Wanted:
    """An export as the page has it; `options` are those of `Library.export` without the target."""

    options: dict[str, Any]
    out: Path
    overwrite: bool

    @property
    def all_options(self) -> dict[str, Any]:
        """Everything that `Library.export` takes."""
        return {**self.options, "out": str(self.out), "overwrite": self.overwrite}


def export_form(here: Context, state: SearchState) -> Wanted:
    """Ask for everything. Raises InputError where something cannot be."""
    search = _what(here, state)
    kind = st.selectbox("Format", list(FORMATS), format_func=FORMATS.__getitem__, key="ds_format")
    kind = kind or "coco"
    classes = st.multiselect(
        "Classes", sorted(label_names(), key=str.casefold), placeholder="All", key="ds_classes"
    )
    labels = _choice("Labels", LABELS, "ds_labels")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        split = _split()
        seed = int(
            st.number_input(
                "Seed",
                0,
                2**31 - 1,
                0,
                key="ds_seed",
                width=130,
                help="The same seed splits the same photos in the same way.",
            )
        )
    options: dict[str, Any] = {
        **search,
        "format": kind,
        "classes": classes or None,
        "labels": labels,
        "split": split or None,
        "seed": seed,
    }
    if kind in ("coco", "yolo"):
        # YOLO finds labels by where a picture lies.
        known = {name: words for name, words in IMAGES.items() if (kind, name) != NEVER}
        options["images"] = _choice("Photos", known, f"ds_images_{kind}")
        options["only_labelled"] = st.checkbox(
            "Leave photos without such an object out", key="ds_only", help=EMPTY
        )
    if kind == "coco":
        options["masks"] = _choice("Masks", MASKS, "ds_masks")
        options |= _facts()
    if kind == "yolo":
        options["task"] = _choice("Task", TASKS, "ds_task")
    out, overwrite = _target(here, kind)
    _check(options)
    return Wanted(options, out, overwrite)


def _check(options: dict[str, Any]) -> None:
    """Raise InputError for what a background job would only find out later."""
    known = {each.name for each in fields(ExportOptions)}
    given = {name: value for name, value in options.items() if name in known}
    ExportOptions(**{**given, "classes": tuple(given["classes"]) if given["classes"] else None})


def _choice(label: str, words: dict[str, str], key: str) -> str:
    chosen = st.selectbox(label, list(words), format_func=words.__getitem__, key=key)
    return str(chosen or next(iter(words)))


def _facts() -> dict[str, str]:
    """What the dataset says of itself; only what was filled in."""
    with st.expander("About the dataset"):
        asked = {
            "description": st.text_input(
                "Description", key="ds_description", max_chars=LONGEST_FACT
            ),
            "contributor": st.text_input(
                "Contributor", key="ds_contributor", max_chars=LONGEST_FACT
            ),
            "licence": st.text_input(
                "Licence",
                placeholder="CC BY 4.0",
                key="ds_licence",
                max_chars=LONGEST_FACT,
                help="That of the photos; without one it is told as unknown.",
            ),
            "licence_url": st.text_input(
                "Address of the licence",
                placeholder="https://creativecommons.org/licenses/by/4.0/",
                key="ds_licence_url",
                max_chars=LONGEST_FACT,
            ),
        }
    return {name: text.strip() for name, text in asked.items() if text.strip()}


def _what(here: Context, state: SearchState) -> dict[str, Any]:
    """The photos that go in: all, those of a filter, or what a search finds."""
    if st.session_state.get("ds_where_shows") != state.condition:
        st.session_state["ds_where"] = st.session_state["ds_where_shows"] = state.condition
    where = st.text_input(
        "Photos that match",
        placeholder="All with objects; or a filter: label:dog and taken>=2024",
        key="ds_where",
        help="A filter, as on the Search page. Empty, it stands for all photos that have an object "
        "or a label.",
    ).strip()
    if not state.ranked:
        st.caption(f"{counted(here.count(where or WORTH_EXPORTING), 'photo')} match.")
        return {"where": where or None}
    if chip(replace(state, where="", facets=()).described(), "ds_search", "Leave the search out"):
        go(replace(SearchState(), where=where))
        run_anew()
    limit = int(
        st.number_input(
            "The best so many",
            1,
            MOST_FOUND,
            MOST,
            key="ds_limit",
            help="Of what the search finds. A photo goes in with all its objects.",
        )
    )
    return _searched(here, replace(state, where=where, facets=()), limit)


def _searched(here: Context, state: SearchState, limit: int) -> dict[str, Any]:
    """A search as an export takes it: its terms, or (with pictures that were given) its media."""
    if any(image.kind == "image" for image in state.images):
        hits = run_search(here, state, limit)
        return {"media": list(dict.fromkeys(hit.media_id for hit in hits))}
    text = [("text", state.text, state.text_weight)] if state.text else []
    images = [(image.kind, image.ref, image.weight) for image in state.images]
    away = [("text", unwanted, EXCLUDE_WEIGHT) for unwanted in state.away]
    terms = [
        {"kind": kind, "value": value, "weight": weight}
        for kind, value, weight in [*text, *images, *away]
    ]
    query = {"of": state.of, "terms": terms}
    return {"where": state.where or None, "query": query, "limit": limit}


def _split() -> str:
    chosen = st.selectbox(
        "Split",
        list(SPLITS),
        format_func=SPLITS.__getitem__,
        key="ds_split",
        help="Training, validation, test, in percent. Near-duplicates and bursts stay together, "
        "so that no split leaks into another.",
    )
    if chosen == "own":
        return st.text_input("Percent", placeholder="70/20/10", key="ds_split_own").strip()
    return str(chosen or "")


def _target(here: Context, kind: str) -> tuple[Path, bool]:
    exports = here.library.path / EXPORTS
    named = st.text_input(
        "Name or folder",
        value=free_name(exports, kind),
        key=f"ds_out_{kind}",
        help=f"A name lies in {exports}; or a whole path below "
        + ", ".join(str(root) for root in here.settings.app_roots),
    )
    out = allowed_target(named, here.settings.app_roots, here.library.path)
    st.caption(f"Goes to {plain(str(out))}")
    if is_free(out):
        return out, False
    if not is_former_export(out):
        raise InputError(f"{out} holds something that is no export: choose another name.")
    replacing = st.checkbox("Replace the export that is there", key="ds_overwrite")
    if not replacing:
        raise InputError(f"{out} holds a former export: choose another name, or replace it.")
    return out, True


def free_name(exports: Path, kind: str) -> str:
    """A name for a dataset that is not taken."""
    number = 1
    while not is_free(exports / f"{kind}-{number}"):
        number += 1
    return f"{kind}-{number}"
