"""What files draw over their pixels: overlay planes (PS3.3 C.9.2, C.9.3; PS3.5 8.1.2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataelem import RawDataElement

from medviewer.domain.image import GraphicOverlay
from medviewer.domain.study import Series, Warning
from medviewer.errors import UnreadableError
from medviewer.formats.dicom import tags as t
from medviewer.formats.dicom.grey_luts import read_dataset
from medviewer.formats.dicom.headers import Header
from medviewer.formats.dicom.multiframe import as_numbers, as_text
from medviewer.formats.dicom.quiet import quiet

_FRAMES, _DESCRIPTION, _TYPE, _ORIGIN, _FRAME_ORIGIN = 0x0015, 0x0022, 0x0040, 0x0050, 0x0051
_ROWS, _COLUMNS, _BITS_ALLOCATED, _BIT_POSITION, _LABEL, _DATA = 0x0010, 0x0011, 0x0100, 0x0102, 0x1500, 0x3000


@dataclass(frozen=True, eq=False)
class _Packed:
    """A bit plane as a file stores it: `bits` of rows x columns from bit `start` on, whose corner lies at `corner`."""

    bits: bytes
    start: int
    shape: tuple[int, int]
    corner: tuple[int, int]

    @cached_property
    def empty(self) -> bool:
        """Whether no pixel is drawn."""
        return not self._unpacked().any()

    def _unpacked(self) -> NDArray[np.bool_]:
        count = self.shape[0] * self.shape[1]
        first = self.start // 8
        part = np.frombuffer(self.bits, np.uint8)[first : (self.start + count + 7) // 8]
        bits = np.unpackbits(part, bitorder="little")[self.start - 8 * first :]
        return bits[:count].view(np.bool_)

    def plane(self, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """The pixels to draw on an image of that size; what lies outside of it is cut off (C.9.2.1.2)."""
        drawn = np.zeros(shape, np.bool_)
        top, left = self.corner
        rows = slice(max(top, 0), max(min(top + self.shape[0], shape[0]), 0))
        columns = slice(max(left, 0), max(min(left + self.shape[1], shape[1]), 0))
        if rows.start < rows.stop and columns.start < columns.stop:
            own = self._unpacked().reshape(self.shape)
            drawn[rows, columns] = own[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
        return drawn


class PackedPlanes(Mapping[int, NDArray[np.bool_]]):
    """The planes of an overlay by slot, unpacked when they are asked for: a bit a pixel is kept, not a byte."""

    def __init__(self, planes: dict[int, _Packed], shape: tuple[int, int]) -> None:
        self._planes, self._shape = planes, shape

    def __getitem__(self, slot: int) -> NDArray[np.bool_]:
        """The pixels to draw at a slot, boolean, shape (y, x)."""
        return self._planes[slot].plane(self._shape)

    def __iter__(self) -> Iterator[int]:
        """The slots that have a plane."""
        return iter(self._planes)

    def __len__(self) -> int:
        """Number of slots that have a plane."""
        return len(self._planes)

    def __contains__(self, slot: object) -> bool:
        """Whether a slot has a plane; without unpacking it."""
        return slot in self._planes


def read_overlays(series: Series, headers: Mapping[int, Header]) -> tuple[tuple[GraphicOverlay, ...], list[Warning]]:
    """The overlays of a series, and what could not be read of them.

    Only files whose header has one are opened again. Planes without a pixel to draw, which scanners write by the
    hundred, are left out.

    Parameters
    ----------
    series
        What was scanned.
    headers
        The headers of its files, by the file's number in `series.files`.
    """
    found: dict[int, tuple[str, dict[int, _Packed]]] = {}
    broken: list[str] = []
    frame = 0
    for number in range(len(series.files)):
        count = series.frames[number] if series.frames else 1
        header = headers.get(number)
        if header is not None and not t.OVERLAY_ROWS.isdisjoint(header.raw):
            slots = [_slot(series, k) for k in range(frame, frame + count)]
            if not _read_file(header, slots, found):
                broken.append(header.path.name)
        frame += count
    if not found and not broken:
        return (), []
    warnings = []
    if broken:
        more = f" and {len(broken) - 1} more files" if len(broken) > 1 else ""
        text = f"The overlay of {broken[0]}{more} is incomplete; what it should draw over the image is not shown."
        warnings.append(Warning("overlay", text))
    if series.source is not None:
        text = "The files draw overlays over slices that had to be resampled; the overlays are not shown."
        return (), [*warnings, Warning("overlay", text)]
    shape = series.grid.shape[1:]
    made = [GraphicOverlay(name, PackedPlanes(planes, shape)) for name, planes in found.values() if planes]
    return tuple(made), warnings


def _slot(series: Series, frame: int) -> int:
    phase, z = series.slot(frame)
    return phase * series.slices + z if phase >= 0 else -1


def _read_file(header: Header, slots: list[int], found: dict[int, tuple[str, dict[int, _Packed]]]) -> bool:
    """Add the planes of one file; False when one of them is incomplete."""
    try:
        dataset = read_dataset(header.path)
    except UnreadableError:
        return False
    whole = True
    for tag in sorted(t.OVERLAY_ROWS.intersection(header.raw)):
        group = tag >> 16
        with quiet():
            planes = _planes(dataset, header, group, len(slots))
            name = _text(dataset, group, _LABEL) or _text(dataset, group, _DESCRIPTION) or f"Overlay {group:04X}"
        if planes is None:
            whole = False
            continue
        _, kept = found.setdefault(group, (name, {}))
        kept.update({slots[k]: one for k, one in planes.items() if slots[k] >= 0 and not one.empty})
    return whole


def _planes(dataset: pydicom.Dataset, header: Header, group: int, frames: int) -> dict[int, _Packed] | None:
    """The planes of one group by the frame that they lie on; None where they are incomplete."""
    rows, columns = _number(dataset, group, _ROWS), _number(dataset, group, _COLUMNS)
    allocated, position = _number(dataset, group, _BITS_ALLOCATED) or 1, _number(dataset, group, _BIT_POSITION) or 0
    if not rows or not columns:
        return None
    top, left = (*_numbers(dataset, group, _ORIGIN), 1, 1)[:2]  # counted from 1
    corner = int(top) - 1, int(left) - 1
    data = _bits(dataset, group)
    if data is None and (allocated != 1 or position > 0):
        return _embedded(dataset, header, position, frames)
    stated = _number(dataset, group, _FRAMES)
    planes = stated or 1
    size = rows * columns
    if data is None or 8 * len(data) < planes * size:
        return None
    if stated is None:
        # Without a number of frames, the one plane lies on every frame (C.9.3).
        return dict.fromkeys(range(frames), _Packed(data, 0, (rows, columns), corner))
    start = (_number(dataset, group, _FRAME_ORIGIN) or 1) - 1
    return {
        start + k: _Packed(data, k * size, (rows, columns), corner) for k in range(planes) if 0 <= start + k < frames
    }


def _embedded(dataset: pydicom.Dataset, header: Header, position: int, frames: int) -> dict[int, _Packed] | None:
    """Planes in an unused bit of the pixels, as files before 2004 may have them (retired in PS3.5 8.1.2).

    They are as large as the image. Compressed pixels cannot hold them: a decoder gives Bits Stored only.
    """
    rows, columns = header.integer(t.ROWS) or 0, header.integer(t.COLUMNS) or 0
    width = (header.integer(t.BITS_ALLOCATED) or 0) // 8
    size = rows * columns
    if width not in (1, 2, 4) or not 0 <= position < 8 * width:
        return None
    if header.pixel_offset < 0 or header.pixel_offset + frames * size * width > header.size:
        return None
    try:
        with header.path.open("rb") as file:
            file.seek(header.pixel_offset)
            data = file.read(frames * size * width)
    except OSError:
        return None
    if len(data) < frames * size * width:
        return None
    stored = np.frombuffer(data, f"{'<' if header.little_endian else '>'}u{width}").reshape(frames, size)
    packed = np.packbits((stored >> position) & 1 == 1, axis=1, bitorder="little")
    return {k: _Packed(packed[k].tobytes(), 0, (rows, columns), (0, 0)) for k in range(frames)}


def _bits(dataset: pydicom.Dataset, group: int) -> bytes | None:
    """Overlay Data, the first pixel in the lowest bit of the first byte."""
    element: Any = dataset.get_item((group, _DATA)) if (group, _DATA) in dataset else None
    if element is None or not isinstance(element.value, bytes) or not element.value:
        return None
    little = element.is_little_endian if isinstance(element, RawDataElement) else dataset.original_encoding[1]
    if little is False and element.VR == "OW" and len(element.value) % 2 == 0:
        return np.frombuffer(element.value, ">u2").astype("<u2").tobytes()
    return bytes(element.value)


def _value(dataset: pydicom.Dataset, group: int, number: int) -> Any:
    try:
        return dataset[group, number].value if (group, number) in dataset else None
    except Exception:  # whatever a broken value raises, it is no value
        return None


def _numbers(dataset: pydicom.Dataset, group: int, number: int) -> tuple[float, ...]:
    return as_numbers(_value(dataset, group, number))


def _number(dataset: pydicom.Dataset, group: int, number: int) -> int | None:
    numbers = _numbers(dataset, group, number)
    return int(numbers[0]) if numbers else None


def _text(dataset: pydicom.Dataset, group: int, number: int) -> str:
    return as_text(_value(dataset, group, number)).strip()
