"""Networks by name: found, installed from weights and a description, and run as any plugin."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
import yaml

from medviewer.inference import base_weights, submit_check
from medviewer.inference.loader import load_plugin
from medviewer.inference.request import PluginRun
from medviewer.jobs import Runner
from medviewer.plugin_api.discovery import DiscoverResult, discover_adapters

if TYPE_CHECKING:
    from plugins.conftest import Blobs

PLUGINS = Path(__file__).parents[2]


def write_model(folder: Path, blobs: Blobs, **changes: Any) -> Path:
    """A model as a researcher would hand it over: a state dict and its description."""
    folder.mkdir(parents=True)
    torch.save({"state_dict": {f"module.{k}": v for k, v in blobs.network.state_dict().items()}}, folder / "blobs.pt")
    settings = {"network": "UNet", "arguments": blobs.arguments}
    (folder / "model.yaml").write_text(yaml.safe_dump({"settings": settings, **blobs.description, **changes}))
    return folder


@pytest.fixture(scope="module")
def model(
    blobs: Blobs, adopt: Callable[..., DiscoverResult], tmp_path_factory: pytest.TempPathFactory
) -> DiscoverResult:
    """The trained network, installed and found."""
    return adopt(write_model(tmp_path_factory.mktemp("source") / "blobs", blobs))


def test_the_adapter_is_found() -> None:
    found = {row.id: row for row in discover_adapters(shipped=[PLUGINS])}["monai-network"]
    assert found.error == ""
    assert found.folder.name == "monai_network"


def test_an_installed_model_runs_on_nobodys_word(
    model: DiscoverResult, overlap: Callable[[DiscoverResult], float]
) -> None:
    assert not model.may_run
    assert overlap(model) > 0.8


def test_the_contract(runner: Runner, model: DiscoverResult) -> None:
    job = submit_check(runner, model, base_weights(model, Path("unused")), device="cpu")
    runner.wait(job, 240)
    assert [f"{row.name}: {row.text}" for row in job.result() if not row.ok] == []


def test_weights_without_code_are_read_as_they_were(model: DiscoverResult, blobs: Blobs) -> None:
    run = PluginRun(model.folder, model.folder / "weights.safetensors", adapter=model.adapter, trusted=False)
    loaded = load_plugin(run, "cpu")
    values = torch.rand(1, 1, 16, 16, 16)
    with torch.inference_mode():
        torch.testing.assert_close(loaded.network(values), blobs.network(values))
