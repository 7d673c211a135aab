"""What a file is, told by its content and never by its name."""

from __future__ import annotations

import re
import zlib
from enum import Enum
from pathlib import Path

from medviewer.errors import UnreadableError

HEAD = 1024
"""Bytes from the start of a file that decide what it is: a NIfTI-2 header is 540 bytes, a DICOM preamble 132."""

DIRECTORY = b"1.2.840.10008.1.3.10"
"""Media Storage Directory Storage, the SOP class of a DICOMDIR (PS3.4 table B.5-1, PS3.10 8)."""

_GZIP = b"\x1f\x8b"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""TIFF 6.0 in either byte order, and BigTIFF."""
_NRRD = re.compile(rb"NRRD000[0-9]\r?\n")
_META_FIRST = re.compile(rb"\s*(ObjectType|ObjectSubType|Comment|TransformType|Name|ID|NDims)\s*[=:]")
_META_SIZE = re.compile(rb"^[ \t]*NDims\s*[=:]\s*\d", re.MULTILINE)


class Kind(Enum):
    """The kinds of file that are told apart."""

    DICOM = "DICOM"
    NIFTI = "NIfTI"
    NRRD = "NRRD"
    META_IMAGE = "MetaImage"
    PNG = "PNG"
    JPEG = "JPEG"
    TIFF = "TIFF"
    ZIP = "ZIP"
    GZIP = "gzip"
    """Packed, and no NIfTI."""
    UNKNOWN = "unknown"

    @property
    def is_raster(self) -> bool:
        """Whether it is a picture that any program makes, which need not be a medical image."""
        return self in (Kind.PNG, Kind.JPEG, Kind.TIFF)


def sniff(path: Path) -> Kind:
    """Say what a file is.

    Raises
    ------
    UnreadableError
        If the file cannot be opened at all.
    """
    head = head_of(path)
    kind = kind_of(head)
    if kind is not Kind.UNKNOWN or not may_lack_preamble(head):
        return kind
    # Only a trial tells, and only then is the DICOM reader worth loading.
    from medviewer.formats.dicom.headers import read_header

    try:
        read_header(path)
    except UnreadableError:
        return Kind.UNKNOWN
    return Kind.DICOM


def head_of(path: Path) -> bytes:
    """The first `HEAD` bytes of a file.

    Raises
    ------
    UnreadableError
        If the file cannot be opened.
    """
    try:
        with path.open("rb") as file:
            return file.read(HEAD)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UnreadableError(
            f"{path.name} could not be opened ({reason}); check that it exists and may be read."
        ) from error


def kind_of(head: bytes) -> Kind:
    """Say what a file is by its first `HEAD` bytes, where these are enough.

    DICOM comes first: its preamble may be the start of a file of another kind (PS3.10 7.1).
    """
    if head[128:132] == b"DICM":
        return Kind.DICOM
    for kind, starts in (
        (Kind.ZIP, _ZIP),
        (Kind.PNG, b"\x89PNG\r\n\x1a\n"),
        (Kind.JPEG, b"\xff\xd8\xff"),
        (Kind.TIFF, _TIFF),
    ):
        if head.startswith(starts):
            return kind
    if _NRRD.match(head):
        return Kind.NRRD
    if _META_FIRST.match(head) and _META_SIZE.search(head):
        return Kind.META_IMAGE
    packed = head.startswith(_GZIP)
    if _is_nifti(_gunzip(head) if packed else head):
        return Kind.NIFTI
    return Kind.GZIP if packed else Kind.UNKNOWN


def is_directory(head: bytes) -> bool:
    """Whether a DICOM file is a DICOMDIR, by its file meta information: it lists files and is no image."""
    return head[128:132] == b"DICM" and DIRECTORY in head[132:HEAD]


def may_lack_preamble(head: bytes) -> bool:
    """Whether a file without "DICM" could still be DICOM: it starts with a tag of group 2 or 8."""
    return head[:2] in (b"\x02\x00", b"\x08\x00", b"\x00\x02", b"\x00\x08") and len(head) > 12


def _is_nifti(head: bytes) -> bool:
    """Whether these are the first bytes of a single-file NIfTI-1 or NIfTI-2 (nifti1.h, nifti2.h: magic)."""
    return head[344:348] == b"n+1\x00" or head[4:12] == b"n+2\x00\r\n\x1a\n"


def _gunzip(head: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=31).decompress(head, HEAD)
    except zlib.error:
        return b""
