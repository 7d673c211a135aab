"""Windows lie where MONAI lays them."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from monai.data.utils import compute_importance_map, dense_patch_slices
from monai.inferers.utils import _get_scan_interval

from medviewer.errors import InputError
from medviewer.inference.windows.blend import window_weights
from medviewer.inference.windows.grid import positions, window_grid
from medviewer.plugin_api.spec import Windows
from tests.inference.windows.sweeps import volume

OVERLAPS = st.sampled_from([0.0, 0.25, 0.5, 0.625, 0.9]) | st.floats(0, 0.9)


@given(size=st.integers(1, 200), roi=st.integers(1, 64), overlap=OVERLAPS)
def test_positions_are_those_of_monai(size: int, roi: int, overlap: float) -> None:
    size = max(size, roi)
    interval = _get_scan_interval((size,), (roi,), 1, (overlap,))
    expected = tuple(part.start for (part,) in dense_patch_slices((size,), (roi,), interval))
    assert positions(size, roi, overlap) == expected


@given(size=st.integers(1, 200), roi=st.integers(1, 64), overlap=OVERLAPS)
def test_every_voxel_is_in_a_window_and_none_leaves_the_volume(size: int, roi: int, overlap: float) -> None:
    size = max(size, roi)
    found = positions(size, roi, overlap)
    assert found[0] == 0
    assert found[-1] + roi == size
    assert all(0 < b - a <= roi for a, b in itertools.pairwise(found))


@pytest.mark.parametrize("roi", [(5, 8, 3), (1, 7, 16), (96, 2, 2)])
@pytest.mark.parametrize("blend", ["gaussian", "constant"])
def test_weights_are_those_of_monai(roi: tuple[int, ...], blend: str) -> None:
    assert torch.equal(window_weights(roi, blend, "cpu"), compute_importance_map(roi, mode=blend))


def test_a_layer_is_a_view_where_nothing_is_padded() -> None:
    values = volume(2, 9, 8, 7)
    grid = window_grid((9, 8, 7), Windows(roi=(4, 4, 4)))
    layer = grid.layer(values, 3)
    assert torch.equal(layer, values[:, 3:7])
    assert layer.untyped_storage().data_ptr() == values.untyped_storage().data_ptr()


def test_a_volume_smaller_than_a_window_is_padded_on_both_sides() -> None:
    grid = window_grid((3, 8, 5), Windows(roi=(6, 4, 8)))
    assert (grid.before, grid.after) == ((1, 0, 1), (2, 0, 2))
    assert torch.equal(
        grid.layer(volume(1, 3, 8, 5), 0), torch.nn.functional.pad(volume(1, 3, 8, 5), (1, 2, 0, 0, 1, 2))
    )


def test_an_empty_volume_is_refused() -> None:
    with pytest.raises(InputError, match=r"three axes with voxels in it, not \[4, 0, 4\]"):
        window_grid((4, 0, 4), Windows(roi=(2, 2, 2)))
