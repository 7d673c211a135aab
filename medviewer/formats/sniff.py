"""What a file is, told by its content and never by its name."""

from __future__ import annotations

import zlib
from enum import Enum
from pathlib import Path

from medviewer.errors import UnreadableError

HEAD = 1024
"""Bytes from the start of a file that decide what it is: a NIfTI-2 header is 540 bytes, a DICOM preamble 132."""

_GZIP = b"\x1f\x8b"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")


class Kind(Enum):
    """The kinds of file that can be opened."""

    DICOM = "DICOM"
    NIFTI = "NIfTI"
    ZIP = "ZIP"
    UNKNOWN = "unknown"


def sniff(path: Path) -> Kind:
    """Say what a file is.

    Raises
    ------
    UnreadableError
        If the file cannot be opened at all.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UnreadableError(
            f"{path.name} could not be opened ({reason}); check that it exists and may be read."
        ) from error
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


def kind_of(head: bytes) -> Kind:
    """Say what a file is by its first `HEAD` bytes, where these are enough."""
    if head[128:132] == b"DICM":
        return Kind.DICOM
    if head.startswith(_ZIP):
        return Kind.ZIP
    if _is_nifti(_gunzip(head) if head.startswith(_GZIP) else head):
        return Kind.NIFTI
    return Kind.UNKNOWN


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
