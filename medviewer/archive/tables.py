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
    """One classification, heat map or set of detections of a series."""

    __tablename__ = "results"

    number: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(unique=True)
    series_uid: Mapped[str] = mapped_column(index=True)
    kind: Mapped[str]
    blob: Mapped[str | None]
    content: Mapped[dict[str, Any]]
    provenance: Mapped[dict[str, Any]]


class MeasurementRow(Base):
    """One measurement of a series as it is now, with what it came to when it was kept."""

    __tablename__ = "measurements"

    number: Mapped[int] = mapped_column(primary_key=True)
    uid: Mapped[str] = mapped_column(unique=True)
    study_uid: Mapped[str] = mapped_column(index=True)
    series_uid: Mapped[str] = mapped_column(index=True)
    content: Mapped[dict[str, Any]]
    measured: Mapped[list[Any]]


class KeyImageRow(Base):
    """One slice that a person marked, and how it was looked at."""

    __tablename__ = "key_images"

    number: Mapped[int] = mapped_column(primary_key=True)
    uid: Mapped[str] = mapped_column(unique=True)
    study_uid: Mapped[str] = mapped_column(index=True)
    series_uid: Mapped[str]
    content: Mapped[dict[str, Any]]


class KeyPictureRow(Base):
    """What a key image looked like, as PNG: apart, so that a list is read without it."""

    __tablename__ = "key_pictures"

    uid: Mapped[str] = mapped_column(primary_key=True)
    png: Mapped[bytes]


class ReportRow(Base):
    """One version of a study's report, a draft or final; a final one stays as it is, which triggers see to."""

    __tablename__ = "reports"
    __table_args__ = (UniqueConstraint("study_uid", "version"),)

    number: Mapped[int] = mapped_column(primary_key=True)
    uid: Mapped[str] = mapped_column(unique=True)
    study_uid: Mapped[str] = mapped_column(index=True)
    version: Mapped[int]
    state: Mapped[str]
    content: Mapped[dict[str, Any]]
    pdf: Mapped[bytes | None]


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


class PatientRow(Base):
    """One person of the catalogue. `identity` is ID and name, or the study's UID where a file has neither."""

    __tablename__ = "catalog_patients"
    __table_args__ = (Index("patients_by_time", "seen", "number"),)

    number: Mapped[int] = mapped_column(primary_key=True)
    identity: Mapped[str] = mapped_column(unique=True)
    patient_id: Mapped[str]
    name: Mapped[str]
    birth_date: Mapped[str]
    sex: Mapped[str]
    seen: Mapped[str]


class StudyRow(Base):
    """One study of the catalogue; `seen` is when it was last added or opened, `modalities` are parted by blanks."""

    __tablename__ = "catalog_studies"
    __table_args__ = (
        ForeignKeyConstraint(["patient"], ["catalog_patients.number"]),
        Index("studies_of_patient", "patient", "date", "number"),
    )

    number: Mapped[int] = mapped_column(primary_key=True)
    uid: Mapped[str] = mapped_column(unique=True)
    patient: Mapped[int]
    date: Mapped[str]
    description: Mapped[str]
    accession: Mapped[str]
    modalities: Mapped[str]
    state: Mapped[str]
    images: Mapped[int]
    copied: Mapped[bool]
    seen: Mapped[str]


class SeriesRow(Base):
    """One series of the catalogue."""

    __tablename__ = "catalog_series"
    __table_args__ = (
        ForeignKeyConstraint(["study"], ["catalog_studies.number"]),
        UniqueConstraint("study", "uid"),
    )

    number: Mapped[int] = mapped_column(primary_key=True)
    study: Mapped[int]
    uid: Mapped[str] = mapped_column(index=True)
    modality: Mapped[str]
    description: Mapped[str]
    series_number: Mapped[int | None]
    body_part: Mapped[str]
    reader: Mapped[str]
    size_text: Mapped[str]
    slices: Mapped[int]
    rows: Mapped[int]
    columns: Mapped[int]
    images: Mapped[int]
    warnings: Mapped[list[Any]]


class AttachmentRow(Base):
    """One mask, report or document of a study of the catalogue; `path` is text of `medviewer.archive.catalog.paths`."""

    __tablename__ = "catalog_attachments"
    __table_args__ = (
        ForeignKeyConstraint(["study"], ["catalog_studies.number"]),
        UniqueConstraint("study", "uid"),
    )

    number: Mapped[int] = mapped_column(primary_key=True)
    study: Mapped[int]
    uid: Mapped[str]
    kind: Mapped[str]
    title: Mapped[str]
    path: Mapped[str]
    modality: Mapped[str]
    date: Mapped[str]
    series_uid: Mapped[str]
    of_series: Mapped[list[Any]]


class FolderRow(Base):
    """A folder that holds files of the catalogue: most series have one, and its name would be kept with every file."""

    __tablename__ = "catalog_folders"

    number: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(unique=True)


class FileRow(Base):
    """One file of a series, with its size in bytes and its time of change when it was last looked at.

    `sop` is its SOP Instance UID. `mark` tells a file without one from others of its name and size, and is empty as
    long as there was none.
    """

    __tablename__ = "catalog_files"
    __table_args__ = (
        ForeignKeyConstraint(["series"], ["catalog_series.number"]),
        ForeignKeyConstraint(["folder"], ["catalog_folders.number"]),
    )

    series: Mapped[int] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    folder: Mapped[int] = mapped_column(index=True)
    name: Mapped[str]
    size: Mapped[int]
    mtime_ns: Mapped[int]
    mark: Mapped[str]
    sop: Mapped[str]


class TagRow(Base):
    """One word that a person gave a study."""

    __tablename__ = "catalog_tags"
    __table_args__ = (ForeignKeyConstraint(["study"], ["catalog_studies.number"]),)

    study: Mapped[int] = mapped_column(primary_key=True)
    tag: Mapped[str] = mapped_column(primary_key=True, index=True)


class ThumbnailRow(Base):
    """A small picture of a series, as PNG."""

    __tablename__ = "catalog_thumbnails"

    series_uid: Mapped[str] = mapped_column(primary_key=True)
    png: Mapped[bytes]


class RemovalRow(Base):
    """A folder of ``studies`` whose study was removed from the catalogue, and which is still to be deleted."""

    __tablename__ = "catalog_removals"

    folder: Mapped[str] = mapped_column(primary_key=True)
