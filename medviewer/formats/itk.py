"""SimpleITK's boundary: NRRD and MetaImage. ITK's world is LPS too; its arrays come out as (z, y, x).

SimpleITK annotates few of its methods, so its images are `Any` here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.geometry import Grid
from medviewer.domain.image import Dynamic, Image, Rescale
from medviewer.domain.study import PhaseAxis, Series, Warning
from medviewer.errors import InputError, UnreadableError
from medviewer.formats.apart import ask, stop_if
from medviewer.formats.atomic import replacing
from medviewer.formats.bounds import check_phases, check_size
from medviewer.formats.colours import on_black
from medviewer.formats.isolation import SharedBlock, Token, window
from medviewer.formats.lattice import matrix, vector
from medviewer.formats.sniff import HEAD, Kind, head_of, kind_of
from medviewer.formats.text_header import TextHeader, meta_header, nrrd_header

_IO = {Kind.NRRD: "NrrdImageIO", Kind.META_IMAGE: "MetaImageIO"}
"""ITK's reader, named, because ITK itself would choose by the file's ending."""
_LOOK, _READ = "medviewer.formats.itk:read_layout", "medviewer.formats.itk:read_voxels_into"
_LARGE = 1024**3
_SPACES = {
    **dict.fromkeys(("left-posterior-superior", "lps", "right-anterior-superior", "ras"), (1, 1)),
    **dict.fromkeys(("left-anterior-superior", "las", "left-posterior-superior-time", "lpst"), (1, 1)),
    **dict.fromkeys(("right-anterior-superior-time", "rast"), (-1, -1)),
    **dict.fromkeys(("left-anterior-superior-time", "last"), (1, -1)),
}
"""The spaces of NRRD that lie in the patient, and by what x and y are still to be multiplied: ITK turns to LPS what has
three axes, and leaves what has time as it is. Other spaces (``scanner-xyz``, ``3D-left-handed``) do not say."""
_MODALITIES = {"MET_MOD_CT": "CT", "MET_MOD_MR": "MR", "MET_MOD_NM": "NM", "MET_MOD_US": "US"}


def to_itk(voxels: NDArray[Any], grid: Grid) -> Any:
    """A SimpleITK image of voxels (z, y, x) on a grid, with phases before or 3 colours behind where there are any."""
    import SimpleITK as sitk  # noqa: N813 - its usual name; loading it takes a third of a second

    colour = voxels.shape[-1] == 3 and voxels.shape[-4:-1] == grid.shape
    axes = np.eye(voxels.ndim - colour)
    axes[:3, :3] = grid.axes[:, ::-1]
    more = len(axes) - 3
    image: Any = sitk.GetImageFromArray(voxels, isVector=colour)
    image.SetSpacing((*grid.spacing[::-1], *[1.0] * more))
    image.SetOrigin((*grid.origin, *[0.0] * more))
    image.SetDirection(axes.ravel().tolist())
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


@dataclass(frozen=True)
class Layout:
    """How a file's voxels lie, as ITK reads its header.

    Parameters
    ----------
    size, spacing, origin
        Along x, y, z and further axes.
    direction
        Row-major, columns are the unit steps along x, y, z ...
    channels
        Values a voxel.
    dtype
        Type of a value; empty for complex numbers and others that are none.
    """

    size: tuple[int, ...]
    spacing: tuple[float, ...]
    origin: tuple[float, ...]
    direction: tuple[float, ...]
    channels: int
    dtype: str

    @property
    def is_colour(self) -> bool:
        """Whether a voxel is red, green and blue, and perhaps how opaque it is."""
        return self.channels in (3, 4) and self.dtype == "uint8"

    @property
    def phases(self) -> int:
        """Steps of the 4th axis: an axis of its own, or several values a voxel that are no colour."""
        steps = self.size[3] if len(self.size) == 4 else 1
        return steps if self.is_colour else steps * self.channels


def scan_itk(path: Path, uid: str) -> Series:
    """Read the header of one NRRD or MetaImage file as a series.

    Raises
    ------
    UnreadableError
        If the header is broken, names files outside its folder, or the file holds what is no image.
    """
    kind, header, layout = _looked(path)
    said = header.fields
    if kind is Kind.NRRD:
        oriented = said.get("space", "").lower() in _SPACES
        calibrated = "spacedirections" in said or "spacings" in said
    else:
        oriented = bool({"transformmatrix", "rotation", "orientation"} & set(said))
        calibrated = "elementspacing" in said or "elementsize" in said
    warnings = []
    if not oriented or len(layout.size) == 2:
        text = "The header does not say how the image lies in the patient; no orientation letters are shown."
        warnings.append(Warning("no-orientation", text))
    if not calibrated:
        warnings.append(Warning("uncalibrated", "The header gives no spacing; lengths in mm are not known."))
    count = layout.phases
    return Series(
        uid,
        _MODALITIES.get(said.get("modality", ""), "OT") if kind is Kind.META_IMAGE else "OT",
        path.stem,
        _grid(path, layout),
        (path,),
        "itk",
        calibrated=calibrated,
        warnings=tuple(warnings),
        phases=PhaseAxis("volume", tuple(float(k + 1) for k in range(count))) if count > 1 else None,
    )


def load_itk(
    series: Series,
    progress: Callable[[float, str], None] | None = None,
    cancelled: threading.Event | None = None,
) -> Image:
    """Read the voxels of a scanned file; see `medviewer.formats.load`."""
    path = series.files[0]
    if progress is not None:
        progress(0.0, f"Reading {path.name}")
    kind, header, layout = _looked(path)
    dtype = np.dtype(layout.dtype)
    shape = (*layout.size[::-1], *((layout.channels,) if layout.channels > 1 else ()))
    declared = int(np.prod(shape, dtype=object)) * dtype.itemsize
    check_size(path.name, declared, header.stored, header.packed)
    stop_if(cancelled)
    if declared > _LARGE and not header.packed:
        # Plain bytes behind a header that was read apart; two copies of them may be more than a child may have.
        stored = read_voxels(str(path), _IO[kind])
    else:
        with SharedBlock(declared) as block:
            ask(
                path.name,
                _READ,
                str(path),
                _IO[kind],
                block.token,
                shape,
                dtype.str,
                size=declared,
                cancelled=cancelled,
            )
            stored = block.array(shape, dtype)
    if stored.shape != shape or stored.dtype != dtype:
        raise UnreadableError(f"{path.name} changed since it was looked at; scan its folder again.")
    voxels = _arranged(stored, layout)
    if progress is not None:
        progress(1.0, f"Read {path.name}")
    axis = series.phases
    return Image(
        voxels=voxels[0],
        grid=_grid(path, layout),
        modality=series.modality,
        calibrated=series.calibrated,
        series_uid=series.uid,
        dynamic=None if axis is None else Dynamic(axis, voxels, (Rescale(),) * len(axis)),
    )


def read_layout(path: str, reader: str) -> tuple[Any, ...]:
    """Let ITK read a header: the fields of a `Layout`.

    Raises
    ------
    UnreadableError
        If it cannot.
    """
    opened = _reader(path, reader)
    try:
        opened.ReadImageInformation()
    except RuntimeError as error:
        raise _unreadable(path, error) from error
    return (
        tuple(opened.GetSize()),
        tuple(opened.GetSpacing()),
        tuple(opened.GetOrigin()),
        tuple(opened.GetDirection()),
        opened.GetNumberOfComponents(),
        _dtypes().get(opened.GetPixelID(), ""),
    )


def read_voxels(path: str, reader: str) -> NDArray[Any]:
    """Let ITK read all voxels: shape (z, y, x), with further axes before and several values a voxel behind.

    Raises
    ------
    UnreadableError
        If it cannot.
    """
    import SimpleITK as sitk  # noqa: N813 - its usual name

    try:
        return np.asarray(sitk.GetArrayFromImage(_reader(path, reader).Execute()))
    except (RuntimeError, MemoryError) as error:
        raise _unreadable(path, error) from error


def read_voxels_into(path: str, reader: str, token: Token, shape: tuple[int, ...], dtype: str) -> None:
    """Let ITK read all voxels into shared memory.

    Raises
    ------
    UnreadableError
        If it cannot, or finds others than the header promised.
    """
    voxels = read_voxels(path, reader)
    if voxels.shape != shape or voxels.dtype != np.dtype(dtype):
        raise UnreadableError(f"{Path(path).name} changed since it was looked at; scan its folder again.")
    with window(token, 0, shape, np.dtype(dtype)) as target:
        np.copyto(target, voxels)


def _looked(path: Path) -> tuple[Kind, TextHeader, Layout]:
    """Our own look at a header comes first: ITK opens whatever file it names."""
    kind = kind_of(head_of(path)[:HEAD])
    if kind not in _IO:
        raise UnreadableError(f"{path.name} is neither NRRD nor MetaImage any more; scan its folder again.")
    header = nrrd_header(path) if kind is Kind.NRRD else meta_header(path)
    layout = Layout(*ask(path.name, _LOOK, str(path), _IO[kind]))
    size_text = " x ".join(str(n) for n in layout.size)
    if not layout.dtype:
        raise UnreadableError(f"{path.name} holds voxels that are no real numbers, but these are needed; convert it.")
    if not 2 <= len(layout.size) <= 4 or min(layout.size) < 1:
        raise UnreadableError(f"{path.name} holds {size_text} values, but 2 to 4 axes are needed; split it.")
    if len(layout.size) == 4 and layout.channels > 1 and not layout.is_colour:
        raise UnreadableError(
            f"{path.name} holds {size_text} voxels of {layout.channels} values, but at most one 4th axis can be shown; "
            "split it."
        )
    check_phases(path.name, layout.phases)
    return kind, header, _in_lps(layout, header.fields.get("space", "").lower()) if kind is Kind.NRRD else layout


def _in_lps(layout: Layout, space: str) -> Layout:
    """What ITK left in another space; see `_SPACES`."""
    signs = np.ones(len(layout.size))
    signs[:2] = _SPACES.get(space, (1, 1))
    if signs.min() > 0:
        return layout
    axes = np.reshape(layout.direction, (len(signs), len(signs))) * signs[:, None]
    origin = (np.array(layout.origin) * signs).tolist()
    return replace(layout, origin=tuple(origin), direction=tuple(axes.ravel().tolist()))


def _grid(path: Path, layout: Layout) -> Grid:
    """The grid of the first three axes; a flat image lies at z = 0.

    Raises
    ------
    UnreadableError
        If axes are sheared, or give no spacing.
    """
    count = len(layout.size)
    axes = np.eye(3)
    given = np.reshape(layout.direction, (count, count))
    flat = min(count, 3)
    axes[:flat, :flat] = given[:flat, :flat]
    size, spacing = [*layout.size[:flat], 1][:3], np.array([*layout.spacing[:flat], 1.0][:3])
    origin = [*layout.origin[:flat], 0.0][:3]
    if not np.all(np.isfinite(spacing)) or np.any(spacing <= 0) or not np.all(np.isfinite(origin)):
        raise UnreadableError(f"{path.name} has a broken header: it gives no spacing; export the file again.")
    if not np.allclose(axes.T @ axes, np.eye(3), atol=1e-3) or not np.allclose(given[3:, :3], 0):
        raise UnreadableError(f"{path.name} has sheared axes, but axes at right angles are needed; resample it first.")
    x, y, z = size
    return Grid((z, y, x), vector(spacing[::-1]), vector(origin), matrix(axes[:, ::-1]))


def _arranged(array: NDArray[Any], layout: Layout) -> NDArray[Any]:
    """Voxels as (phase, z, y, x), or with 3 colours behind."""
    if layout.is_colour and layout.channels == 4:
        array = on_black(array)
    elif layout.channels > 1 and not layout.is_colour:
        array = np.ascontiguousarray(np.moveaxis(array, -1, 0))
    x, y, z = (*layout.size, 1, 1)[:3]
    return array.reshape(layout.phases, z, y, x, *((3,) if layout.is_colour else ()))


def _reader(path: str, reader: str) -> Any:
    import SimpleITK as sitk  # noqa: N813 - its usual name

    untyped: Any = sitk
    untyped.ProcessObject.GlobalWarningDisplayOff()  # it would write to the console
    made = untyped.ImageFileReader()
    made.SetImageIO(reader)
    made.SetFileName(path)
    return made


def _dtypes() -> dict[int, str]:
    """ITK's numbers for the types of voxels, one or several values a voxel."""
    import SimpleITK as sitk  # noqa: N813 - its usual name

    names = [f"{sign}Int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)] + ["Float32", "Float64"]
    return {getattr(sitk, f"sitk{many}{name}"): name.lower() for many in ("", "Vector") for name in names}


def _unreadable(path: str, error: Exception) -> UnreadableError:
    name = Path(path).name
    return UnreadableError(
        f"{name} could not be read by ITK; it may be damaged or of a rare kind, save it again.", details=str(error)
    )
