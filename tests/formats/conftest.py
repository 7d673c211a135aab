"""Builders and real files for the tests of formats."""

from __future__ import annotations

from pathlib import Path

import data_store
import numpy as np
import pydicom.data
import pytest
from hypothesis import strategies as st
from pydicom.uid import generate_uid

from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image
from medviewer.domain.study import Patient, Series, Study

DEMO = Path(__file__).parents[2] / "resources" / "demo"


def rotation(seed: int) -> np.ndarray:
    """A random rotation or reflection, columns orthonormal."""
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return q


def grid_of(shape=(4, 5, 7), spacing=(2.5, 0.7, 0.4), origin=(-31.5, 12.25, 80.125), axes=None) -> Grid:
    """An asymmetric, anisotropic grid; axial unless `axes` (columns z, y, x) says otherwise."""
    columns = np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]], float) if axes is None else axes
    return Grid(shape, spacing, origin, tuple(columns.ravel()))


def dicom_axes(seed: int) -> np.ndarray:
    """Random columns z, y, x as DICOM has them: z is the cross product of x and y."""
    axes = rotation(seed)
    axes[:, 0] = np.cross(axes[:, 2], axes[:, 1])
    return axes


def series_of(grid: Grid, modality="MR", **more) -> Series:
    """What a header says about a series; the UID is made from the grid."""
    return Series(generate_uid(entropy_srcs=[repr(grid), modality]), modality, "A series", grid, (), "dicom", **more)


STUDY = Study(
    generate_uid(entropy_srcs=["test study"]), "2020-01-02", "A study", Patient("ID1", "Doe^Jane", "1970-01-01", "F")
)


def image_of(grid: Grid, dtype=np.int16, modality="MR", **more) -> Image:
    """An image in which every voxel differs from its neighbours."""
    values = np.arange(np.prod(grid.shape)).reshape(grid.shape) * 7 % 250
    return Image(values.astype(dtype), grid, modality, **more)


@pytest.fixture(scope="session")
def demo() -> Path:
    """The demo folder."""
    return DEMO


@pytest.fixture(scope="session")
def samples() -> dict[str, Path]:
    """Name -> path of pydicom's test files and those of pydicom-data."""
    own = Path(pydicom.data.__file__).parent / "test_files"
    more = Path(data_store.__file__).parent / "data"
    return {path.name: path for folder in (more, own) for path in sorted(folder.glob("*.dcm"))}


seeds = st.integers(0, 2**32 - 1)
shapes = st.tuples(st.integers(1, 5), st.integers(2, 7), st.integers(2, 8))
spacings = st.tuples(*[st.floats(0.2, 8).map(lambda v: round(v, 3))] * 3)
origins = st.tuples(*[st.floats(-500, 500).map(lambda v: round(v, 2))] * 3)


@pytest.fixture(scope="session")
def brain_file() -> Path:
    """The brain mask of the demo head, a real gzipped NIfTI."""
    return Path(__file__).parents[1] / "data" / "colin27_brain.nii.gz"
