"""NIfTI files to domain values and back; the only place where RAS meets LPS.

NIfTI indexes (i, j, k) with i fastest and gives an affine into RAS; the program indexes (z, y, x) in LPS. So z, y, x
are k, j, i, and the first two rows of the affine change their sign.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import IOBase
from pathlib import Path
from typing import Any, cast

import numpy as np
from nibabel.nifti1 import Nifti1Extension, Nifti1Header
from nibabel.nifti2 import Nifti2Header
from nibabel.spatialimages import HeaderDataError
from nibabel.volumeutils import array_from_file
from numpy.typing import NDArray

from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image, Rescale, Window
from medviewer.domain.study import Series, Warning
from medviewer.errors import InputError, UnreadableError
from medviewer.formats.atomic import replacing
from medviewer.formats.lattice import matrix, vector

_Header = Any
"""A nibabel header; nibabel annotates few of its methods."""
_NEW: dict[bool, _Header] = {False: Nifti1Header, True: Nifti2Header}

_LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_NIFTI2_SIZES = (b"\x1c\x02\0\0", b"\0\0\x02\x1c")
"""A NIfTI-2 header begins with its own size, 540, in either byte order (nifti2.h)."""
_COMMENT = 6
"""Extension code of free text (nifti1.h: NIFTI_ECODE_COMMENT)."""
_SPACE_UNIT = 0x07
"""The bits of xyzt_units that hold the unit of space (nifti1.h: XYZT_TO_SPACE)."""
_MM = {1: 1000.0, 2: 1.0, 3: 0.001}
"""Millimetres in a metre, a millimetre, a micrometre (nifti1.h: NIFTI_UNITS_*); files without a unit mean mm."""
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
    """Read the header of one file as a series.

    Raises
    ------
    UnreadableError
        If the header is broken, or the file holds something other than one scalar volume.
    """
    with _opened(path) as file:
        header = _header(file, path)
    warnings: tuple[Warning, ...] = ()
    if not header["sform_code"] and not header["qform_code"]:
        text = "The header does not say how the volume lies in the patient; orientation letters may be wrong."
        warnings = (Warning("no-orientation", text),)
    name = path.name.removesuffix(".gz").removesuffix(".nii")
    return Series(uid, "OT", name, _grid(header, path), (path,), "nifti", warnings=warnings)


def load_nifti(series: Series, progress: Callable[[float, str], None] | None = None) -> Image:
    """Read the voxels of a scanned file; see `medviewer.formats.load`."""
    path = series.files[0]
    if progress is not None:
        progress(0.0, f"Reading {path.name}")
    header, voxels = _read(path)
    low, high = float(header["cal_min"]), float(header["cal_max"])
    if progress is not None:
        progress(1.0, f"Read {path.name}")
    return Image(
        voxels=voxels,
        grid=_grid(header, path),
        modality=series.modality,
        rescale=Rescale(*_slope_intercept(header)),
        windows=(Window.from_limits(low, high),) if np.isfinite(high - low) and high > low else (),
        series_uid=series.uid,
    )


def read_labelled(path: Path) -> tuple[NDArray[Any], Grid, dict[str, Any]]:
    """Real voxels (z, y, x), grid, and what `write` put into the header; an empty dict if nothing.

    Raises
    ------
    UnreadableError
        If the file cannot be read.
    """
    header, voxels = _read(path)
    slope, intercept = _slope_intercept(header)
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
) -> None:
    """Write stored voxels (z, y, x) as they are, slope and intercept beside them, and `notes` as JSON in the header.

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
    header.set_data_shape(grid.shape[::-1])
    header.set_xyzt_units("mm")
    affine = affine_of(grid)
    header.set_qform(affine, _SCANNER)
    header.set_sform(affine, _SCANNER)
    if notes:
        header.extensions.append(Nifti1Extension(_COMMENT, json.dumps({"medviewer": notes}).encode()))
    header["vox_offset"] = 352 + header.extensions.get_sizeondisk()
    header["magic"] = b"n+1"
    # nibabel would rescale the voxels to new integers; written so, they stay as they were stored.
    header["scl_slope"], header["scl_inter"] = slope, intercept
    with replacing(path) as temporary, _opener(temporary) as file:
        header.write_to(file)
        file.write(np.ascontiguousarray(voxels, voxels.dtype.newbyteorder("=")).data)


def _opener(path: Path) -> Any:
    # No name or time in it: equal images make equal files.
    return gzip.GzipFile(path, "wb", compresslevel=3, mtime=0) if path.name.endswith(".gz") else path.open("wb")


def _read(path: Path) -> tuple[_Header, NDArray[Any]]:
    """Header and stored voxels (z, y, x), contiguous and in the machine's byte order."""
    with _opened(path) as file:
        header = _header(file, path)
        try:
            # Not mapped: a file that shrinks while it is shown would end the program.
            stored = array_from_file(
                header.get_data_shape(), header.get_data_dtype(), file, header.get_data_offset(), mmap=False
            )
        except Exception as error:
            raise UnreadableError(
                f"{path.name} ends before its voxels do, or is damaged; fetch the file again.", details=str(error)
            ) from error
    i, j, k = (*header.get_data_shape(), 1, 1)[:3]
    # Stored with i fastest, so turning the axes round costs no copy.
    voxels = stored.reshape((i, j, k), order="F").T
    return header, np.ascontiguousarray(voxels, voxels.dtype.newbyteorder("="))


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
    """The header of one scalar volume."""
    try:
        size = file.read(4)
        file.seek(0)
        header = _NEW[size in _NIFTI2_SIZES].from_fileobj(file)
        shape, dtype = header.get_data_shape(), header.get_data_dtype()
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
    if int(np.prod(shape[3:], dtype=np.int64)) != 1:
        raise UnreadableError(
            f"{path.name} holds {size_text} values, but one volume is needed; split it into 3D files."
        )
    if dtype.kind not in "iuf":
        label = header.get_value_label("datatype")
        raise UnreadableError(f"{path.name} holds {label} voxels, but real numbers are needed; convert it first.")
    return header


def _grid(header: _Header, path: Path) -> Grid:
    affine = np.array(header.get_best_affine(), np.float64)
    affine[:3] *= _MM.get(int(header["xyzt_units"]) & _SPACE_UNIT, 1.0)
    return grid_of(header.get_data_shape(), affine, path.name)


def _slope_intercept(header: _Header) -> tuple[float, float]:
    slope, intercept = header.get_slope_inter()
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
