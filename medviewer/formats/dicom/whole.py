"""A whole DICOM object in memory, by `pydicom`, with a bound to what a compressed one may unpack to."""

from __future__ import annotations

import zlib
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset, FileDataset
from pydicom.filereader import read_file_meta_info
from pydicom.uid import DeflatedExplicitVRLittleEndian

from medviewer.errors import UnreadableError
from medviewer.formats.dicom.quiet import quiet

MAX_BYTES = 2 * 1024**3
"""What a deflated dataset (PS3.5 A.5) may unpack to."""

_CHUNK = 16 * 1024**2
_RATIO = 1032
"""What deflate can shrink at most (zlib's technical details)."""
_BEFORE_META = 128 + 4 + 12
"""Preamble, prefix, and the element that tells how long the rest of the file meta information is (PS3.10 7.1)."""


def read_whole(path: Path) -> FileDataset:
    """Read a DICOM file, with or without a preamble.

    Raises
    ------
    UnreadableError
        If it cannot be opened, is damaged, or would unpack to more than `MAX_BYTES`.
    """
    try:
        with quiet():
            refuse_bomb(path)
            return pydicom.dcmread(path, force=True)
    except UnreadableError:
        raise
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UnreadableError(f"{path.name} could not be opened ({reason}); check that it is still there.") from error
    except Exception as error:  # pydicom raises whatever a damaged file leads to
        text = f"{path.name} should be a whole DICOM file, but it breaks off or is damaged; fetch it again."
        raise UnreadableError(text, type(error).__name__) from error


def refuse_bomb(path: Path) -> None:
    """Unpack a deflated file piece by piece, and keep nothing of it, before a reader does it in one go.

    Files that are too small to be a bomb, and those that are not deflated, are passed at once.

    Raises
    ------
    UnreadableError
        If it would unpack to more than `MAX_BYTES`.
    """
    if path.stat().st_size * _RATIO <= MAX_BYTES:
        return
    with path.open("rb") as file:
        if file.read(132)[128:] != b"DICM":
            return
        meta = read_file_meta_info(path)
        if meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
            return
        file.seek(_BEFORE_META + int(meta.FileMetaInformationGroupLength))
        unpacker, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
        packed = file.read(_CHUNK)
        while packed and not unpacker.eof:
            size += len(unpacker.decompress(packed, _CHUNK))
            if size > MAX_BYTES:
                raise UnreadableError(
                    f"{path.name} would unpack to more than {MAX_BYTES // 1024**3} GB; it was left out."
                )
            packed = unpacker.unconsumed_tail or file.read(_CHUNK)


def iso_time(dataset: Dataset, what: str) -> str:
    """When something was made, ISO 8601 to the second, from its Date and Time elements; empty where there is no date.

    Parameters
    ----------
    what
        What the keywords of the two begin with: ``Content``, ``StructureSet`` ...
    """
    date, time = str(dataset.get(f"{what}Date", "")), str(dataset.get(f"{what}Time", ""))
    if len(date) != 8:
        return ""
    return f"{date[:4]}-{date[4:6]}-{date[6:]}T{time[:2] or '00'}:{time[2:4] or '00'}:{time[4:6] or '00'}"
