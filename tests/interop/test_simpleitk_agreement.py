"""Where the voxels of every readable series of pydicom-data and of pydicom's test files lie, against SimpleITK (GDCM).

Compared to 0.001 mm: shape, spacing, origin and direction. Two things have no second opinion and are not compared: the
extent along z of a single slice (ours is Spacing Between Slices or Slice Thickness, GDCM's depends on the kind of
object), and origin and direction of an image without a place in the patient (ours follows Patient Orientation, by which
the letters are shown; SimpleITK gives 0 and the identity). What then still differs is in the table, with its reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import data_store
import numpy as np
import pydicom.data
import pytest
import SimpleITK as sitk  # noqa: N813 - its usual name

from medviewer.domain.study import Series
from medviewer.formats import scan
from medviewer.formats.dicom.frames import frames_of, is_multi, single
from medviewer.formats.dicom.headers import read_header

FOLDERS = {
    "pydicom-data": Path(data_store.__file__).parent / "data",
    "pydicom": Path(pydicom.data.__file__).parent / "test_files",
}
MM = 0.001

FILM = "frames over time, for which SimpleITK has only z: it makes a volume of them"
REGION = "Sequence of Ultrasound Regions, which SimpleITK does not read, gives the spacing"
PLACE = "images at one position (stored, and compressed with loss) are phases here; SimpleITK stacks them 1 mm apart"
FRAMES = "frames of no known distance, for which SimpleITK has only z"

KNOWN: dict[str, tuple[set[str], str]] = {
    "color3d_jpeg_baseline.dcm": ({"shape", "spacing"}, f"{FILM}; {REGION}"),
    "examples_ybr_color.dcm": ({"shape", "spacing"}, f"{FILM}; {REGION}"),
    "OBXXXX1A_2frame.dcm": ({"shape", "spacing"}, f"{FILM}; {REGION}"),
    "OBXXXX1A.dcm": ({"spacing"}, REGION),
    "gdcm-US-ALOKA-16.dcm": ({"spacing"}, REGION),
    "JPGLosslessP14SV1_1s_1f_8b.dcm": ({"spacing"}, REGION),
    "examples_palette.dcm": ({"spacing"}, REGION),
    "SC_rgb_2frame.dcm": ({"shape"}, FRAMES),
    "SC_rgb_16bit_2frame.dcm": ({"shape"}, FRAMES),
    "SC_rgb_32bit_2frame.dcm": ({"shape"}, FRAMES),
    "SC_rgb_rle_2frame.dcm": ({"shape"}, FRAMES),
    "SC_rgb_rle_16bit_2frame.dcm": ({"shape"}, FRAMES),
    "SC_rgb_rle_32bit_2frame.dcm": ({"shape"}, FRAMES),
    "emri_small.dcm": ({"spacing"}, "no frame has a place; Spacing Between Slices is 1.2 mm, and SimpleITK says 1"),
    "MR2_J2KR.dcm": ({"shape"}, PLACE),
    "693_UNCI.dcm": ({"shape"}, PLACE),
    "17106": (
        {"shape", "spacing"},
        "one slice lies 202.5 mm from three that lie 1.25 mm apart: shown where they lie, with the gap blank; "
        "SimpleITK spreads the four evenly over 205 mm",
    ),
}
"""By the name of a series' first file: what differs, and why."""


@dataclass(frozen=True)
class Other:
    """What SimpleITK says: sizes and spacing along z, y, x, origin, and direction with columns z, y, x."""

    shape: tuple[int, ...]
    spacing: np.ndarray
    origin: np.ndarray
    direction: np.ndarray


def read(series: Series) -> Other:
    """A series by SimpleITK, its files in our order."""
    if len(series.files) > 1:
        reader = sitk.ImageSeriesReader()
        reader.SetFileNames([str(file) for file in series.files])
        image = reader.Execute()
        size, spacing, origin, direction = image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection()
    else:
        reader = sitk.ImageFileReader()
        reader.SetImageIO("GDCMImageIO")
        reader.SetFileName(str(series.files[0]))
        reader.ReadImageInformation()
        size, spacing = reader.GetSize(), reader.GetSpacing()
        origin, direction = reader.GetOrigin(), reader.GetDirection()
    # A header alone may give a negative spacing, which reading the image turns into a direction.
    axes = np.array(direction).reshape(len(size), len(size)) * np.sign(spacing)
    return Other(tuple(size[::-1]), np.abs(spacing)[::-1], np.array(origin), axes[:, ::-1])


def is_placed(series: Series) -> bool:
    """Whether the file says where in the patient the image lies."""
    header = read_header(series.files[0])
    planes = frames_of(header)[0] if is_multi(header) else [single(header)]
    return bool(planes) and planes[0].position is not None and planes[0].placed


def differences(series: Series) -> set[str]:
    """What SimpleITK sees otherwise."""
    grid, other = series.grid, read(series)
    found = set()
    if other.shape != grid.shape:
        found.add("shape")
    first = 1 if grid.shape[0] == 1 else 0
    if not np.allclose(other.spacing[first:], grid.spacing[first:], rtol=0, atol=MM):
        found.add("spacing")
    if not is_placed(series):
        return found
    origin, direction = grid.origin, grid.axes
    if grid.shape[0] > 1 and other.direction[:, 0] @ grid.axes[:, 0] < 0:
        # The frames of one file in its own order, which may be from the other end: the voxels lie in the same places.
        origin = tuple(grid.index_to_world((grid.shape[0] - 1, 0, 0)).tolist())
        direction = grid.axes * [-1, 1, 1]
    if not np.allclose(other.origin, origin, rtol=0, atol=MM):
        found.add("origin")
    if not np.allclose(other.direction, direction, rtol=0, atol=MM):
        found.add("direction")
    return found


@pytest.fixture
def quiet_itk():
    """GDCM tells of every oddity of a header; a test may not."""
    before = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    yield
    sitk.ProcessObject.SetGlobalWarningDisplay(before)


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.usefixtures("quiet_itk")
def test_every_series_lies_where_simpleitk_says(folder):
    all_series = scan([FOLDERS[folder]]).series
    assert len(all_series) > 40
    found = {series.files[0].name: differences(series) for series in all_series}
    expected = {name: KNOWN.get(name, (set(), ""))[0] for name in found}
    assert {name: kinds for name, kinds in found.items() if kinds != expected[name]} == {}
    here = {path.name for path in FOLDERS[folder].rglob("*")}
    assert (set(KNOWN) & here) - set(found) == set(), "an exception that no series needs any more"
