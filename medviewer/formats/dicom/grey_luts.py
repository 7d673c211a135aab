"""Look-up tables and windows as DICOM writes them (PS3.3 C.11.1, C.11.2)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataelem import RawDataElement

from medviewer.domain.image import Lut, Window
from medviewer.errors import UnreadableError
from medviewer.formats.dicom.deflated import open_plain
from medviewer.formats.dicom.multiframe import as_text, items_of, value_of
from medviewer.formats.dicom.quiet import quiet

HUGE = 1e30
"""From here on a slope, an intercept or a window says nothing, and calculating with it in 32 bits overflows."""

_DESCRIPTOR, _DATA = 0x00283002, 0x00283006


def read_dataset(path: Path, tags: Sequence[int] | None = None) -> pydicom.Dataset:
    """Some elements of a file, or all before its pixels, for what the fast header reader leaves out.

    Raises
    ------
    UnreadableError
        If the file cannot be read.
    """
    try:
        with quiet(), open_plain(path) as file:
            wanted = None if tags is None else list(tags)
            return pydicom.dcmread(file, stop_before_pixels=True, specific_tags=wanted, force=True)
    except Exception as error:  # a broken file makes pydicom raise whatever comes
        raise UnreadableError(
            f"{path.name} is broken: its header could not be read ({type(error).__name__}); fetch it again.",
            details=str(error),
        ) from error


def read_lut(item: pydicom.Dataset, signed: bool) -> Lut | None:
    """The table of one item of a LUT sequence; None where it is broken.

    Parameters
    ----------
    item
        Has LUT Descriptor and LUT Data.
    signed
        Whether the input can be negative, so that the first value mapped is a signed number. The element's VR says so
        too, but not in every transfer syntax, and not in every file rightly.
    """
    descriptor = read_words(item, _DESCRIPTOR)
    data, little = read_bytes(item, _DATA)
    if descriptor is None or len(descriptor) < 3 or data is None:
        return None
    count, first, bits = (int(value) for value in descriptor[:3])
    count = count or 1 << 16  # 0 stands for 65536, which 16 bits cannot hold
    if signed and first >= 1 << 15:
        first -= 1 << 16
    table = read_entries(data, count, bits, little)
    if table is None:
        return None
    # Some files understate the bits, and then white would lie inside the table.
    bits = min(max(bits, int(table.max()).bit_length(), 1), 16)
    return Lut(first, table.astype(np.uint8) if bits <= 8 else table.astype(np.uint16), bits)


def read_entries(data: bytes, count: int, bits: int, little: bool) -> NDArray[np.integer[Any]] | None:
    """The entries: 16-bit words, or bytes packed in words, the first in the low byte (C.11.1.1.1, PS3.5 8.1.1)."""
    if len(data) >= 2 * count:
        return np.frombuffer(data, "<u2" if little else ">u2", count)
    if bits <= 8 and len(data) >= count:
        if little or len(data) % 2:
            return np.frombuffer(data, np.uint8, count)
        return np.frombuffer(data, ">u2").astype("<u2").view(np.uint8)[:count]
    return None


def read_words(item: pydicom.Dataset, tag: int) -> NDArray[np.uint16] | None:
    """The value of a US, SS or OW element as unsigned words; None where it is missing or no such value."""
    data, little = read_bytes(item, tag)
    return None if data is None else np.frombuffer(data[: len(data) // 2 * 2], "<u2" if little else ">u2")


def read_bytes(item: pydicom.Dataset, tag: int) -> tuple[bytes | None, bool]:
    """The value of a US, SS or OW element as bytes, and whether their order is little endian.

    It is taken before pydicom converts it where that has not been done yet: what it makes of an element that may be US
    or SS depends on elements around it.
    """
    if tag not in item:
        return None, True
    element: Any = item.get_item(tag)  # annotated as never raw
    if isinstance(element, RawDataElement):
        return element.value, bool(element.is_little_endian)
    value = element.value
    if isinstance(value, bytes):
        return value, bool(item.original_encoding[1] is not False)
    several = value if isinstance(value, (list, tuple, pydicom.multival.MultiValue)) else [value]
    try:
        return np.array([int(one) & 0xFFFF for one in several], "<u2").tobytes(), True
    except (TypeError, ValueError):
        return None, True


def lut_window(lut: Lut, name: str) -> Window:
    """A VOI LUT as a window: its center and width span the inputs between which its output changes."""
    changes = np.flatnonzero(np.diff(lut.table))
    low, high = (int(changes[0]), int(changes[-1]) + 1) if changes.size else (0, len(lut.table) - 1)
    return Window(lut.first + (low + high) / 2, max(high - low, 1), name, lut=lut)


def windows_of(centers: Sequence[float], widths: Sequence[float], names: str, function: str) -> tuple[Window, ...]:
    """Windows as four elements name them; those without a usable width are left out.

    A width below 1 is not allowed for LINEAR (C.11.2.1.2.1), whose formula would turn black and white around; files
    with small real values have it all the same and mean the plain formula, which is LINEAR_EXACT.
    """
    explanations = names.split("\\")
    found = []
    for k, (center, width) in enumerate(zip(centers, widths, strict=False)):
        if 1e-6 <= width < HUGE and abs(center) < HUGE:
            name = explanations[k].strip() if k < len(explanations) else ""
            kind = function if function in ("LINEAR_EXACT", "SIGMOID") else "LINEAR"
            found.append(Window(center, width, name, "LINEAR_EXACT" if kind == "LINEAR" and width < 1 else kind))
    return tuple(found)


def lut_windows(dataset: pydicom.Dataset, signed: bool) -> tuple[tuple[Window, ...], int]:
    """The tables of a VOI LUT Sequence by their LUT Explanation, and how many items are broken."""
    found, broken = [], 0
    for item in items_of(dataset, "VOILUTSequence"):
        lut = read_lut(item, signed)
        if lut is None:
            broken += 1
        else:
            found.append(lut_window(lut, as_text(value_of(item, "LUTExplanation"))))
    return tuple(found), broken
