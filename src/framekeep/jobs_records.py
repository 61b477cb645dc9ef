"""Records of background work: what a job is, how it stands, what it is called."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from framekeep.types import IngestCounts, Problem

JobKind = Literal["add", "encoder", "pull", "repair", "segment", "export", "import"]
JobStatus = Literal[
    "waiting", "running", "paused", "stopping", "done", "failed", "cancelled", "interrupted"
]
ACTIVE: tuple[JobStatus, ...] = ("waiting", "running", "paused", "stopping")


@dataclass(frozen=True, slots=True)
class JobState:
    """A job as it stands. `total` is None until it is known; times are UTC.

    `film_s` says how far the film at `current` has been read, and how long it is, in seconds.
    `failures` are the last 500 files that were not taken, files that are no photos included;
    `failures_total` counts all of them.
    """

    job_id: str
    kind: JobKind
    title: str
    status: JobStatus
    created_at: datetime
    done: int = 0
    total: int | None = None
    unit: Literal["files", "bytes"] = "files"
    counts: IngestCounts = field(default_factory=IngestCounts)
    rate_per_s: float = 0.0
    time_left_s: float | None = None
    current: str | None = None
    film_s: tuple[float, float] | None = None
    failures: tuple[Problem, ...] = ()
    failures_total: int = 0
    message: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def active(self) -> bool:
        """True until the job has ended."""
        return self.status in ACTIVE


def segmenting_title(segmenter: str | None) -> str:
    """What a job that segments is called."""
    if segmenter == "starter":
        return "Drafting the main object of each photo"
    return f"Finding objects with {segmenter}" if segmenter else "Finding objects"
