"""Films and their frames, which are media of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name, kind in (
        ("duration_s", sa.Float()),
        ("fps", sa.Float()),
        ("codec", sa.String(length=32)),
        ("has_audio", sa.Boolean()),
        ("frames_by", sa.String(length=64)),
        ("read_to_s", sa.Float()),
        ("film_id", sa.String(length=64)),
        ("time_s", sa.Float()),
        ("shot_start_s", sa.Float()),
        ("shot_end_s", sa.Float()),
    ):
        op.add_column("media", sa.Column(name, kind, nullable=True))
    op.create_index(op.f("ix_media_film_id_time_s"), "media", ["film_id", "time_s"], unique=False)
    op.create_index(op.f("ix_media_kind_duration_s"), "media", ["kind", "duration_s"], unique=False)
