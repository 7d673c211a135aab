"""A result folder of nnU-Net v2 becomes a plugin, and the plugin finds what its network was trained to find."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from nnunet.adapter import NnUnet
from nnunet.checkpoint import read_checkpoint
from nnunet.model import NormalisingModel, SegmentationModel
from nnunet.network import Folds, Recipe, UNet
from nnunet.normalise import normalised
from nnunet.plans import read_configuration
from numpy.typing import NDArray

from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image
from medviewer.domain.mask import Segmentation, dice
from medviewer.domain.study import Series
from medviewer.errors import PluginError
from medviewer.inference import submit_prediction
from medviewer.jobs import Runner
from medviewer.plugin_api import RunContext
from medviewer.plugin_api.discovery import DiscoverResult, discover, find
from medviewer.plugin_api.manifest import Manifest, read_manifest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # the folders are written by a module of these tests alone
import nnunet_folders as folders  # noqa: E402

PLUGINS = HERE.parents[1]
WAIT_S = 120.0


@pytest.fixture(scope="module")
def trained() -> UNet:
    return folders.train()


def install(source: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "installed"
    folder.mkdir(parents=True)
    adapter = NnUnet()
    assert adapter.recognises(source)
    adapter.install(source, folder, RunContext())
    return folder


def found(folder: Path) -> DiscoverResult:
    return find(read_manifest(folder).id, discover([folder, PLUGINS / "nnunet"]))


def predict(runner: Runner, folder: Path, voxels: NDArray[Any], spacing: tuple[float, float, float]) -> Segmentation:
    grid = Grid(voxels.shape, spacing)  # type: ignore[arg-type]
    image = Image(voxels, grid, modality="MR")
    series = Series("1.2.3", "MR", "Balls", grid, (), "nifti")
    plugin = found(folder)
    job = submit_prediction(runner, image, series, plugin, folder / "weights.safetensors", "1.0.0", device="cpu")
    runner.wait(job, WAIT_S)
    result = job.result()
    assert isinstance(result, Segmentation)
    return result


def test_a_trained_network_finds_again_what_it_was_trained_on(trained: UNet, runner: Runner, tmp_path: Path) -> None:
    folder = install(folders.write_result(tmp_path, {"0": trained}), tmp_path)
    voxels, truth = folders.blobs(99)
    mask = predict(runner, folder, voxels, folders.SPACING)
    assert [segment.name for segment in mask.segments] == ["bright ball", "dark ball"]
    for label in (1, 2):
        assert dice(mask.labels == label, truth == label) > 0.8


def test_an_image_of_other_voxels_is_brought_to_the_plans(trained: UNet, runner: Runner, tmp_path: Path) -> None:
    folder = install(folders.write_result(tmp_path, {"0": trained}), tmp_path)
    voxels, truth = folders.blobs(98)
    finer = np.repeat(np.repeat(voxels, 2, axis=0), 2, axis=2)
    mask = predict(runner, folder, finer, (1.0, 1.0, 0.625))
    wanted = np.repeat(np.repeat(truth, 2, axis=0), 2, axis=2)
    for label in (1, 2):
        assert dice(mask.labels == label, wanted == label) > 0.75


def test_folds_are_averaged_and_one_can_be_chosen(trained: UNet, tmp_path: Path) -> None:
    other = folders.train(steps=2, seed=5)
    source = folders.write_result(tmp_path, {"0": trained, "1": other})
    both, one = install(source, tmp_path / "both"), install(source / "fold_1", tmp_path / "one")
    values = torch.randn(1, 1, 12, 24, 24)

    def answer(folder: Path) -> torch.Tensor:
        from safetensors.torch import load_file

        network = NnUnet().open(folder, read_manifest(folder), trusted=False).build_network()
        network.load_state_dict(load_file(folder / "weights.safetensors"))
        with torch.no_grad():
            result: torch.Tensor = network.eval()(values)
        return result

    back = [folders.AXES.index(axis) for axis in range(3)]
    turned = values.permute(0, 1, *(axis + 2 for axis in folders.AXES))
    with torch.no_grad():
        alone = [network(turned).permute(0, 1, *(axis + 2 for axis in back)) for network in (trained, other)]
    assert torch.allclose(answer(one), alone[1], atol=1e-6)
    assert torch.allclose(answer(both), (alone[0] + alone[1]) / 2, atol=1e-6)


def test_plans_of_old_versions_describe_the_same_network(trained: UNet, tmp_path: Path) -> None:
    new = read_configuration(folders.write_result(tmp_path / "new", {"0": trained}), "3d_fullres")
    old_folder = folders.write_result(tmp_path / "old", {"0": trained}, said=folders.old_plans())
    old = read_configuration(old_folder, "3d_fullres")
    state = UNet(Recipe(old.arguments, 1, 3), old.residual).state_dict()
    assert {name: one.shape for name, one in state.items()} == {
        name: one.shape for name, one in UNet(Recipe(new.arguments, 1, 3), new.residual).state_dict().items()
    }
    assert (old.patch, old.spacing, old.schemes) == (new.patch, new.spacing, new.schemes)
    assert read_manifest(install(old_folder, tmp_path)).id == "nnu-net-dataset004-balls-3d-fullres"


def test_configurations_inherit(trained: UNet, tmp_path: Path) -> None:
    said = folders.plans()
    said["configurations"]["3d_wide"] = {"inherits_from": "3d_fullres", "patch_size": [32, 32, 16]}
    plan = read_configuration(folders.write_result(tmp_path, {"0": trained}, said=said), "3d_wide")
    assert plan.patch == (32, 32, 16)
    assert plan.schemes == ("ZScoreNormalization",)


def test_the_manifest_says_what_the_plan_says_in_the_images_order(trained: UNet, tmp_path: Path) -> None:
    changed = {"normalization_schemes": ["CTNormalization"], "use_mask_for_norm": [False]}
    said = folders.plans(configuration=changed)
    dataset = {**folders.DATASET, "channel_names": {"0": "CT"}}
    mirrored = {"inference_allowed_mirroring_axes": (0,)}
    folder = install(folders.write_result(tmp_path, {"0": trained}, said=said, dataset=dataset, **mirrored), tmp_path)
    manifest = read_manifest(folder)
    windows = manifest.inputs.windows
    assert windows is not None
    assert windows.roi == (12, 24, 24)
    assert manifest.inputs.spacing == folders.SPACING
    assert (windows.overlap, windows.blend, windows.multiple) == (0.5, "gaussian", 2)
    assert manifest.inputs.flips == (1,)  # the network's first axis is the image's second
    assert manifest.inputs.modality == ("CT",)
    assert manifest.inputs.foreground is None
    assert manifest.inputs.intensity.clip == (100.0, 490.0)
    assert (manifest.inputs.intensity.mean, manifest.inputs.intensity.std) == ((310.0,), (80.0,))
    assert manifest.outputs.activation == "softmax"
    assert isinstance(NnUnet().open(folder, manifest, trusted=False), SegmentationModel)


def test_several_images_are_normalised_each_in_its_way() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(50, 10, (3, 6, 7, 8)).astype(np.float32)
    values[:, :2] = 0
    before = values.copy()
    channels = [
        {"scheme": "ZScoreNormalization", "masked": True, "statistics": None},
        {"scheme": "CTNormalization", "masked": False, "statistics": [40, 60, 50, 5]},
        {"scheme": "RescaleTo01Normalization", "masked": False, "statistics": None},
    ]
    found = normalised(values, channels)
    assert np.array_equal(values, before)
    assert not found[0, :2].any()
    assert found[0, 2:].mean() == pytest.approx(0, abs=1e-4)
    assert found[0, 2:].std() == pytest.approx(1, abs=1e-4)
    assert np.allclose(found[1], (np.clip(before[1], 40, 60) - 50) / 5)
    assert (found[2, 2:].min(), found[2, 2:].max()) == (0, pytest.approx(1))
    plain = normalised(values, [{**channels[0], "masked": False}, *channels[1:]])
    assert plain[0, 2:].std() == pytest.approx(1, abs=1e-4)  # of the box of what is not 0
    assert plain[0, 0, 0, 0] == pytest.approx(-before[0, 2:].mean() / before[0, 2:].std(), rel=1e-3)


def test_regions_overlap_as_nnunet_writes_them() -> None:
    """nnU-Net goes through its regions and lets each write over those before it; at most one stays over a half."""
    order = [2, 1, 3]
    manifest = Manifest.model_validate(_manifest({"regions": order}))
    scores = torch.from_numpy(np.random.default_rng(1).normal(0, 2, (1, 3, 4, 5, 6)).astype(np.float32))
    expected = torch.zeros(scores.shape[2:], dtype=torch.int64)
    for channel, value in enumerate(order):
        expected[scores[0, channel].sigmoid() > 0.5] = value
    probabilities = SegmentationModel(manifest).probabilities(scores)
    best, which = probabilities.max(dim=0)
    assert torch.equal((which + 1) * (best > 0.5), expected)
    assert ((probabilities > 0.5).sum(dim=0) <= 1).all()


def test_region_labels_keep_nnunets_order(trained: UNet, tmp_path: Path) -> None:
    labels = {"background": 0, "whole": [1, 2, 3], "core": [2, 3], "enhancing": [3], "ignore": 4}
    dataset = {**folders.DATASET, "labels": labels, "regions_class_order": [1, 2, 3]}
    folder = install(folders.write_result(tmp_path, {"0": trained}, dataset=dataset), tmp_path)
    manifest = read_manifest(folder)
    assert [label.name for label in manifest.outputs.labels] == ["whole", "core", "enhancing"]
    assert manifest.outputs.activation == "own"
    assert manifest.settings["regions"] == [1, 2, 3]


@pytest.mark.parametrize("axes", list(itertools.permutations(range(3))))
def test_axes_are_turned_there_and_back(axes: tuple[int, int, int]) -> None:
    seen: list[torch.Size] = []

    class Look(torch.nn.Module):
        def forward(self, values: torch.Tensor) -> torch.Tensor:
            seen.append(values.shape)
            return values * 2

    values = torch.randn(2, 1, 3, 4, 5)
    assert torch.equal(Folds([Look()], axes, flat=False)(values), values * 2)
    assert seen[-1][2:] == torch.Size([(3, 4, 5)[axis] for axis in axes])
    assert torch.equal(Folds([Look()], axes, flat=True)(values), values * 2)
    assert len(seen[-1]) == 4


def test_a_network_of_slices_goes_through_a_volume(runner: Runner, tmp_path: Path) -> None:
    flat = {"conv_op": "torch.nn.Conv2d", "norm_op": "torch.nn.InstanceNorm2d"}
    sizes = {"kernel_sizes": [[3, 3], [3, 3]], "strides": [[1, 1], [2, 2]]}
    arguments = {**folders.ARCHITECTURE, **flat, **sizes}
    torch.manual_seed(0)
    network = UNet(Recipe(arguments, 1, 3), residual=False)
    architecture = {"network_class_name": "x.PlainConvUNet", "arch_kwargs": arguments}
    changed = {"patch_size": [16, 8], "spacing": [1.25, 2.0], "architecture": architecture}
    folder = install(
        folders.write_result(
            tmp_path,
            {"0": network},
            said=folders.plans(configuration=changed),
            inference_allowed_mirroring_axes=(0, 1),
        ),
        tmp_path,
    )
    manifest = read_manifest(folder)
    assert manifest.inputs.windows is not None
    assert manifest.inputs.windows.roi == (8, 1, 16)
    assert manifest.inputs.spacing == (2.0, 0.0, 1.25)
    assert manifest.inputs.flips == (0, 2)
    voxels, _ = folders.blobs(3)
    mask = predict(runner, folder, voxels, folders.SPACING)
    assert mask.labels.shape == voxels.shape


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"normalization_schemes": ["MyNormalization"]}, "MyNormalization, which is not nnU-Net's"),
        ({"previous_stage": "3d_lowres"}, "another network"),
        (
            {"architecture": {"network_class_name": "a.Primus", "arch_kwargs": {}}},
            "a Primus, which this adapter does not have",
        ),
        ({"patch_size": "large"}, "lack a part"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_sentence(
    trained: UNet, tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    source = folders.write_result(tmp_path, {"0": trained}, said=folders.plans(configuration=change))
    with pytest.raises(PluginError, match=words):
        install(source, tmp_path)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    other = UNet(Recipe({**folders.ARCHITECTURE, "features_per_stage": [8, 16]}, 1, 3), residual=False)
    with pytest.raises(PluginError, match="does not fit the network"):
        install(folders.write_result(tmp_path, {"0": other}), tmp_path)


class _Harm:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("harm-was-done"),)


def test_a_checkpoint_that_holds_code_runs_nothing(
    trained: UNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source = folders.write_result(tmp_path, {"0": trained}, logging={"x": _Harm()})
    with pytest.raises(PluginError, match="nothing of it was run"):
        read_checkpoint(source / "fold_0" / "checkpoint_final.pth")
    assert not (tmp_path / "harm-was-done").exists()


def test_other_folders_are_not_taken_for_results(tmp_path: Path, trained: UNet) -> None:
    adapter = NnUnet()
    assert not adapter.recognises(tmp_path)
    assert not adapter.recognises(tmp_path / "nowhere")
    source = folders.write_result(tmp_path, {"all": trained})
    assert adapter.recognises(source.parent)  # the only configuration of its dataset
    folders.write_result(tmp_path, {"0": trained}, trainer="nnUNetTrainer__nnUNetPlans__2d")
    assert not adapter.recognises(source.parent)
    assert adapter.recognises(source)


def _manifest(settings: dict[str, Any]) -> dict[str, Any]:
    return yaml.safe_load(
        """
        {schema: 1, id: regions, name: Regions, version: 1.0.0, description: d, kinds: [segment], adapter: nnunet,
         inputs: {windows: {roi: [4, 4, 4]}}, outputs: {labels: [{name: a}, {name: b}, {name: c}]},
         weights: {file: w, sha256: "%s", source: s, licence: l}}
        """
        % ("0" * 64)
    ) | {"settings": settings}


def test_a_model_of_one_ct_needs_no_normalising_of_its_own(trained: UNet, tmp_path: Path) -> None:
    folder = install(folders.write_result(tmp_path, {"0": trained}), tmp_path)
    model = NnUnet().open(folder, read_manifest(folder), trusted=False)
    assert isinstance(model, NormalisingModel)  # z-score over what is not 0 is nnU-Net's own way


@pytest.mark.parametrize(("mirrored", "said"), [(None, True), ((), True), ((0,), True), ((0, 1, 2), False)])
def test_a_network_that_was_not_mirrored_says_that_sides_may_be_swapped(
    trained: UNet, tmp_path: Path, mirrored: tuple[int, ...] | None, said: bool
) -> None:
    source = folders.write_result(tmp_path, {"0": trained}, inference_allowed_mirroring_axes=mirrored)
    manifest = read_manifest(install(source, tmp_path))
    assert manifest.inputs.orientation == ""
    notes = " ".join(manifest.notes)
    assert ("Left and right may be swapped" in notes) is said
    assert ("inputs.orientation" in notes) is said
