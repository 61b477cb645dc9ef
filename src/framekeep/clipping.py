"""Part of the library: cutting the moments that a search finds out of their films."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from framekeep.errors import InputError, MediaError
from framekeep.film_types import ClipEvent
from framekeep.types import Hit, Query, Term

if TYPE_CHECKING:
    from framekeep.media.limits import Limits
    from framekeep.store.catalog import Catalog

ONLY_FILMS = "kind:video"
LONGEST_PAD_S = 600.0
LONGEST_STEM = 80
# What clips can be written as, by the film's own format; others become MP4.
SUFFIXES = {"mp4": ".mp4", "mov": ".mov", "mkv": ".mkv", "webm": ".webm", "avi": ".avi"}
GONE = "Its file is not where it was: add its folder again."


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a film to cut out, and the best hit in it."""

    hit: Hit
    start_s: float
    end_s: float

    @property
    def film_id(self) -> str:
        """The film's media id."""
        return self.hit.film_id or self.hit.media_id


def stretches(hits: Sequence[Hit], pad_s: float) -> list[Stretch]:
    """What to cut out for these moments, best first: their shots with `pad_s` seconds around.

    Those of one film that overlap become one, in the place of the best of them.
    """
    by_film: dict[str, list[tuple[float, float, int]]] = {}
    for rank, hit in enumerate(hits):
        if hit.shot_s is not None and hit.film_id is not None and hit.media.video is not None:
            start_s, end_s = hit.shot_s
            last_s = hit.media.video.duration_s
            span = (max(0.0, start_s - pad_s), min(last_s, end_s + pad_s), rank)
            by_film.setdefault(hit.film_id, []).append(span)
    found: list[tuple[float, float, int]] = []
    for spans in by_film.values():
        joined: list[tuple[float, float, int]] = []
        for start_s, end_s, rank in sorted(spans):
            if joined and start_s < joined[-1][1]:
                before = joined.pop()
                joined.append((before[0], max(before[1], end_s), min(before[2], rank)))
            else:
                joined.append((start_s, end_s, rank))
        found += joined
    found.sort(key=lambda span: span[2])
    return [Stretch(hits[rank], start_s, end_s) for start_s, end_s, rank in found]


def clip_name(number: int, stretch: Stretch) -> str:
    """A clip's file name: its number, the film's name and the moment, such as
    "001_holiday_0m12s.mp4"."""
    from framekeep.export.dataset import safe_text

    minutes, seconds = divmod(int(stretch.hit.time_s or 0.0), 60)
    stem = safe_text(stretch.hit.path.stem, LONGEST_STEM) or "film"
    suffix = SUFFIXES.get(stretch.hit.media.format, ".mp4")
    return f"{number:03}_{stem}_{minutes}m{seconds:02}s{suffix}"


class Clipping:
    """Part of `Library`: clips."""

    _catalog: Catalog

    if TYPE_CHECKING:

        def query(self, query: Query) -> list[Hit]:
            """Run a query."""

        def _limits(self) -> Limits: ...
        def _still_holds(self, path: str, media_id: str) -> bool: ...
        def _check_target(self, out: Path, *, overwrite: bool) -> None: ...

    def clip(
        self,
        query: str | Query,
        out: str | Path,
        where: str | None = None,
        *,
        limit: int = 10,
        pad_s: float = 1.0,
        exact: bool = False,
        overwrite: bool = False,
    ) -> Generator[ClipEvent, None, None]:
        """Cut the moments that a query finds out of their films, into files in the folder `out`.

        Each of the best `limit` moments gives a clip of its shot with `pad_s` seconds around it;
        moments that overlap share one. Clips are copied as the film is encoded and then begin at
        the key picture before; with `exact` they are encoded anew and begin right there. A film
        that cannot be cut is told as `failed`. `out` holds nothing before all is written; what was
        there is only replaced with `overwrite`. Raises InputError, FilterError, also where no
        moment is found.
        """
        from framekeep.export.placing import placed, resolve_out

        if not 0 <= pad_s <= LONGEST_PAD_S:
            raise InputError(f"Between 0 and {LONGEST_PAD_S:g} s around a shot, not {pad_s:g} s.")
        place = resolve_out(out)
        self._check_target(place, overwrite=overwrite)
        wanted = stretches(self._moments(query, where, limit), pad_s)
        if not wanted:
            raise InputError("There is nothing to cut: no moment of a film matches.")
        yield ClipEvent("started", 0, len(wanted))
        written, reason = 0, ""
        with placed(place) as part:
            for number, stretch in enumerate(wanted, 1):
                event = self._cut(stretch, part / clip_name(number, stretch), exact)
                clip = event.clip and str(place / Path(event.clip).name)
                yield replace(event, done=number, total=len(wanted), clip=clip)
                written += event.kind == "written"
                reason = event.reason or reason
            if not written:
                raise InputError(f"No clip could be cut: {reason}")
        yield ClipEvent("done", len(wanted), len(wanted), clip=str(place))

    def _moments(self, query: str | Query, where: str | None, limit: int) -> list[Hit]:
        if isinstance(query, str):
            if not query.strip():
                raise InputError("The text to look for is empty: say what the clips shall show.")
            query = Query((Term("text", query),))
        if not query.terms or query.of != "media":
            raise InputError("Clips are cut for a text or a picture that moments are found by.")
        asked = [part for part in (query.where, where) if part]
        condition = " and ".join([*(f"({part})" for part in asked), ONLY_FILMS])
        return self.query(replace(query, where=condition, limit=limit))

    def _cut(self, stretch: Stretch, target: Path, exact: bool) -> ClipEvent:
        from framekeep.media.clips import cut_clip

        hit = stretch.hit
        event = ClipEvent(
            "failed",
            film=str(hit.path),
            film_id=stretch.film_id,
            time_s=hit.time_s or 0.0,
            start_s=stretch.start_s,
            end_s=stretch.end_s,
            score=hit.score,
            reason=GONE,
        )
        for path in (hit.path, *hit.other_paths):
            if not path.is_file():
                continue
            try:
                if not self._still_holds(str(path), stretch.film_id):
                    raise MediaError(f"{path} has changed since it was added: add it again.")
                limits = self._limits().film
                info = cut_clip(
                    path, stretch.start_s, stretch.end_s, target, exact=exact, limits=limits
                )
            # A film may be shorter than its file told: the others go on.
            except (MediaError, InputError) as exc:
                event = replace(event, film=str(path), reason=str(exc))
                continue
            return replace(
                event,
                kind="written",
                film=str(path),
                clip=str(info.path),
                start_s=info.start_s,
                end_s=info.end_s,
                copied=info.copied,
                reason=None,
            )
        return event
