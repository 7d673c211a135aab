"""What the rows of the list of studies say."""

from __future__ import annotations

from dataclasses import dataclass

from medviewer.app.controllers.texts import person
from medviewer.archive.catalog import SeriesEntry, State, StudyEntry
from medviewer.domain.study import Attachment, Patient, is_usual
from medviewer.ui.translate import tr

_OTHER = "OT"
_FILES = {"nifti": "NIfTI", "raster": "Picture"}
"""What files are called that need not say a modality, by the name of their reader."""

Value = Patient | StudyEntry | SeriesEntry | Attachment


@dataclass(eq=False)
class Node:
    """What a row stands for.

    Parameters
    ----------
    value
        The patient, study, series or attachment.
    study
        UID of the study that it belongs to; empty for a patient.
    absent
        Whether files of the study are known to be gone.
    """

    value: Value
    study: str = ""
    absent: bool = False

    @property
    def key(self) -> str:
        """What stays the same when the list is made anew."""
        if isinstance(self.value, Patient):
            return f"patient {self.value.id} {self.value.name}"
        return self.value.uid


def title(value: Value) -> str:
    """The upper line of a row."""
    if isinstance(value, Patient):
        return person(value.name) or value.id or tr("No name")
    if isinstance(value, StudyEntry):
        return "  ".join(part for part in (value.date, value.description) if part) or tr("Study without a date")
    if isinstance(value, SeriesEntry):
        number = tr(f"Series {value.number}") if value.number is not None else ""
        return value.description or number or origin(value.modality, value.reader) or tr("Series")
    return value.title or value.modality or value.kind


def subtitle(value: Value) -> str:
    """The lower line of a row; of a study, what follows its state."""
    if isinstance(value, Patient):
        return _dots(value.id if person(value.name) else "", value.birth_date, value.sex)
    if isinstance(value, StudyEntry):
        return _dots(_known(value), images(value.images), *value.tags)
    if isinstance(value, SeriesEntry):
        return _dots(origin(value.modality, value.reader), extent(value))
    return _dots(value.modality or value.kind.upper(), value.date)


def state_text(state: State) -> str:
    """Where a study stands on the worklist."""
    texts = {
        State.NEW: tr("new"),
        State.READ: tr("read"),
        State.TO_CORRECT: tr("to correct"),
        State.APPROVED: tr("approved"),
    }
    return texts[state]


def origin(modality: str, reader: str) -> str:
    """The modality, or the kind of file where that does not say it; ``OT`` (other) is DICOM's word for not knowing."""
    return modality if modality != _OTHER else tr(_FILES.get(reader, ""))


def _known(study: StudyEntry) -> str:
    return " ".join(modality for modality in study.modalities if modality != _OTHER)


def extent(series: SeriesEntry) -> str:
    """Number of slices, of images where it has a 4th axis, or the size of a single picture."""
    if series.images > max(series.slices, 1):
        return tr(f"{series.images:,} images")
    return tr(f"{series.slices:,} slices") if series.slices > 1 else f"{series.columns} × {series.rows}"


def images(number: int) -> str:
    """How many images."""
    return tr(f"{number:,} image" if number == 1 else f"{number:,} images")


def tip(node: Node, warnings: tuple[str, ...] = ()) -> str:
    """Everything about a row."""
    value = node.value
    lines = [title(value), subtitle(value)]
    if isinstance(value, StudyEntry):
        lines[1] = _dots(_known(value), images(value.images))
        lines += [tr(f"Tags: {', '.join(value.tags)}")] if value.tags else []
        lines += [
            tr(f"State: {state_text(value.state)}"),
            *([tr(f"Accession number {value.accession}")] if value.accession else []),
        ]
        lines += [tr("Copied into the archive")] if value.copied else []
        if node.absent:
            lines.append(f"⚠ {tr('Files are missing where they were; open them from where they are now.')}")
    if isinstance(value, SeriesEntry):
        kind = origin(value.modality, value.reader)
        lines = [title(value), kind, value.size_text, value.body_part, *map(_noted, warnings)]
    return "\n".join(line for line in lines if line)


def _noted(text: str) -> str:
    return tr(text) if is_usual(text) else f"⚠ {tr(text)}"


def _dots(*parts: str) -> str:
    return " · ".join(part for part in parts if part)
