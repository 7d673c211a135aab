"""Measurements and key images."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the tables of what people measure and mark."""
    op.create_table(
        "measurements",
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("uid", sa.String(), nullable=False, unique=True),
        sa.Column("study_uid", sa.String(), nullable=False, index=True),
        sa.Column("series_uid", sa.String(), nullable=False, index=True),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("measured", sa.JSON(), nullable=False),
    )
    op.create_table(
        "key_images",
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("uid", sa.String(), nullable=False, unique=True),
        sa.Column("study_uid", sa.String(), nullable=False, index=True),
        sa.Column("series_uid", sa.String(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
    )
