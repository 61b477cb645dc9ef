"""Work in the background, as the sidebar and the Add page show it."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from framekeep.app.state import context
from framekeep.app.views.common import counted, duration, megabytes, plain, run_anew, table, told
from framekeep.app.views.dialogs import OPEN
from framekeep.film_types import clock
from framekeep.jobs import JobState

ENDED = {
    "done": (":material/check_circle:", "Done"),
    "failed": (":material/error:", "Failed"),
    "cancelled": (":material/cancel:", "Cancelled"),
    "interrupted": (":material/pause_circle:", "Interrupted"),
}


NOUNS = {"segment": "photos", "export": "photos", "import": "photos"}
"""What a job's progress counts, where that is not files."""

FAILED = {
    "segment": ("photo", "photos", "could not be segmented"),
    "export": ("photo", "photos", "left out"),
    "import": ("thing", "things", "did not fit"),
}
"""What a job's failures are called, where they are not files that could not be taken."""


def fraction(job: JobState) -> float:
    """How far a job is, 0..1; a film in work counts by its time."""
    read_s, length_s = job.film_s or (0.0, 0.0)
    begun = min(1.0, read_s / length_s) if length_s else 0.0
    return min(1.0, (job.done + begun) / job.total) if job.total else 0.0


def current_text(job: JobState) -> str:
    """The file in work by its name, and of a film how far it has been read."""
    if not job.current:
        return ""
    if job.film_s is None:
        return job.current
    name = context().library.shown_names([job.current]).get(job.current, Path(job.current).name)
    return f"{name} {clock(job.film_s[0])} of {clock(job.film_s[1])}"


def progress_text(job: JobState) -> str:
    """How far a job is, in words."""
    if job.message and job.active:
        return job.message
    if job.status == "waiting":
        return "Waiting for the work before it"
    if job.unit == "bytes":
        total = f" of {megabytes(job.total)}" if job.total else ""
        parts = [f"{megabytes(job.done)}{total}"]
    else:
        total = f" of {job.total:,}" if job.total is not None else " (still counting)"
        parts = [f"{job.done:,}{total} {NOUNS.get(job.kind, 'files')}"]
        if job.rate_per_s:
            parts.append(f"{job.rate_per_s:.1f}/s")
    if job.time_left_s is not None and job.status == "running":
        parts.append(f"{duration(job.time_left_s)} left")
    if job.status in ("paused", "stopping"):
        parts.append({"paused": "paused", "stopping": "finishing what is begun"}[job.status])
    return " · ".join(parts)


def ended_text(job: JobState) -> str:
    """How a job ended, in words."""
    counts = job.counts
    told_counts = {
        "segmented" if job.kind == "segment" else "added": counts.indexed,
        "known already": counts.linked,
        "unchanged": counts.unchanged,
        "not photos or films": counts.skipped,
        "failed": counts.failed,
        "missing": counts.missing,
        "moments of films": counts.frames,
    }
    parts = [f"{number:,} {name}" for name, number in told_counts.items() if number]
    if job.kind == "add" and not parts:
        parts = ["nothing new"]
    return " · ".join([*parts, *([job.message] if job.message else [])])


@st.fragment(run_every=1.0)
def kind_of_work(*kinds: str) -> None:
    """The jobs of these kinds, newest first; looked at anew every second.

    When one has ended the page runs anew, as what it has made belongs on it.
    """
    jobs = [job for job in context().jobs.states() if job.kind in kinds]
    ended = {job.job_id for job in jobs if not job.active}
    if ended - st.session_state.get("ended_jobs", ended) and not st.session_state.get(OPEN):
        run_anew()
    st.session_state["ended_jobs"] = ended
    with told():
        for job in jobs:
            job_card(job)


def job_card(job: JobState) -> None:
    """One job: its bar and buttons while it runs, its end afterwards, and what failed."""
    with st.container(border=True, key=f"job_{job.job_id}"):
        if job.active:
            _running(job)
        else:
            _ended(job)
        if job.failures:
            _failures(job)


def _running(job: JobState) -> None:
    st.markdown(f"**{plain(job.title)}**")
    st.progress(fraction(job), text=plain(progress_text(job)))
    if job.current and job.status in ("running", "paused"):
        st.caption(plain(current_text(job)))
    jobs = context().jobs
    with st.container(horizontal=True), told():
        if job.status == "paused":
            if st.button("Resume", icon=":material/play_arrow:", key=f"resume_{job.job_id}"):
                jobs.resume(job.job_id)
                st.rerun(scope="fragment")
        elif job.status == "running" and st.button(
            "Pause", icon=":material/pause:", key=f"pause_{job.job_id}"
        ):
            jobs.pause(job.job_id)
            st.rerun(scope="fragment")
        if job.status != "stopping" and st.button(
            "Cancel", icon=":material/close:", key=f"cancel_{job.job_id}"
        ):
            jobs.cancel(job.job_id)
            st.rerun(scope="fragment")


def _ended(job: JobState) -> None:
    icon, word = ENDED.get(job.status, (":material/info:", job.status))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"{icon} **{plain(job.title)}** — {word}: {plain(ended_text(job))}", width="stretch"
        )
        jobs = context().jobs
        if job.status == "interrupted" and st.button(
            "Go on", icon=":material/play_arrow:", key=f"goon_{job.job_id}"
        ):
            jobs.resume(job.job_id)
            st.rerun(scope="fragment")
        if st.button(
            "Forget", icon=":material/close:", key=f"forget_{job.job_id}", type="tertiary"
        ):
            jobs.dismiss(job.job_id)
            st.rerun(scope="fragment")


def _failures(job: JobState) -> None:
    number = len(job.failures)
    one, many, what = FAILED.get(job.kind, ("file", "files", "could not be taken"))
    with st.expander(f"{counted(number, one, many)} {what}", expanded=number <= 20):
        names = context().library.shown_names([problem.path for problem in job.failures])
        column = "Where" if job.kind == "import" else "File"
        table(
            [{column: names.get(p.path, p.path), "Reason": p.reason} for p in job.failures],
            f"{many.capitalize()} that {what}",
        )
