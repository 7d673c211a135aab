"""The training loop itself, without a child process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from medviewer.errors import ContractError, InputError, JobCancelled, PluginError
from medviewer.inference.loader import LoadedPlugin, load_plugin
from medviewer.inference.passes import mirrors_safely
from medviewer.inference.request import PluginRun
from medviewer.learning.cases import StoredCase, opened, training_pair
from medviewer.learning.options import FinetuneOptions
from medviewer.learning.training import Step, TrainingCase, train
from medviewer.plugin_api import RunContext
from medviewer.plugin_api.discovery import DiscoverResult

from .conftest import make_case

OPTIONS = FinetuneOptions(epochs=3, learning_rate=0.01)
Changed = Callable[..., LoadedPlugin]


def ignore(step: Step) -> None:
    """Nobody watches."""


@pytest.fixture
def loaded(plugin: DiscoverResult) -> LoadedPlugin:
    return load_plugin(PluginRun(plugin.folder, plugin.folder / "weights" / "tiny.safetensors"), "cpu")


@pytest.fixture
def changed(loaded: LoadedPlugin) -> Changed:
    """The plugin with some methods, or its network, replaced."""

    def change(network: nn.Module | None = None, **methods: object) -> LoadedPlugin:
        kind = type(loaded.plugin)
        plugin = type("Changed", (kind,), {name: staticmethod(method) for name, method in methods.items()})()
        return replace(loaded, plugin=plugin, network=network or loaded.network)

    return change


@pytest.fixture
def cases(loaded: LoadedPlugin, tmp_path: Path) -> list[TrainingCase]:
    made = []
    for k in range(3):
        case = make_case(k)
        run = opened(PluginRun(Path(), Path()), loaded, StoredCase("c", case.image, case.truth.labels), RunContext())
        values, truth = training_pair(run, case.truth.labels)
        assert values.shape == truth.shape == (1, 1, 16, 16, 16)
        assert set(np.unique(truth.numpy())) == {0.0, 1.0}
        one = TrainingCase(tmp_path / f"v{k}.npy", tmp_path / f"t{k}.npy", -1)
        np.save(one.values, values.numpy())
        np.save(one.truth, truth.numpy())
        made.append(one)
    return made


def test_the_loss_falls_and_the_given_network_stays(loaded: LoadedPlugin, cases: list[TrainingCase]) -> None:
    before = {name: value.clone() for name, value in loaded.network.state_dict().items()}
    steps: list[Step] = []
    trained = train(loaded, cases, replace(OPTIONS, epochs=20), RunContext(), steps.append)
    assert [(step.number, step.steps) for step in steps] == [(k, 60) for k in range(1, 61)]
    assert [step.epoch for step in steps] == [1 + k // 3 for k in range(60)]
    assert trained.losses[-1] < trained.losses[0] / 2
    assert trained.seen == (0, 1, 2)
    assert not trained.loaded.network.training
    for name, value in loaded.network.state_dict().items():
        assert torch.equal(value, before[name])
        assert not torch.equal(value, trained.loaded.network.state_dict()[name])


def test_one_seed_gives_one_result(loaded: LoadedPlugin, cases: list[TrainingCase]) -> None:
    runs = [train(loaded, cases, replace(OPTIONS, seed=seed), RunContext(), ignore).losses for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]


def test_steps_end_it_and_only_what_was_seen_counts(loaded: LoadedPlugin, cases: list[TrainingCase]) -> None:
    steps: list[Step] = []
    trained = train(loaded, cases, replace(OPTIONS, max_steps=2), RunContext(), steps.append)
    assert len(steps) == len(trained.seen) == 2
    assert replace(OPTIONS, max_steps=4).steps(3) == 4
    assert OPTIONS.steps(3) == 9


def test_the_best_epoch_is_kept(changed: Changed, cases: list[TrainingCase]) -> None:
    calls: list[torch.Tensor] = []

    def loss(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        calls.append(output)
        # Low in the second of three epochs; the gradient stays that of the output's mean.
        return output.mean() - output.mean().detach() + (0.1 if 3 < len(calls) <= 6 else 1.0)

    plugin = changed(loss=loss)
    short = train(plugin, cases, replace(OPTIONS, epochs=2), RunContext(), ignore)
    calls.clear()
    long = train(plugin, cases, replace(OPTIONS, epochs=3), RunContext(), ignore)
    assert long.losses == pytest.approx((1.0, 0.1, 1.0))
    for one, other in zip(short.loaded.network.parameters(), long.loaded.network.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_loss_that_is_no_number_stops_it(changed: Changed, cases: list[TrainingCase]) -> None:
    plugin = changed(loss=lambda output, target: output.mean() * float("nan"))
    with pytest.raises(PluginError, match="became nan; lower the learning rate"):
        train(plugin, cases, OPTIONS, RunContext(), ignore)


def test_nothing_to_train_is_told(changed: Changed, cases: list[TrainingCase]) -> None:
    with pytest.raises(ContractError, match="offers none"):
        train(changed(trainable_parameters=lambda network: []), cases, OPTIONS, RunContext(), ignore)


def test_what_the_plugin_raises_is_mapped(changed: Changed, cases: list[TrainingCase]) -> None:
    def fail(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        raise KeyError("weights")

    with pytest.raises(PluginError, match="Tiny failed while being trained"):
        train(changed(loss=fail), cases, OPTIONS, RunContext(), ignore)


def test_only_what_the_plugin_lets_change_changes(changed: Changed, cases: list[TrainingCase]) -> None:
    plugin = changed(trainable_parameters=lambda network: network[2].parameters())
    state = train(plugin, cases, OPTIONS, RunContext(), ignore).loaded.network.state_dict()
    before = plugin.network.state_dict()
    assert [name for name in before if not torch.equal(before[name], state[name])] == ["2.weight", "2.bias"]


def test_batch_statistics_stay_those_of_the_first_training(changed: Changed, cases: list[TrainingCase]) -> None:
    network = nn.Sequential(nn.Conv3d(1, 2, 3, padding=1), nn.BatchNorm3d(2), nn.Conv3d(2, 1, 1)).eval()
    state = train(changed(network), cases, OPTIONS, RunContext(), ignore).loaded.network.state_dict()
    assert torch.equal(state["1.running_mean"], torch.zeros(2))
    assert torch.equal(state["1.running_var"], torch.ones(2))


def test_a_cancel_stops_it_at_the_next_step(loaded: LoadedPlugin, cases: list[TrainingCase]) -> None:
    cancelled = threading.Event()
    steps: list[Step] = []

    def on_step(step: Step) -> None:
        steps.append(step)
        cancelled.set()

    with pytest.raises(JobCancelled):
        train(loaded, cases, OPTIONS, RunContext(cancelled=cancelled), on_step)
    assert len(steps) == 1


def test_left_and_right_are_not_mirrored(loaded: LoadedPlugin) -> None:
    def named(name: str) -> bool:
        labels = (loaded.manifest.outputs.labels[0].model_copy(update={"name": name}),)
        outputs = loaded.manifest.outputs.model_copy(update={"labels": labels})
        return mirrors_safely(loaded.manifest.model_copy(update={"outputs": outputs}))

    assert named("Brain")
    assert named("Upright")
    assert not named("Left kidney")
    assert not named("kidney, RIGHT")


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"max_steps": 0}, {"learning_rate": 0.0}, {"seed": -1}])
def test_options_out_of_range_are_told(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match=r"should lie.*choose another"):
        FinetuneOptions(**wrong)  # type: ignore[arg-type]
