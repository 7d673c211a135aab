"""Whether a mask can be true: its volumes, its pieces, and the sides that they lie on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image
from medviewer.plugin_api import Manifest
from medviewer.plugin_api.spec import LabelSpec

_SPECK_VOXELS = 8
_SPECK_PART = 0.001
"""Pieces of fewer voxels than the one, or a smaller part of their label than the other, are not counted: resampling and
an undecided network leave such specks, and no reader would call them a second kidney."""
_MIDLINE_MM = 5.0
"""How far beyond the patient's middle a structure has to lie: the middle of what is in the image is no better known."""

Labels = NDArray[np.uint8] | NDArray[np.uint16]


def flags(manifest: Manifest, labels: Labels, image: Image) -> tuple[str, ...]:
    """One sentence for each declared label whose volume, count or side lies outside what its manifest expects.

    Volumes are silent where the image gives no distances, sides where it is no volume: nothing is known of them then.

    Parameters
    ----------
    labels
        Label map (z, y, x) on the image's grid; label k + 1 is the manifest's label k.
    """
    return (*_volumes(manifest, labels, image), *_counts(manifest, labels), *_sides(manifest, labels, image))


def _volumes(manifest: Manifest, labels: Labels, image: Image) -> Iterator[str]:
    specs = manifest.outputs.labels
    if not image.calibrated or not any(spec.expected_ml for spec in specs):
        return
    # Slice by slice: NumPy counts in a copy of 8 bytes a voxel.
    voxels = np.sum([np.bincount(plane.ravel(), minlength=len(specs) + 1) for plane in labels], axis=0)
    for number, spec in enumerate(specs, start=1):
        volume = float(voxels[number]) * image.grid.voxel_ml
        if spec.expected_ml is not None and not spec.expected_ml[0] <= volume <= spec.expected_ml[1]:
            low, high = spec.expected_ml
            several = len(specs) > 1
            what = f"Volume of {spec.name}," if several else "Volume"
            lies = f"{what} {_ml(volume, high)}{',' * several} lies outside the expected {low:g} to {high:g} ml"
            yield f"{lies}: check this result."


def _ml(volume: float, highest: float) -> str:
    """Millilitres as exactly as the expectation is given: 1432 of a brain, 0.31 of a small gland."""
    return f"{volume:.0f} ml" if highest >= 100 or volume >= 100 else f"{volume:.2g} ml"


def _counts(manifest: Manifest, labels: Labels) -> Iterator[str]:
    from scipy.ndimage import find_objects

    specs = manifest.outputs.labels
    if not any(spec.expected_count for spec in specs):
        return
    boxes = cast(Sequence[Any], find_objects(labels, max_label=len(specs)))  # None where a label is absent
    for number, (spec, box) in enumerate(zip(specs, boxes, strict=True), start=1):
        if spec.expected_count is not None:
            low, high = spec.expected_count
            count = 0 if box is None else pieces(labels[box] == number)
            if not low <= count <= high:
                wanted = f"{low}" if low == high else f"{low} to {high}"
                yield f"{spec.name} lies in {count} pieces, where {wanted} should be: check this result."


def pieces(mask: NDArray[np.bool_]) -> int:
    """How many separate pieces a mask has, by 26 neighbours, specks left out (see the top of this file)."""
    from scipy.ndimage import label

    found, _ = label(mask, np.ones((3,) * mask.ndim, bool))
    sizes = np.bincount(found.ravel())[1:]
    return int(np.count_nonzero(sizes >= max(_SPECK_VOXELS, _SPECK_PART * sizes.sum()))) if sizes.size else 0


def _sides(manifest: Manifest, labels: Labels, image: Image) -> Iterator[str]:
    """Flags of labels on the wrong side: against their other-sided sibling, or else against the patient's middle.

    In the LPS world x grows to the patient's left, whatever the order of the arrays.
    """
    from scipy.ndimage import find_objects

    specs = manifest.outputs.labels
    numbers = [number for number, spec in enumerate(specs, start=1) if spec.side]
    if not numbers or not image.is_volume:
        return
    # In its box: a hundred structures that are each looked for in the whole volume would take longer than the network.
    boxes = cast(Sequence[Any], find_objects(labels, max_label=len(specs)))
    found = {number: boxes[number - 1] for number in numbers if boxes[number - 1] is not None}
    places = {number: _centre_x(labels[box] == number, image.grid, box) for number, box in found.items()}
    middle: float | None = None
    for number, where in places.items():
        spec = specs[number - 1]
        partner = _sibling(number, specs)
        if partner in places:
            left, right = (number, partner) if spec.side == "left" else (partner, number)
            if spec.side == "left" and places[left] <= places[right]:
                names = f"{spec.name} and {specs[partner - 1].name}"
                yield f"{names} lie on each other's side of the patient: check this result."
            continue
        middle = _middle_x(image) if middle is None else middle
        off = where - middle if spec.side == "left" else middle - where
        if off < -_MIDLINE_MM:
            other = "right" if spec.side == "left" else "left"
            yield f"{spec.name} lies on the patient's {other} side: check this result."


def _sibling(number: int, specs: tuple[LabelSpec, ...]) -> int:
    """The number of the label that is called the same but for its side; 0 if there is none."""

    def bare(spec: LabelSpec) -> str:
        return re.sub(r"(?i)left|right", "", spec.name)

    own = specs[number - 1]
    for other, spec in enumerate(specs, start=1):
        if spec.side and spec.side != own.side and bare(spec) == bare(own):
            return other
    return 0


def _centre_x(mask: NDArray[np.bool_], grid: Grid, box: Sequence[slice]) -> float:
    """World x in mm of the centre of mass of a mask that fills a box of a grid and is not empty.

    Sums along axes: no list of voxels is made.
    """
    total = int(np.count_nonzero(mask))
    sums = [mask.sum(axis=tuple({0, 1, 2} - {axis})) for axis in range(3)]
    index = [side.start + float(one @ np.arange(len(one))) / total for side, one in zip(box, sums, strict=True)]
    return float(grid.index_to_world(index)[0])


def _middle_x(image: Image) -> float:
    """World x in mm of the middle of the patient: the centre of mass of what is brighter than the image's mean.

    In CT and MR alike the mean lies between air and tissue. Bright is dense in volumes, which are never MONOCHROME1.
    """
    voxels: NDArray[Any] = image.voxels
    bright = voxels > voxels.mean(dtype=np.float64)
    if not bright.any():
        return float(image.grid.index_to_world((np.array(image.grid.shape) - 1) / 2)[0])
    return _centre_x(bright, image.grid, [slice(0, size) for size in image.grid.shape])
