"""The network's grid lies in the image where the manifest wants it, and what comes back lies where it was."""

from __future__ import annotations

from itertools import permutations, product
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image
from medviewer.domain.mask import dice
from medviewer.errors import UnsuitableImageError
from medviewer.inference.pipeline import prepared
from medviewer.inference.preparing.frame import NetworkFrame, frame_of, nearest_axes
from medviewer.inference.sweep import segmented
from medviewer.plugin_api import RunContext
from tests.inference.opened import manifest_of, opened_run, rotation, scaled

ORIENTATIONS = tuple("".join(letters) for pairs in permutations(("RL", "AP", "SI")) for letters in product(*pairs))
GROWS = {"L": (0, 1), "R": (0, -1), "P": (1, 1), "A": (1, -1), "S": (2, 1), "I": (2, -1)}
ROI = {"windows": {"roi": [16, 16, 16], "overlap": 0.25}}


@st.composite
def grids(draw: st.DrawFn, least: int = 4, most: int = 14) -> Grid:
    """Any volume: anisotropic, oblique, its axes in any order and direction."""
    shape = draw(st.tuples(*[st.integers(least, most)] * 3))
    spacing = draw(st.tuples(*[st.floats(0.4, 4.0)] * 3))
    axes = rotation(draw(st.tuples(*[st.floats(-np.pi, np.pi)] * 3)))
    if draw(st.booleans()):
        axes[:, draw(st.integers(0, 2))] *= -1
    return Grid(shape, spacing, draw(st.tuples(*[st.floats(-200, 200)] * 3)), tuple(axes.ravel()))


def boxes(shape: tuple[int, int, int]) -> st.SearchStrategy[tuple[tuple[int, int], ...]]:
    sides = [
        st.tuples(st.integers(0, n - 1), st.integers(1, n)).map(lambda p: (min(p[0], p[1] - 1), p[1])) for n in shape
    ]
    return st.tuples(*sides)


@given(st.data(), grids(), st.sampled_from(["", *ORIENTATIONS]), st.tuples(*[st.sampled_from([0, 0.7, 1.3, 3.1])] * 3))
@settings(deadline=None, max_examples=80)
def test_a_frame_is_its_grid(data: st.DataObject, grid: Grid, letters: str, spacing: tuple[float, ...]) -> None:
    """The index maps, the world grid and the views all tell of the same places."""
    inputs = manifest_of({**ROI, "orientation": letters, "spacing": spacing}).inputs
    frame = frame_of(inputs, grid, data.draw(boxes(grid.shape)))
    index = np.random.default_rng(0).uniform(-1, 15, (20, 3))
    world = frame.grid.index_to_world(index)
    np.testing.assert_allclose(grid.index_to_world(frame.source_index(index)), world, atol=1e-6)
    np.testing.assert_allclose(frame.network_index(frame.source_index(index)), index, atol=1e-9)
    places = grid.index_to_world(np.moveaxis(np.indices(grid.shape), 0, -1))
    centres = frame.turned.index_to_world(np.moveaxis(np.indices(frame.turned.shape), 0, -1))
    np.testing.assert_allclose(frame.view(places), centres, atol=1e-6)
    np.testing.assert_array_equal(frame.from_source(frame.view(places)), places[tuple(slice(*b) for b in frame.box)])
    for own, wanted, size in zip(frame.grid.spacing, spacing, frame.shape, strict=True):
        # A whole number of voxels between the same edges: half a voxel off at most.
        assert not wanted or size == 1 or abs(own * size - wanted * size) <= wanted / 2 + 1e-9


@pytest.mark.parametrize("letters", ORIENTATIONS)
def test_every_orientation(letters: str) -> None:
    """Each axis of the network grows towards its letter, as nearly as the image's own axes do."""
    assert len(set(ORIENTATIONS)) == 48
    grid = Grid((5, 6, 7), (3.0, 0.8, 0.9), (10, -20, 30), tuple(rotation((0.2, -0.3, 1.7)).ravel()))
    frame = frame_of(manifest_of({**ROI, "orientation": letters}).inputs, grid)
    for axis, letter in enumerate(letters):
        world, sign = GROWS[letter]
        assert frame.grid.axes[world, axis] * sign == np.abs(grid.axes[world]).max()
    assert not frame.resamples
    voxels = np.random.default_rng(1).integers(-1000, 1000, grid.shape).astype(np.int16)
    opened = opened_run(manifest_of({**ROI, "orientation": letters}), Image(voxels, grid))
    np.testing.assert_array_equal(prepared(opened).values[0], frame.view(voxels))
    np.testing.assert_array_equal(segmented(opened).labels, voxels >= -1)


def test_letters_that_are_the_images_own_change_nothing() -> None:
    assert nearest_axes(Grid((2, 3, 4)), "SPL") == ((0, 1, 2), (False, False, False))
    assert nearest_axes(Grid((2, 3, 4)), "RAS") == ((2, 1, 0), (True, True, False))
    assert NetworkFrame(Grid((2, 3, 4)), (2, 3, 4)).whole


def _blob(grid: Grid) -> np.ndarray:
    """An ellipsoid well inside the volume, askew to its axes."""
    index = np.moveaxis(np.indices(grid.shape), 0, -1)
    offset = (grid.index_to_world(index) - grid.index_to_world((np.array(grid.shape) - 1) / 2)) / min(grid.size_mm)
    z, y, x = np.moveaxis(offset @ rotation((0.5, 0.2, -0.3)), -1, 0)
    return ((z / 0.36) ** 2 + (y / 0.3) ** 2 + (x / 0.33) ** 2 < 1).astype(np.int16)


@given(grids(24, 32), st.sampled_from(["", *ORIENTATIONS]), st.integers(0, 2), st.booleans())
@settings(deadline=None, max_examples=25)
def test_an_identity_network_gives_the_blob_back(grid: Grid, letters: str, axis: int, softmax: bool) -> None:
    grid = Grid(grid.shape, tuple(0.8 + s / 8 for s in grid.spacing), grid.origin, grid.direction)
    blob = _blob(grid)
    outputs: dict[str, Any] = {"activation": "softmax"} if softmax else {}
    network = scaled(20, -10)
    if softmax:
        network = torch.nn.Sequential(network, torch.nn.Conv3d(1, 2, 1))
        network[1].weight.data[:, 0, 0, 0, 0] = torch.tensor([-0.5, 0.5])
        network[1].bias.data.zero_()
    native = opened_run(manifest_of({**ROI, "orientation": letters}, outputs), Image(blob, grid), network)
    np.testing.assert_array_equal(segmented(native).labels, blob)
    spacing = [0.0 if k == axis else 0.75 for k in range(3)]
    inputs = {**ROI, "orientation": letters, "spacing": spacing}
    found = segmented(opened_run(manifest_of(inputs, outputs), Image(blob, grid), network))
    assert dice(found.labels, blob) > 0.95


@given(st.data(), grids(6, 20), st.integers(1, 6), st.integers(1, 9))
@settings(deadline=None, max_examples=40)
def test_classes_compete_only_where_they_can(data: st.DataObject, grid: Grid, step: int, classes: int) -> None:
    """Slab by slab and box by box, the labels are those of all classes at full size."""
    from medviewer.inference.answering.labels import LabelSink

    shape = data.draw(st.tuples(*[st.integers(3, 12)] * 3))
    frame = NetworkFrame(grid, shape, (2, 0, 1), (True, False, True))
    noise = torch.rand((classes + 1, *shape), generator=torch.Generator().manual_seed(classes))
    scores = torch.nn.functional.avg_pool3d(noise, 3, 1, 1)
    whole = torch.nn.functional.interpolate(scores[None], size=frame.turned.shape, mode="trilinear")[0]
    for background in (True, False):
        sink = LabelSink(frame, classes, background=background, threshold=0.5, context=RunContext())
        part = scores if background else scores[1:]
        full = whole if background else whole[1:]
        for start in range(0, shape[0], step):
            sink.add(start, part[:, start : start + step])
        best, which = full.max(dim=0)
        wanted = (which if background else (which + 1) * (best >= 0.5)).numpy()
        second = full.topk(2, dim=0).values[1] if len(full) > 1 else torch.full_like(best, -1)
        sure = ((best - second > 1e-5) & ((best - 0.5).abs() > 1e-5)).numpy()
        found = frame.view(sink.labels)
        wrong = float((found != wanted)[sure].mean()) if sure.any() else 0.0
        # A class that is highest nowhere on the network's grid, and would be so in between, is not looked for.
        assert wrong == 0 if not background else wrong < 0.05


def test_spacing_needs_an_image_that_knows_it() -> None:
    image = Image(np.zeros((4, 5, 6), np.int16), Grid((4, 5, 6)), calibrated=False)
    with pytest.raises(UnsuitableImageError, match="size of a voxel in mm"):
        prepared(opened_run(manifest_of({**ROI, "spacing": [1, 1, 1]}), image))
    prepared(opened_run(manifest_of(ROI), image))


def test_more_voxels_than_memory_are_refused() -> None:
    image = Image(np.zeros((40, 50, 60), np.int16), Grid((40, 50, 60)))
    with pytest.raises(UnsuitableImageError, match="2000 x 2500 x 3000 voxels"):
        prepared(opened_run(manifest_of({**ROI, "spacing": [0.02, 0.02, 0.02]}), image))
