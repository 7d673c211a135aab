"""The catalogue: patients, studies, series, their files, tags, thumbnails, and the index of the search."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables of the catalogue."""
    _studies()
    _series()
    _files()
    _beside()
    # Prefixes of one to three letters have an index of their own: that is what a search as one types asks for.
    op.execute(
        "CREATE VIRTUAL TABLE catalog_search USING fts5"
        "(words, tokenize = \"unicode61 remove_diacritics 2\", prefix = '1 2 3')"
    )


def _text(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.String(), nullable=False) for name in names]


def _whole(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.Integer(), nullable=False) for name in names]


def _studies() -> None:
    op.create_table(
        "catalog_patients",
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("identity", sa.String(), nullable=False, unique=True),
        *_text("patient_id", "name", "birth_date", "sex", "seen"),
    )
    op.create_index("patients_by_time", "catalog_patients", ["seen", "number"])
    op.create_table(
        "catalog_studies",
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("uid", sa.String(), nullable=False, unique=True),
        *_whole("patient"),
        *_text("date", "description", "accession", "modalities", "state"),
        *_whole("images"),
        sa.Column("copied", sa.Boolean(), nullable=False),
        *_text("seen"),
        sa.ForeignKeyConstraint(["patient"], ["catalog_patients.number"]),
    )
    op.create_index("studies_of_patient", "catalog_studies", ["patient", "date", "number"])


def _series() -> None:
    op.create_table(
        "catalog_series",
        sa.Column("number", sa.Integer(), primary_key=True),
        *_whole("study"),
        sa.Column("uid", sa.String(), nullable=False, index=True),
        *_text("modality", "description"),
        sa.Column("series_number", sa.Integer()),
        *_text("body_part", "reader", "size_text"),
        *_whole("slices", "rows", "columns", "images"),
        sa.Column("warnings", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["study"], ["catalog_studies.number"]),
        sa.UniqueConstraint("study", "uid"),
    )
    op.create_table(
        "catalog_attachments",
        sa.Column("number", sa.Integer(), primary_key=True),
        *_whole("study"),
        *_text("uid", "kind", "title", "path", "modality", "date", "series_uid"),
        sa.Column("of_series", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["study"], ["catalog_studies.number"]),
        sa.UniqueConstraint("study", "uid"),
    )


def _files() -> None:
    op.create_table(
        "catalog_folders",
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("path", sa.String(), nullable=False, unique=True),
    )
    op.create_table(
        "catalog_files",
        sa.Column("series", sa.Integer(), primary_key=True),
        sa.Column("position", sa.Integer(), primary_key=True),
        sa.Column("folder", sa.Integer(), nullable=False, index=True),
        *_text("name"),
        *_whole("size", "mtime_ns"),
        *_text("mark", "sop"),
        sa.ForeignKeyConstraint(["series"], ["catalog_series.number"]),
        sa.ForeignKeyConstraint(["folder"], ["catalog_folders.number"]),
    )


def _beside() -> None:
    op.create_table(
        "catalog_tags",
        sa.Column("study", sa.Integer(), primary_key=True),
        sa.Column("tag", sa.String(), primary_key=True, index=True),
        sa.ForeignKeyConstraint(["study"], ["catalog_studies.number"]),
    )
    op.create_table(
        "catalog_thumbnails",
        sa.Column("series_uid", sa.String(), primary_key=True),
        sa.Column("png", sa.LargeBinary(), nullable=False),
    )
    op.create_table("catalog_removals", sa.Column("folder", sa.String(), primary_key=True))
