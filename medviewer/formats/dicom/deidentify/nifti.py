"""NIfTI without its free texts: the header's, the extensions, and what follows the voxels."""

from __future__ import annotations

import gzip
import struct
import zlib
from math import prod
from pathlib import Path

from medviewer.errors import UnreadableError

_TEXTS = {1: ((4, 10), (14, 18), (148, 80), (228, 24), (328, 16)), 2: ((240, 80), (320, 24), (508, 16))}
"""Offset and length of data_type, db_name, descrip, aux_file and intent_name (nifti1.h, nifti2.h)."""
_SIZES = {1: 348, 2: 540}
_MOST = 8 * 1024**3


def deidentify_nifti(source: Path) -> bytes:
    """A gzipped single-file NIfTI with the voxels and the geometry of `source`, and no text at all.

    Raises
    ------
    UnreadableError
        If the file is damaged.
    """
    try:
        data = bytearray(_plain(source))
        version = 1 if data[344:348] == b"n+1\0" else 2
        order = "<" if struct.unpack_from("<i", data)[0] == _SIZES[version] else ">"
        start, end = _voxels(data, version, order)
    except (OSError, EOFError, struct.error, zlib.error, ValueError) as error:
        raise UnreadableError(
            "A whole NIfTI file was expected, but it breaks off or is damaged; it was left out.", str(error)
        ) from error
    for offset, length in _TEXTS[version]:
        data[offset : offset + length] = bytes(length)
    # the extension flag and all extensions, up to the voxels
    data[_SIZES[version] : start] = bytes(start - _SIZES[version])
    return gzip.compress(bytes(data[:end]), compresslevel=6, mtime=0)


def _plain(source: Path) -> bytes:
    data = source.read_bytes()
    if not data.startswith(b"\x1f\x8b"):
        return data
    unpacker = zlib.decompressobj(wbits=31)
    plain = unpacker.decompress(data, _MOST)
    if not unpacker.eof:
        raise ValueError("the gzip stream does not end")
    return plain


def _voxels(data: bytearray, version: int, order: str) -> tuple[int, int]:
    """Where the voxels start and end."""
    if version == 1:
        dims, bits = struct.unpack_from(f"{order}8h", data, 40), struct.unpack_from(f"{order}h", data, 72)[0]
        start = int(struct.unpack_from(f"{order}f", data, 108)[0])
    else:
        dims, bits = struct.unpack_from(f"{order}8q", data, 16), struct.unpack_from(f"{order}h", data, 14)[0]
        start = struct.unpack_from(f"{order}q", data, 168)[0]
    if not 1 <= dims[0] <= 7 or start < _SIZES[version]:
        raise ValueError(f"{dims[0]} dimensions, voxels at {start}")
    end = start + prod(max(n, 1) for n in dims[1 : dims[0] + 1]) * bits // 8
    if end > len(data):
        raise ValueError(f"{end} bytes expected, {len(data)} found")
    return start, end
