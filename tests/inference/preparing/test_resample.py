"""The way to the network's grid and back keeps every place where it is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image, Lut, Rescale
from medviewer.domain.mask import dice
from medviewer.errors import UnsuitableImageError
from medviewer.inference.answering.labels import LabelSink, map_to_source
from medviewer.inference.preparing.frame import NetworkFrame, as_volume
from medviewer.inference.preparing.resample import to_frame
from medviewer.plugin_api import RunContext

SHAPES = st.tuples(*[st.integers(2, 24)] * 3)
CONTEXT = RunContext()


def _resampled(image: Image, size: tuple[int, ...], interpolation: str) -> tuple[np.ndarray, tuple[str, ...]]:
    frame = NetworkFrame(image.grid, as_volume(size))
    out = np.full(frame.shape, np.nan, np.float32)
    notes = to_frame(image, frame, out, interpolation, "cpu", CONTEXT)
    return out.reshape(size), notes


def _to_network(image: Image, size: tuple[int, ...], interpolation: str = "linear") -> np.ndarray:
    return _resampled(image, size, interpolation)[0]


def _label_map(maps: torch.Tensor, shape: tuple[int, int, int], threshold: float, slices: int = 0) -> np.ndarray:
    """The labels of probabilities that come in slabs of so many slices, all at once for 0."""
    frame = NetworkFrame(Grid(shape), as_volume(maps.shape[1:]))
    sink = LabelSink(frame, len(maps), background=False, threshold=threshold, context=CONTEXT)
    for start in range(0, maps.shape[1], slices or maps.shape[1]):
        sink.add(start, maps[:, start : start + (slices or maps.shape[1])])
    return sink.labels


def _to_source(maps: torch.Tensor, shape: tuple[int, int, int]) -> np.ndarray:
    return map_to_source(NetworkFrame(Grid(shape), as_volume(maps.shape)), maps, CONTEXT)


@given(SHAPES, SHAPES, st.integers(0, 2))
@settings(deadline=None, max_examples=60)
def test_a_ramp_keeps_its_world_positions(shape: tuple[int, int, int], size: tuple[int, int, int], axis: int) -> None:
    """A value that is its own position stays so away from the edges, on the grid that `Grid.resized` describes."""
    grid = Grid(shape, (2.0, 0.5, 1.25), (3.0, -7.0, 11.0))
    ramp = np.broadcast_to(np.moveaxis(np.arange(shape[axis], dtype=np.float32)[:, None, None], 0, axis), shape)
    network = _to_network(Image(np.ascontiguousarray(ramp), grid), size)
    resized = grid.resized(size)
    centres = np.stack(np.meshgrid(*map(np.arange, size), indexing="ij"), axis=-1)
    expected = grid.world_to_index(resized.index_to_world(centres))[..., axis]
    reach = max(1.0, shape[axis] / size[axis])
    inner = (expected >= reach - 0.5) & (expected <= shape[axis] - 0.5 - reach)
    # Few taps of a triangle do not balance exactly, so a reduction may move a value by a tenth of a voxel.
    np.testing.assert_allclose(network[inner], expected[inner], atol=1e-3 if shape[axis] <= size[axis] else 0.1)


@given(SHAPES, SHAPES)
@settings(deadline=None, max_examples=40)
def test_maps_come_back_edge_to_edge(size: tuple[int, int, int], shape: tuple[int, int, int]) -> None:
    maps = torch.rand(size, generator=torch.Generator().manual_seed(0))
    wanted = torch.nn.functional.interpolate(maps[None, None], size=shape, mode="trilinear", align_corners=False)
    np.testing.assert_allclose(_to_source(maps, shape), wanted[0, 0].numpy(), atol=2e-3)
    labels = _label_map(maps[None], shape, 0.5)
    unsure = abs(wanted[0, 0].numpy() - 0.5) < 1e-5
    np.testing.assert_array_equal(labels[~unsure], (wanted[0, 0].numpy() >= 0.5)[~unsure])


def test_slabs_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    voxels = np.random.default_rng(1).integers(0, 900, (19, 23, 29)).astype(np.int16)
    image = Image(voxels, Grid(voxels.shape))
    maps = torch.rand((3, 7, 8, 9), generator=torch.Generator().manual_seed(0))
    whole = _to_network(image, (8, 9, 10)), _label_map(maps, voxels.shape, 0.4)
    monkeypatch.setattr("medviewer.inference.preparing.resample._SLAB_VOXELS", 1)
    monkeypatch.setattr("medviewer.inference.answering.labels._WORK_VOXELS", {"cpu": 1})
    np.testing.assert_array_equal(_to_network(image, (8, 9, 10)), whole[0])
    for slices in (1, 2, 0):
        np.testing.assert_array_equal(_label_map(maps, voxels.shape, 0.4, slices), whole[1])


def test_the_most_probable_label_wins() -> None:
    maps = torch.tensor([0.6, 0.7, 0.2, 0.4]).reshape(2, 1, 1, 2)
    np.testing.assert_array_equal(_label_map(maps, (1, 1, 2), 0.5), [[[1, 1]]])
    np.testing.assert_array_equal(_label_map(maps.flip(0), (1, 1, 2), 0.65), [[[0, 2]]])


def test_many_labels_need_sixteen_bits() -> None:
    maps = torch.zeros((300, 1, 1, 1))
    maps[299] = 1
    labels = _label_map(maps, (1, 2, 2), 0.5)
    assert labels.dtype == np.uint16
    assert np.all(labels == 300)


def test_a_ball_survives_the_round_trip() -> None:
    z, y, x = np.meshgrid(*[np.linspace(-1, 1, n) for n in (60, 71, 53)], indexing="ij")
    ball = (z**2 + y**2 + x**2 < 0.6).astype(np.uint8)
    network = _to_network(Image(ball, Grid(ball.shape)), (40, 40, 40))
    assert dice(_label_map(torch.from_numpy(network)[None], ball.shape, 0.5), ball) > 0.985


def test_reduction_is_antialiased() -> None:
    """A pattern finer than the network's grid becomes its mean, and not a moire."""
    stripes = np.zeros((64, 64, 64), np.uint8)
    stripes[:, :, ::2] = 200
    inner = _to_network(Image(stripes, Grid(stripes.shape)), (64, 64, 16))[:, :, 2:-2]
    np.testing.assert_allclose(inner, 100, atol=2)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32, ">i2"])
def test_every_stored_type_is_read(dtype: str | type) -> None:
    voxels = np.arange(24).reshape(2, 3, 4).astype(dtype)
    image = Image(voxels, Grid((2, 3, 4)), rescale=Rescale(2.0, -5.0))
    np.testing.assert_allclose(_to_network(image, (2, 3, 4)), np.arange(24).reshape(2, 3, 4) * 2.0 - 5, atol=1e-4)


@pytest.mark.parametrize("interpolation", ["linear", "nearest"])
def test_each_slice_has_its_own_rescale(interpolation: str) -> None:
    image = Image(np.full((3, 2, 2), 10, np.int16), Grid((3, 2, 2)), rescale=Rescale((1.0, 2.0, 3.0), (0.0, 1.0, 2.0)))
    np.testing.assert_allclose(_to_network(image, (3, 2, 2), interpolation)[:, 0, 0], [10, 21, 32])


@pytest.mark.parametrize("interpolation", ["linear", "nearest"])
def test_a_modality_table_counts_instead_of_the_rescale(interpolation: str) -> None:
    voxels = np.array([3, 4, 5], np.int16)[:, None, None].repeat(2, 1).repeat(2, 2)
    lut = Lut(4, np.array([7, 70], np.uint8), 8)
    image = Image(voxels, Grid((3, 2, 2)), rescale=Rescale(9.0), lut=lut, padding=(5, 5))
    np.testing.assert_allclose(_to_network(image, (3, 2, 2), interpolation)[:, 0, 0], [7, 7, 7])
    image = Image(voxels, Grid((3, 2, 2)), rescale=Rescale(9.0), lut=lut)
    np.testing.assert_allclose(_to_network(image, (3, 2, 2), interpolation)[:, 0, 0], [7, 7, 70])


def test_nearest_is_pillows() -> None:
    film = np.random.default_rng(2).integers(0, 255, (1, 67, 91)).astype(np.uint8)
    wanted = np.asarray(Pillow.fromarray(film[0]).resize((30, 20), Pillow.Resampling.NEAREST))
    network = _to_network(Image(film, Grid(film.shape)), (20, 30), "nearest")
    np.testing.assert_array_equal(network, wanted)


@pytest.mark.parametrize("interpolation", ["linear", "nearest"])
@pytest.mark.parametrize(("inverted", "filled"), [(False, 5.0), (True, 40.0)])
def test_padding_becomes_the_darkest_value(interpolation: str, inverted: bool, filled: float) -> None:
    voxels = np.array([[[-2000, 5], [40, 7]]], np.int16)
    image = Image(voxels, Grid(voxels.shape), padding=(-2000, -1500), inverted=inverted)
    network, notes = _resampled(image, (2, 2), interpolation)
    np.testing.assert_allclose(network, [[filled, 5], [40, 7]])
    assert notes == ()


def test_what_is_not_a_number_is_filled_and_said() -> None:
    voxels = np.array([[[np.nan, 5], [np.inf, 7]]], np.float32)
    network, notes = _resampled(Image(voxels, Grid(voxels.shape)), (2, 2), "linear")
    np.testing.assert_allclose(network, [[5, 5], [5, 7]])
    assert notes == ("2 voxels without a value were read as the image's darkest.",)


def test_an_image_without_any_value_is_refused() -> None:
    image = Image(np.full((2, 3, 4), np.nan, np.float32), Grid((2, 3, 4)))
    with pytest.raises(UnsuitableImageError, match="needs voxels with a value"):
        _to_network(image, (2, 2, 2))
