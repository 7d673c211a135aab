"""Colours by a table: red, green and blue of every stored value (PS3.3 C.7.6.3.1.5, C.7.6.3.1.6, C.7.9)."""

from __future__ import annotations

import numpy as np
import pydicom
from numpy.typing import NDArray

from medviewer.errors import UnreadableError
from medviewer.formats.dicom.grey_luts import read_bytes, read_dataset, read_entries, read_words
from medviewer.formats.dicom.headers import Header
from medviewer.formats.dicom.pixels import PixelFormat

_DESCRIPTORS = (0x00281101, 0x00281102, 0x00281103)
_DATA = (0x00281201, 0x00281202, 0x00281203)
_SEGMENTED = (0x00281221, 0x00281222, 0x00281223)
_TAGS = (*_DESCRIPTORS, *_DATA, *_SEGMENTED)


def palette_of(header: Header, form: PixelFormat) -> NDArray[np.uint8]:
    """Red, green and blue of every stored value of a PALETTE COLOR file, shape (n, 3).

    Stored values below the first that the table maps have its first colour, those above the last have its last one.
    A negative one stands where its bits do, read as an unsigned number.

    Raises
    ------
    UnreadableError
        If it has no usable palette.
    """
    dataset = read_dataset(header.path, _TAGS)
    try:
        descriptors = [_descriptor(dataset, tag, form.signed) for tag in _DESCRIPTORS]
        plain = all(tag in dataset for tag in _DATA)
        read, tags = (_table, _DATA) if plain else (_segmented, _SEGMENTED)
        tables = [read(dataset, tag, *told) for tag, told in zip(tags, descriptors, strict=True)]
    except (ValueError, TypeError, IndexError, OverflowError) as error:
        raise UnreadableError(
            f"{header.path.name} has colours by a table that could not be read; fetch the file again.",
            details=str(error),
        ) from error
    bits = min(max(form.stored, 1), 16)
    values = np.arange(1 << bits)
    if form.signed:
        values[1 << bits - 1 :] -= 1 << bits
    colours = [
        table[np.clip(values - first, 0, len(table) - 1)]
        for table, (_, first, _) in zip(tables, descriptors, strict=True)
    ]
    return _as_bytes(np.stack(colours, axis=-1), max(bits for _, _, bits in descriptors))


def _descriptor(dataset: pydicom.Dataset, tag: int, signed: bool) -> tuple[int, int, int]:
    """Entries of a table, the first stored value that it maps, and bits of an entry."""
    words = read_words(dataset, tag)
    if words is None or len(words) < 3:
        raise ValueError("a palette has no descriptor")
    count, first, bits = (int(value) for value in words[:3])
    return count or 1 << 16, first - (1 << 16) if signed and first >= 1 << 15 else first, bits


def _table(dataset: pydicom.Dataset, tag: int, count: int, first: int, bits: int) -> NDArray[np.uint16]:
    data, little = read_bytes(dataset, tag)
    # Files state 16 bits and have bytes all the same: their length tells.
    table = None if data is None else read_entries(data, count, 8 if len(data) < 2 * count else bits, little)
    if table is None:
        raise ValueError("a palette is shorter than its descriptor says")
    return table.astype(np.uint16)


def _segmented(dataset: pydicom.Dataset, tag: int, count: int, first: int, bits: int) -> NDArray[np.uint16]:
    """A table written as discrete, linear and indirect segments (C.7.9.2)."""
    data, little = read_bytes(dataset, tag)
    wide = bits > 8
    parts = None if data is None else read_entries(data, len(data) // (2 if wide else 1), bits, little)
    if parts is None:
        raise ValueError("a palette is missing")
    entries: list[int] = []
    _expand(parts.tolist(), 0, len(parts), entries, count, wide)
    if len(entries) < count:
        raise ValueError("a palette is shorter than its descriptor says")
    return np.array(entries[:count], np.uint16)


def _expand(
    parts: list[int], at: int, most: int, entries: list[int], count: int, wide: bool, inner: bool = False
) -> None:
    """Append what `most` segments from a place on hold to `entries`, until there are `count`.

    Every segment adds an entry, and indirect ones, which repeat others, hold none of their kind: so it ends soon,
    whatever the file says.
    """
    for _ in range(most):
        if len(entries) >= count or at + 2 >= len(parts):  # what is left may be padding
            return
        kind, length, at = parts[at], parts[at + 1], at + 2
        if length == 0 or kind > 2 or (kind > 0 and not entries) or (kind == 2 and inner):
            raise ValueError(f"a palette has a segment of kind {kind} and length {length}")
        if kind == 0:
            entries += parts[at : at + length]
            at += length
        elif kind == 1:
            entries += np.rint(np.linspace(entries[-1], parts[at], length + 1)[1:]).astype(int).tolist()
            at += 1
        else:  # an offset in bytes, its lowest part first
            size, bits = (2, 16) if wide else (4, 8)
            offset = sum(part << bits * k for k, part in enumerate(parts[at : at + size]))
            _expand(parts, offset // (2 if wide else 1), length, entries, count, wide, inner=True)
            at += size


def _as_bytes(colours: NDArray[np.uint16], bits: int) -> NDArray[np.uint8]:
    """The upper 8 bits of colours of so many.

    Where no entry needs more than 8 bits, all have 8, whatever the descriptor says: as 16 they would all be black. Some
    files understate the bits instead.
    """
    peak = int(colours.max()).bit_length()
    return (colours >> (max(bits, peak) - 8 if peak > 8 else 0)).astype(np.uint8)
