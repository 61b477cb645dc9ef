"""The first catalog: media, files, vectors, ledger, tags, meta, precision checks."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# A migration keeps its own types: the tables of today may move on without it.
PATH = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "media",
        sa.Column("media_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("pixels", sa.BigInteger(), nullable=False),
        sa.Column("format", sa.String(length=16), nullable=False),
        sa.Column("taken_at_local", sa.DateTime(), nullable=True),
        sa.Column("camera", sa.Text(), nullable=True),
        sa.Column("exif_orientation", sa.Integer(), nullable=False),
        sa.Column("shape", sa.String(length=16), nullable=False),
        sa.Column("sharpness", sa.Float(), nullable=False),
        sa.Column("brightness", sa.Float(), nullable=False),
        sa.Column("phash", sa.String(length=16), nullable=False),
        sa.Column("added_at", sa.DateTime(), nullable=False),
        sa.Column("sort_at", sa.DateTime(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("media_id", name=op.f("pk_media")),
    )
    op.create_index(op.f("ix_media_brightness"), "media", ["brightness"], unique=False)
    op.create_index(op.f("ix_media_bytes"), "media", ["bytes"], unique=False)
    op.create_index(op.f("ix_media_camera"), "media", ["camera"], unique=False)
    op.create_index(op.f("ix_media_format"), "media", ["format"], unique=False)
    op.create_index(op.f("ix_media_pixels"), "media", ["pixels"], unique=False)
    op.create_index(op.f("ix_media_shape"), "media", ["shape"], unique=False)
    op.create_index(op.f("ix_media_sharpness"), "media", ["sharpness"], unique=False)
    op.create_index(op.f("ix_media_state_added_at"), "media", ["state", "added_at"], unique=False)
    op.create_index(
        op.f("ix_media_state_sort_at_media_id"),
        "media",
        ["state", "sort_at", "media_id"],
        unique=False,
    )
    op.create_index(op.f("ix_media_taken_at_local"), "media", ["taken_at_local"], unique=False)
    op.create_table(
        "meta",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_meta")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "precision_checks",
        sa.Column("encoder_id", sa.String(length=200), nullable=False),
        sa.Column("precision", sa.String(length=16), nullable=False),
        sa.Column("sample", sa.Integer(), nullable=False),
        sa.Column("mean_cosine", sa.Float(), nullable=False),
        sa.Column("top10_overlap", sa.Float(), nullable=False),
        sa.Column("checked_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("encoder_id", "precision", name=op.f("pk_precision_checks")),
    )
    op.create_table(
        "files",
        sa.Column("path", PATH, nullable=False),
        sa.Column("folder", PATH, nullable=False),
        sa.Column("name", PATH, nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("media_id", sa.String(length=64), nullable=True),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["media_id"], ["media.media_id"], name=op.f("fk_files_media_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("path", name=op.f("pk_files")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_files_folder"), "files", ["folder"], unique=False)
    op.create_index(op.f("ix_files_media_id_state"), "files", ["media_id", "state"], unique=False)
    op.create_index(op.f("ix_files_name"), "files", ["name"], unique=False)
    op.create_index(op.f("ix_files_state_path"), "files", ["state", "path"], unique=False)
    op.create_table(
        "ledger",
        sa.Column("space", sa.String(length=200), nullable=False),
        sa.Column("media_id", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["media_id"], ["media.media_id"], name=op.f("fk_ledger_media_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("space", "media_id", name=op.f("pk_ledger")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_ledger_media_id"), "ledger", ["media_id"], unique=False)
    op.create_table(
        "tags",
        sa.Column("media_id", sa.String(length=64), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("added_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["media_id"], ["media.media_id"], name=op.f("fk_tags_media_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("media_id", "tag", name=op.f("pk_tags")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_tags_tag_media_id"), "tags", ["tag", "media_id"], unique=False)
    op.create_table(
        "vectors",
        sa.Column("space", sa.String(length=200), nullable=False),
        sa.Column("media_id", sa.String(length=64), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["media_id"], ["media.media_id"], name=op.f("fk_vectors_media_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("space", "media_id", name=op.f("pk_vectors")),
    )
    op.create_index(op.f("ix_vectors_media_id"), "vectors", ["media_id"], unique=False)


def downgrade() -> None:
    for name in ("precision_checks", "meta", "tags", "ledger", "vectors", "files", "media"):
        op.drop_table(name)
