"""Networks by name: found, installed from weights and a description, and run as any plugin."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
import yaml
from monai_network.adapter import MonaiNetwork

from medviewer.inference.loader import load_plugin
from medviewer.inference.request import PluginRun
from medviewer.plugin_api import RunContext
from medviewer.plugin_api.discovery import DiscoverResult, discover, discover_adapters, find

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
def model(blobs: Blobs, tmp_path_factory: pytest.TempPathFactory) -> DiscoverResult:
    """The trained network, installed and found."""
    source = write_model(tmp_path_factory.mktemp("source") / "blobs", blobs)
    folder = tmp_path_factory.mktemp("installed") / "blobs"
    folder.mkdir()
    adapter = MonaiNetwork()
    assert adapter.recognises(source)
    adapter.install(source, folder, RunContext())
    return find("blobs", discover(shipped=[PLUGINS], installed=[folder]))


def test_the_adapter_is_found() -> None:
    found = {row.id: row for row in discover_adapters(shipped=[PLUGINS])}["monai-network"]
    assert found.error == ""
    assert found.folder.name == "monai_network"


def test_an_installed_model_runs_on_nobodys_word(model: DiscoverResult, blobs: Blobs) -> None:
    assert model.adapter is not None
    assert model.manifest is not None
    assert not model.may_run
    run = PluginRun(model.folder, model.folder / "weights.safetensors", adapter=model.adapter, trusted=False)
    loaded = load_plugin(run, "cpu")
    values = torch.rand(1, 1, 16, 16, 16)
    with torch.inference_mode():
        torch.testing.assert_close(loaded.network(values), blobs.network(values))
