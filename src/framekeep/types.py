"""Frozen records: the one currency between rooms. Times are UTC unless a name says otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from framekeep.errors import InputError
from framekeep.film_types import Moment, VideoFacts
from framekeep.object_types import Segment

RgbImage = NDArray[np.uint8]
"""One picture: (height, width, 3), uint8 0..255, RGB, upright."""

Vectors = NDArray[np.float32]
"""Embeddings: (N, dim), float32; rows of unit length unless said otherwise."""

HEAVIEST = 1000
"""The greatest weight of a query's term; beyond it only rounding would be left of the others."""

ThumbnailSize = Literal["small", "large", "preview"]
SearchOf = Literal["media", "objects", "both"]
"""What a search finds: whole media, single objects within them, or whichever is nearer."""
FileState = Literal["pending", "indexed", "skipped", "failed", "missing"]
MediaKind = Literal["photo", "video", "frame"]
"""A frame is one picture of a film: a medium of its own, which lies where its film does."""

IngestKind = Literal[
    "scanning", "reading", "indexed", "linked", "unchanged", "skipped", "failed", "missing", "done"
]


@dataclass(frozen=True, slots=True)
class MediaItem:
    """One content, known by the SHA-256 of its bytes; where it lies is told by `FileRecord`.

    `size_wh` is the displayed size in pixels (after EXIF rotation). `taken_at_local` is the
    camera's own clock, without a zone. `sharpness` is the variance of the Laplacian and
    `brightness` the mean luma 0..1, both at a fixed reference size; `phash` is a 64-bit
    perceptual hash as 16 hex digits. A film and its frames have `video`; `moment` says where in
    the film a frame stands. A frame's `bytes` and `format` are its film's.
    """

    media_id: str
    kind: MediaKind
    bytes: int
    size_wh: tuple[int, int]
    format: str
    taken_at_local: datetime | None = None
    camera: str | None = None
    exif_orientation: int = 1
    sharpness: float = 0.0
    brightness: float = 0.0
    phash: str = ""
    added_at: datetime | None = None
    video: VideoFacts | None = None
    moment: Moment | None = None

    def __post_init__(self) -> None:
        if len(self.media_id) != 64:
            raise InputError(f"A media id is 64 hex digits, not {self.media_id!r}.")
        if min(self.size_wh) < 1:
            raise InputError(f"A picture has at least one pixel, not {self.size_wh}.")

    @property
    def held_as(self) -> str:
        """The media id of the content that its files have: of a frame, its film's."""
        return self.moment.film_id if self.moment else self.media_id

    @property
    def shape(self) -> Literal["landscape", "portrait", "square"]:
        """The picture's orientation as displayed."""
        width, height = self.size_wh
        if width == height:
            return "square"
        return "landscape" if width > height else "portrait"


@dataclass(frozen=True, slots=True)
class FileRecord:
    """The ledger's row for one path ever seen. `path` is absolute."""

    path: str
    bytes: int
    mtime_ns: int
    state: FileState
    reason: str | None = None
    media_id: str | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """A file that did not become searchable, and why, in words for its owner."""

    path: str
    state: FileState
    reason: str


@dataclass(frozen=True, slots=True)
class Term:
    """One part of a query; `weight` below zero steers away from it."""

    kind: Literal["text", "image", "media", "segment"]
    value: str | RgbImage
    weight: float = 1.0

    def __post_init__(self) -> None:
        if self.kind != "image" and not isinstance(self.value, str):
            raise InputError(f"A text to search for is a string, not {self.value!r}.")
        if not isinstance(self.weight, int | float) or not 0 < abs(self.weight) <= HEAVIEST:
            raise InputError(
                f"A query term's weight is a number other than 0, from -{HEAVIEST} to {HEAVIEST}, "
                f"not {self.weight!r}."
            )


@dataclass(frozen=True, slots=True)
class Query:
    """What to look for: terms are mixed by weight, `where` keeps only what matches.

    Without terms, the media that match `where` come newest first and have no score.
    """

    terms: tuple[Term, ...] = ()
    where: str | None = None
    limit: int = 20
    offset: int = 0
    of: SearchOf = "media"

    def __post_init__(self) -> None:
        if self.of not in ("media", "objects", "both"):
            raise InputError(f"A search is of media, objects or both, not {self.of!r}.")
        if not (isinstance(self.limit, int) and isinstance(self.offset, int)):
            raise InputError("A query's limit and offset are whole numbers.")
        if self.limit < 1 or self.offset < 0:
            raise InputError("A query's limit is at least 1 and its offset at least 0.")


@dataclass(frozen=True, slots=True)
class Hit:
    """One result. `path` is absolute, where the file lies now; `score` a cosine in -1..1.

    `segment` is the object that was found within the medium, None where it is the whole medium.
    """

    media_id: str
    path: Path
    score: float | None
    media: MediaItem
    other_paths: tuple[Path, ...] = ()
    tags: tuple[str, ...] = ()
    segment: Segment | None = None

    @property
    def time_s(self) -> float | None:
        """Seconds from the film's start where the hit is a moment in a film."""
        return self.media.moment.time_s if self.media.moment else None

    @property
    def shot_s(self) -> tuple[float, float] | None:
        """Start and end of the moment's shot, in seconds."""
        moment = self.media.moment
        return (moment.start_s, moment.end_s) if moment else None

    @property
    def film_id(self) -> str | None:
        """The film's media id where the hit is a moment in one."""
        return self.media.moment.film_id if self.media.moment else None

    @classmethod
    def at(
        cls, media: MediaItem, paths: Sequence[str], score: float | None, tags: Sequence[str]
    ) -> Hit:
        """A hit on a medium that lies at these paths, one at least."""
        # A file that has just been moved may still stand first.
        first, *others = sorted(map(Path, paths), key=lambda path: not path.exists())
        return cls(media.media_id, first, score, media, tuple(others), tuple(tags))


@dataclass(frozen=True, slots=True)
class FilmView:
    """A film with those of its frames that are looked at, by time: their media ids and places."""

    hit: Hit
    moments: tuple[tuple[str, Moment], ...]


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    """Media (or, for `identical`, files) that show the same thing; the best comes first."""

    kind: Literal["identical", "perceptual", "semantic"]
    paths: tuple[Path, ...]
    media_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class IngestCounts:
    """How many files ended in which way so far. `found` still grows while scanning goes on.

    `frames` counts the frames of films that were encoded.
    """

    found: int = 0
    indexed: int = 0
    linked: int = 0
    unchanged: int = 0
    skipped: int = 0
    failed: int = 0
    missing: int = 0
    frames: int = 0

    @property
    def done(self) -> int:
        """Files of this run that have reached an end."""
        return self.indexed + self.linked + self.unchanged + self.skipped + self.failed


@dataclass(frozen=True, slots=True)
class IngestEvent:
    """One step of adding: what happened to which file, and how far the whole run is.

    `rate_per_s` counts files that needed reading; `time_left_s` is None until the scan has
    found every file. `film_s` goes with `reading`: how far a film has been read, and how long it
    is, in seconds.
    """

    kind: IngestKind
    counts: IngestCounts
    path: str | None = None
    reason: str | None = None
    media_id: str | None = None
    rate_per_s: float = 0.0
    time_left_s: float | None = None
    film_s: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class EncoderInfo:
    """What is known of an encoder without loading it."""

    name: str
    id: str
    dim: int
    precision: str = "fp32"

    @property
    def space(self) -> str:
        """The vector space: vectors are comparable only within one space."""
        return f"{self.id}:{self.precision}"


@dataclass(frozen=True, slots=True)
class PrecisionReport:
    """How well a precision agrees with fp32 on a sample of the user's own pictures."""

    encoder_id: str
    precision: str
    sample: int
    mean_cosine: float
    top10_overlap: float
    checked_at: datetime

    @property
    def passed(self) -> bool:
        """True where the precision may be used."""
        return self.mean_cosine >= 0.99 and self.top10_overlap >= 0.9


@dataclass(frozen=True, slots=True)
class RepairReport:
    """What `repair` found and mended between catalog and index."""

    checked: int = 0
    added: int = 0
    replaced: int = 0
    removed: int = 0

    @property
    def clean(self) -> bool:
        """True where there was nothing to mend."""
        return not (self.added or self.replaced or self.removed)


@dataclass(frozen=True, slots=True)
class LibraryStatus:
    """The state of a library at a glance.

    `media` counts photos and films, `films` those among them; `frames` the films' frames that are
    looked at: their moments.
    """

    path: str
    media: int
    files: dict[str, int]
    tags: int
    bytes_on_disk: int
    encoder: EncoderInfo | None
    vectors: str
    index_count: int
    building: str | None = None
    precision_checks: tuple[PrecisionReport, ...] = field(default_factory=tuple)
    objects: int = 0
    films: int = 0
    frames: int = 0

    @property
    def photos(self) -> int:
        """The photos among the media."""
        return self.media - self.films

    @property
    def pictures(self) -> int:
        """What is searched, and so has a vector each: photos and frames."""
        return self.photos + self.frames


@dataclass(frozen=True, slots=True)
class FacetValue:
    """One value that media can be narrowed to; `where` is the filter for it alone."""

    label: str
    where: str
    count: int


@dataclass(frozen=True, slots=True)
class Month:
    """How many media lie in one month, by capture time, else by the time of adding."""

    year: int
    month: int
    count: int


@dataclass(frozen=True, slots=True)
class LibraryMap:
    """The library in two dimensions: `xy` is (N, 2) float32 in -1..1, a row for each medium.

    `total` counts all live media; with more than N of them, N were drawn at random, the same
    ones each time.
    """

    media_ids: tuple[str, ...]
    xy: Vectors
    method: str
    total: int


@dataclass(frozen=True, slots=True)
class SavedSearch:
    """A search to come back to: `query` is the query part of a page's address."""

    search_id: int
    query: str
    used_at: datetime
    name: str | None = None


def check_rgb(image: RgbImage) -> None:
    """Raise InputError unless `image` is (H, W, 3) uint8 with at least one pixel."""
    if (
        not isinstance(image, np.ndarray)
        or image.dtype != np.uint8
        or image.ndim != 3
        or image.shape[2] != 3
        or image.size == 0
    ):
        raise InputError("A picture is a NumPy array (height, width, 3) of uint8 in RGB.")
