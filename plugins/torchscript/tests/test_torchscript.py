"""TorchScript: code, which runs once it is trusted and not before."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
import yaml
from torch import Tensor, nn
from torchscript.adapter import TorchScript
from torchscript.model import Script

from medviewer.errors import PluginError, UntrustedError
from medviewer.inference import base_weights, submit_check
from medviewer.inference.client import plugin_run
from medviewer.inference.loader import load_plugin
from medviewer.jobs import Runner
from medviewer.plugin_api import RunContext
from medviewer.plugin_api.discovery import DiscoverResult

if TYPE_CHECKING:
    from plugins.conftest import Blobs


def save_script(network: nn.Module, path: Path, size: int = 24) -> Path:
    """Write a network as TorchScript, as whoever made it did."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's advice to whoever writes TorchScript
        torch.jit.trace(network, torch.zeros(1, 1, size, size, size)).save(path)  # type: ignore[no-untyped-call]
    return path


@pytest.fixture(scope="module")
def source(blobs: Blobs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained network as a file, with its description beside it."""
    path = save_script(blobs.network, tmp_path_factory.mktemp("source") / "traced.pt")
    path.with_suffix(".yaml").write_text(yaml.safe_dump({**blobs.description, "name": "Traced"}))
    return path


def test_it_finds_the_ball_once_it_is_trusted(
    source: Path, adopt: Callable[..., DiscoverResult], overlap: Callable[[DiscoverResult], float], runner: Runner
) -> None:
    with pytest.raises(UntrustedError, match="medviewer plugin trust traced"):
        overlap(adopt(source))
    trusted = adopt(source, trust=True)
    assert overlap(trusted) > 0.8
    job = submit_check(runner, trusted, base_weights(trusted, Path("unused")), device="cpu")
    runner.wait(job, 240)
    assert [f"{row.name}: {row.text}" for row in job.result() if not row.ok] == []


def test_a_file_that_changed_since_it_was_trusted_does_not_run(
    source: Path, adopt: Callable[..., DiscoverResult]
) -> None:
    trusted = adopt(source, trust=True)
    weights = base_weights(trusted, Path("unused"))
    weights.write_bytes(weights.read_bytes() + b" ")
    with pytest.raises(PluginError, match="not the file that the manifest names"):
        load_plugin(plugin_run(trusted, weights, "", "cpu", {}), "cpu")


def test_it_needs_a_description(source: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone.pt"
    alone.write_bytes(source.read_bytes())
    assert TorchScript().recognises(alone)
    with pytest.raises(PluginError, match=r"alone\.pt needs a description, alone\.yaml, that says its inputs"):
        TorchScript().install(alone, tmp_path, RunContext())


def test_a_state_dict_is_no_torchscript(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(2)}, tmp_path / "state.pt")
    assert not TorchScript().recognises(tmp_path / "state.pt")


class _Answers(nn.Module):
    """Answers probabilities, among other things."""

    def forward(self, values: Tensor) -> dict[str, Tensor]:
        return {"pred": values.softmax(dim=1)}


def test_probabilities_become_scores_and_the_module_moves(source: Path, adopt: Callable[..., DiscoverResult]) -> None:
    manifest = adopt(source).manifest
    assert manifest is not None
    network = Script(_Answers(), manifest.model_copy(update={"settings": {"answers": "probabilities"}}))
    values = torch.randn(1, 2, 4, 4, 4)
    torch.testing.assert_close(network(values).softmax(dim=1), values.softmax(dim=1))
    hidden = nn.Conv3d(1, 2, 1)
    Script(hidden, manifest).double()
    assert hidden.weight.dtype == torch.float64
