"""Saving and opening masks and heat maps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.geometry import Grid
from medviewer.domain.heatmap import Heatmap
from medviewer.domain.mask import PALETTE, Code, Segment, Segmentation
from medviewer.domain.provenance import Provenance
from medviewer.domain.study import Series
from medviewer.errors import InputError, UnreadableError
from medviewer.formats import nifti
from medviewer.formats.lattice import onto
from medviewer.formats.sniff import Kind, sniff

_NIFTI = (".nii", ".nii.gz")


def save_segmentation(segmentation: Segmentation, path: Path, series: Series | None = None) -> None:
    """Write a mask as DICOM SEG (.dcm) or NIfTI (.nii, .nii.gz), whole or not at all.

    A SEG is binary, has one segment for each label that occurs, and refers to the files of `series`. NIfTI holds the
    label map, and segments, provenance and series as JSON in its header.

    Raises
    ------
    InputError
        If the suffix is another one, a SEG is asked for without a DICOM series, or the folder refuses.
    GridMismatchError
        If the mask does not lie on the grid of `series`.
    """
    name = path.name.lower()
    if name.endswith(".dcm"):
        if series is None or series.reader != "dicom":
            raise InputError(
                "A DICOM SEG needs the DICOM series that it was drawn on; save this mask as .nii.gz instead."
            )
        from medviewer.formats.dicom.segmentation import write_seg

        write_seg(segmentation, path, series)
    elif name.endswith(_NIFTI):
        notes = {
            "kind": "segmentation",
            "segments": [asdict(segment) for segment in segmentation.segments],
            "provenance": segmentation.provenance.to_json(),
            "series_uid": segmentation.series_uid,
        }
        nifti.write(path, segmentation.labels, segmentation.grid, notes=notes)
    else:
        raise InputError(f"A mask is saved as .dcm, .nii or .nii.gz, not as {path.name}; choose one of these endings.")


def load_segmentation(path: Path, grid: Grid | None = None, series: Series | None = None) -> Segmentation:
    """Read a mask, DICOM SEG, RTSTRUCT or NIfTI by its content, onto `grid` where one is given.

    Flipped or swapped axes are turned, and slices that the file leaves out are empty. A SEG is resampled to the nearest
    voxel where `series` is resampled itself, and where it lies on other voxels of the same frame of reference; its
    provenance notes the latter. Contours of an RTSTRUCT are filled in.

    Parameters
    ----------
    grid
        The grid of the image that it is shown on; by default that of `series`.
    series
        The series that it is shown on. Needed for an RTSTRUCT, for a SEG that only says on which images it was drawn,
        and before anything is resampled from another grid.

    Raises
    ------
    UnreadableError
        If it is none of these, holds no label map, or the note in its header is damaged.
    GridMismatchError
        If its voxels are not voxels of `grid` and may not be resampled onto it, or a SEG or RTSTRUCT lies in another
        frame of reference than `series`.
    """
    if grid is None and series is not None:
        grid = series.grid
    kind = sniff(path)
    if kind is Kind.DICOM:
        return _from_dicom(path, grid, series)
    if kind is not Kind.NIFTI:
        raise UnreadableError(
            f"{path.name} is neither a DICOM SEG or RTSTRUCT nor NIfTI; open a mask in one of these formats."
        )
    voxels, own, notes = nifti.read_labelled(path)
    labels = _as_labels(voxels, path.name)
    target = own if grid is None else grid
    with _noted(path):
        declared = tuple(_segment(item) for item in notes.get("segments", ()))
        provenance = _provenance(notes)
    return Segmentation(
        onto(labels, own, target, path.name),
        target,
        declared or tuple(_named(int(label)) for label in np.unique(labels) if label),
        provenance,
        str(notes.get("series_uid", "")),
    )


def _from_dicom(path: Path, grid: Grid | None, series: Series | None) -> Segmentation:
    from medviewer.formats.dicom.rtstruct import is_rtstruct, read_rtstruct
    from medviewer.formats.dicom.segmentation_read import read_seg

    return read_rtstruct(path, grid, series) if is_rtstruct(path) else read_seg(path, grid, series)


def save_heatmap(heatmap: Heatmap, path: Path) -> None:
    """Write a heat map as NIfTI (.nii, .nii.gz) in float32, with method, target and provenance as JSON in its header.

    Raises
    ------
    InputError
        If the suffix is another one or the folder refuses.
    """
    if not path.name.lower().endswith(_NIFTI):
        raise InputError(f"A heat map is saved as .nii or .nii.gz, not as {path.name}; choose one of these endings.")
    notes = {
        "kind": "heatmap",
        "method": heatmap.method,
        "target": heatmap.target,
        "provenance": heatmap.provenance.to_json(),
        "series_uid": heatmap.series_uid,
    }
    nifti.write(path, heatmap.values.astype(np.float32), heatmap.grid, notes=notes)


def load_heatmap(path: Path, grid: Grid | None = None) -> Heatmap:
    """Read a heat map that `save_heatmap` or another program wrote as NIfTI, onto `grid` where one is given.

    Raises
    ------
    UnreadableError
        If it is no NIfTI volume, or the note in its header is damaged.
    GridMismatchError
        If its voxels are not voxels of `grid`.
    """
    if sniff(path) is not Kind.NIFTI:
        raise UnreadableError(f"{path.name} is no NIfTI file; open a heat map as .nii or .nii.gz.")
    voxels, own, notes = nifti.read_labelled(path)
    target = own if grid is None else grid
    with _noted(path):
        provenance = _provenance(notes)
    return Heatmap(
        onto(voxels.astype(np.float32, copy=False), own, target, path.name),
        target,
        str(notes.get("method", "Unknown method")),
        str(notes.get("target", "")),
        provenance,
        str(notes.get("series_uid", "")),
    )


@contextmanager
def _noted(path: Path) -> Iterator[None]:
    """Whatever a damaged or foreign note in the header does not hold is one error."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        text = (
            f"The note about segments and origin in {path.name} is damaged or of another version of medviewer; save "
            "the result again, or remove the header's comment to open the bare voxels."
        )
        raise UnreadableError(text, details=f"{type(error).__name__}: {error}") from error


def _provenance(notes: dict[str, Any]) -> Provenance:
    return Provenance.from_json(notes["provenance"]) if "provenance" in notes else Provenance(created="")


def _as_labels(voxels: NDArray[Any], name: str) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Labels as the smallest type that holds them; programs write them as anything up to float64."""
    low, high = (voxels.min(), voxels.max()) if voxels.size else (0, 0)
    if not (low >= 0 and high <= np.iinfo(np.uint16).max) or not np.array_equal(voxels, np.rint(voxels)):
        raise UnreadableError(
            f"{name} holds values from {low} to {high}, but labels 0, 1, 2 ... are needed; is it an image?"
        )
    small = high < 256 and voxels.dtype != np.uint16
    return voxels.astype(np.uint8, copy=False) if small else voxels.astype(np.uint16, copy=False)


def _segment(item: dict[str, Any]) -> Segment:
    red, green, blue = (int(v) for v in item["colour"])
    return Segment(
        int(item["label"]), str(item["name"]), (red, green, blue), Code(**item["code"]), Code(**item["category"])
    )


def _named(label: int) -> Segment:
    return Segment(label, f"Label {label}", PALETTE[(label - 1) % len(PALETTE)])
