"""The contract check finds what is wrong with a plugin, and nothing wrong with a good one."""

from __future__ import annotations

from pathlib import Path

from medviewer.inference import base_weights, submit_check
from medviewer.jobs import Runner
from medviewer.plugin_api.discovery import DiscoverResult
from tests.inference.tiny_plugins import write_plugin


def _failed(runner: Runner, plugin: DiscoverResult) -> dict[str, str]:
    job = submit_check(runner, plugin, base_weights(plugin, plugin.folder), device="cpu")
    runner.wait(job, 120)
    return {row.name: row.text for row in job.result() if not row.ok}


def test_a_good_plugin_passes_every_check(runner: Runner, tmp_path: Path) -> None:
    plugin = write_plugin(tmp_path, "good")
    job = submit_check(runner, plugin, base_weights(plugin, tmp_path), device="cpu")
    runner.wait(job, 120)
    names = [
        "entry",
        "weights",
        "repeatable",
        "flipped",
        "anisotropic",
        "oblique",
        "tiny",
        "constant",
        "zero",
        "nan",
        "types",
        "huge",
        "memory",
        "cancel",
        "explain",
        "train",
    ]
    assert [(row.name, row.ok) for row in job.result()] == [(name, True) for name in names]


def test_a_classifier_passes_too(runner: Runner, tmp_path: Path) -> None:
    assert _failed(runner, write_plugin(tmp_path, "names", labels=3, kinds=["classify"])) == {}


def test_division_by_the_maximum_is_found(runner: Runner, tmp_path: Path) -> None:
    body = (
        "    def normalise(self, values):\n"
        "        with np.errstate(all='ignore'):\n"
        "            return (values / values.max())[None]\n"
    )
    failed = _failed(runner, write_plugin(tmp_path, "divides", body))
    assert list(failed) == ["zero"]
    assert "all finite" in failed["zero"]


def test_chance_is_found(runner: Runner, tmp_path: Path) -> None:
    body = "    def probabilities(self, output):\n        return torch.from_numpy(np.random.rand(1, 8, 6, 4))\n"
    assert list(_failed(runner, write_plugin(tmp_path, "chance", body))) == ["repeatable", "types"]


def test_a_foreign_layer_and_a_dead_loss_are_found(runner: Runner, tmp_path: Path) -> None:
    body = (
        "    def explain_layer(self, network):\n        return nn.ReLU()\n"
        "    def loss(self, output, target):\n        return output.sum() * 0\n"
    )
    failed = _failed(runner, write_plugin(tmp_path, "dead", body))
    assert list(failed) == ["explain", "train"]
    assert "every gradient is zero" in failed["train"]
