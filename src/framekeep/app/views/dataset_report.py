"""What a dataset holds, or would hold, in tables and drawn samples."""

from __future__ import annotations

import html

import streamlit as st

from framekeep.app.views.common import counted, plain, table
from framekeep.export.reports import ExportReport


def sample_grid(ids: list[str]) -> str:
    """Drawn samples as HTML."""
    images = "".join(
        f'<img src="/fk/sample/{html.escape(sample)}" alt="Sample {number}: a photo with its '
        'objects drawn in">'
        for number, sample in enumerate(ids, 1)
    )
    return f'<div class="fk-samples">{images}</div>'


def report_tables(report: ExportReport) -> None:
    """What a dataset holds, by class and split, and what was left out and why."""
    photos = [f"{split} {report.images.get(split, 0):,}" for split in report.splits if split]
    st.markdown(
        f"**{counted(report.image_count, 'photo')}**"
        + (f" ({', '.join(photos)})" if photos else "")
        + f" with **{counted(report.object_count, 'object')}** in "
        + counted(len(report.classes), "class", "classes")
    )
    if report.objects:
        table(class_rows(report), "Objects by class and split")
    for note in report.notes:
        st.caption(plain(note))
    if report.left_out:
        st.markdown("**Left out**")
        table(left_out_rows(report), "What was left out")


def left_out_rows(report: ExportReport) -> list[dict[str, str]]:
    """A row for each reason for which something was left out."""
    return [
        {
            "What": counted(left.count, "photo" if left.what == "image" else "object"),
            "Why": left.reason,
            "Such as": "\n".join(left.examples),
        }
        for left in report.left_out
    ]


def class_rows(report: ExportReport) -> list[dict[str, str]]:
    """A row for each class with its objects, in a column for each split."""
    columns = {split: split or "Objects" for split in report.splits}
    return [
        {
            "Class": name,
            **{title: f"{counts.get(split, 0):,}" for split, title in columns.items()},
        }
        for name, counts in report.objects.items()
    ]
