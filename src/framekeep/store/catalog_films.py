"""The catalog's films: how far one has been read, and its frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from framekeep.film_types import Moment
from framekeep.store.database import Database, pages
from framekeep.store.tables import SHOWN, annotation_table, media, segments, tags


@dataclass(frozen=True, slots=True)
class FilmState:
    """Which frames of a film are looked at (`FrameChoice.id`), and how far that has come.

    `read_to_s` is None for a film that has been read to its end.
    """

    frames_by: str | None
    read_to_s: float | None


class FilmsPart:
    """Part of `Catalog`: films."""

    _db: Database

    def film_states(self, ids: Sequence[str]) -> dict[str, FilmState]:
        """How far these films have been read; what is no film is left out."""
        found: dict[str, FilmState] = {}
        with self._db.read() as connection:
            for page in pages(ids):
                query = sa.select(media.c.media_id, media.c.frames_by, media.c.read_to_s).where(
                    media.c.media_id.in_(page), media.c.kind == "video"
                )
                for media_id, frames_by, read_to_s in connection.execute(query):
                    found[media_id] = FilmState(frames_by, read_to_s)
        return found

    def was_settled(self, media_id: str) -> bool:
        """Whether a file with this content was ever noted, present or missing now."""
        query = sa.select(
            sa.exists().where(media.c.media_id == media_id, media.c.state != "pending")
        )
        with self._db.read() as connection:
            return bool(connection.scalar(query))

    def note_film(self, film_id: str, frames_by: str, read_to_s: float | None) -> None:
        """Note how far a film has been read, None to its end; written after its frames."""
        change = sa.update(media).where(media.c.media_id == film_id)
        with self._db.write() as connection:
            connection.execute(change.values(frames_by=frames_by, read_to_s=read_to_s))

    def moments(self, ids: Sequence[str]) -> dict[str, Moment]:
        """Where these frames stand in their films; what is no frame is left out."""
        found: dict[str, Moment] = {}
        with self._db.read() as connection:
            for page in pages(ids):
                query = sa.select(*_MOMENT).where(
                    media.c.media_id.in_(page), media.c.film_id.is_not(None)
                )
                for media_id, *moment in connection.execute(query):
                    found[media_id] = Moment(*moment)
        return found

    def moments_of(self, film_id: str) -> dict[str, Moment]:
        """A film's frames by time, and where they stand in it."""
        query = (
            sa.select(*_MOMENT)
            .where(media.c.film_id == film_id)
            .order_by(media.c.time_s, media.c.media_id)
        )
        with self._db.read() as connection:
            return {some: Moment(*moment) for some, *moment in connection.execute(query)}

    def frame_ids(self, film_id: str) -> list[str]:
        """A film's frames by time."""
        return list(self.moments_of(film_id))

    def poster(self, film_id: str) -> str | None:
        """The frame that stands for a film: the sharpest of those neither dark nor blinding."""
        lit = sa.case((media.c.brightness.between(0.15, 0.85), 0), else_=1)
        query = (
            sa.select(media.c.media_id)
            .where(media.c.film_id == film_id)
            .order_by(lit, media.c.sharpness.desc(), media.c.time_s)
            .limit(1)
        )
        with self._db.read() as connection:
            return connection.scalar(query)

    def same_moment(self, media_id: str) -> set[str]:
        """A photo by itself, a frame with the others of its shot, a film with its frames."""
        here = media.alias("here")
        beside = sa.select(media.c.media_id).where(
            here.c.media_id == media_id,
            media.c.film_id == here.c.film_id,
            media.c.shot_start_s == here.c.shot_start_s,
        )
        within = sa.select(media.c.media_id).where(media.c.film_id == media_id)
        with self._db.read() as connection:
            return {media_id, *connection.scalars(sa.union(beside, within))}

    def count_frames(self) -> int:
        """How many frames of films can be found."""
        query = sa.select(sa.func.count()).where(media.c.kind == "frame", media.c.state == SHOWN)
        with self._db.read() as connection:
            return connection.scalar(query) or 0

    def has_films(self) -> bool:
        """Whether there is a frame of any film."""
        query = sa.select(sa.exists().where(media.c.kind == "frame"))
        with self._db.read() as connection:
            return bool(connection.scalar(query))

    def spare_frames(self, film_id: str, keep: Sequence[str]) -> list[str]:
        """A film's frames that are no longer chosen, and on which nobody has said anything.

        Those that somebody tagged, labelled, annotated or drew an object on are not spare.
        """
        touched = [
            sa.exists().where(tags.c.media_id == media.c.media_id),
            sa.exists().where(annotation_table.c.media_id == media.c.media_id),
            sa.exists().where(
                segments.c.media_id == media.c.media_id,
                sa.or_(
                    segments.c.mask_source != "model",
                    segments.c.state != "open",
                    sa.func.coalesce(segments.c.label_source, "model") != "model",
                ),
            ),
        ]
        kept = set(keep)
        query = sa.select(media.c.media_id).where(media.c.film_id == film_id, ~sa.or_(*touched))
        with self._db.read() as connection:
            return [some for some in connection.scalars(query) if some not in kept]


_MOMENT = (
    media.c.media_id,
    media.c.film_id,
    media.c.time_s,
    media.c.shot_start_s,
    media.c.shot_end_s,
)
