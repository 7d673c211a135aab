"""What was found on disk: patients, studies and series, before any pixel is read."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from medviewer.domain.geometry import Grid, Vector


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
    age
        At the study, as the file says it (Patient's Age, ``045Y``), or empty.
    """

    id: str = ""
    name: str = ""
    birth_date: str = ""
    sex: str = ""
    age: str = ""

    def same_as(self, other: Patient) -> bool:
        """Whether patient ID and name are those of another: everything that looks for one person asks this."""
        return (self.id, self.name) == (other.id, other.name)


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


UNORIENTED_PICTURE = "Images of this kind do not say how the patient lies; no orientation letters are shown."
UNORIENTED_FILE = "A picture does not say how the patient lies; no orientation letters are shown."
UNSIZED_FILE = "A picture gives no size in the patient; lengths in mm are not known."
_USUAL = frozenset((UNORIENTED_PICTURE, UNORIENTED_FILE, UNSIZED_FILE))


def is_usual(text: str) -> bool:
    """Whether a warning's text only says what is so of every image of its kind, as that ultrasound has no sides.

    Such a one is listed with the series, but nobody is alarmed by it. It is told by its text, which is all that the
    catalogue keeps of a warning.
    """
    return text in _USUAL


@dataclass(frozen=True)
class PhaseAxis:
    """The 4th axis of a series: several images on one grid.

    Parameters
    ----------
    name
        What changes from one to the next: ``time``, ``echo``, ``b-value``, ``phase``, ``frame`` ...
    values
        One number a phase, in `unit`.
    unit
        ``s``, ``ms``, ``s/mm²`` ...; empty for a mere count.
    interval_ms
        Time from one phase to the next while it was recorded (Frame Time, Recommended Display Frame Rate), by which a
        cine is played; None for what is no film.
    """

    name: str
    values: tuple[float, ...]
    unit: str = ""
    interval_ms: float | None = None

    def __len__(self) -> int:
        """Number of phases."""
        return len(self.values)


@dataclass(frozen=True)
class SliceStack:
    """Where the slices of a series really lie, when that is no lattice at right angles with even steps.

    Such a stack (gantry tilt, uneven spacing) is resampled onto `Series.grid` to be shown, and masks go back onto it.

    Parameters
    ----------
    shape
        Rows and columns of a slice.
    spacing
        Distance in mm between rows and between columns.
    row_step, column_step
        Unit steps in the world from row to row, and from column to column.
    positions
        World position (x, y, z) in mm of the first pixel's centre of every slice, ascending along the normal
        ``column_step x row_step``.
    """

    shape: tuple[int, int]
    spacing: tuple[float, float]
    row_step: Vector
    column_step: Vector
    positions: tuple[Vector, ...]


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
    instances
        SOP Instance UID of each file, empty where it has none. Empty for other formats than DICOM.
    frames
        How many frames each file holds, one number a file. Empty means one each.
    index
        The slot of every frame, over all files in order: ``phase * slices + z``; jumps where slices are missing, and
        is -1 for a frame that is shown elsewhere. Empty means 0, 1, 2 ... `slices` is the number of z positions: of
        `source` where there is one, else of `grid`.
    phases
        The 4th axis, or None for a single image.
    source
        Where the slices really lie when `grid` is not their own lattice, else None.
    reader
        Name of the reader that loads it: ``dicom``, ``nifti``, ``itk`` (NRRD, MetaImage) or ``raster`` (PNG, JPEG,
        TIFF).
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
    frames: tuple[int, ...] = ()
    phases: PhaseAxis | None = None
    source: SliceStack | None = None
    instances: tuple[str, ...] = ()

    @property
    def slices(self) -> int:
        """Number of z positions that stored frames have."""
        return len(self.source.positions) if self.source is not None else self.grid.shape[0]

    def slot(self, frame: int) -> tuple[int, int]:
        """Phase and z of a frame, counted over all files from 0; (-1, -1) for one that is not shown here."""
        slot = self.index[frame] if self.index else frame
        return divmod(slot, self.slices) if slot >= 0 else (-1, -1)

    @property
    def instance_uid(self) -> str:
        """`uid` without what follows ``#``: the Series Instance UID of the files."""
        return self.uid.partition("#")[0]

    def slice_of(self, number: int) -> int:
        """The z index of the frame `number`, counted over all files from 0."""
        return self.slot(number)[1]

    @property
    def size_text(self) -> str:
        """Shape and spacing for a text; a radiograph without spacing is called uncalibrated."""
        size = self.grid.describe() if self.calibrated else f"{self.grid.shape_text}, uncalibrated"
        return f"{size}, {len(self.phases)} {self.phases.name} phases" if self.phases is not None else size


@dataclass(frozen=True)
class Attachment:
    """A DICOM object that is no image but belongs to a study: a mask, a report, a document.

    Parameters
    ----------
    uid
        SOP Instance UID.
    kind
        ``seg`` (SEG), ``rtstruct`` (RTSTRUCT), ``report`` (SR), ``pdf`` (encapsulated PDF) or ``cda``
        (encapsulated CDA).
    title
        What it is called, for a list.
    file
        Where it lies.
    modality
        DICOM modality: ``SEG``, ``RTSTRUCT``, ``SR``, ``DOC`` ...
    date
        ISO date of its content, empty when the file has none.
    series_uid
        Its own Series Instance UID.
    of_series
        Series Instance UIDs of the images that it refers to; a mask is shown on the first that is there.
    """

    uid: str
    kind: str
    title: str
    file: Path
    modality: str = ""
    date: str = ""
    series_uid: str = ""
    of_series: tuple[str, ...] = ()

    @property
    def is_mask(self) -> bool:
        """Whether it is opened as a mask on its image."""
        return self.kind in ("seg", "rtstruct")


@dataclass(frozen=True)
class Study:
    """One examination of one patient.

    Parameters
    ----------
    uid
        Study Instance UID, or a stable UID made from the path.
    date, description
        ISO study date and Study Description, empty when the file has none.
    attachments
        Masks, reports and documents of the study.
    """

    uid: str
    date: str = ""
    description: str = ""
    patient: Patient = field(default_factory=Patient)
    series: tuple[Series, ...] = ()
    accession: str = ""
    attachments: tuple[Attachment, ...] = ()


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

    @property
    def attachments(self) -> tuple[Attachment, ...]:
        """All attachments of all studies, in order."""
        return tuple(attachment for study in self.studies for attachment in study.attachments)
