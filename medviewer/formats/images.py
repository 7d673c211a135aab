"""Saving an image in a research format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.image import Image
from medviewer.errors import InputError
from medviewer.formats import itk, nifti

_NIFTI = (".nii", ".nii.gz")
_ITK = (".mha", ".nrrd")


def save_image(image: Image, path: Path) -> None:
    """Write an image as NIfTI (.nii, .nii.gz), MetaImage (.mha) or NRRD (.nrrd), whole or not at all.

    NIfTI keeps the stored values with slope and intercept beside them. The other formats have no place for a rescale,
    and NIfTI none for one that changes from slice to slice, from phase to phase, nor for a table: they get real
    values. All phases are written, as a 4th axis.

    Raises
    ------
    InputError
        If the suffix is none of these, the format cannot hold the voxels, or the folder refuses.
    """
    name = path.name.lower()
    if name.endswith(_NIFTI):
        _save_nifti(image, path)
    elif name.endswith(_ITK):
        itk.write(path, _over_phases(image, lambda one: one.voxels if one.is_colour else _real(one)), image.grid)
    else:
        accepted = ", ".join((*_NIFTI, *_ITK))
        raise InputError(f"An image is saved as {accepted}, not as {path.name}; choose one of these endings.")


def _save_nifti(image: Image, path: Path) -> None:
    if image.is_colour:
        raise InputError(
            f"{path.name} would be NIfTI, which is written for grey images only; save colour as .mha or .nrrd."
        )
    dynamic = image.dynamic
    axis = dynamic.axis if dynamic is not None else None
    slope, intercept = image.rescale.slope, image.rescale.intercept
    differ = dynamic is not None and any(rescale != image.rescale for rescale in dynamic.rescales)
    if image.lut is not None:
        nifti.write(path, _over_phases(image, lambda one: one.uniform[0]), image.grid, axis=axis)
    elif differ or isinstance(slope, tuple) or isinstance(intercept, tuple):
        nifti.write(path, _over_phases(image, lambda one: one.real()), image.grid, axis=axis)
    else:
        voxels = dynamic.voxels if dynamic is not None else image.voxels
        nifti.write(path, voxels, image.grid, slope=slope, intercept=intercept, axis=axis)


def _over_phases(image: Image, values: Callable[[Image], NDArray[Any]]) -> NDArray[Any]:
    """Values of the image, or with a 4th axis before them those of all its phases."""
    if image.dynamic is None:
        return values(image)
    return np.stack([values(image.at_phase(phase)) for phase in range(len(image.dynamic.axis))])


def _real(image: Image) -> NDArray[Any]:
    """Real values, as integers where nothing is lost by it."""
    rescale, stored = image.rescale, image.voxels
    slope, intercept = rescale.slope, rescale.intercept
    if image.lut is not None:
        return image.uniform[0]
    if isinstance(slope, tuple) or isinstance(intercept, tuple):
        return image.real()
    if (slope, intercept) == (1.0, 0.0):
        return stored
    if slope != 1.0 or not intercept.is_integer() or stored.dtype.kind not in "iu" or stored.dtype.itemsize > 2:
        return image.real()
    low, high = int(stored.min()) + int(intercept), int(stored.max()) + int(intercept)
    dtype = np.int16 if np.iinfo(np.int16).min <= low and high <= np.iinfo(np.int16).max else np.int32
    return (stored.astype(np.int32) + np.int32(intercept)).astype(dtype)
