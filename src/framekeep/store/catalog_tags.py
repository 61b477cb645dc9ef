"""The catalog's tags."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import sqlalchemy as sa

from framekeep.store.database import Database, pages
from framekeep.store.tables import FOUND, media, tags


class TagsPart:
    """Part of `Catalog`: tags. How a tag is written is settled by `framekeep.curate`."""

    _db: Database

    def add_tags(self, ids: Sequence[str], names: Sequence[str]) -> None:
        """Give every one of these media every one of these tags; what is there stays."""
        now = datetime.now(UTC)
        with self._db.write() as connection:
            for page in pages(ids):
                rows = [
                    {"media_id": media_id, "tag": name, "added_at": now}
                    for media_id in page
                    for name in names
                ]
                self._db.upsert(connection, tags, rows, keep=("added_at",))

    def remove_tags(self, ids: Sequence[str], names: Sequence[str]) -> None:
        """Take these tags from these media."""
        with self._db.write() as connection:
            for page in pages(ids):
                for some in pages(names):
                    connection.execute(
                        sa.delete(tags).where(tags.c.media_id.in_(page), tags.c.tag.in_(some))
                    )

    def tags_of(self, ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """The tags of these media, sorted; media without one are left out."""
        found: dict[str, list[str]] = {}
        with self._db.read() as connection:
            for page in pages(ids):
                query = sa.select(tags.c.media_id, tags.c.tag).where(tags.c.media_id.in_(page))
                for media_id, tag in connection.execute(query):
                    found.setdefault(media_id, []).append(tag)
        return {media_id: tuple(sorted(names)) for media_id, names in found.items()}

    def tag_counts(self) -> dict[str, int]:
        """Every tag with the number of live media that have it, sorted by tag."""
        live = sa.func.sum(sa.case((media.c.state.in_(FOUND), 1), else_=0))
        query = sa.select(tags.c.tag, live).join(media).group_by(tags.c.tag)
        with self._db.read() as connection:
            return dict(sorted((tag, count) for tag, count in connection.execute(query)))

    def rename_tag(self, old: str, new: str) -> None:
        """Give the media with tag `old` the tag `new` instead; a medium with both keeps one."""
        if old == new:
            return
        having = sa.select(tags.c.media_id).where(tags.c.tag == new)
        with self._db.write() as connection:
            connection.execute(
                sa.delete(tags).where(tags.c.tag == old, tags.c.media_id.in_(having))
            )
            connection.execute(sa.update(tags).where(tags.c.tag == old).values(tag=new))

    def copy_tags(self, from_id: str, to_id: str) -> None:
        """Give a medium the tags of another as well."""
        query = sa.select(tags.c.tag, tags.c.added_at).where(tags.c.media_id == from_id)
        with self._db.write() as connection:
            rows = [
                {"media_id": to_id, "tag": tag, "added_at": added_at}
                for tag, added_at in connection.execute(query)
            ]
            self._db.upsert(connection, tags, rows, keep=("added_at",))
