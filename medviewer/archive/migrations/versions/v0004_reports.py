"""Pictures of key images, and reports."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the tables of what a reader writes, and let nothing change a report that is final."""
    op.create_table(
        "key_pictures",
        sa.Column("uid", sa.String(), primary_key=True),
        sa.Column("png", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "reports",
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("uid", sa.String(), nullable=False, unique=True),
        sa.Column("study_uid", sa.String(), nullable=False, index=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("pdf", sa.LargeBinary(), nullable=True),
        sa.UniqueConstraint("study_uid", "version"),
    )
    # The database itself refuses, whatever a program asks of it.
    for event in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER final_reports_stay_{event.lower()} BEFORE {event} ON reports WHEN OLD.state = 'final' "
            "BEGIN SELECT RAISE(ABORT, 'a final report stays as it is'); END"
        )
