"""Bundles: read as data, run without trust where that is enough, and with their own code where it is not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from monai_bundle.adapter import MonaiBundle
from monai_bundle.config import Component, Config, Expression

from medviewer.errors import PluginError, UntrustedError
from medviewer.inference import base_weights, submit_check
from medviewer.inference.client import plugin_run
from medviewer.inference.loader import load_plugin
from medviewer.jobs import Runner
from medviewer.plugin_api import Manifest, RunContext
from medviewer.plugin_api.discovery import DiscoverResult
from medviewer.plugin_api.manifest import read_manifest

if TYPE_CHECKING:
    from plugins.conftest import Blobs

METADATA = {
    "version": "0.5.4",
    "name": "Ball segmentation",
    "description": "Finds a ball.",
    "authors": "this test",
    "data_source": "synthetic balls",
    "intended_use": "An example, not for diagnosis.",
    "network_data_format": {
        "inputs": {"image": {"modality": "CT", "num_channels": 1, "spatial_shape": [24, 24, 24]}},
        "outputs": {"pred": {"num_channels": 2, "channel_def": {"0": "background", "1": "ball"}}},
    },
}


def inference(arguments: dict[str, Any]) -> dict[str, Any]:
    """A configuration as the Model Zoo's bundles have it."""
    return {
        "imports": ["$import glob", "$import os"],
        "bundle_root": "/workspace/ball",
        "output_dir": "$@bundle_root + '/eval'",
        "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
        "roi": [24, 24, 24],
        "network_def": {"_target_": "UNet", **arguments},
        "network": "$@network_def.to(@device)",
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "LoadImaged", "keys": "image"},
                {"_target_": "EnsureChannelFirstd", "keys": "image"},
                {"_target_": "Orientationd", "keys": "image", "axcodes": "RAS"},
                {"_target_": "Spacingd", "keys": "image", "pixdim": [1.0, 1.0, 1.5], "mode": "bilinear"},
                {
                    "_target_": "monai.transforms.ScaleIntensityRanged",
                    "keys": "image",
                    "a_min": 0,
                    "a_max": 200,
                    "b_min": 0.0,
                    "b_max": 1.0,
                    "clip": True,
                },
                {"_target_": "EnsureTyped", "keys": "image", "device": "@device"},
            ],
        },
        "inferer": {"_target_": "SlidingWindowInferer", "roi_size": "@roi", "sw_batch_size": 2, "overlap": 0.25},
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "Activationsd", "keys": "pred", "softmax": True},
                {"_target_": "Invertd", "keys": "pred", "transform": "@preprocessing", "orig_keys": "image"},
                {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
                {"_target_": "SaveImaged", "keys": "pred", "output_dir": "@output_dir"},
            ],
        },
        "evaluator": {"_target_": "SupervisedEvaluator", "device": "@device", "network": "@network"},
        "run": ["$@evaluator.run()"],
    }


Change = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def write(blobs: Blobs, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Writes the trained network as a bundle, its configuration changed."""

    def written(change: Change = lambda config: None, name: str = "ball") -> Path:
        root = tmp_path_factory.mktemp("bundles") / name
        (root / "configs").mkdir(parents=True)
        (root / "models").mkdir()
        config = inference(blobs.arguments)
        change(config)
        (root / "configs" / "metadata.json").write_text(json.dumps(METADATA))
        (root / "configs" / "inference.json").write_text(json.dumps(config))
        (root / "LICENSE").write_text("Apache License\nVersion 2.0, January 2004\n")
        torch.save({"model": blobs.network.state_dict()}, root / "models" / "model.pt")
        return root

    return written


def installed(root: Path, target: Path) -> Manifest:
    """Install a bundle into a folder, without a host."""
    target.mkdir()
    MonaiBundle().install(root, target, RunContext())
    return read_manifest(target)


def test_a_bundle_of_known_parts_runs_on_nobodys_word(
    write: Callable[..., Path],
    adopt: Callable[..., DiscoverResult],
    overlap: Callable[[DiscoverResult], float],
    runner: Runner,
) -> None:
    root = write()
    archive = Path(shutil.make_archive(str(root.parent / "archive"), "zip", root.parent, root.name))
    model = adopt(archive)
    assert not model.may_run
    assert overlap(model) > 0.8
    job = submit_check(runner, model, base_weights(model, Path("unused")), device="cpu")
    runner.wait(job, 240)
    assert [f"{row.name}: {row.text}" for row in job.result() if not row.ok] == []


def test_what_the_configuration_says_is_in_the_manifest(write: Callable[..., Path], tmp_path: Path) -> None:
    manifest = installed(write(), tmp_path / "out")
    inputs = manifest.inputs
    assert (manifest.id, manifest.version, manifest.kinds) == (
        "ball-segmentation",
        "0.5.4",
        ("segment", "explain", "train"),
    )
    assert (inputs.modality, inputs.orientation, inputs.spacing) == (("CT",), "RAS", (1.0, 1.0, 1.5))
    assert inputs.windows is not None
    assert (inputs.windows.roi, inputs.windows.overlap, inputs.windows.batch) == ((24, 24, 24), 0.25, 2)
    assert (inputs.intensity.clip, inputs.intensity.scale) == ((0, 200), (0, 1))
    assert [label.name for label in manifest.outputs.labels] == ["ball"]
    assert manifest.outputs.activation == "softmax"
    assert manifest.weights.licence == "Apache License Version 2.0, January 2004"
    assert manifest.weights.intended_use == "An example, not for diagnosis."
    assert "synthetic balls" in manifest.weights.source
    assert manifest.notes == ()
    assert not (tmp_path / "out" / "bundle").exists()


def _own_scaling(config: dict[str, Any]) -> None:
    """The intensities are scaled by an expression."""
    config["preprocessing"]["transforms"][4] = {"_target_": "Lambdad", "keys": "image", "func": "$lambda x: x / 200"}


def _own_network(config: dict[str, Any]) -> None:
    """The network comes from the bundle's scripts."""
    config["network_def"] = {**config["network_def"], "_target_": "scripts.mine.make"}


@pytest.mark.parametrize(("change", "said"), [(_own_scaling, "Lambdad"), (_own_network, "scripts.mine.make")])
def test_a_bundle_with_code_runs_once_it_is_trusted(
    write: Callable[..., Path],
    adopt: Callable[..., DiscoverResult],
    overlap: Callable[[DiscoverResult], float],
    change: Change,
    said: str,
) -> None:
    root = write(change)
    (root / "scripts").mkdir()
    (root / "scripts" / "__init__.py").touch()
    made = "from monai.networks.nets import UNet\n\ndef make(**arguments):\n    return UNet(**arguments)\n"
    (root / "scripts" / "mine.py").write_text(made)
    row = adopt(root)
    run = plugin_run(row, base_weights(row, Path("unused")), "", "cpu", {})
    with pytest.raises(UntrustedError, match=rf"cannot do without code of its bundle \({said}\).*plugin trust"):
        load_plugin(run, "cpu")
    trusted = adopt(root, trust=True)
    if said == "Lambdad":  # in a process of its own, scripts importable there
        assert overlap(trusted) > 0.8
    else:
        run = plugin_run(trusted, base_weights(trusted, Path("unused")), "", "cpu", {})
        assert type(load_plugin(run, "cpu").network).__name__ == "UNet"


def test_a_bundle_with_torchscript_only_is_run_by_that_adapter(write: Callable[..., Path], tmp_path: Path) -> None:
    root = write()
    (root / "models" / "model.pt").rename(root / "models" / "model.ts")
    manifest = installed(root, tmp_path / "out")
    assert (manifest.adapter, manifest.kinds) == ("torchscript", ("segment",))


def test_steps_that_the_host_does_not_do_are_told(write: Callable[..., Path], tmp_path: Path) -> None:
    def change(config: dict[str, Any]) -> None:
        config["postprocessing"]["transforms"].append({"_target_": "KeepLargestConnectedComponentd", "keys": "pred"})
        del config["preprocessing"]["transforms"][2]

    notes = installed(write(change), tmp_path / "out").notes
    assert "KeepLargestConnectedComponentd after the network is not done" in notes[0]
    assert "turned to RAS" in notes[1]


STEPS: list[tuple[list[dict[str, Any]], dict[str, Any]]] = [
    ([{"_target_": "NormalizeIntensityd", "nonzero": True}], {"normalise": "zscore-nonzero"}),
    ([{"_target_": "NormalizeIntensity", "subtrahend": 40.0, "divisor": 20.0}], {"mean": (40.0,), "std": (20.0,)}),
    ([{"_target_": "ScaleIntensityd", "minv": -1.0, "maxv": 1.0}], {"scale": (-1.0, 1.0)}),
    (
        [{"_target_": "ScaleIntensityRange", "a_min": 0, "a_max": 100, "b_min": -1, "b_max": 1, "clip": False}],
        {"mean": (50.0,), "std": (50.0,)},
    ),
    (
        [
            {"_target_": "ClipIntensityPercentilesd", "lower": 1, "upper": 99},
            {"_target_": "NormalizeIntensityd", "channel_wise": True},
        ],
        {"clip_percentiles": (1.0, 99.0), "normalise": "zscore"},
    ),
    (
        [
            {
                "_target_": "ScaleIntensityRangePercentilesd",
                "lower": 1,
                "upper": 99,
                "b_min": 0,
                "b_max": 1,
                "clip": True,
            }
        ],
        {"clip_percentiles": (1.0, 99.0), "scale": (0.0, 1.0)},
    ),
]


@pytest.mark.parametrize(("steps", "expected"), STEPS)
def test_intensities_are_taken_over(
    write: Callable[..., Path], tmp_path: Path, steps: list[dict[str, Any]], expected: dict[str, Any]
) -> None:
    def change(config: dict[str, Any]) -> None:
        config["preprocessing"]["transforms"][4:5] = [{"keys": "image", **step} for step in steps]

    manifest = installed(write(change), tmp_path / "out")
    assert manifest.inputs.intensity.model_dump(exclude_defaults=True) == expected
    assert "code" not in manifest.settings


@pytest.mark.parametrize("steps", [steps for steps, _ in STEPS])
def test_they_do_what_monai_does(steps: list[dict[str, Any]]) -> None:
    """The host's steps against MONAI's own, on the same values."""
    import monai.transforms
    from monai_bundle.transforms import read_preparation

    from medviewer.inference.preparing.intensity import adjust, widened
    from medviewer.plugin_api.spec import Intensity

    values = torch.from_numpy(np.random.default_rng(0).normal(60, 30, (1, 7, 8, 9)).astype(np.float32))
    expected = values.clone()
    for step in steps:
        arguments = {key: value for key, value in step.items() if key != "_target_"}
        name = step["_target_"].removesuffix("d")
        expected = getattr(monai.transforms, name)(**arguments)(expected)
    parts = [Component(step["_target_"], {k: v for k, v in step.items() if k != "_target_"}, "") for step in steps]
    wanted = Intensity(**read_preparation(parts).intensity)
    adjust(values[0], wanted, RunContext())
    torch.testing.assert_close(widened(values, wanted, "test"), torch.as_tensor(expected), atol=1e-4, rtol=1e-4)


def test_a_crop_to_the_foreground_is_moved_back_to_the_images_values(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    def change(config: dict[str, Any]) -> None:
        crop = {
            "_target_": "CropForegroundd",
            "keys": "image",
            "source_key": "image",
            "select_fn": "$lambda x: x > 0.5",
        }
        config["preprocessing"]["transforms"].insert(5, crop)

    assert installed(write(change), tmp_path / "out").inputs.foreground == 100.0


def test_values_are_followed_and_nothing_is_evaluated() -> None:
    config = Config(
        {
            "a": {"b": [1, "@c"]},
            "c": "$(2, 3)",
            "d": "@a::b::1",
            "e": "$@a#b#0",
            "f": "$print('never')",
            "g": {"_target_": "Thing", "x": "@f", "_disabled_": True},
            "h": "%a::b::0",
        }
    )
    assert config.at("d") == (2, 3)
    assert config.at("e") == 1
    assert config.at("h") == 1
    assert config.at("f") == Expression("$print('never')")
    assert config.at("g") is None


def test_what_is_no_bundle_is_left_to_others(tmp_path: Path) -> None:
    assert not MonaiBundle().recognises(tmp_path)
    (tmp_path / "no.zip").write_bytes(b"no zip")
    assert not MonaiBundle().recognises(tmp_path / "no.zip")


def test_a_bundle_without_weights_is_refused(write: Callable[..., Path], tmp_path: Path) -> None:
    root = write()
    (root / "models" / "model.pt").unlink()
    with pytest.raises(PluginError, match=r"should hold its weights as models/model\.pt"):
        installed(root, tmp_path / "out")
