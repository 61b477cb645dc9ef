"""The catalog's tables. A change here needs a migration in `migrations/versions`; a test compares.

A medium is *live* when its state is "indexed": at least one file with its content is there.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)

from framekeep.store.column_types import PathText, UtcDateTime

SCHEMA_HEAD = "0004"
"""The newest migration; opening compares it with what the database says."""

LIVE = "indexed"
"""The state of photos and films that can be found."""

SHOWN = "shown"
"""The state of frames that can be found: another one, so that browsing passes over them quickly."""

FOUND = (LIVE, SHOWN)

GONE = ("pending", "missing")
"""The states of the other media: few, so that counting them apart is quick."""

REJECTED = "rejected"
"""The state of segments that are no objects after all; the others of live media are live."""

SAID_OF_OBJECTS = text("label_source <> 'model' AND state <> 'rejected'")
SAID_OF_MEDIA = text("segment_id IS NULL AND kind = 'label'")
"""Which rows have a label that somebody gave: written out, as indexes of their own need it."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

media = Table(
    "media",
    metadata,
    Column("media_id", String(64), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("pixels", BigInteger, nullable=False),
    Column("format", String(16), nullable=False),
    Column("taken_at_local", DateTime),
    Column("camera", Text),
    Column("exif_orientation", Integer, nullable=False),
    Column("shape", String(16), nullable=False),
    Column("sharpness", Float, nullable=False),
    Column("brightness", Float, nullable=False),
    Column("phash", String(16), nullable=False),
    Column("added_at", UtcDateTime, nullable=False),
    # taken_at_local, or added_at where the camera told nothing: "newest first" from one index.
    Column("sort_at", DateTime, nullable=False),
    Column("state", String(16), nullable=False),
    # Of films, and again of their frames.
    Column("duration_s", Float),
    Column("fps", Float),
    Column("codec", String(32)),
    Column("has_audio", Boolean),
    # Of films: which frames are looked at, and how far that has come while it is being done.
    Column("frames_by", String(64)),
    Column("read_to_s", Float),
    # Of frames: the film, the moment in it, and the moment's shot. No foreign key: SQLite could
    # add one only by copying the table. `delete_media` takes a film's frames along.
    Column("film_id", String(64)),
    Column("time_s", Float),
    Column("shot_start_s", Float),
    Column("shot_end_s", Float),
    Index(None, "film_id", "time_s"),
    Index(None, "kind", "duration_s"),
    Index(None, "state", "sort_at", "media_id"),
    Index(None, "state", "added_at"),
    Index(None, "taken_at_local"),
    Index(None, "bytes"),
    Index(None, "pixels"),
    Index(None, "shape"),
    Index(None, "format"),
    Index(None, "camera"),
    Index(None, "sharpness"),
    Index(None, "brightness"),
)

files = Table(
    "files",
    metadata,
    Column("path", PathText, primary_key=True),
    Column("folder", PathText, nullable=False),
    Column("name", PathText, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", Text),
    Column("media_id", String(64), ForeignKey("media.media_id", ondelete="SET NULL")),
    Column("run_id", BigInteger, nullable=False),
    Index(None, "media_id", "state"),
    Index(None, "state", "path"),
    Index(None, "folder"),
    Index(None, "name"),
    sqlite_with_rowid=False,
)

vectors = Table(
    "vectors",
    metadata,
    Column("space", String(200), primary_key=True),
    Column(
        "media_id",
        String(64),
        ForeignKey("media.media_id", ondelete="CASCADE"),
        primary_key=True,
        index=True,
    ),
    Column("vector", LargeBinary, nullable=False),
)

ledger = Table(
    "ledger",
    metadata,
    Column("space", String(200), primary_key=True),
    Column(
        "media_id",
        String(64),
        ForeignKey("media.media_id", ondelete="CASCADE"),
        primary_key=True,
        index=True,
    ),
    sqlite_with_rowid=False,
)

tags = Table(
    "tags",
    metadata,
    Column(
        "media_id", String(64), ForeignKey("media.media_id", ondelete="CASCADE"), primary_key=True
    ),
    Column("tag", Text, primary_key=True),
    Column("added_at", UtcDateTime, nullable=False),
    Index(None, "tag", "media_id"),
    sqlite_with_rowid=False,
)

meta = Table(
    "meta",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", Text, nullable=False),
    sqlite_with_rowid=False,
)

searches = Table(
    "searches",
    metadata,
    Column("search_id", Integer, primary_key=True),
    # Empty for a former search that was not kept under a name.
    Column("name", Text, nullable=False),
    Column("query", Text, nullable=False),
    Column("used_at", UtcDateTime, nullable=False),
    Index(None, "name", "used_at"),
)

uploads = Table(
    "uploads",
    metadata,
    Column("path", PathText, primary_key=True),
    Column("shown_name", PathText, nullable=False),
    Column("uploaded_at", UtcDateTime, nullable=False),
)

precision_checks = Table(
    "precision_checks",
    metadata,
    Column("encoder_id", String(200), primary_key=True),
    Column("precision", String(16), primary_key=True),
    Column("sample", Integer, nullable=False),
    Column("mean_cosine", Float, nullable=False),
    Column("top10_overlap", Float, nullable=False),
    Column("checked_at", UtcDateTime, nullable=False),
)

classes = Table(
    "classes",
    metadata,
    Column("class_id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    # The name in lower case: names are unique regardless of case, and filters look here.
    Column("name_key", Text, nullable=False),
    Column("colour", String(7), nullable=False),
    # False for a name that only a segmenter has used so far.
    Column("kept", Boolean, nullable=False),
    Column("set_at", UtcDateTime, nullable=False),
    Column("set_by", Text, nullable=False),
    Index(None, "name_key", unique=True),
)

segments = Table(
    "segments",
    metadata,
    Column("segment_id", String(32), primary_key=True),
    Column(
        "media_id", String(64), ForeignKey("media.media_id", ondelete="CASCADE"), nullable=False
    ),
    Column("segmenter_id", String(200), nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("x0", Float, nullable=False),
    Column("y0", Float, nullable=False),
    Column("x1", Float, nullable=False),
    Column("y1", Float, nullable=False),
    Column("area_px", BigInteger, nullable=False),
    Column("score", Float, nullable=False),
    Column("mask_source", String(16), nullable=False),
    # The label that counts, a person's before the segmenter's; the latter's own stays beside it.
    Column("label_id", Integer, ForeignKey("classes.class_id")),
    Column("label_source", String(16)),
    Column("label_score", Float),
    Column("model_label_id", Integer, ForeignKey("classes.class_id")),
    Column("model_label_score", Float),
    Column("state", String(16), nullable=False),
    Column("doubt", Float, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    Column("changed_by", Text, nullable=False),
    # The longest column last: SQLite reads a row only as far as it must.
    Column("counts", Text, nullable=False),
    Index(None, "media_id", "state"),
    Index(None, "label_id", "state", "media_id"),
    Index(None, "model_label_id"),
    Index(None, "state", "doubt", "segment_id"),
    Index(None, "doubt", "segment_id"),
    Index(None, "score", "state", "media_id"),
    Index(None, "area_px", "state", "media_id"),
    Index(None, "segmenter_id", "state", "media_id", "label_id"),
    Index(
        "ix_segments_said",
        "label_id",
        sqlite_where=SAID_OF_OBJECTS,
        postgresql_where=SAID_OF_OBJECTS,
    ),
)

segment_runs = Table(
    "segment_runs",
    metadata,
    Column(
        "media_id", String(64), ForeignKey("media.media_id", ondelete="CASCADE"), primary_key=True
    ),
    Column("segmenter_id", String(200), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("reason", Text),
    Column("run_at", UtcDateTime, nullable=False),
    Index(None, "state", "media_id"),
    sqlite_with_rowid=False,
)

segment_vectors = Table(
    "segment_vectors",
    metadata,
    Column("space", String(300), primary_key=True),
    Column(
        "segment_id",
        String(32),
        ForeignKey("segments.segment_id", ondelete="CASCADE"),
        primary_key=True,
        index=True,
    ),
    Column("vector", LargeBinary, nullable=False),
)

# Without a foreign key: what is left of a segment that is gone tells what the index has to lose.
segment_ledger = Table(
    "segment_ledger",
    metadata,
    Column("space", String(300), primary_key=True),
    Column("segment_id", String(32), primary_key=True, index=True),
    sqlite_with_rowid=False,
)

# Python has another `annotations` in `__future__`.
annotation_table = Table(
    "annotations",
    metadata,
    # A media id (64 digits) or a segment id (32).
    Column("target_id", String(64), primary_key=True),
    Column("kind", String(16), primary_key=True),
    # An attribute's name, or a tag.
    Column("key", Text, primary_key=True),
    Column(
        "media_id", String(64), ForeignKey("media.media_id", ondelete="CASCADE"), nullable=False
    ),
    # NULL for what is said of the medium itself.
    Column("segment_id", String(32), ForeignKey("segments.segment_id", ondelete="CASCADE")),
    Column("class_id", Integer, ForeignKey("classes.class_id")),
    Column("value", Text, nullable=False),
    Column("source", String(16), nullable=False),
    Column("author", Text, nullable=False),
    Column("set_at", UtcDateTime, nullable=False),
    Index(None, "media_id"),
    Index(None, "segment_id"),
    Index(None, "class_id"),
    Index(None, "kind", "key"),
    Index(
        "ix_annotations_of_media",
        "class_id",
        "source",
        "media_id",
        sqlite_where=SAID_OF_MEDIA,
        postgresql_where=SAID_OF_MEDIA,
    ),
    sqlite_with_rowid=False,
)

changes = Table(
    "changes",
    metadata,
    Column("change_id", Integer, primary_key=True),
    Column("what", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    Column("undone", Boolean, nullable=False),
    # What the rows were and became: JSON, deflated.
    Column("bytes", BigInteger, nullable=False),
    Column("images", LargeBinary, nullable=False),
    Index(None, "undone", "change_id"),
)

split_assignments = Table(
    "split_assignments",
    metadata,
    Column("split_key", String(200), primary_key=True),
    Column(
        "media_id",
        String(64),
        ForeignKey("media.media_id", ondelete="CASCADE"),
        primary_key=True,
        index=True,
    ),
    Column("split", String(16), nullable=False),
    sqlite_with_rowid=False,
)
