"""SimpleITK's boundary: the formats that ITK writes. ITK's world is LPS too; its arrays come out as (z, y, x).

SimpleITK annotates few of its methods, so its images are `Any` here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.geometry import Grid
from medviewer.errors import InputError
from medviewer.formats.atomic import replacing
from medviewer.formats.lattice import matrix, vector


def to_itk(voxels: NDArray[Any], grid: Grid) -> Any:
    """A SimpleITK image of voxels (z, y, x) or (z, y, x, 3) on a grid."""
    import SimpleITK as sitk  # noqa: N813 - its usual name; loading it takes a third of a second

    image: Any = sitk.GetImageFromArray(voxels, isVector=voxels.ndim == 4)
    image.SetSpacing(grid.spacing[::-1])
    image.SetOrigin(grid.origin)
    image.SetDirection(grid.axes[:, ::-1].ravel().tolist())
    return image


def grid_of(image: Any) -> Grid:
    """The Grid of a 3D SimpleITK image."""
    axes = np.reshape(image.GetDirection(), (3, 3))[:, ::-1]
    x, y, z = image.GetSize()
    return Grid((z, y, x), vector(image.GetSpacing()[::-1]), vector(image.GetOrigin()), matrix(axes))


def write(path: Path, voxels: NDArray[Any], grid: Grid) -> None:
    """Write voxels in the format that the suffix names.

    Raises
    ------
    InputError
        If ITK cannot write them so, or the folder refuses.
    """
    import SimpleITK as sitk  # noqa: N813 - its usual name

    with replacing(path) as temporary:
        try:
            sitk.WriteImage(to_itk(voxels, grid), str(temporary), useCompression=True)
        except RuntimeError as error:
            text = f"{path.name} could not be written with voxels of type {voxels.dtype}; save as .nii.gz instead."
            raise InputError(text, details=str(error)) from error
