"""A file on its way to an archive: what it is, and its bytes."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from medviewer.errors import InputError
from medviewer.formats.dicom.quiet import quiet


@dataclass(frozen=True)
class Parcel:
    """A file to be sent: its storage class and transfer syntax; `bare` where it has no file header."""

    file: Path
    sop_class: UID
    syntax: UID
    bare: bool = False

    @property
    def contexts(self) -> set[tuple[str, str]]:
        """What is offered for it; plain objects may be sent in the syntax that everybody knows (PS3.5 10.1)."""
        offered = {(str(self.sop_class), str(self.syntax))}
        if self.syntax == ExplicitVRLittleEndian:
            offered.add((str(self.sop_class), str(ImplicitVRLittleEndian)))
        return offered


def parcel(file: Path) -> Parcel:
    """What a file is.

    Raises
    ------
    InputError
        If it is missing or no DICOM object.
    """
    try:
        with quiet():
            header = dcmread(file, stop_before_pixels=True, specific_tags=["SOPClassUID", "SOPInstanceUID"], force=True)
            meta = getattr(header, "file_meta", None) or FileMetaDataset()
            sop_class, instance = header.get("SOPClassUID"), header.get("SOPInstanceUID")
            implicit, little = header.original_encoding
    except (OSError, InvalidDicomError, ValueError, EOFError, LookupError, TypeError, AttributeError) as error:
        raise InputError(
            f"{file.name} should be a DICOM file, but cannot be read; choose another one.", type(error).__name__
        ) from None
    if not sop_class or not instance:
        raise InputError(f"{file.name} is no DICOM object, which is all that an archive takes; choose another one.")
    plain = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian if little else ExplicitVRBigEndian
    bare = "MediaStorageSOPInstanceUID" not in meta or "TransferSyntaxUID" not in meta or not header.preamble
    return Parcel(file, UID(sop_class), UID(meta.get("TransferSyntaxUID", plain)), bare)


def whole(one: Parcel) -> Dataset:
    """A file in memory, to be written in another of the plain syntaxes, or with a file header."""
    with quiet():
        read: Dataset = dcmread(one.file, force=True)
    if one.bare:
        read.file_meta = FileMetaDataset()
        read.file_meta.TransferSyntaxUID = one.syntax
    return read


def with_header(one: Parcel) -> bytes:
    """A file that has no file header, with one."""
    stream = BytesIO()
    with quiet():
        whole(one).save_as(stream, enforce_file_format=True)
    return stream.getvalue()
