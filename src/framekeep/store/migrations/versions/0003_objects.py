"""Objects: segments and their vectors, classes, annotations, the journal of changes, splits."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SAID_OF_OBJECTS = sa.text("label_source <> 'model' AND state <> 'rejected'")
SAID_OF_MEDIA = sa.text("segment_id IS NULL AND kind = 'label'")


def upgrade() -> None:
    op.create_table(
        "changes",
        sa.Column("change_id", sa.Integer(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(), nullable=False),
        sa.Column("undone", sa.Boolean(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("images", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("change_id", name=op.f("pk_changes")),
    )
    op.create_index(
        op.f("ix_changes_undone_change_id"), "changes", ["undone", "change_id"], unique=False
    )
    op.create_table(
        "classes",
        sa.Column("class_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(), nullable=False),
        sa.Column("colour", sa.String(length=7), nullable=False),
        sa.Column("kept", sa.Boolean(), nullable=False),
        sa.Column("set_at", sa.DateTime(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("class_id", name=op.f("pk_classes")),
    )
    op.create_index(op.f("ix_classes_name_key"), "classes", ["name_key"], unique=True)
    op.create_table(
        "segment_ledger",
        sa.Column("space", sa.String(length=300), nullable=False),
        sa.Column("segment_id", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("space", "segment_id", name=op.f("pk_segment_ledger")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_segment_ledger_segment_id"), "segment_ledger", ["segment_id"], unique=False
    )
    op.create_table(
        "segment_runs",
        sa.Column("media_id", sa.String(length=64), nullable=False),
        sa.Column("segmenter_id", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("run_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["media_id"],
            ["media.media_id"],
            name=op.f("fk_segment_runs_media_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("media_id", "segmenter_id", name=op.f("pk_segment_runs")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_segment_runs_state_media_id"), "segment_runs", ["state", "media_id"], unique=False
    )
    op.create_table(
        "segments",
        sa.Column("segment_id", sa.String(length=32), nullable=False),
        sa.Column("media_id", sa.String(length=64), nullable=False),
        sa.Column("segmenter_id", sa.String(length=200), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("x0", sa.Float(), nullable=False),
        sa.Column("y0", sa.Float(), nullable=False),
        sa.Column("x1", sa.Float(), nullable=False),
        sa.Column("y1", sa.Float(), nullable=False),
        sa.Column("area_px", sa.BigInteger(), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("mask_source", sa.String(length=16), nullable=False),
        sa.Column("label_id", sa.Integer(), nullable=True),
        sa.Column("label_source", sa.String(length=16), nullable=True),
        sa.Column("label_score", sa.Float(), nullable=True),
        sa.Column("model_label_id", sa.Integer(), nullable=True),
        sa.Column("model_label_score", sa.Float(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("doubt", sa.Float(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("changed_at", sa.DateTime(), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["label_id"], ["classes.class_id"], name=op.f("fk_segments_label_id")
        ),
        sa.ForeignKeyConstraint(
            ["media_id"], ["media.media_id"], name=op.f("fk_segments_media_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["model_label_id"], ["classes.class_id"], name=op.f("fk_segments_model_label_id")
        ),
        sa.PrimaryKeyConstraint("segment_id", name=op.f("pk_segments")),
    )
    op.create_index(
        op.f("ix_segments_area_px_state_media_id"),
        "segments",
        ["area_px", "state", "media_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_segments_doubt_segment_id"), "segments", ["doubt", "segment_id"], unique=False
    )
    op.create_index(
        op.f("ix_segments_label_id_state_media_id"),
        "segments",
        ["label_id", "state", "media_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_segments_media_id_state"), "segments", ["media_id", "state"], unique=False
    )
    op.create_index(
        op.f("ix_segments_model_label_id"), "segments", ["model_label_id"], unique=False
    )
    op.create_index(
        op.f("ix_segments_score_state_media_id"),
        "segments",
        ["score", "state", "media_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_segments_segmenter_id_state_media_id_label_id"),
        "segments",
        ["segmenter_id", "state", "media_id", "label_id"],
        unique=False,
    )
    op.create_index(
        "ix_segments_said",
        "segments",
        ["label_id"],
        unique=False,
        sqlite_where=SAID_OF_OBJECTS,
        postgresql_where=SAID_OF_OBJECTS,
    )
    op.create_index(
        op.f("ix_segments_state_doubt_segment_id"),
        "segments",
        ["state", "doubt", "segment_id"],
        unique=False,
    )
    op.create_table(
        "split_assignments",
        sa.Column("split_key", sa.String(length=200), nullable=False),
        sa.Column("media_id", sa.String(length=64), nullable=False),
        sa.Column("split", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["media_id"],
            ["media.media_id"],
            name=op.f("fk_split_assignments_media_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("split_key", "media_id", name=op.f("pk_split_assignments")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_split_assignments_media_id"), "split_assignments", ["media_id"], unique=False
    )
    op.create_table(
        "annotations",
        sa.Column("target_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("media_id", sa.String(length=64), nullable=False),
        sa.Column("segment_id", sa.String(length=32), nullable=True),
        sa.Column("class_id", sa.Integer(), nullable=True),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("set_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["class_id"], ["classes.class_id"], name=op.f("fk_annotations_class_id")
        ),
        sa.ForeignKeyConstraint(
            ["media_id"],
            ["media.media_id"],
            name=op.f("fk_annotations_media_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["segment_id"],
            ["segments.segment_id"],
            name=op.f("fk_annotations_segment_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("target_id", "kind", "key", name=op.f("pk_annotations")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_annotations_class_id"), "annotations", ["class_id"], unique=False)
    op.create_index(op.f("ix_annotations_kind_key"), "annotations", ["kind", "key"], unique=False)
    op.create_index(
        "ix_annotations_of_media",
        "annotations",
        ["class_id", "source", "media_id"],
        unique=False,
        sqlite_where=SAID_OF_MEDIA,
        postgresql_where=SAID_OF_MEDIA,
    )
    op.create_index(op.f("ix_annotations_media_id"), "annotations", ["media_id"], unique=False)
    op.create_index(op.f("ix_annotations_segment_id"), "annotations", ["segment_id"], unique=False)
    op.create_table(
        "segment_vectors",
        sa.Column("space", sa.String(length=300), nullable=False),
        sa.Column("segment_id", sa.String(length=32), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["segment_id"],
            ["segments.segment_id"],
            name=op.f("fk_segment_vectors_segment_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("space", "segment_id", name=op.f("pk_segment_vectors")),
    )
    op.create_index(
        op.f("ix_segment_vectors_segment_id"), "segment_vectors", ["segment_id"], unique=False
    )
