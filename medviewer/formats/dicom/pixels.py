"""The stored pixels of one file, uncompressed straight from the disk or through a decoder."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.pixels.decoders.base import Decoder, get_decoder
from pydicom.pixels.processing import apply_color_lut
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from medviewer.errors import UnreadableError
from medviewer.formats.dicom import tags as t
from medviewer.formats.dicom.headers import UNDEFINED, Header
from medviewer.formats.dicom.kinds import truncated
from medviewer.formats.dicom.quiet import quiet

_NATIVE = (str(ExplicitVRLittleEndian), str(ImplicitVRLittleEndian))


def is_colour(header: Header) -> bool:
    """Whether the pixels become red, green and blue."""
    return (header.integer(t.SAMPLES_PER_PIXEL) or 1) > 1 or header.plain(
        t.PHOTOMETRIC_INTERPRETATION
    ) == "PALETTE COLOR"


def stored_dtype(header: Header) -> np.dtype[Any]:
    """The type of the stored values; colour is always shown with 8 bits."""
    if is_colour(header):
        return np.dtype(np.uint8)
    sign = "i" if header.integer(t.PIXEL_REPRESENTATION) == 1 else "u"
    return np.dtype(f"{sign}{(header.integer(t.BITS_ALLOCATED) or 8) // 8}")


def is_native(header: Header) -> bool:
    """Whether the pixels lie in the file as they will lie in memory."""
    plain = header.transfer_syntax in _NATIVE and header.pixel_offset >= 0 and header.pixel_length != UNDEFINED
    return plain and not is_colour(header)


def read_pixels(file: io.FileIO, header: Header, out: NDArray[Any]) -> None:
    """Fill `out` (rows, columns) or (rows, columns, 3), contiguous, with the stored values of an open file.

    Raises
    ------
    UnreadableError
        If the file ends too early or its frame cannot be decoded.
    """
    problem = truncated(header)
    if problem is not None:
        raise UnreadableError(problem.text)
    if is_native(header):
        _read_native(file, header, out)
    elif header.pixel_length == UNDEFINED and not is_colour(header):
        _checked(header, out, lambda: _decode_frame(file, header))
    else:
        _checked(header, out, lambda: _decode_file(header))
    if not is_colour(header):
        clean_bits(out, header.integer(t.BITS_STORED) or 0, header.integer(t.HIGH_BIT))


def clean_bits(stored: NDArray[Any], bits: int, high_bit: int | None) -> None:
    """Remove in place what lies outside of Bits Stored, and extend the sign (PS3.5 8.1.1).

    Old files keep overlays in the bits above; a value there would be shown as a very bright pixel.
    """
    allocated = stored.dtype.itemsize * 8
    if not 0 < bits < allocated or stored.size == 0:
        return
    spare_low = max((high_bit if high_bit is not None else bits - 1) - bits + 1, 0)
    signed = stored.dtype.kind == "i"
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    if spare_low == 0 and int(stored.max()) <= high and (not signed or int(stored.min()) >= low):
        return
    shift = stored.dtype.type(allocated - bits - spare_low)
    np.left_shift(stored, shift, out=stored)
    np.right_shift(stored, stored.dtype.type(allocated - bits), out=stored)


def _read_native(file: io.FileIO, header: Header, out: NDArray[Any]) -> None:
    file.seek(header.pixel_offset)
    view = out.reshape(-1).view(np.uint8).data
    done = 0
    while done < len(view):
        count = file.readinto(view[done:])
        if not count:
            raise UnreadableError(f"{header.path.name} ended while its pixels were read; fetch the file again.")
        done += count


def _checked(header: Header, out: NDArray[Any], decode: Callable[[], NDArray[Any]]) -> None:
    """Put into `out` what `decode` returns; whatever a decoder raises over broken bytes is one error here."""
    try:
        with quiet():
            pixels = np.asarray(decode())
        if pixels.shape != out.shape:
            raise ValueError(f"decoded to {pixels.shape} instead of {out.shape}")
    except Exception as error:
        syntax = UID(header.transfer_syntax).name
        raise UnreadableError(
            f"{header.path.name} could not be decoded ({syntax}): it is damaged, cut short or of a kind that medviewer "
            "does not read; fetch the file again.",
            details=str(error),
        ) from error
    out[...] = pixels


def _decode_frame(file: io.FileIO, header: Header) -> NDArray[Any]:
    """Decode an encapsulated grey frame without reading the whole dataset again."""
    file.seek(header.pixel_offset)
    decoder, plugin = _decoder(header.transfer_syntax)
    options: dict[str, Any] = {
        "rows": header.integer(t.ROWS),
        "columns": header.integer(t.COLUMNS),
        "samples_per_pixel": 1,
        "bits_allocated": header.integer(t.BITS_ALLOCATED),
        "bits_stored": header.integer(t.BITS_STORED),
        "number_of_frames": 1,
        "photometric_interpretation": header.plain(t.PHOTOMETRIC_INTERPRETATION),
        "pixel_representation": header.integer(t.PIXEL_REPRESENTATION) or 0,
        "pixel_keyword": "PixelData",
    }
    pixels, _ = decoder.as_array(file.read(), index=0, decoding_plugin=plugin, **options)
    return pixels


@cache
def _decoder(transfer_syntax: str) -> tuple[Decoder, str]:
    """The decoder and the plugin to take; for JPEG-LS CharLS itself, which needs three quarters of GDCM's time."""
    decoder = get_decoder(UID(transfer_syntax))
    return decoder, "pyjpegls" if "pyjpegls" in decoder.available_plugins else ""


def _decode_file(header: Header) -> NDArray[Any]:
    """Read the whole dataset: other byte orders, deflated, colour and palettes."""
    dataset = pydicom.dcmread(header.path, force=True)
    if "TransferSyntaxUID" not in dataset.file_meta:
        dataset.file_meta.TransferSyntaxUID = UID(header.transfer_syntax)
    pixels = dataset.pixel_array
    if header.plain(t.PHOTOMETRIC_INTERPRETATION) == "PALETTE COLOR":
        pixels = apply_color_lut(pixels, dataset)
        bits = 8 * pixels.dtype.itemsize
    else:
        bits = int(dataset.BitsStored)
    if is_colour(header) and bits > 8:
        pixels = (pixels >> (bits - 8)).astype(np.uint8)
    return np.asarray(pixels)
