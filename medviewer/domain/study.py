"""What was found on disk: patients, studies and series, before any pixel is read."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from medviewer.domain.geometry import Grid


@dataclass(frozen=True)
class Patient:
    """Who was imaged, as the file says it. Never logged.

    Parameters
    ----------
    id, name
        Patient ID and Patient's Name (family^given), empty when the file has none.
    birth_date
        ISO date or empty.
    sex
        ``M``, ``F``, ``O`` or empty.
    """

    id: str = ""
    name: str = ""
    birth_date: str = ""
    sex: str = ""


@dataclass(frozen=True)
class Warning:
    """Something wrong with a series that did not stop it from opening.

    Parameters
    ----------
    code
        Machine-readable kind, for example ``missing-slice``, ``duplicate``, ``unreadable``, ``irregular-spacing``,
        ``several-volumes``, ``uncalibrated``.
    text
        One sentence for the user: what was expected, what came, what was done about it.
    """

    code: str
    text: str


@dataclass(frozen=True)
class Series:
    """One series that can be shown as one image.

    Parameters
    ----------
    uid
        Series Instance UID; for files without one, a stable UID made from the path. It is followed by ``#`` and more
        where one Series Instance UID has several images: always for an image without a place in the patient, such as
        a radiograph (a hash of its SOP Instance UID, so it is the same whatever else is opened), for a stack of another
        size, format or orientation than the largest (a hash of these), and for the second and later volume at the same
        positions (``#t2``).
    modality
        DICOM modality, for example ``CT``; ``OT`` where the file does not say.
    grid
        The lattice that its voxels lie on.
    files
        Its files in the order of the slices.
    index
        The z index of each file, one a file; jumps where slices are missing. Empty means 0, 1, 2 ...
    reader
        Name of the reader that loads it: ``dicom`` or ``nifti``.
    body_part, view, laterality
        Body Part Examined, View Position and Laterality as the header says, upper case, empty when it does not.
    calibrated
        False where the header gives no pixel spacing, so lengths in mm are not known.
    frame_of_reference
        Frame of Reference UID; two series that share it share the crosshair.
    """

    uid: str
    modality: str
    description: str
    grid: Grid
    files: tuple[Path, ...]
    reader: str
    number: int | None = None
    body_part: str = ""
    view: str = ""
    laterality: str = ""
    calibrated: bool = True
    frame_of_reference: str = ""
    warnings: tuple[Warning, ...] = ()
    index: tuple[int, ...] = ()

    @property
    def instance_uid(self) -> str:
        """`uid` without what follows ``#``: the Series Instance UID of the files."""
        return self.uid.partition("#")[0]

    def slice_of(self, number: int) -> int:
        """The z index of the file `number`, counted from 0."""
        return self.index[number] if self.index else number

    @property
    def size_text(self) -> str:
        """Shape and spacing for a text; a radiograph without spacing is called uncalibrated."""
        return self.grid.describe() if self.calibrated else f"{self.grid.shape_text}, uncalibrated"


@dataclass(frozen=True)
class Study:
    """One examination of one patient.

    Parameters
    ----------
    uid
        Study Instance UID, or a stable UID made from the path.
    date, description
        ISO study date and Study Description, empty when the file has none.
    """

    uid: str
    date: str = ""
    description: str = ""
    patient: Patient = field(default_factory=Patient)
    series: tuple[Series, ...] = ()
    accession: str = ""


@dataclass(frozen=True)
class ScanResult:
    """What a scan of paths found.

    Parameters
    ----------
    studies
        Everything that can be opened, sorted by date and then series number.
    warnings
        What belongs to no series: unreadable files, folders without images.
    """

    studies: tuple[Study, ...] = ()
    warnings: tuple[Warning, ...] = ()

    @property
    def series(self) -> tuple[Series, ...]:
        """All series of all studies, in order."""
        return tuple(series for study in self.studies for series in study.series)
