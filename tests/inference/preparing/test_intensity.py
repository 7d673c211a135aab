"""Each step from an image's values to network input, against numbers worked out by hand or by NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image, Rescale
from medviewer.errors import ContractError
from medviewer.inference.pipeline import prepared
from medviewer.inference.preparing.intensity import adjust, percentiles, widened
from medviewer.plugin_api import RunContext
from medviewer.plugin_api.spec import Intensity
from tests.inference.opened import manifest_of, opened_run

VALUES = [[-200.0, 0.0], [0.0, 100.0], [300.0, 1000.0]]


def _adjusted(values: Any = VALUES, **wanted: Any) -> np.ndarray:
    tensor = torch.tensor(values)[:, None]
    adjust(tensor, Intensity(**wanted), RunContext())
    return tensor[:, 0].numpy()


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, VALUES),
        ({"clip": (-100, 300)}, [[-100, 0], [0, 100], [300, 300]]),
        ({"clip": (-100, 300), "scale": (0, 1)}, [[0, 0.25], [0.25, 0.5], [1, 1]]),
        ({"scale": (-1, 1)}, [[-1, -2 / 3], [-2 / 3, -0.5], [-1 / 6, 1]]),
        ({"clip_percentiles": (20, 80)}, [[0, 0], [0, 100], [300, 300]]),
        ({"clip_percentiles": (20, 80), "scale": (0, 255)}, [[0, 0], [0, 85], [255, 255]]),
    ],
)
def test_clip_and_scale(wanted: dict[str, Any], expected: list[list[float]]) -> None:
    np.testing.assert_allclose(_adjusted(**wanted), expected, atol=1e-5)


def test_zscores() -> None:
    values = np.array(VALUES)
    np.testing.assert_allclose(_adjusted(normalise="zscore"), (values - values.mean()) / values.std(), atol=1e-6)
    kept = values[values != 0]
    wanted = np.where(values != 0, (values - kept.mean()) / kept.std(), 0)
    np.testing.assert_allclose(_adjusted(normalise="zscore-nonzero"), wanted, atol=1e-6)


@pytest.mark.parametrize("wanted", [
    {"scale": (0, 1)}, {"clip_percentiles": (1, 99), "scale": (0, 1)}, {"normalise": "zscore"},
    {"normalise": "zscore-nonzero"},
])  # fmt: skip
@pytest.mark.parametrize("value", [0.0, 7.0, -1000.0])
def test_an_image_of_one_value_stays_finite(wanted: dict[str, Any], value: float) -> None:
    assert np.all(_adjusted([[value, value]], **wanted) == 0)


@pytest.mark.parametrize("shape", [(9, 11, 13), (3, 700, 800)])
def test_percentiles_are_numpys(shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted out in a volume that is too large to sort, they are NumPy's all the same."""
    values = np.random.default_rng(0).normal(40, 300, shape).astype(np.float32)
    values[0] = -1024
    for ranks in ((0.5, 99.5), (0.0, 100.0), (20.0, 50.0)):
        wanted = np.percentile(values, ranks)
        np.testing.assert_allclose(percentiles(torch.from_numpy(values), ranks), wanted, rtol=1e-6)
        monkeypatch.setattr("medviewer.inference.preparing.intensity._SORTED", 0)
        np.testing.assert_allclose(percentiles(torch.from_numpy(values), ranks), wanted, rtol=1e-6)
        monkeypatch.undo()


def test_mean_and_std_of_each_channel() -> None:
    values = torch.tensor([1.0, 2.0]).reshape(2, 1, 1, 1)
    one = widened(values.clone(), Intensity(mean=(1,), std=(2,)), "Bare")
    np.testing.assert_allclose(one.flatten(), [0, 0.5])
    each = widened(values.clone(), Intensity(mean=(1, 4), std=(2, 4)), "Bare")
    np.testing.assert_allclose(each.flatten(), [0, -0.5])
    repeated = widened(values[:1].clone(), Intensity(mean=(1, 2, 3), std=(1, 1, 2), repeat=3), "Bare")
    np.testing.assert_allclose(repeated.flatten(), [0, -1, -1])
    np.testing.assert_allclose(widened(values[:1].clone(), Intensity(repeat=3), "Bare").flatten(), [1, 1, 1])
    with pytest.raises(ContractError, match="one for each of its 2 channels, not 3"):
        widened(values, Intensity(mean=(1, 2, 3), std=(1, 1, 1)), "Bare")


def test_the_steps_come_in_their_order() -> None:
    """Hounsfield units, clipped, scaled, z-scored, shifted, repeated, and then the plugin's own."""

    class Doubling:
        def normalise(self, values: np.ndarray) -> np.ndarray:
            assert values.shape == (2, 1, 2, 3)
            return values * np.float32(2)

    stored = np.array([[[0, 500, 1000], [1024, 1124, 3000]]], np.int16)
    image = Image(stored, Grid(stored.shape), rescale=Rescale(1, -1024, "HU"))
    intensity = {"clip": [-1000, 100], "scale": [0, 1], "normalise": "zscore", "mean": [1], "std": [2], "repeat": 2}
    windows = {"windows": {"roi": [4, 4, 4]}, "intensity": intensity}
    found = prepared(opened_run(manifest_of(windows), image, plugin=Doubling())).values.numpy()
    wanted = (stored - 1024.0).clip(-1000, 100)
    wanted = (wanted + 1000) / 1100
    wanted = ((wanted - wanted.mean()) / wanted.std() - 1) / 2 * 2
    np.testing.assert_allclose(found, [wanted, wanted], atol=1e-5)


@pytest.mark.parametrize("source", ["real", "display"])
def test_inverted_images_become_bright_is_dense(source: str) -> None:
    stored = np.arange(24, dtype=np.uint16).reshape(2, 3, 4) * 100
    inputs = {"windows": {"roi": [4, 4, 4]}, "intensity": source}
    plain, turned = (
        prepared(opened_run(manifest_of(inputs), Image(stored, Grid(stored.shape), inverted=inverted))).values
        for inverted in (False, True)
    )
    assert torch.all(plain.diff(dim=-1) >= 0)
    assert torch.all(turned.diff(dim=-1) <= 0)
    if source == "display":
        assert (float(plain.min()), float(plain.max())) == (0, 255)
        np.testing.assert_allclose(plain + turned, 255, atol=1e-3)
