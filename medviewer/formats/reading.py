"""Opening: what is there, and then one series of it as an image."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from medviewer.domain.image import Image
from medviewer.domain.study import ScanResult, Series, Study, Warning
from medviewer.errors import InputError, JobCancelled, UnreadableError
from medviewer.formats.apart import stop_if
from medviewer.formats.dicom.headers import BLOCK, Header, read_header, read_open
from medviewer.formats.dicom.load import load_dicom
from medviewer.formats.dicom.recent import remember
from medviewer.formats.dicom.scan import made_up_uid, studies_of
from medviewer.formats.itk import load_itk, scan_itk
from medviewer.formats.nifti import load_nifti, scan_nifti
from medviewer.formats.raster import load_raster, scan_raster
from medviewer.formats.sniff import HEAD, Kind, is_directory, kind_of, may_lack_preamble
from medviewer.formats.sources import Sources, collect

_IMAGE_NAMES = (".dcm", ".dicom", ".ima", ".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd", ".zip")
"""A file with such a name should be an image, so it is said when it is none; a CD's other files are passed over."""

_SCANNERS: dict[Kind, Callable[[Path, str], Series]] = {
    Kind.NIFTI: scan_nifti,
    Kind.NRRD: scan_itk,
    Kind.META_IMAGE: scan_itk,
    Kind.PNG: scan_raster,
    Kind.JPEG: scan_raster,
    Kind.TIFF: scan_raster,
}
"""How the header of a file is read that is a series by itself."""

_LOADERS = {"nifti": load_nifti, "itk": load_itk, "raster": load_raster}

_WANTED = "DICOM, NIfTI, NRRD, MetaImage, PNG, JPEG or TIFF"

_EVERY = 20
"""Files between two words of progress."""


def scan(
    paths: Sequence[Path],
    progress: Callable[[float, str], None] | None = None,
    cancelled: threading.Event | None = None,
    *,
    scratch: Path | None = None,
) -> ScanResult:
    """Find every image below `paths`, by content, without reading pixels.

    What is wrong with a file or a series becomes a warning; one broken file never hides the others. PNG, JPEG and TIFF
    found in a folder or archive are listed only where it holds no medical images, beside which they are thumbnails and
    logos; those that were named one by one always are. A folder's DICOMDIR is passed over, because its files are found
    anyway; one that was named by itself is followed.

    Parameters
    ----------
    paths
        Folders (searched through), files, DICOMDIRs and ZIP archives.
    progress
        Told the part that is done, 0 to 1, and what is being done.
    cancelled
        Set by whoever wants the scan to stop.
    scratch
        Where archives are unpacked; a folder that goes with the process by default.

    Raises
    ------
    UnreadableError
        If one of the paths does not exist.
    JobCancelled
        If `cancelled` was set.
    """

    def stop() -> None:
        if cancelled is not None and cancelled.is_set():
            raise JobCancelled("The scan was stopped before all files were looked at; scan again to see them all.")

    sources = collect([Path(path) for path in paths], scratch, stop)
    headers: list[Header] = []
    others: list[tuple[Path, Kind]] = []
    warnings = list(sources.warnings)
    for k, file in enumerate(sources.files):
        stop()
        if progress is not None and k % _EVERY == 0:
            progress(k / len(sources.files), f"Looking at file {k + 1} of {len(sources.files)}")
        try:
            _sort(file, sources, headers, others)
        except UnreadableError as error:
            warnings.append(Warning("unreadable", str(error)))
    studies, problems = studies_of(headers, sources.identity)
    warnings += problems
    studies += _file_studies(_without_stray(others, headers, sources), sources, warnings, stop)
    if not studies:
        warnings.append(_nothing(paths, len(sources.files)))
    return ScanResult(_ordered(studies), tuple(warnings))


def load(
    series: Series,
    progress: Callable[[float, str], None] | None = None,
    cancelled: threading.Event | None = None,
    *,
    warn: Callable[[Warning], None] | None = None,
    early: Callable[[Image], None] | None = None,
) -> Image:
    """Read one scanned series into memory, in the files' own type.

    Parameters
    ----------
    series
        As `scan` returned it.
    progress
        Told the part that is done, 0 to 1, and what is being done.
    cancelled
        Set by whoever wants the loading to stop.
    warn
        Told of every slice that could not be read; such slices are blank.
    early
        Called once, in this thread, as soon as the middle slice is there, with an image that fills up while this
        function goes on, slices nearest to the middle first; the others are blank until then. Only of DICOM whose
        slices are shown as they are stored, with one rescale. What is returned is mostly the same image; where the
        files differed from the first in what they say of grey values, it is another one over the same voxels.

    Raises
    ------
    UnreadableError
        If nothing of the series can be read.
    JobCancelled
        If `cancelled` was set.
    """
    if series.reader == "dicom":
        return load_dicom(series, progress, cancelled, warn, early)
    loader = _LOADERS.get(series.reader)
    if loader is None:
        known = ", ".join(("dicom", *_LOADERS))
        raise InputError(f"A series is read by {known}, not by {series.reader!r}; scan its files again.")
    stop_if(cancelled)
    return loader(series, progress, cancelled)


def _sort(file: Path, sources: Sources, headers: list[Header], others: list[tuple[Path, Kind]]) -> None:
    """Put a file where its kind belongs; one that looks like an image and is none raises."""
    kind, header = _look(file)
    if header is not None:
        headers.append(header)
    elif kind in _SCANNERS:
        others.append((file, kind))
    elif kind is not Kind.DICOM and (file in sources.named or file.name.lower().endswith(_IMAGE_NAMES)):
        what = "a ZIP archive inside an archive" if kind is Kind.ZIP else "no image of a format that is read"
        raise UnreadableError(f"{file.name} is {what}, so it was left out; open {_WANTED} files.")


def _look(file: Path) -> tuple[Kind, Header | None]:
    """Kind and, for DICOM, header of a file, opened once."""
    try:
        with file.open("rb", buffering=0) as opened:
            block = opened.read(BLOCK)
            kind = kind_of(block[:HEAD])
            if kind is Kind.DICOM and is_directory(block):
                return kind, None  # it lists files that are found anyway
            if kind is Kind.DICOM:
                header = read_open(opened, file, block)
                remember(header, os.fstat(opened.fileno()))
                return kind, header
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UnreadableError(f"{file.name} could not be opened ({reason}); check that it may be read.") from error
    if kind is Kind.UNKNOWN and may_lack_preamble(block):
        with contextlib.suppress(UnreadableError):  # then it was something else after all
            return Kind.DICOM, read_header(file)
    return kind, None


def _without_stray(
    others: Sequence[tuple[Path, Kind]], headers: Sequence[Header], sources: Sources
) -> list[tuple[Path, Kind]]:
    """What is left without the pictures that lie beside medical images and were not named."""
    if not any(kind.is_raster and file not in sources.named for file, kind in others):
        return list(others)
    medical = [header.path for header in headers] + [file for file, kind in others if not kind.is_raster]
    full = {sources.root(file) for file in medical}
    return [
        (file, kind)
        for file, kind in others
        if not kind.is_raster or file in sources.named or sources.root(file) not in full
    ]


def _file_studies(
    files: Sequence[tuple[Path, Kind]], sources: Sources, warnings: list[Warning], stop: Callable[[], None]
) -> list[Study]:
    """One study a folder: these formats know no patients, and people keep the images of one case together."""
    folders: dict[Path, list[Series]] = defaultdict(list)
    for file, kind in files:
        stop()
        try:
            series = _SCANNERS[kind](file, made_up_uid(sources.identity(file)))
        except UnreadableError as error:
            warnings.append(Warning("unreadable", str(error)))
        else:
            folders[file.parent].append(replace(series, number=len(folders[file.parent]) + 1))
    return [
        Study(made_up_uid(sources.identity(folder)), description=folder.name, series=tuple(found))
        for folder, found in folders.items()
    ]


def _ordered(studies: Sequence[Study]) -> tuple[Study, ...]:
    """Studies by date and series by number, whatever the order of the files was.

    What shares a Series Instance UID stays in the order that its reader gave.
    """
    sorted_inside = [
        replace(
            study, series=tuple(sorted(study.series, key=lambda s: (s.number is None, s.number or 0, s.instance_uid)))
        )
        for study in studies
    ]
    return tuple(sorted(sorted_inside, key=lambda study: (study.date, study.uid)))


def _nothing(paths: Sequence[Path], count: int) -> Warning:
    where = paths[0].name if len(paths) == 1 else f"{len(paths)} places"
    came = "no files" if count == 0 else f"{count} file{'s' if count > 1 else ''} of other kinds"
    text = f"Expected {_WANTED} images in {where}, found {came}; choose a folder, file or ZIP archive with images."
    return Warning("nothing-found", text)
