"""Checkpoints as trainings save them: taken over where they fit, and told in a sentence where they do not."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from medviewer.errors import PluginError
from medviewer.plugin_api.checkpoints import load_checkpoint


def network(width: int = 3) -> Any:
    """Two layers."""
    from torch import nn

    return nn.Sequential(nn.Conv3d(1, width, 1), nn.Conv3d(width, 2, 1))


def trained() -> dict[str, Any]:
    """A state that a new network does not have."""
    return {name: value.detach().clone().fill_(0.25) for name, value in network().state_dict().items()}


def saved(path: Path, data: Any) -> Path:
    import torch

    torch.save(data, path)
    return path


@pytest.mark.parametrize(
    "around",
    [
        lambda state: state,
        lambda state: {"state_dict": state, "epoch": 7},
        lambda state: {"model_state_dict": state, "optimiser": {"lr": 0.1}},
        lambda state: {f"module.{name}": value for name, value in state.items()},
        lambda state: {"state_dict": {f"net.module.{name}": value for name, value in state.items()}},
    ],
    ids=["alone", "state_dict", "model_state_dict", "module", "net.module in state_dict"],
)
def test_what_a_training_saves_is_taken_over(tmp_path: Path, around: Any) -> None:
    filled = network()
    load_checkpoint(filled, saved(tmp_path / "best.pt", around(trained())))
    assert all(bool((value == 0.25).all()) for value in filled.state_dict().values())


def test_safetensors_are_taken_over(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file(trained(), tmp_path / "best.safetensors")
    filled = network()
    load_checkpoint(filled, tmp_path / "best.safetensors")
    assert all(bool((value == 0.25).all()) for value in filled.state_dict().values())


def test_another_shape_is_told_with_both(tmp_path: Path) -> None:
    path = saved(tmp_path / "best.pt", trained())
    with pytest.raises(
        PluginError, match=r"best.pt does not fit .* 0.weight has the shape \[3, 1, 1, 1, 1\] instead of"
    ):
        load_checkpoint(network(width=4), path)


def test_another_network_is_told_with_the_first_name(tmp_path: Path) -> None:
    path = saved(tmp_path / "best.pt", {f"encoder.{name}": value for name, value in trained().items()})
    with pytest.raises(PluginError, match=r"0.bias is missing; build the network with the arguments"):
        load_checkpoint(network(), path)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="there is no such file"):
        load_checkpoint(network(), tmp_path / "none.pt")


class Exploit:
    """Runs when it is unpickled by one who trusts it."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return (Path.touch, (self.mark,))


def test_nothing_in_a_pickle_runs(tmp_path: Path) -> None:
    mark = tmp_path / "it ran"
    path = tmp_path / "best.pt"
    path.write_bytes(pickle.dumps({"state_dict": Exploit(mark)}, protocol=2))
    with pytest.raises(PluginError, match="nothing of it"):
        load_checkpoint(network(), path)
    saved(path, {"state_dict": trained(), "hook": Exploit(mark)})
    with pytest.raises(PluginError, match="nothing of it"):
        load_checkpoint(network(), path)
    assert not mark.exists()
