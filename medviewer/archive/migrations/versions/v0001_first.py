"""The first tables: masks, results, the correction queue, the split, model versions.

Before the first release this step was changed in place (``corrections.dice_before`` may be empty since a mask by hand
has no Dice against a model): no archive of a released medviewer can hold its former shape. From the first release on
it stays as it is, and every change is a step of its own.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make every table."""
    _results()
    _queue()
    _models()


def _results() -> None:
    op.create_table(
        "masks",
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("id", sa.String(), nullable=False, unique=True),
        sa.Column("series_uid", sa.String(), nullable=False, index=True),
        sa.Column("blob", sa.String(), nullable=False),
        sa.Column("grid", sa.JSON(), nullable=False),
        sa.Column("segments", sa.JSON(), nullable=False),
        sa.Column("provenance", sa.JSON(), nullable=False),
    )
    op.create_table(
        "results",
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("id", sa.String(), nullable=False, unique=True),
        sa.Column("series_uid", sa.String(), nullable=False, index=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("blob", sa.String()),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("provenance", sa.JSON(), nullable=False),
    )


def _queue() -> None:
    op.create_table(
        "corrections",
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("id", sa.String(), nullable=False, unique=True),
        sa.Column("series_uid", sa.String(), nullable=False),
        sa.Column("patient_key", sa.String(), nullable=False, index=True),
        sa.Column("plugin_id", sa.String(), nullable=False, index=True),
        sa.Column("model_version", sa.String(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("created", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("dice_before", sa.Double(), nullable=True),
        sa.Column("modality", sa.String(), nullable=False),
        sa.Column("body_part", sa.String(), nullable=False),
        sa.Column("image", sa.JSON()),
        sa.Column("image_blob", sa.String()),
        sa.Column("mask_blob", sa.String()),
        sa.Column("mask_sha256", sa.String(), nullable=False),
        sa.Column("segments", sa.JSON(), nullable=False),
        sa.Column("used_in", sa.String()),
    )
    op.create_index(
        "one_current_verdict",
        "corrections",
        ["series_uid", "plugin_id"],
        unique=True,
        sqlite_where=sa.text("status != 'superseded'"),
    )
    op.create_table(
        "split_sides",
        sa.Column("plugin_id", sa.String(), primary_key=True),
        sa.Column("patient_key", sa.String(), primary_key=True),
        sa.Column("side", sa.String(), nullable=False),
    )


def _models() -> None:
    op.create_table(
        "model_versions",
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("plugin_id", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("parent", sa.String()),
        sa.Column("weights", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("created", sa.String(), nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("training_cases", sa.JSON(), nullable=False),
        sa.Column("provenance", sa.JSON(), nullable=False),
        sa.Column("compared_with", sa.String()),
        sa.Column("verdict", sa.JSON()),
        sa.UniqueConstraint("plugin_id", "version"),
    )
    op.create_index(
        "one_active_version", "model_versions", ["plugin_id"], unique=True, sqlite_where=sa.text("state = 'active'")
    )
    version = (["plugin_id", "version"], ["model_versions.plugin_id", "model_versions.version"])
    op.create_table(
        "scores",
        sa.Column("plugin_id", sa.String(), primary_key=True),
        sa.Column("version", sa.String(), primary_key=True),
        sa.Column("case_id", sa.String(), primary_key=True),
        sa.Column("dice", sa.Double(), nullable=False),
        sa.Column("hd95_mm", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(*version),
        sa.ForeignKeyConstraint(["case_id"], ["corrections.id"]),
    )
    op.create_table(
        "activations",
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("plugin_id", sa.String(), nullable=False, index=True),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(*version),
    )
