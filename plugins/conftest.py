"""What the tests of every plugin share: how plugins are found, and one runner for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image
from medviewer.domain.mask import Segmentation, dice
from medviewer.domain.study import Series
from medviewer.inference import base_weights, submit_prediction
from medviewer.inference.acquiring.install import put_in_place, submit_prepare
from medviewer.inference.client import plugin_lane
from medviewer.jobs import Runner
from medviewer.plugin_api.discovery import DiscoverResult, discover, discover_adapters, find

ROOT = Path(__file__).parent


@pytest.fixture(scope="session")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """One runner, whose workers stay warm."""
    made = Runner(tmp_path_factory.mktemp("scratch"))
    yield made
    made.shutdown()


@pytest.fixture(scope="session")
def plugins() -> list[DiscoverResult]:
    """The first-party plugins, found as the program finds them."""
    return discover([ROOT])


@pytest.fixture(scope="session")
def brain(plugins: list[DiscoverResult]) -> DiscoverResult:
    """The brain extraction plugin."""
    return find("brain-extraction", plugins)


@pytest.fixture(scope="session")
def chest(plugins: list[DiscoverResult]) -> DiscoverResult:
    """The chest X-ray plugin."""
    return find("chest-xray", plugins)


@dataclass(frozen=True)
class Blobs:
    """A network that was trained here to find a bright ball among dim ones, and what describes it.

    Parameters
    ----------
    network
        A 3D U-Net of MONAI with its weights: one channel in, background and ball out.
    arguments
        What MONAI's UNet was built with.
    description
        Its inputs and outputs as a description writes them; images have values of about 0 to 200.
    """

    network: nn.Module
    arguments: dict[str, Any]
    description: dict[str, Any]


def blob_image(seed: int, shape: tuple[int, int, int] = (26, 34, 30)) -> tuple[Image, Series, NDArray[np.bool_]]:
    """A CT of noise, a bright ball and a dim one, its series, and where the bright ball is; voxels are 1.5 mm high."""
    chance = np.random.default_rng(seed)
    axes = np.meshgrid(*[np.arange(n, dtype=float) for n in shape], indexing="ij")
    values, truth = chance.normal(20, 10, shape), np.zeros(shape, bool)
    for height, radius in ((80, 5.0), (150, 6.0)):
        centre = [chance.uniform(radius, n - radius) for n in shape]
        ball = sum((axis - middle) ** 2 for axis, middle in zip(axes, centre, strict=True)) < radius**2
        values[ball] += height
        truth = ball if height == 150 else truth
    grid = Grid(shape, (1.5, 1.0, 1.0))
    image = Image(values.astype(np.int16), grid, "CT", series_uid=f"1.2.3.{seed}")
    return image, Series(f"1.2.3.{seed}", "CT", "Balls", grid, (), "dicom"), truth


@pytest.fixture(scope="session")
def blobs() -> Blobs:
    """A small U-Net that was trained for a few seconds; Dice above 0.8 on balls that it has not seen."""
    from monai.losses import DiceCELoss
    from monai.networks.nets import UNet

    arguments: dict[str, Any] = {
        "spatial_dims": 3,
        "in_channels": 1,
        "out_channels": 2,
        "channels": [8, 16],
        "strides": [2],
    }
    arguments |= {"norm": "batch"}
    torch.manual_seed(0)
    network, loss = UNet(**arguments), DiceCELoss(softmax=True, to_onehot_y=True, include_background=False)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.02)
    for step in range(80):
        image, _, truth = blob_image(1000 + step, (20, 20, 20))
        values = torch.from_numpy(image.voxels.astype(np.float32)).clamp(0, 200)[None, None] / 200
        answer = loss(network(values), torch.from_numpy(truth)[None, None].float())
        optimiser.zero_grad()
        answer.backward()
        optimiser.step()
    description = {
        "name": "Blobs",
        "inputs": {
            "modality": ["CT"],
            "spacing": [1.5, 1.0, 1.0],
            "windows": {"roi": [24, 24, 24], "overlap": 0.25, "batch": 2},
            "intensity": {"clip": [0, 200], "scale": [0, 1]},
        },
        "outputs": {"labels": [{"name": "Ball"}], "activation": "softmax"},
    }
    return Blobs(network.eval(), arguments, description)


@pytest.fixture(scope="session")
def adopt(runner: Runner, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., DiscoverResult]:
    """Installs a model as the program does: an adapter knows it, and it is found among the plugins."""
    root = tmp_path_factory.mktemp("installed")

    def adopted(source: Path, trust: bool = False) -> DiscoverResult:
        job = submit_prepare(runner, source, root, discover_adapters(shipped=[ROOT]))
        runner.wait(job, 240)
        candidate = job.result()
        put_in_place(candidate, root)
        row = find(candidate.manifest.id, discover(shipped=[ROOT], installed=[root]))
        return replace(row, trusted=candidate.fingerprint) if trust else row

    return adopted


@pytest.fixture(autouse=True)
def few_lanes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let models that bring no code share the worker of the adapters: a process each would import MONAI each."""

    def lane(plugin: DiscoverResult) -> str:
        return "adapters" if plugin.adapter is not None and not plugin.trusted else plugin_lane(plugin)

    monkeypatch.setattr("medviewer.inference.client.plugin_lane", lane)
    monkeypatch.setattr("medviewer.inference.check.plugin_lane", lane)
    monkeypatch.setattr("medviewer.inference.clicking.interactive.plugin_lane", lane)


@pytest.fixture(scope="session")
def overlap(runner: Runner) -> Callable[[DiscoverResult], float]:
    """Dice of a plugin that looks for the bright ball, on an image that no network has learnt from."""

    def measured(plugin: DiscoverResult) -> float:
        image, series, truth = blob_image(7)
        weights = base_weights(plugin, Path("unused"))
        job = submit_prediction(runner, image, series, plugin, weights, "1.0.0", device="cpu")
        runner.wait(job, 240)
        result = job.result()
        assert isinstance(result, Segmentation)
        return dice(result.labels, truth)

    return measured
