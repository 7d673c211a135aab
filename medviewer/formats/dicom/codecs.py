"""One compressed frame to samples. Runs in a process of its own: see `medviewer.formats.isolation`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from medviewer.errors import UnreadableError
from medviewer.formats.dicom.pixels import PixelFormat, as_rgb, finish
from medviewer.formats.isolation.memory import Token, window

JPEG_LOSSY = ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51")
JPEG_LOSSLESS = ("1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70")
JPEG_LS = ("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81")
JPEG_2000 = ("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91")
HTJ2K = ("1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203")
RLE = "1.2.840.10008.1.2.5"
KNOWN = (RLE, *JPEG_LOSSY, *JPEG_LOSSLESS, *JPEG_LS, *JPEG_2000, *HTJ2K)

Piece = tuple[int, int]
"""A piece of a file: where it begins and its bytes."""

_SIZES = frozenset((*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0), 0xF7))
"""The second byte of the JPEG and JPEG-LS markers that state a size (ITU-T T.81 table B.1, T.87 C.2.2)."""
_APP14, _SCAN, _SIZ = 0xEE, 0xDA, 0x51


def decode_into(path: str, pieces: Sequence[Piece], syntax: str, form: PixelFormat, token: Token, offset: int) -> None:
    """Decode the frame whose bytes lie in some pieces of a file into shared memory.

    Parameters
    ----------
    path, pieces
        Where its bytes are.
    syntax
        Transfer Syntax UID.
    form
        What the header states.
    token, offset
        Where the voxels go.

    Raises
    ------
    UnreadableError
        If it cannot be decoded, or is not what the header states.
    """
    data = _gather(path, pieces)
    try:
        samples = decode(data, syntax, form)
        with window(token, offset, form.shape, form.dtype) as out:
            finish(samples, form, out)
    except (UnreadableError, MemoryError):
        raise
    except Exception as error:
        raise UnreadableError(f"{type(error).__name__}: {error}") from error


def decode(data: bytes, syntax: str, form: PixelFormat) -> NDArray[Any]:
    """The samples of a compressed frame, shape (rows, columns) or (rows, columns, 3), colour as red, green and blue.

    imagecodecs reads what is as it should be, and fast. What it refuses gets a second chance with pydicom's decoders.

    Raises
    ------
    Exception
        Whatever the decoders raise.
    """
    _check_size(data, syntax, form)
    try:
        samples = _decode(data, syntax, form)
    except Exception as error:
        try:
            samples = _decode_with_pydicom(data, syntax, form)
        except Exception as second:
            raise error from second
    wanted = (form.rows, form.columns) if form.samples == 1 else (form.rows, form.columns, form.samples)
    if samples.shape != wanted:
        raise ValueError(f"decoded to {samples.shape} instead of {wanted}")
    if samples.dtype.itemsize > form.sample.itemsize:
        raise ValueError(f"decoded to {samples.dtype}, more than {form.allocated} bits")
    return samples


def _decode(data: bytes, syntax: str, form: PixelFormat) -> NDArray[Any]:
    if syntax == RLE:
        return _rle(data, form)
    if syntax in JPEG_LOSSY:
        if form.samples == 1 or _is_ybr(data, form):
            return np.asarray(imagecodecs.jpeg8_decode(data))
        return np.asarray(imagecodecs.jpeg8_decode(data, colorspace="RGB", outcolorspace="RGB"))
    if syntax in JPEG_LOSSLESS:
        found = np.asarray(imagecodecs.ljpeg_decode(data))
    elif syntax in JPEG_LS:
        found = np.asarray(imagecodecs.jpegls_decode(data))
    elif syntax in HTJ2K:
        found = np.asarray(imagecodecs.htj2k_decode(data))
    elif syntax in JPEG_2000:
        found = np.asarray(imagecodecs.jpeg2k_decode(data))
    else:
        raise UnreadableError(f"There is no decoder for the transfer syntax {syntax}.")
    return as_rgb(found, form) if found.ndim == 3 else found


def _rle(data: bytes, form: PixelFormat) -> NDArray[Any]:
    """Run-length encoded bytes, a plane a sample (PS3.5 annex G)."""
    kind = np.dtype(f"u{form.sample.itemsize}")
    flat = np.frombuffer(imagecodecs.dicomrle_decode(data, kind), kind)
    planes = flat[: form.rows * form.columns * form.samples].reshape(form.samples, form.rows, form.columns)
    found = planes[0] if form.samples == 1 else np.moveaxis(planes, 0, -1)
    return (as_rgb(found, form) if form.samples == 3 else found).view(kind)


def _decode_with_pydicom(data: bytes, syntax: str, form: PixelFormat) -> NDArray[Any]:
    """What pydicom's own choice of decoders makes of a frame (GDCM, OpenJPEG, CharLS, Pillow)."""
    from pydicom.encaps import encapsulate
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.uid import UID

    options: dict[str, Any] = {
        "rows": form.rows,
        "columns": form.columns,
        "samples_per_pixel": form.samples,
        "bits_allocated": form.allocated,
        "bits_stored": form.stored,
        "number_of_frames": 1,
        "photometric_interpretation": form.photometric,
        "pixel_representation": int(form.signed),
        "pixel_keyword": "PixelData",
    }
    if form.samples > 1:
        options["planar_configuration"] = int(form.planar)
    pixels, _ = get_decoder(UID(syntax)).as_array(encapsulate([data]), index=0, **options)
    return np.asarray(pixels)


def _is_ybr(data: bytes, form: PixelFormat) -> bool:
    """Whether a JPEG's three components are luminance and colour differences.

    Its own markers decide: JFIF always has them, Adobe's says it (ITU-T T.872 6.5.3). Then what the header states.
    """
    for marker, at, length in _segments(data):
        if marker == 0xE0 and data[at : at + 4] == b"JFIF":
            return True
        if marker == _APP14 and data[at : at + 5] == b"Adobe" and length >= 12:
            return data[at + 11] != 0
    return form.photometric != "RGB"


def _check_size(data: bytes, syntax: str, form: PixelFormat) -> None:
    """Refuse a stream that states another size than the header, before anything is laid out for it."""
    stated = _stated_size(data, syntax)
    if stated is not None and stated != (form.rows, form.columns):
        raise UnreadableError(
            f"the frame states {stated[0]} x {stated[1]} pixels, the header {form.rows} x {form.columns}"
        )


def _stated_size(data: bytes, syntax: str) -> tuple[int, int] | None:
    """Rows and columns that a JPEG, JPEG-LS or JPEG 2000 stream states; None where it states none."""
    if syntax == RLE:
        return None
    if syntax in JPEG_2000 or syntax in HTJ2K:
        at = data.find(b"\xff\x4f\xff\x51")  # the size follows at once (ITU-T T.800 A.5.1)
        if at < 0 or len(data) < at + 24:
            return None
        right, down, left, up = (int.from_bytes(data[at + k : at + k + 4], "big") for k in (8, 12, 16, 20))
        return down - up, right - left
    for marker, at, length in _segments(data):
        if marker in _SIZES and length >= 6:
            return int.from_bytes(data[at + 1 : at + 3], "big"), int.from_bytes(data[at + 3 : at + 5], "big")
    return None


def _segments(data: bytes) -> Sequence[tuple[int, int, int]]:
    """Marker, place and length of the segments of a JPEG before its first scan (ITU-T T.81 B.1.1.4)."""
    found = []
    at = data.find(b"\xff\xd8") + 2
    while 2 <= at <= len(data) - 4 and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == _SCAN or length < 2:
            break
        found.append((marker, at + 4, length - 2))
        at += 2 + length
    return found


def _gather(path: str, pieces: Sequence[Piece]) -> bytes:
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - once a frame
        parts = []
        for offset, length in pieces:
            file.seek(offset)
            parts.append(file.read(length))
            if len(parts[-1]) < length:
                raise UnreadableError(f"{os.path.basename(path)} ends within the frame")  # noqa: PTH119
    return parts[0] if len(parts) == 1 else b"".join(parts)
