"""The catalog's media: one row per content."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import sqlalchemy as sa

from framekeep.film_types import Moment, VideoFacts
from framekeep.store.database import Database, pages
from framekeep.store.tables import FOUND, LIVE, files, media
from framekeep.types import MediaItem


class MediaPart:
    """Part of `Catalog`: media."""

    _db: Database

    def put_media(self, items: Sequence[MediaItem]) -> None:
        """Add or update media; the first time, `added_at` is set, to now where it is None.

        A new medium is pending until a file with its content is recorded.
        """
        now = datetime.now(UTC)
        excluded = sa.literal_column("excluded.taken_at_local", sa.DateTime())
        with self._db.write() as connection:
            self._db.upsert(
                connection,
                media,
                [_row(item, now) for item in items],
                keep=("added_at", "state", "sort_at"),
                also={"sort_at": sa.func.coalesce(excluded, media.c.added_at)},
            )

    def media(self, ids: Sequence[str]) -> dict[str, MediaItem]:
        """What is known of these media; unknown ids are left out."""
        found: dict[str, MediaItem] = {}
        with self._db.read() as connection:
            for page in pages(ids):
                for row in connection.execute(sa.select(media).where(media.c.media_id.in_(page))):
                    found[row.media_id] = _item(row)
        return found

    def delete_media(self, ids: Sequence[str]) -> None:
        """Forget media, with vectors, ledger and tags; their files stay, without content.

        A film's frames go with it.
        """
        with self._db.write() as connection:
            for page in pages(ids):
                for owner in (media.c.film_id, media.c.media_id):
                    connection.execute(sa.delete(media).where(owner.in_(page)))

    def count_media(self, live: bool = True) -> int:
        """How many media there are, or are live."""
        query = sa.select(sa.func.count()).select_from(media)
        with self._db.read() as connection:
            return connection.scalar(query.where(media.c.state == LIVE) if live else query) or 0

    def missing_ids(self) -> list[str]:
        """Media whose files are all gone; they keep vectors and tags, should one come back."""
        return self._ids(media.c.state == "missing", media.c.kind != "frame")

    def unreferenced(self) -> list[str]:
        """Media that no file, present or missing, holds any more: replaced contents."""
        used = sa.exists().where(files.c.media_id == media.c.media_id)
        # A frame goes with its film, and one half read, whose file is not noted yet, is resumed.
        half_read = sa.and_(
            media.c.kind == "video", media.c.state == "pending", media.c.read_to_s.is_not(None)
        )
        return self._ids(media.c.state.not_in(FOUND), media.c.kind != "frame", ~half_read, ~used)

    def phashes(self) -> list[tuple[str, str]]:
        """Live media with their perceptual hash, by id; those without a hash are left out."""
        query = (
            sa.select(media.c.media_id, media.c.phash)
            .where(media.c.state == LIVE, media.c.phash != "")
            .order_by(media.c.media_id)
        )
        with self._db.read() as connection:
            return [(media_id, phash) for media_id, phash in connection.execute(query)]

    def _ids(self, *where: sa.ColumnElement[bool]) -> list[str]:
        query = sa.select(media.c.media_id).where(*where).order_by(media.c.media_id)
        with self._db.read() as connection:
            return list(connection.scalars(query))


def _row(item: MediaItem, now: datetime) -> dict[str, object]:
    added_at = item.added_at or now
    utc = added_at.astimezone(UTC) if added_at.tzinfo else added_at
    taken_at_local = item.taken_at_local and item.taken_at_local.replace(tzinfo=None)
    width, height = item.size_wh
    return {
        "media_id": item.media_id,
        "kind": item.kind,
        "bytes": item.bytes,
        "width": width,
        "height": height,
        "pixels": width * height,
        "format": item.format,
        "taken_at_local": taken_at_local,
        "camera": item.camera,
        "exif_orientation": item.exif_orientation,
        "shape": item.shape,
        "sharpness": item.sharpness,
        "brightness": item.brightness,
        "phash": item.phash,
        "added_at": added_at,
        "sort_at": taken_at_local or utc.replace(tzinfo=None),
        "state": "pending",
        **_film_columns(item),
    }


def _film_columns(item: MediaItem) -> dict[str, object]:
    video, moment = item.video, item.moment
    return {
        "duration_s": video and video.duration_s,
        "fps": video and video.fps,
        "codec": video and video.codec,
        "has_audio": video and video.has_audio,
        "film_id": moment and moment.film_id,
        "time_s": moment and moment.time_s,
        "shot_start_s": moment and moment.start_s,
        "shot_end_s": moment and moment.end_s,
    }


def _item(row: sa.Row[tuple[object, ...]]) -> MediaItem:
    return MediaItem(
        media_id=row.media_id,
        kind=row.kind,
        bytes=row.bytes,
        size_wh=(row.width, row.height),
        format=row.format,
        taken_at_local=row.taken_at_local,
        camera=row.camera,
        exif_orientation=row.exif_orientation,
        sharpness=row.sharpness,
        brightness=row.brightness,
        phash=row.phash,
        added_at=row.added_at,
        video=_video(row),
        moment=_moment(row),
    )


def _video(row: sa.Row[tuple[object, ...]]) -> VideoFacts | None:
    if row.duration_s is None:
        return None
    return VideoFacts(row.duration_s, row.fps, row.codec, row.has_audio)


def _moment(row: sa.Row[tuple[object, ...]]) -> Moment | None:
    if row.film_id is None:
        return None
    return Moment(row.film_id, row.time_s, row.shot_start_s, row.shot_end_s)
