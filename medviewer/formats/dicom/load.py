"""A scanned DICOM series into one array."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.image import Image, Rescale, Window
from medviewer.domain.study import Series, Warning
from medviewer.errors import JobCancelled, UnreadableError
from medviewer.formats.dicom import tags as t
from medviewer.formats.dicom.geometry import lies_in, position_of
from medviewer.formats.dicom.headers import BLOCK, Header, read_header, read_open
from medviewer.formats.dicom.kinds import truncated
from medviewer.formats.dicom.pixels import is_colour, is_native, read_pixels, stored_dtype

Progress = Callable[[float, str], None]
Warn = Callable[[Warning], None]

_BATCH = 16
"""Files between two looks at the cancel flag and two words of progress."""


@dataclass(frozen=True)
class _Slice:
    """What came of one file: its place and header, or why not."""

    z: int | None
    header: Header | None
    problem: Warning | None


def load_dicom(
    series: Series, progress: Progress | None, cancelled: threading.Event | None, warn: Warn | None
) -> Image:
    """Read all slices of a series; see `medviewer.formats.load`."""
    template = _template(series)
    colour = is_colour(template)
    shape = (*series.grid.shape, 3) if colour else series.grid.shape
    voxels = _allocate(shape, stored_dtype(template))
    slices = _read_all(series, template, voxels, progress, cancelled)
    slices += _out_of_order(series, slices)
    headers = {one.z: one.header for one in slices if one.header is not None and one.z is not None}
    for one in slices:
        if one.problem is not None and warn is not None:
            warn(one.problem)
    if not headers:
        reason = next((one.problem.text for one in slices if one.problem is not None), "it has no files")
        raise UnreadableError(f"None of the {len(series.files)} files of the series could be read: {reason}")
    first = headers[min(headers)]
    padding = _padding(first)
    _fill_missing(voxels, headers, padding)
    return Image(
        voxels=voxels,
        grid=series.grid,
        modality=series.modality,
        rescale=_rescale(series, headers, first),
        windows=() if colour else _windows(first),
        inverted=first.plain(t.PHOTOMETRIC_INTERPRETATION) == "MONOCHROME1",
        calibrated=series.calibrated,
        padding=padding,
        series_uid=series.uid,
    )


def _allocate(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    try:
        return np.empty(shape, dtype)
    except MemoryError as error:
        size = float(np.prod(shape, dtype=np.float64)) * dtype.itemsize / 1e9
        text = (
            f"The series needs {size:.1f} GB of memory, which is more than there is; close other programs or studies."
        )
        raise UnreadableError(text) from error


def _template(series: Series) -> Header:
    """The header of the first file that can be read; all others must agree with it."""
    problem: UnreadableError | None = None
    for path in series.files:
        try:
            return read_header(path)
        except UnreadableError as error:
            problem = problem or error
    count = len(series.files)
    raise UnreadableError(f"None of the {count} files of the series could be read: {problem or 'it has no files'}")


def _read_all(
    series: Series,
    template: Header,
    voxels: NDArray[Any],
    progress: Progress | None,
    cancelled: threading.Event | None,
) -> list[_Slice]:
    """Read every file into its place.

    Two threads halve the time of uncompressed files, which goes into copying; decoders hold Python's lock, and a second
    thread only gets in their way.
    """
    taken = _taken(series)
    jobs = [k for k in range(len(series.files)) if k not in taken]
    slices = [_Slice(None, None, taken[k]) for k in sorted(taken)]
    done = 0
    with ThreadPoolExecutor(2) as pool:
        run = pool.map if is_native(template) else map
        for start in range(0, len(jobs), _BATCH):
            if cancelled is not None and cancelled.is_set():
                raise JobCancelled("Loading was stopped before the series was complete; open it again to see it.")
            slices += run(lambda k: _read_one(series, k, template, voxels), jobs[start : start + _BATCH])
            done = min(start + _BATCH, len(jobs))
            if progress is not None:
                progress(done / len(jobs), f"Reading slice {done} of {len(jobs)}")
    return slices


def _taken(series: Series) -> dict[int, Warning]:
    """Files that have no slice of their own: another file has it, or there is none."""
    free = set(range(series.grid.shape[0]))
    problems = {}
    for number, path in enumerate(series.files):
        z = series.slice_of(number)
        if z not in free:
            text = f"{path.name} belongs to slice {z + 1}, which is not free; it is left out, scan the folder again."
            problems[number] = Warning("duplicate", text)
        free.discard(z)
    return problems


def _out_of_order(series: Series, slices: list[_Slice]) -> list[_Slice]:
    """Warnings for files that moved along the stack since the scan, which gave them their slices."""
    axis = series.grid.axes[:, 0]
    found = []
    last = -np.inf
    for one in sorted((one for one in slices if one.z is not None), key=lambda one: one.z or 0):
        position = None if one.header is None else position_of(one.header)
        if one.header is None or position is None:
            continue
        along = float(position @ axis)
        if along <= last:
            text = f"{one.header.path.name} no longer lies where it was scanned; scan the folder again."
            found.append(_Slice(None, None, Warning("changed", text)))
        last = max(last, along)
    return found


def _read_one(series: Series, number: int, template: Header, voxels: NDArray[Any]) -> _Slice:
    path, z = series.files[number], series.slice_of(number)
    try:
        with path.open("rb", buffering=0) as file:
            header = read_open(file, path, file.read(BLOCK))
            fits = stored_dtype(header) == voxels.dtype and _shape(header) == _shape(template)
            if not fits or not lies_in(series.grid, header):
                text = f"{path.name} no longer fits the series that was scanned; it is left out, scan the folder again."
                return _Slice(None, None, Warning("changed", text))
            problem = truncated(header)
            if problem is not None:
                return _Slice(None, None, problem)
            read_pixels(file, header, voxels[z])
    except (UnreadableError, OSError) as error:
        return _Slice(None, None, _problem(path.name, error))
    return _Slice(z, header, None)


def _problem(name: str, error: UnreadableError | OSError) -> Warning:
    if isinstance(error, UnreadableError):
        return Warning("unreadable", f"{error} Its slice is shown blank.")
    reason = error.strerror or type(error).__name__
    return Warning("unreadable", f"{name} could not be read ({reason}); its slice is shown blank.")


def _shape(header: Header) -> tuple[int | None, int | None]:
    return header.integer(t.ROWS), header.integer(t.COLUMNS)


def _fill_missing(voxels: NDArray[Any], headers: dict[int, Header], padding: tuple[float, float] | None) -> None:
    """Make slices that no file filled blank: padding where the header has it, else the lowest value there is."""
    missing = [z for z in range(len(voxels)) if z not in headers]
    if missing:
        blank = padding[0] if padding is not None else min(voxels[z].min() for z in headers)
        voxels[missing] = blank


def _rescale(series: Series, headers: dict[int, Header], first: Header) -> Rescale:
    """The modality's linear transform (PS3.3 C.11.1.1), one number where all slices agree."""
    default = (_first(first, t.RESCALE_SLOPE, 1.0), _first(first, t.RESCALE_INTERCEPT, 0.0))
    pairs = [default] * series.grid.shape[0]
    for z, header in headers.items():
        pairs[z] = (_first(header, t.RESCALE_SLOPE, 1.0), _first(header, t.RESCALE_INTERCEPT, 0.0))
    # A slope of 0 would make every voxel equal; files that say so mean "none".
    slopes = tuple(slope or 1.0 for slope, _ in pairs)
    intercepts = tuple(intercept for _, intercept in pairs)
    return Rescale(
        slopes[0] if len(set(slopes)) == 1 else slopes,
        intercepts[0] if len(set(intercepts)) == 1 else intercepts,
        _unit(first),
    )


def _unit(header: Header) -> str:
    """HU for CT unless the file says otherwise; US means unspecified (PS3.3 C.11.1.1.2)."""
    named = header.plain(t.RESCALE_TYPE)
    if named == "US" or not named:
        named = header.plain(t.UNITS)
    return named or ("HU" if header.plain(t.MODALITY) == "CT" else "")


def _first(header: Header, tag: int, default: float) -> float:
    values = header.numbers(tag)
    return values[0] if values and np.isfinite(values[0]) else default


def _windows(header: Header) -> tuple[Window, ...]:
    """The file's windows; widths below 1 are not allowed for integers and mean none (PS3.3 C.11.2.1.2)."""
    centers, widths = header.numbers(t.WINDOW_CENTER), header.numbers(t.WINDOW_WIDTH)
    names = header.text(t.WINDOW_EXPLANATION).split("\\")
    found = []
    for k, (center, width) in enumerate(zip(centers, widths, strict=False)):
        if width > 0 and np.isfinite(width) and np.isfinite(center):
            found.append(Window(center, width, names[k].strip() if k < len(names) else ""))
    return tuple(found)


def _padding(header: Header) -> tuple[float, float] | None:
    """Pixel Padding Value and its range limit, in either order (PS3.3 C.7.5.1.1.2)."""
    signed = header.integer(t.PIXEL_REPRESENTATION) == 1
    value = header.integer(t.PIXEL_PADDING_VALUE, signed)
    if value is None or is_colour(header):
        return None
    limit = header.integer(t.PIXEL_PADDING_RANGE_LIMIT, signed)
    low, high = sorted((value, value if limit is None else limit))
    return float(low), float(high)
