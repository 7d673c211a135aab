"""The tables of the archive's database. A change here needs a migration beside it, which a test checks."""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import JSON, Double, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeEngine


class Base(DeclarativeBase):
    """The root of all tables. Times are UTC, ISO 8601; blobs are paths relative to the archive's folder."""

    type_annotation_map: ClassVar[dict[Any, type[TypeEngine[Any]]]] = {
        dict[str, Any]: JSON,
        list[Any]: JSON,
        float: Double,
    }


class MaskRow(Base):
    """One saved segmentation of a series; a newer one does not replace it."""

    __tablename__ = "masks"

    number: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(unique=True)
    series_uid: Mapped[str] = mapped_column(index=True)
    blob: Mapped[str]
    grid: Mapped[dict[str, Any]]
    segments: Mapped[list[Any]]
    provenance: Mapped[dict[str, Any]]


class ResultRow(Base):
    """One classification or heat map of a series."""

    __tablename__ = "results"

    number: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(unique=True)
    series_uid: Mapped[str] = mapped_column(index=True)
    kind: Mapped[str]
    blob: Mapped[str | None]
    content: Mapped[dict[str, Any]]
    provenance: Mapped[dict[str, Any]]


class CorrectionRow(Base):
    """One verdict on a mask: a case of the fine-tuning queue.

    At most one verdict a series and plugin is not superseded.
    """

    __tablename__ = "corrections"
    __table_args__ = (
        Index(
            "one_current_verdict", "series_uid", "plugin_id", unique=True, sqlite_where=text("status != 'superseded'")
        ),
    )

    number: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(unique=True)
    series_uid: Mapped[str]
    patient_key: Mapped[str] = mapped_column(index=True)
    plugin_id: Mapped[str] = mapped_column(index=True)
    model_version: Mapped[str]
    verdict: Mapped[str]
    status: Mapped[str]
    author: Mapped[str]
    created: Mapped[str]
    note: Mapped[str]
    dice_before: Mapped[float | None]
    modality: Mapped[str]
    body_part: Mapped[str]
    image: Mapped[dict[str, Any] | None]
    image_blob: Mapped[str | None]
    mask_blob: Mapped[str | None]
    mask_sha256: Mapped[str]
    segments: Mapped[list[Any]]
    used_in: Mapped[str | None]


class SideRow(Base):
    """On which side of a plugin's split a patient stands, for good."""

    __tablename__ = "split_sides"

    plugin_id: Mapped[str] = mapped_column(primary_key=True)
    patient_key: Mapped[str] = mapped_column(primary_key=True)
    side: Mapped[str]


class VersionRow(Base):
    """One version of a plugin's weights. At most one a plugin is active."""

    __tablename__ = "model_versions"
    __table_args__ = (
        UniqueConstraint("plugin_id", "version"),
        Index("one_active_version", "plugin_id", unique=True, sqlite_where=text("state = 'active'")),
    )

    number: Mapped[int] = mapped_column(primary_key=True)
    plugin_id: Mapped[str]
    version: Mapped[str]
    state: Mapped[str]
    parent: Mapped[str | None]
    weights: Mapped[str]
    sha256: Mapped[str]
    created: Mapped[str]
    author: Mapped[str]
    training_cases: Mapped[list[Any]]
    provenance: Mapped[dict[str, Any]]
    compared_with: Mapped[str | None]
    verdict: Mapped[dict[str, Any] | None]


class ScoreRow(Base):
    """How one version did on one held-out case."""

    __tablename__ = "scores"
    __table_args__ = (
        ForeignKeyConstraint(["plugin_id", "version"], ["model_versions.plugin_id", "model_versions.version"]),
        ForeignKeyConstraint(["case_id"], ["corrections.id"]),
    )

    plugin_id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[str] = mapped_column(primary_key=True)
    case_id: Mapped[str] = mapped_column(primary_key=True)
    dice: Mapped[float]
    hd95_mm: Mapped[float]


class ActivationRow(Base):
    """One change of a plugin's active version, and who answers for it."""

    __tablename__ = "activations"
    __table_args__ = (
        ForeignKeyConstraint(["plugin_id", "version"], ["model_versions.plugin_id", "model_versions.version"]),
    )

    number: Mapped[int] = mapped_column(primary_key=True)
    plugin_id: Mapped[str] = mapped_column(index=True)
    version: Mapped[str]
    action: Mapped[str]
    by: Mapped[str]
    reason: Mapped[str]
    at: Mapped[str]
