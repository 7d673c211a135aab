"""What a run says of its own result: several passes, their disagreement, range, training set and abstention."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from medviewer.domain.doubt import Doubt
from medviewer.domain.finding import Classification
from medviewer.domain.geometry import Grid
from medviewer.domain.heatmap import DISAGREEMENT, UNCERTAINTY
from medviewer.domain.image import Image, Rescale
from medviewer.domain.mask import Segmentation
from medviewer.domain.study import Series
from medviewer.errors import PluginError
from medviewer.inference import base_weights, submit_prediction
from medviewer.inference.doubting.doubts import UncertaintyMeter, class_uncertainty, doubt_of, out_of_range
from medviewer.inference.doubting.features import FeatureProbe, feature_layer, plain_features, seeing, watched
from medviewer.inference.doubting.reference import Reference, build, reference_path, write
from medviewer.inference.passes import class_passes, dropout_on, dropouts, flips_of, mirrors_safely, plan_of, steps_of
from medviewer.inference.pipeline import prepared
from medviewer.inference.request import RunOptions
from medviewer.inference.sweep import segmented
from medviewer.jobs import Runner
from medviewer.plugin_api.manifest import file_sha256
from tests.inference.opened import Bare, manifest_of, opened_run
from tests.inference.tiny_plugins import tiny_network, write_plugin

PART = {"labels": [{"name": "Part"}], "activation": "sigmoid"}


class Dropping(nn.Module):
    """Half of what goes in is dropped; normalisation must not notice that."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.drop, self.never = nn.BatchNorm3d(1), nn.Dropout3d(0.5), nn.Dropout(0.0)
        self.wide = nn.Conv3d(1, 12, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.drop(self.wide(self.never(self.norm(x)))).mean(dim=1, keepdim=True)


def volume(values: np.ndarray | None = None) -> Image:
    found = np.random.default_rng(0).normal(size=(8, 8, 8)).astype(np.float32) if values is None else values
    return Image(found, Grid(found.shape), "MR")


# -- passes


def names(*found: str) -> Any:
    return manifest_of({"size": [8, 8, 8]}, {"labels": [{"name": name} for name in found]})


def test_flips() -> None:
    plain = names("Brain")
    assert flips_of("off", plain, 2) == (((),), "")
    assert flips_of("fast", plain, 2) == (((), (2,)), "")
    full, said = flips_of("full", plain, 2)
    assert (len(full), len(set(full)), full[0], said) == (8, 8, (), "")
    picture = manifest_of({"size": [8, 8], "ndim": 2})
    assert flips_of("full", picture, 2)[0] == ((), (1,), (2,), (1, 2))
    none, said = flips_of("fast", plain, None)
    assert none == ((),)
    assert "no left and right" in said


def test_a_model_that_tells_left_from_right_sees_no_swapped_patient() -> None:
    sided = names("kidney_left", "kidney_right")
    assert not mirrors_safely(sided)
    assert flips_of("fast", sided, 2)[0] == ((),)
    full, said = flips_of("full", sided, 2)
    assert full == ((), (0,), (1,), (0, 1))
    assert "tells them apart" in said
    by_side = manifest_of({"size": [8, 8, 8]}, {"labels": [{"name": "Thyroid", "side": "left"}]})
    assert not mirrors_safely(by_side)
    assert mirrors_safely(names("Cleft"))


@pytest.mark.parametrize(("orientation", "axis"), [("", 2), ("RAS", 0), ("SPL", 2), ("ALS", 1)])
def test_the_mirror_runs_between_the_patients_sides(orientation: str, axis: int) -> None:
    manifest = manifest_of({"windows": {"roi": [8, 8, 8]}, "orientation": orientation})
    plan = plan_of(opened_run(manifest, volume(), options=RunOptions("fast")))
    assert plan.flips == ((), (axis,))


def test_mirrored_passes_are_averaged() -> None:
    """A network that only sees the right-most column answers for both sides when it is asked both ways."""

    class Edge(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            made = torch.zeros_like(x)
            made[..., -1] = 8.0
            return made - 2.0

    manifest = manifest_of({"size": [8, 8, 8]})
    found = [
        segmented(opened_run(manifest, volume(), Edge(), options=RunOptions(tta))).labels for tta in ("off", "fast")
    ]
    assert np.flatnonzero(found[0][0, 0]).tolist() == [7]
    assert np.flatnonzero(found[1][0, 0]).tolist() == [0, 7]


def test_only_dropout_drops_and_only_for_the_sampled_passes() -> None:
    network = Dropping().eval()
    assert dropouts(network) == [network.drop]
    values = torch.ones(1, 1, 8, 8, 8)
    with torch.inference_mode():
        quiet = network(values)
        with dropout_on([network], 3, seed=1):
            assert network.drop.training
            assert not network.norm.training
            first, second = network(values), network(values)
        with dropout_on([network], 3, seed=1):
            again = network(values)
        assert torch.equal(network(values), quiet)
    assert not torch.equal(first, second)
    assert torch.equal(first, again)


def test_dropout_that_a_network_does_not_have_is_said_and_left_out() -> None:
    opened = opened_run(manifest_of({"size": [8, 8, 8]}), volume(), options=RunOptions(samples=5, uncertainty=True))
    assert plan_of(opened).samples == 0
    assert steps_of(opened) == ("Passes with dropout were left out: this network has no dropout.",)


def test_samples_disagree_and_a_single_pass_has_nobody_to_disagree_with() -> None:
    torch.manual_seed(0)
    network, manifest = Dropping(), manifest_of({"size": [8, 8, 8]})
    one, many = (
        segmented(opened_run(manifest, volume(), network, options=RunOptions(samples=samples, uncertainty=True)))
        for samples in (0, 8)
    )
    assert one.entropy is not None
    assert one.mutual is None
    assert many.mutual is not None
    assert many.mutual.max() > 0.001
    assert many.uncertainty is not None
    assert 0 < many.uncertainty <= 1


# -- how undecided


def test_the_doubt_of_classes_by_hand() -> None:
    assert class_uncertainty(np.array([0.5, 0.5])) == pytest.approx(1)
    assert class_uncertainty(np.array([1.0, 0.0, 0.0])) == pytest.approx(0)
    assert class_uncertainty(np.array([0.9, 0.5, 0.1]), exclusive=False) == pytest.approx(1)
    assert class_uncertainty(np.array([0.25] * 4)) == pytest.approx(1)


def test_the_doubt_of_a_mask_leaves_out_what_is_nowhere_near_a_label() -> None:
    shares = torch.zeros(1, 1, 2, 4)
    shares[0, 0, 0] = torch.tensor([0.5, 0.99999, 0.00001, 0.05])
    meter = UncertaintyMeter(background=False)
    assert meter.value is None
    meter.add(shares)
    assert meter.value == pytest.approx(0.5, abs=1e-3)
    logits = torch.tensor([[0.0, 9.0, 30.0], [0.0, -9.0, -30.0]]).reshape(2, 1, 1, 3)
    of_softmax = UncertaintyMeter(background=True)
    of_softmax.add(logits)
    assert of_softmax.value == pytest.approx(1, abs=1e-3)


def test_a_temperature_changes_the_doubt_and_not_the_mask() -> None:
    manifest = manifest_of({"size": [8, 8, 8]}, {**PART, "threshold": 0.3})
    opened = opened_run(manifest, volume(), options=RunOptions(uncertainty=True))
    sure, cool = (segmented(opened, temperature=temperature) for temperature in (1.0, 4.0))
    np.testing.assert_array_equal(sure.labels, cool.labels)
    assert sure.uncertainty is not None
    assert cool.uncertainty is not None
    assert cool.uncertainty > sure.uncertainty


# -- range


def test_values_out_of_range_are_said_and_a_few_are_not() -> None:
    manifest = manifest_of({"size": [8, 8, 8], "intensity": {"expected": [-50, 1000]}})
    values = np.linspace(0, 900, 1000).reshape(10, 10, 10)
    assert out_of_range(manifest, volume(values)) == ()
    few = values.copy()
    few[0, 0, :5] = -5000
    assert out_of_range(manifest, volume(few)) == ()
    (flag,) = out_of_range(manifest, volume(values - 1000))
    assert flag == (
        "The image's values lie between -991 and -109, out of the range -50 to 1000 that Bare was made for: "
        "do not rely on this result."
    )
    stored = Image(np.full((4, 4, 4), 100, np.int16), Grid((4, 4, 4)), "CT", rescale=Rescale(1.0, -1024.0, "HU"))
    assert len(out_of_range(manifest, stored)) == 1


# -- what the network sees


def test_the_widest_of_the_last_layers_is_looked_at() -> None:
    network = nn.Sequential(nn.Conv3d(1, 16, 1), nn.BatchNorm3d(16), nn.Conv3d(16, 4, 1), nn.Conv3d(4, 2, 1))
    opened = opened_run(manifest_of({"size": [8, 8, 8]}), volume(), network)
    assert feature_layer(opened.loaded) is network[1]
    narrow = opened_run(manifest_of({"size": [8, 8, 8]}), volume())
    assert feature_layer(narrow.loaded) is None
    assert plain_features(narrow, prepared(narrow).values) is None


def test_features_are_the_layers_means_and_the_same_in_every_kind_of_run() -> None:
    torch.manual_seed(0)
    network, manifest = Dropping().eval(), manifest_of({"size": [8, 8, 8]})
    expected = network.wide(network.norm(torch.from_numpy(volume().voxels)[None, None])).mean(dim=(0, 2, 3, 4))
    for options in (RunOptions(), RunOptions("full"), RunOptions(samples=4)):
        opened = opened_run(manifest, volume(), network, options=options)
        found = prepared(opened)
        _, features = seeing(opened, found.values, lambda one=opened, two=found: segmented(one, two))
        np.testing.assert_allclose(features, expected.detach().numpy(), rtol=1e-4, atol=1e-6)


def test_a_plugin_that_embeds_is_asked() -> None:
    class Embeds(Bare):
        def embed(self, network: nn.Module, values: torch.Tensor) -> torch.Tensor:
            return torch.stack([values.mean().expand(3), network(values).mean().expand(3)]).T.reshape(1, 6)

    opened, probe = opened_run(manifest_of({"size": [8, 8, 8]}), volume(), plugin=Embeds()), FeatureProbe()
    with watched(opened.loaded, probe):
        segmented(opened)
    assert probe.features is not None
    assert probe.features.shape == (6,)


def test_beyond_the_limit_is_said() -> None:
    opened = opened_run(manifest_of({"size": [8, 8, 8]}), volume())
    rows = np.random.default_rng(0).normal(size=(60, 3))
    reference = build(rows)
    near = doubt_of(opened, reference=reference, features=rows.mean(axis=0), uncertainty=0.2, flags=("Odd.",))
    assert (near.uncertainty, near.flags, near.outside) == (0.2, ("Odd.",), False)
    far = doubt_of(opened, reference=reference, features=rows.mean(axis=0) + 40)
    assert far.outside
    assert far.flags[0].startswith("This image is unlike those that Bare was trained on (")
    assert far.flags[0].endswith("times the limit): do not rely on this result.")
    assert doubt_of(opened) == Doubt()


# -- through the child process


def _predict(runner: Runner, image: Image, series: Series, plugin: Any, **more: Any) -> Segmentation | Classification:
    weights = more.pop("weights", base_weights(plugin, Path("unused")))
    job = submit_prediction(runner, image, series, plugin, weights, "1.2.3", device="cpu", **more)
    runner.wait(job, 60)
    return job.result()


def test_maps_of_doubt_come_with_the_mask(runner: Runner, tmp_path: Path, image: Image, series: Series) -> None:
    body = "    def probabilities(self, output):\n        return output[0].sigmoid()\n"
    plugin = write_plugin(tmp_path, "doubtful", body, inputs={"size": [11, 13, 9]})
    plain = _predict(runner, image, series, plugin)
    asked = _predict(runner, image, series, plugin, options=RunOptions("fast", uncertainty=True))
    assert isinstance(plain, Segmentation)
    assert isinstance(asked, Segmentation)
    assert plain.uncertainty == ()
    assert [one.method for one in asked.uncertainty] == [UNCERTAINTY, DISAGREEMENT]
    assert all(one.is_doubt and one.grid.matches(image.grid) for one in asked.uncertainty)
    assert asked.uncertainty[0].label == "Uncertainty of Part 1, doubtful, model 1.2.3"
    assert asked.provenance.doubt.uncertainty == pytest.approx(plain.provenance.doubt.uncertainty, abs=0.01)


def test_a_further_version_is_another_opinion(runner: Runner, tmp_path: Path, image: Image, series: Series) -> None:
    """A version that finds nothing and one that is just sure: together they find nothing, and disagree where it was."""
    body = "    def probabilities(self, output):\n        return output[0].sigmoid()\n"
    plugin = write_plugin(tmp_path, "several", body, inputs={"size": [11, 13, 9]})
    blind = tiny_network()
    blind[2].bias.data.fill_(-100)
    further = tmp_path / "further.safetensors"
    save_file(blind.state_dict(), further)
    options = RunOptions(uncertainty=True, ensemble=(further,))
    found = _predict(runner, image, series, plugin, options=options)
    assert isinstance(found, Segmentation)
    assert not found.labels.any()
    disagreement = found.uncertainty[1].values.astype(np.float32)
    assert disagreement[image.voxels > 0].mean() > 2 * disagreement[image.voxels == 0].mean()


def test_no_answer(runner: Runner, tmp_path: Path, image: Image, series: Series) -> None:
    labels = [{"name": "One"}, {"name": "Two"}]
    sure, strict = (
        write_plugin(tmp_path, name, labels=2, kinds=["classify"], outputs={"labels": labels, "abstain": abstain})
        for name, abstain in (("sure", 0), ("strict", 0.9))
    )
    first, second = (_predict(runner, image, series, plugin) for plugin in (sure, strict))
    assert isinstance(first, Classification)
    assert isinstance(second, Classification)
    assert (first.abstained, first.notes) == (False, ())
    highest = first.top[1]
    flag = f"Strict gives no answer: its highest probability, {highest:.2f}, is below 0.9."
    assert (second.abstained, second.notes, second.provenance.doubt.flags) == (True, (flag,), (flag,))
    assert second.provenance.doubt.uncertainty == pytest.approx(class_uncertainty(np.array([highest, 1 - highest])))


def test_a_version_carries_its_temperature(runner: Runner, tmp_path: Path, image: Image, series: Series) -> None:
    """Logits of the box's mean are divided by it: the same order, less sure."""
    plugin = write_plugin(tmp_path, "calibrated", labels=2, kinds=["classify"])
    before = _predict(runner, image, series, plugin)
    own = tmp_path / "own.safetensors"
    own.write_bytes(base_weights(plugin, Path("unused")).read_bytes())
    write(reference_path(own), Reference(temperature=5.0))
    after = _predict(runner, image, series, plugin, weights=own)
    assert isinstance(before, Classification)
    assert isinstance(after, Classification)
    logit = [np.log(one.probabilities["Part 2"] / one.probabilities["Part 1"]) for one in (before, after)]
    assert logit[1] == pytest.approx(logit[0] / 5, rel=1e-3)


def test_versions_that_are_averaged_keep_their_own_temperatures(
    runner: Runner, tmp_path: Path, image: Image, series: Series
) -> None:
    plugin = write_plugin(tmp_path, "averaged", labels=2, kinds=["classify"])
    further = tmp_path / "further.safetensors"
    further.write_bytes(base_weights(plugin, Path("unused")).read_bytes())
    write(reference_path(further), Reference(temperature=5.0))
    options = RunOptions(ensemble=(further,), ensemble_sha256=(file_sha256(further),))
    one, two = (_predict(runner, image, series, plugin, options=asked) for asked in (RunOptions(), options))
    assert isinstance(one, Classification)
    assert isinstance(two, Classification)
    logit = np.log(one.probabilities["Part 2"] / one.probabilities["Part 1"])
    mean = (1 / (1 + np.exp(-logit)) + 1 / (1 + np.exp(-logit / 5))) / 2
    assert two.probabilities["Part 2"] == pytest.approx(mean, rel=1e-3)
    with pytest.raises(PluginError, match="not the file"):
        _predict(runner, image, series, plugin, options=RunOptions(ensemble=(further,), ensemble_sha256=("0" * 64,)))


def test_passes_of_a_classifier(image: Image) -> None:
    """Four mirrored looks at a picture by a network that sees only one corner: the mean of what lies in all four."""

    class Corner(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.stack([x[:, 0, 0, 0], torch.zeros(len(x))], dim=1)

    picture = np.zeros((1, 8, 8), np.float32)
    picture[0, 0, 0], picture[0, 0, -1], picture[0, -1, 0], picture[0, -1, -1] = 1, 2, 3, 4
    outputs = {"labels": [{"name": "A"}, {"name": "B"}], "activation": "softmax"}
    manifest = manifest_of({"size": [8, 8], "ndim": 2, "interpolation": "nearest"}, outputs, kinds=["classify"])
    opened = opened_run(manifest, replace(volume(picture), modality="DX"), Corner(), options=RunOptions("full"))
    found = class_passes(opened, prepared(opened).values)
    assert found.shape == (4, 2)
    np.testing.assert_allclose(found[:, 0], 1 / (1 + np.exp(-np.array([1, 3, 2, 4]))), rtol=1e-5)
