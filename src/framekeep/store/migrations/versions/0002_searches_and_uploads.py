"""Searches to come back to, and the names that uploaded files had in the browser."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

PATH = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "searches",
        sa.Column("search_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("used_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("search_id", name=op.f("pk_searches")),
    )
    op.create_index(op.f("ix_searches_name_used_at"), "searches", ["name", "used_at"], unique=False)
    op.create_table(
        "uploads",
        sa.Column("path", PATH, nullable=False),
        sa.Column("shown_name", PATH, nullable=False),
        sa.Column("uploaded_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("path", name=op.f("pk_uploads")),
    )
