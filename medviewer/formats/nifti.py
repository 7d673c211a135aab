"""NIfTI files to domain values and back; the only place where RAS meets LPS.

NIfTI indexes (i, j, k) with i fastest and gives an affine into RAS; the program indexes (z, y, x) in LPS. So z, y, x
are k, j, i, and the first two rows of the affine change their sign.
"""

from __future__ import annotations

import gzip
import json
import logging
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import IOBase
from pathlib import Path
from typing import Any, cast

import numpy as np
from nibabel.nifti1 import Nifti1Extension, Nifti1Header
from nibabel.nifti2 import Nifti2Header
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from medviewer.domain.geometry import Grid
from medviewer.domain.image import Dynamic, Image, Rescale, Window
from medviewer.domain.study import PhaseAxis, Series, Warning
from medviewer.errors import InputError, UnreadableError
from medviewer.formats.apart import stop_if
from medviewer.formats.atomic import replacing
from medviewer.formats.bounds import check_phases, check_size
from medviewer.formats.colours import on_black
from medviewer.formats.dicom.quiet import quiet
from medviewer.formats.lattice import matrix, vector

_Header = Any
"""A nibabel header; nibabel annotates few of its methods."""
_NEW: dict[bool, _Header] = {False: Nifti1Header, True: Nifti2Header}

_SILENT = logging.Logger("nifti", logging.CRITICAL + 1)
"""What nibabel says of odd headers goes nowhere: its own logger writes to the console, and warnings are ours."""

_LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_NIFTI2_SIZES = (b"\x1c\x02\0\0", b"\0\0\x02\x1c")
"""A NIfTI-2 header begins with its own size, 540, in either byte order (nifti2.h)."""
_COMMENT = 6
"""Extension code of free text (nifti1.h: NIFTI_ECODE_COMMENT)."""
_SPACE_UNIT = 0x07
"""The bits of xyzt_units that hold the unit of space (nifti1.h: XYZT_TO_SPACE)."""
_MM = {1: 1000.0, 2: 1.0, 3: 0.001}
"""Millimetres in a metre, a millimetre, a micrometre (nifti1.h: NIFTI_UNITS_*); files without a unit mean mm."""
_TIME_UNIT = 0x38
"""The bits of xyzt_units that hold the unit of time (nifti1.h: XYZT_TO_TIME)."""
_TIME = {8: ("s", 1.0), 16: ("ms", 1.0), 24: ("ms", 0.001)}
"""Our unit for a second, a millisecond, a microsecond, and how many of it one is."""
_FILM_MS = 500.0
"""A recording with longer steps is no film; it is leafed through."""
_CHUNK = 16 * 1024 * 1024
_FAR = 1024**3
"""Voxels start within this many bytes: extensions are notes, not gigabytes."""
_SCANNER = 1
"""Affine code of scanner coordinates (nifti1.h: NIFTI_XFORM_SCANNER_ANAT)."""


def grid_of(shape: tuple[int, ...], affine: NDArray[np.float64], name: str) -> Grid:
    """The Grid of an array (i, j, k) with an affine into RAS.

    Raises
    ------
    UnreadableError
        If the affine is sheared, singular or not finite.
    """
    x, y, z = (*shape, 1, 1)[:3]
    lps = _LPS_FROM_RAS @ affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    if not np.all(np.isfinite(lps)) or np.any(spacing <= 0):
        raise UnreadableError(
            f"{name} has a broken header: its affine gives no spacing; write its sform or qform again."
        )
    columns = (lps[:3, :3] / spacing)[:, ::-1]
    if not np.allclose(columns.T @ columns, np.eye(3), atol=1e-3):
        raise UnreadableError(f"{name} has a sheared affine, but axes at right angles are needed; resample it first.")
    return Grid((z, y, x), vector(spacing[::-1]), vector(lps[:3, 3]), matrix(columns))


def affine_of(grid: Grid) -> NDArray[np.float64]:
    """The affine from (i, j, k) into RAS of a grid."""
    lps = grid.affine[:, [2, 1, 0, 3]]
    return np.asarray(_LPS_FROM_RAS @ lps, np.float64)


def scan_nifti(path: Path, uid: str) -> Series:
    """Read the header of one file as a series; a 4th axis becomes `Series.phases`.

    Raises
    ------
    UnreadableError
        If the header is broken, or the file holds something other than volumes of numbers or of colours.
    """
    with _opened(path) as file:
        header = _header(file, path)
    warnings: tuple[Warning, ...] = ()
    if not header["sform_code"] and not header["qform_code"]:
        text = "The header does not say how the volume lies in the patient; orientation letters may be wrong."
        warnings = (Warning("no-orientation", text),)
    name = path.name.removesuffix(".gz").removesuffix(".nii")
    return Series(
        uid, "OT", name, _grid(header, path), (path,), "nifti", warnings=warnings, phases=_phases(header, path)
    )


def load_nifti(
    series: Series,
    progress: Callable[[float, str], None] | None = None,
    cancelled: threading.Event | None = None,
) -> Image:
    """Read the voxels of a scanned file; see `medviewer.formats.load`."""
    path = series.files[0]

    def told(part: float) -> None:
        stop_if(cancelled)
        if progress is not None:
            progress(part, f"Reading {path.name}")

    header, voxels = _read(path, told)
    colour = voxels.ndim == 5
    low, high = float(header["cal_min"]), float(header["cal_max"])
    rescale = Rescale() if colour else Rescale(*_slope_intercept(header, path))
    axis = _phases(header, path)
    return Image(
        voxels=voxels[0],
        grid=_grid(header, path),
        modality=series.modality,
        rescale=rescale,
        windows=(Window.from_limits(low, high),) if not colour and np.isfinite(high - low) and high > low else (),
        series_uid=series.uid,
        dynamic=None if axis is None else Dynamic(axis, voxels, (rescale,) * len(axis)),
    )


def read_labelled(path: Path) -> tuple[NDArray[Any], Grid, dict[str, Any]]:
    """Real voxels (z, y, x), grid, and what `write` put into the header; an empty dict if nothing.

    Raises
    ------
    UnreadableError
        If the file cannot be read, or holds more than one volume of numbers.
    """
    header, stored = _read(path)
    if len(stored) != 1 or stored.ndim != 4:
        size_text = " x ".join(str(n) for n in header.get_data_shape())
        what = "colours" if stored.ndim != 4 else f"{size_text} values"
        raise UnreadableError(f"{path.name} holds {what}, but one volume of numbers is needed; split it into 3D files.")
    voxels = stored[0]
    slope, intercept = _slope_intercept(header, path)
    if (slope, intercept) != (1.0, 0.0):
        voxels = voxels * slope + intercept
    return voxels, _grid(header, path), _notes(header)


def write(
    path: Path,
    voxels: NDArray[Any],
    grid: Grid,
    *,
    slope: float = 1.0,
    intercept: float = 0.0,
    notes: dict[str, Any] | None = None,
    axis: PhaseAxis | None = None,
) -> None:
    """Write stored voxels (z, y, x) as they are, slope and intercept beside them, and `notes` as JSON in the header.

    With an `axis` the voxels are (phase, z, y, x), and its step is written where it is even and in units of time.

    Raises
    ------
    InputError
        If the type has no place in NIfTI or the file cannot be written.
    """
    header = _NEW[False]()
    try:
        header.set_data_dtype(voxels.dtype)
    except HeaderDataError as error:
        raise InputError(f"NIfTI cannot hold voxels of type {voxels.dtype}; save as .mha or .nrrd.") from error
    header.set_data_shape((*grid.shape[::-1], *(() if axis is None else (len(axis),))))
    header.set_xyzt_units("mm")
    affine = affine_of(grid)
    header.set_qform(affine, _SCANNER)
    header.set_sform(affine, _SCANNER)
    if axis is not None:
        _set_time(header, axis)
    if notes:
        header.extensions.append(Nifti1Extension(_COMMENT, json.dumps({"medviewer": notes}).encode()))
    header["vox_offset"] = 352 + header.extensions.get_sizeondisk()
    header["magic"] = b"n+1"
    # nibabel would rescale the voxels to new integers; written so, they stay as they were stored.
    header["scl_slope"], header["scl_inter"] = slope, intercept
    with replacing(path) as temporary, _opener(temporary) as file:
        header.write_to(file)
        file.write(np.ascontiguousarray(voxels, voxels.dtype.newbyteorder("=")).data)


def _set_time(header: _Header, axis: PhaseAxis) -> None:
    code = {"s": "sec", "ms": "msec"}.get(axis.unit)
    steps = np.diff(axis.values)
    if code is None or not len(steps) or not np.allclose(steps, steps[0]):
        return
    header.set_xyzt_units("mm", code)
    header["pixdim"][4], header["toffset"] = steps[0], axis.values[0]


def _opener(path: Path) -> Any:
    # No name or time in it: equal images make equal files.
    return gzip.GzipFile(path, "wb", compresslevel=3, mtime=0) if path.name.endswith(".gz") else path.open("wb")


def _read(path: Path, told: Callable[[float], None] = lambda part: None) -> tuple[_Header, NDArray[Any]]:
    """Header and stored voxels (phase, z, y, x), or with 3 colours behind, in the machine's byte order.

    `told` hears which part of them is read.
    """
    with _opened(path) as file:
        size = path.stat().st_size
        header = _header(file, path)
        shape, dtype = header.get_data_shape(), header.get_data_dtype()
        i, j, k = (*shape, 1, 1)[:3]
        # Stored with i fastest, so the axes turned round are plain C order.
        voxels_shape = (_volumes(shape), k, j, i)
        packed, offset = isinstance(file, gzip.GzipFile), int(header.get_data_offset())
        declared = int(np.prod(voxels_shape, dtype=object)) * dtype.itemsize
        check_size(path.name, declared, size if packed else size - offset, packed)
        try:
            if not 0 <= offset <= _FAR:
                raise ValueError(f"voxels start at byte {offset}")
            stored = np.empty(voxels_shape, dtype)
            file.seek(offset)
            _fill(file, stored.reshape(-1).view(np.uint8).data, told)
        except (ValueError, EOFError, OSError, MemoryError, zlib.error) as error:
            raise UnreadableError(
                f"{path.name} ends before its voxels do, or is damaged; fetch the file again.", details=str(error)
            ) from error
    if dtype.names is not None:
        return header, _flattened(stored.view(np.uint8).reshape(*voxels_shape, -1))
    if not dtype.isnative:
        stored = stored.byteswap(inplace=True).view(dtype.newbyteorder("="))
    # 128-bit floats are of no use on a screen, and most programs refuse them.
    return header, stored.astype(np.float64) if dtype.kind == "f" and dtype.itemsize > 8 else stored


def _fill(file: Any, view: memoryview, told: Callable[[float], None]) -> None:
    """Read until `view` is full. The file is not mapped: one that shrinks while it is shown would end the program."""
    done = 0
    while done < len(view):
        told(done / len(view))
        count = file.readinto(view[done : done + _CHUNK])
        if not count:
            raise EOFError(f"{done} of {len(view)} bytes")
        done += count
    told(1.0)


def _flattened(colours: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Red, green and blue of (..., 3) or (..., 4); what is transparent becomes black."""
    return colours if colours.shape[-1] == 3 else on_black(colours)


@contextmanager
def _opened(path: Path) -> Iterator[IOBase]:
    """The file's content, unpacked when it is gzip, whatever its name says."""
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            if packed:
                with gzip.GzipFile(fileobj=file) as unpacked:
                    yield unpacked
            else:
                yield file
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UnreadableError(
            f"{path.name} could not be opened ({reason}); check that it exists and is whole."
        ) from error


def _header(file: Any, path: Path) -> _Header:
    """The header of a file that holds volumes of numbers or of colours."""
    try:
        size = file.read(4)
        file.seek(0)
        with quiet():  # of odd extensions
            header = _NEW[size in _NIFTI2_SIZES].from_fileobj(file, check=False)
        header.check_fix(logger=_SILENT)
        shape, dtype = header.get_data_shape(), header.get_data_dtype()
        header.get_data_offset()  # no number, in some
    except Exception as error:
        raise UnreadableError(
            f"{path.name} has a broken NIfTI header ({type(error).__name__}); export the file again.",
            details=str(error),
        ) from error
    size_text = " x ".join(str(n) for n in shape)
    if len(shape) < 2 or min(shape) < 1:
        raise UnreadableError(
            f"{path.name} has a broken NIfTI header (size {size_text or 'none'}); export the file again."
        )
    if sum(n > 1 for n in shape[3:]) > 1:
        raise UnreadableError(
            f"{path.name} holds {size_text} values, but volumes along one axis more are needed; split it into 4D files."
        )
    check_phases(path.name, _volumes(shape))
    if dtype.kind not in "iuf" and dtype.names not in (("R", "G", "B"), ("R", "G", "B", "A")):
        label = header.get_value_label("datatype")
        raise UnreadableError(
            f"{path.name} holds {label} voxels, but real numbers or colours are needed; convert it first."
        )
    return header


def _volumes(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape[3:], dtype=object))


def _phases(header: _Header, path: Path) -> PhaseAxis | None:
    """The 4th axis: time where the header gives its step and unit, else a mere count of volumes."""
    shape = header.get_data_shape()
    count = _volumes(shape)
    if count == 1:
        return None
    step, start = float(header["pixdim"][4]), float(header["toffset"])
    unit, factor = _TIME.get(int(header["xyzt_units"]) & _TIME_UNIT, ("", 1.0))
    if shape[3] != count or not unit or not np.isfinite(step) or step <= 0:
        return PhaseAxis("volume", tuple(float(k + 1) for k in range(count)))
    start = start if np.isfinite(start) else 0.0
    values = tuple(round((start + k * step) * factor, 6) for k in range(count))
    milliseconds = step * factor * (1000.0 if unit == "s" else 1.0)
    return PhaseAxis("time", values, unit, milliseconds if milliseconds <= _FILM_MS else None)


def _grid(header: _Header, path: Path) -> Grid:
    try:
        affine = np.array(header.get_best_affine(), np.float64)
    except (HeaderDataError, ValueError) as error:  # a quaternion that is none
        raise UnreadableError(
            f"{path.name} has a broken header: its qform gives no directions; write its sform or qform again.",
            details=str(error),
        ) from error
    affine[:3] *= _MM.get(int(header["xyzt_units"]) & _SPACE_UNIT, 1.0)
    return grid_of(header.get_data_shape()[:3], affine, path.name)


def _slope_intercept(header: _Header, path: Path) -> tuple[float, float]:
    try:
        slope, intercept = header.get_slope_inter()
    except HeaderDataError as error:
        raise UnreadableError(
            f"{path.name} has a broken header: its scl_inter is no number; export the file again.", details=str(error)
        ) from error
    return (1.0 if slope is None else float(slope)), (0.0 if intercept is None else float(intercept))


def _notes(header: _Header) -> dict[str, Any]:
    """What `write` put into the header; comments of other programs are none of ours."""
    for extension in header.extensions:
        if extension.get_code() == _COMMENT:
            with suppress(ValueError):
                found = json.loads(bytes(extension.text.rstrip("\0 "), "utf-8"))
                if isinstance(found, dict) and isinstance(found.get("medviewer"), dict):
                    return cast(dict[str, Any], found["medviewer"])
    return {}
