"""The exports that were made: what they hold, and making one again as it was."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

import streamlit as st

from framekeep.app.folders import EXPORTS, MANIFEST, REPORT, is_former_export, is_free
from framekeep.app.state import Context
from framekeep.app.views.common import counted, plain, told
from framekeep.app.views.dataset_report import report_tables
from framekeep.app.views.work import kind_of_work
from framekeep.export.reports import ExportReport, LeftOut

PLACES = "places.json"
"""A list of the exports that lie elsewhere, kept among the library's own."""
MOST = 50


@dataclass(frozen=True)
class FormerExport:
    """A dataset on disk, as its report tells it."""

    folder: Path
    made_at: datetime
    report: ExportReport


def remember_place(here: Context, folder: Path) -> None:
    """Note that a dataset is written outside the library's own exports."""
    exports = here.library.path / EXPORTS
    if folder.parent == exports:
        return
    exports.mkdir(parents=True, exist_ok=True)
    places = [str(folder), *(known for known in _places(exports) if known != str(folder))]
    (exports / PLACES).write_text(json.dumps(places[:MOST]), encoding="utf-8")


def list_exports(here: Context) -> list[FormerExport]:
    """The datasets that are still there, the newest first."""
    exports = here.library.path / EXPORTS
    inside = sorted(exports.iterdir()) if exports.is_dir() else []
    folders = dict.fromkeys([*inside, *(Path(place) for place in _places(exports))])
    # What begins with a dot is in the making.
    shown = [folder for folder in folders if not folder.name.startswith(".")]
    found = [_read(folder) for folder in shown if is_former_export(folder)]
    return sorted(filter(None, found), key=lambda each: each.made_at, reverse=True)


def former_exports(here: Context) -> None:
    """The former exports, each with its counts, and a way to make it again."""
    st.title("Former exports", anchor=False)
    kind_of_work("export")
    found = list_exports(here)
    if not found:
        st.info("No dataset has been exported yet.", icon=":material/dataset:")
        return
    st.caption(
        "Made again, a dataset comes out byte for byte as it was: the same photos, masks, labels "
        "and splits, whatever has changed in the library since."
    )
    for number, each in enumerate(found):
        _card(here, each, number)


def _card(here: Context, each: FormerExport, number: int) -> None:
    report = each.report
    with st.container(border=True, key=f"export_{number}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(
                f"**{plain(each.folder.name)}** · {report.format.upper()} · "
                f"{counted(report.image_count, 'photo')}, "
                f"{counted(report.object_count, 'object')} · {each.made_at:%Y-%m-%d %H:%M}  \n"
                f"{plain(str(each.folder))}",
                width="stretch",
            )
            if each.folder.parent == here.library.path / EXPORTS:
                address = f"/fk/export/{quote(each.folder.name)}"
                st.link_button("Download", address, icon=":material/download:")
            again = st.button("Make it again", icon=":material/replay:", key=f"again_{number}")
        if again:
            with told():
                out = again_folder(each.folder)
                here.jobs.export_again(str(each.folder / MANIFEST), str(out))
                remember_place(here, out)
                st.toast(f"Exporting to {plain(str(out))}")
        with st.expander("What it holds"):
            report_tables(report)


def again_folder(folder: Path) -> Path:
    """A free place beside a dataset for its copy."""
    number = 1
    while not is_free(wanted := folder.with_name(f"{folder.name}-again-{number}")):
        number += 1
    return wanted


def _places(exports: Path) -> list[str]:
    try:
        kept = json.loads((exports / PLACES).read_text("utf-8"))
    except (OSError, ValueError):
        return []
    return [place for place in kept if isinstance(place, str)] if isinstance(kept, list) else []


def _read(folder: Path) -> FormerExport | None:
    """A dataset's report; None where it cannot be read."""
    try:
        known = json.loads((folder / REPORT).read_text("utf-8"))
        made_at = datetime.fromtimestamp((folder / MANIFEST).stat().st_mtime).astimezone()
        left_out = tuple(
            LeftOut(left["what"], left["reason"], int(left["count"]), tuple(left["examples"]))
            for left in known["left_out"]
        )
        report = ExportReport(
            format=str(known["format"]),
            classes=tuple(known["classes"]),
            splits=tuple(known["splits"]),
            images=dict(known["images"]),
            objects={name: dict(counts) for name, counts in known["objects"].items()},
            left_out=left_out,
            notes=tuple(known["notes"]),
            out=str(folder),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return FormerExport(folder, made_at, report)
