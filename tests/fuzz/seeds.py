"""The files that are damaged: small ones of every kind that can be opened."""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from pathlib import Path

import data_store
import numpy as np
import pydicom.data

_PIXELS = (b"\xe0\x7f\x10\x00", b"\x7f\xe0\x00\x10")

SMALL = 60_000
"""Bytes: small files are quick to read, and damage hits what matters."""


def dicom_files() -> list[tuple[str, bytes]]:
    """Name and bytes of the test files of pydicom and of pydicom-data that are small enough."""
    own = Path(pydicom.data.__file__).parent / "test_files"
    more = Path(data_store.__file__).parent / "data"
    paths = [path for folder in (own, more) for path in sorted(folder.rglob("*")) if path.is_file()]
    kept = {path.name: path for path in paths if 132 < path.stat().st_size <= SMALL and _is_dicom(path)}
    found = [(name, path.read_bytes()) for name, path in sorted(kept.items())]
    images = [(name, data) for name, data in found if any(tag in data for tag in _PIXELS)]
    return images + [one for one in found if one not in images][::4]  # of what has no pixels, some


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(132)
    return head[128:] == b"DICM" or path.suffix == ".dcm"


def other_files() -> list[tuple[str, bytes]]:
    """Name and bytes of small files of the other formats, made here."""
    values = np.arange(4 * 5 * 6, dtype="<i2")
    picture = (np.arange(12 * 9 * 3) % 256).astype(np.uint8).reshape(12, 9, 3)
    nifti = _nifti(values.reshape(4, 5, 6))
    found = [
        ("volume.nii", nifti),
        ("volume.nii.gz", gzip.compress(nifti, mtime=0)),
        ("film.nii", _nifti(np.arange(3 * 4 * 5 * 6, dtype="<i2").reshape(3, 4, 5, 6))),
        ("volume.nrrd", _nrrd(values, "raw")),
        ("packed.nrrd", _nrrd(values, "gzip")),
        ("volume.mha", _meta_image(values, compressed=False)),
        ("packed.mha", _meta_image(values, compressed=True)),
    ]
    return found + [(f"picture.{kind}", _picture(picture, kind)) for kind in ("png", "jpg", "tiff")]


def _nifti(values: np.ndarray) -> bytes:
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, values.ndim, *reversed(values.shape), *[1] * (7 - values.ndim))
    struct.pack_into("<hh", header, 70, 4, 16)
    struct.pack_into("<8f", header, 76, *[1.0] * 8)
    struct.pack_into("<fff", header, 108, 352.0, 1.0, 0.0)
    struct.pack_into("<hh", header, 252, 0, 1)
    for row in range(3):
        struct.pack_into("<4f", header, 280 + 16 * row, *[float(row == column) * 2 for column in range(3)], -5.0)
    header[344:348] = b"n+1\0"
    return bytes(header) + values.tobytes()


def _nrrd(values: np.ndarray, encoding: str) -> bytes:
    head = (
        "NRRD0004\ntype: short\ndimension: 3\nspace: left-posterior-superior\nsizes: 6 5 4\n"
        "space directions: (1,0,0) (0,1,0) (0,0,2)\nkinds: domain domain domain\nendian: little\n"
        f"encoding: {encoding}\nspace origin: (0,0,0)\n\n"
    )
    data = values.tobytes()
    return head.encode() + (gzip.compress(data, mtime=0) if encoding == "gzip" else data)


def _meta_image(values: np.ndarray, compressed: bool) -> bytes:
    data = zlib.compress(values.tobytes()) if compressed else values.tobytes()
    size = f"CompressedDataSize = {len(data)}\n" if compressed else ""
    head = (
        f"ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\n"
        f"CompressedData = {compressed}\n{size}TransformMatrix = 1 0 0 0 1 0 0 0 1\nOffset = 0 0 0\n"
        "ElementSpacing = 1 1 2\nDimSize = 6 5 4\nElementType = MET_SHORT\nElementDataFile = LOCAL\n"
    )
    return head.encode() + data


def _picture(pixels: np.ndarray, kind: str) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, {"jpg": "JPEG", "png": "PNG", "tiff": "TIFF"}[kind])
    return buffer.getvalue()


def all_files() -> list[tuple[str, bytes]]:
    """Every seed file, in a fixed order."""
    return dicom_files() + other_files()
