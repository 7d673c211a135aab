"""One file in, one de-identified file out, under a name that says nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from medviewer.domain.study import Warning
from medviewer.errors import InputError, MedviewerError, UnreadableError
from medviewer.formats.atomic import replacing
from medviewer.formats.dicom.deidentify.dataset import PLAIN_UID, deidentify
from medviewer.formats.dicom.deidentify.nifti import deidentify_nifti
from medviewer.formats.dicom.deidentify.options import Key, Options
from medviewer.formats.dicom.quiet import quiet
from medviewer.formats.dicom.whole import read_whole
from medviewer.formats.sniff import Kind

_DICOMDIR = "1.2.840.10008.1.3.10"


@dataclass(frozen=True)
class Written:
    """What became of a file.

    Parameters
    ----------
    path
        The file that was written; None for one that needs no copy (DICOMDIR: an index of the others).
    warnings
        What a person has to look at.
    """

    path: Path | None
    warnings: tuple[Warning, ...] = ()


def deidentify_file(source: Path, kind: Kind, folder: Path, options: Options, key: Key) -> Written:
    """Write a de-identified copy below `folder`: ``<study>/<series>/<instance>.dcm``, all by their new UIDs.

    The preamble is zeroed, the file meta information made anew, the transfer syntax kept.

    Parameters
    ----------
    kind
        What `source` is: DICOM or NIfTI.

    Raises
    ------
    UnreadableError
        If it cannot be read as what it is.
    InputError
        If it cannot be de-identified, or written, or the file that it would become exists already.
    """
    if kind is Kind.NIFTI:
        return Written(_write(deidentify_nifti(source), folder / f"{key.name(source.read_bytes())}.nii.gz"))
    try:
        with quiet():
            return _deidentify_dicom(source, folder, options, key)
    except MedviewerError:
        raise
    except Exception as error:  # pydicom converts values when they are asked for, and raises whatever they lead to
        raise UnreadableError(
            "A whole DICOM object was expected, but a value in it is damaged; it was left out.", type(error).__name__
        ) from error


def _deidentify_dicom(source: Path, folder: Path, options: Options, key: Key) -> Written:
    original = read_whole(source)
    if str(original.file_meta.get("MediaStorageSOPClassUID", "")) == _DICOMDIR or "DirectoryRecordSequence" in original:
        return Written(None)
    for keyword in ("SOPClassUID", "SOPInstanceUID"):
        if not str(original.get(keyword, "") or "").strip():
            raise InputError(f"A DICOM object needs its {keyword}, but this file has none; it was left out.")
    cleaned = deidentify(original, options, key)
    made = cleaned.dataset
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = _syntax(original)
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    names = (made.get("StudyInstanceUID"), made.get("SeriesInstanceUID"), made.SOPInstanceUID)
    study, series, instance = (_name(str(name or ""), key) for name in names)
    return Written(_write(made, folder / study / series / f"{instance}.dcm"), cleaned.warnings)


def _syntax(original: FileDataset) -> UID:
    told = str(original.file_meta.get("TransferSyntaxUID", ""))
    if told:
        return UID(told)
    implicit, little = original.original_encoding
    if implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if little else ExplicitVRBigEndian


def _name(uid: str, key: Key) -> str:
    """A UID as part of a path; whatever else stands in the file (UIDs may be retained) gives another one."""
    return uid if PLAIN_UID.fullmatch(uid) else key.uid(uid)


def _write(made: Dataset | bytes, path: Path) -> Path:
    if path.exists():
        raise InputError(f"{path.name} is there already and is never overwritten; choose an empty folder.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            if isinstance(made, bytes):
                temporary.write_bytes(made)
            else:
                made.save_as(temporary, enforce_file_format=True)
    except MedviewerError:
        raise
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InputError(
            f"The copy could not be written to {path.parent} ({reason}); choose another folder."
        ) from error
    except Exception as error:  # pydicom raises whatever a value that does not fit leads to
        raise InputError(
            "The object should be written as DICOM again, but a value in it does not fit; it was left out.",
            type(error).__name__,
        ) from error
    return path
