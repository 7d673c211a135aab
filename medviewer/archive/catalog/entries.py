"""What the catalogue tells of patients' studies, without opening a file."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from medviewer.domain.study import Patient, Series, Study


class State(StrEnum):
    """Where a study stands on the worklist."""

    NEW = "new"
    READ = "read"
    TO_CORRECT = "to-correct"
    APPROVED = "approved"

    @property
    def label(self) -> str:
        """As a person reads it."""
        return self.value.replace("-", " ")


@dataclass(frozen=True)
class StudyEntry:
    """One study.

    Parameters
    ----------
    uid, date, description, accession, patient
        As in `medviewer.domain.study.Study`.
    modalities
        Of its series, sorted.
    images
        Number of its images, slices and frames.
    state, tags
        What people said of it; tags are sorted.
    copied
        Whether files of it lie in the archive: copied, unpacked or retrieved. They go when the study is removed.
    seen
        When it was last added or opened: UTC, ISO 8601.
    """

    uid: str
    patient: Patient = field(default_factory=Patient)
    date: str = ""
    description: str = ""
    accession: str = ""
    modalities: tuple[str, ...] = ()
    images: int = 0
    state: State = State.NEW
    tags: tuple[str, ...] = ()
    copied: bool = False
    seen: str = ""

    @property
    def person(self) -> tuple[str, ...]:
        """What two studies of one patient share. Without name and ID nothing says that they are of one person."""
        patient = self.patient
        return (patient.id, patient.name) if patient.id or patient.name else (self.uid,)

    @classmethod
    def of(cls, study: Study) -> StudyEntry:
        """The entry of a study that is not in the catalogue."""
        return cls(
            uid=study.uid,
            patient=study.patient,
            date=study.date,
            description=study.description,
            accession=study.accession,
            modalities=modalities_of(study),
            images=sum(images_of(series) for series in study.series),
        )


@dataclass(frozen=True)
class SeriesEntry:
    """One series.

    Parameters
    ----------
    uid, modality, description, number, body_part, reader, size_text
        As in `medviewer.domain.study.Series`.
    study_uid
        The study that it belongs to.
    slices, rows, columns
        Shape of its image.
    images
        Number of its slices and frames.
    warnings
        What was wrong with it when it was last scanned, one sentence each.
    """

    uid: str
    study_uid: str
    modality: str
    description: str = ""
    number: int | None = None
    body_part: str = ""
    reader: str = "dicom"
    size_text: str = ""
    slices: int = 1
    rows: int = 0
    columns: int = 0
    images: int = 1
    warnings: tuple[str, ...] = ()

    @classmethod
    def of(cls, series: Series, study_uid: str) -> SeriesEntry:
        """The entry of a scanned series."""
        slices, rows, columns = series.grid.shape
        return cls(
            series.uid,
            study_uid,
            series.modality,
            series.description,
            series.number,
            series.body_part,
            series.reader,
            series.size_text,
            slices,
            rows,
            columns,
            images_of(series),
            tuple(warning.text for warning in series.warnings),
        )


@dataclass(frozen=True)
class Added:
    """What an import came to.

    Parameters
    ----------
    studies, series
        How many were not in the catalogue before.
    files
        How many files were noted, copied or found at a new place.
    already
        How many files were known as they are.
    skipped
        How many files could not be copied, because they vanished or cannot be read.
    uids
        Study Instance UIDs of all that was imported, known before or not.
    """

    studies: int = 0
    series: int = 0
    files: int = 0
    already: int = 0
    skipped: int = 0
    uids: tuple[str, ...] = ()

    def __add__(self, other: Added) -> Added:
        return Added(
            self.studies + other.studies,
            self.series + other.series,
            self.files + other.files,
            self.already + other.already,
            self.skipped + other.skipped,
            tuple(dict.fromkeys((*self.uids, *other.uids))),
        )


def clean(value: str) -> str:
    """Text of a file as a database takes it: a lone surrogate becomes a question mark."""
    return value.encode(errors="replace").decode()


def identity_of(patient: Patient) -> str:
    """By what a patient is known who has a name or an ID."""
    return clean(f"{patient.id}\n{patient.name}")


def images_of(series: Series) -> int:
    """Number of images of a series: its frames, or its slices where one file is a whole volume."""
    frames = sum(slot >= 0 for slot in series.index) or sum(series.frames) or len(series.files)
    return max(frames, series.slices)


def modalities_of(study: Study) -> tuple[str, ...]:
    """The modalities of a study's series, sorted."""
    return tuple(sorted({series.modality for series in study.series if series.modality}))
