"""Brain extraction on the demo head, through the program's own road: scan, load, child process, mask."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from brain_extraction.make_reference import SOURCE, augmented
from brain_extraction.network import BrainUNet
from brain_extraction.plugin import BrainExtraction
from safetensors import safe_open
from scipy.ndimage import binary_dilation, binary_fill_holes

from medviewer.domain.image import Image
from medviewer.domain.mask import Segmentation, dice
from medviewer.domain.study import Series
from medviewer.errors import UnsuitableImageError
from medviewer.explain import submit_explanation
from medviewer.formats import load, load_segmentation, scan
from medviewer.inference import base_weights, submit_check, submit_prediction
from medviewer.inference.doubting.reference import read
from medviewer.jobs import Runner
from medviewer.plugin_api.discovery import DiscoverResult

ROOT = Path(__file__).parents[3]
WAIT_S = 240.0


@pytest.fixture(scope="module")
def head() -> tuple[Image, Series]:
    """The demo MR."""
    (series,) = scan([ROOT / "resources" / "demo" / "colin27"]).series
    return load(series), series


def _segment(runner: Runner, plugin: DiscoverResult, image: Image, series: Series) -> Segmentation:
    weights = base_weights(plugin, Path("unused"))
    job = submit_prediction(runner, image, series, plugin, weights, "1.0.0", device="cpu")
    runner.wait(job, WAIT_S)
    result = job.result()
    assert isinstance(result, Segmentation)
    return result


def test_the_demo_head(runner: Runner, brain: DiscoverResult, head: tuple[Image, Series]) -> None:
    image, series = head
    result = _segment(runner, brain, image, series)
    reference = load_segmentation(ROOT / "tests" / "data" / "colin27_brain.nii.gz", image.grid)
    assert dice(result.labels, reference.labels) >= 0.92
    assert result.grid.matches(image.grid)
    assert result.provenance.notes == ()
    assert result.provenance.doubt.distance == pytest.approx(0.47, abs=0.05)
    assert result.provenance.doubt.uncertainty is not None
    assert result.provenance.doubt.uncertainty < 0.3
    (segment,) = result.segments
    assert (segment.name, segment.code.value, segment.category.value) == ("Brain", "12738006", "123037004")


def test_it_does_not_care_how_the_head_lies(runner: Runner, brain: DiscoverResult, head: tuple[Image, Series]) -> None:
    """Flipped and transposed arrays, thick slices, other units: still a brain."""
    image, series = head
    plain = _segment(runner, brain, image, series).labels
    turned = np.ascontiguousarray(image.voxels[::-1, :, ::-1].transpose(1, 2, 0)[:, ::2]).astype(np.float32) * 7
    grid = replace(image.grid, shape=turned.shape, spacing=(1.0, 2.0, 1.0))
    other = _segment(runner, brain, replace(image, voxels=turned, grid=grid), replace(series, grid=grid))
    expected = plain[::-1, :, ::-1].transpose(1, 2, 0)[:, ::2]
    assert dice(other.labels, expected) > 0.93


def test_a_head_without_its_skull_is_flagged(runner: Runner, brain: DiscoverResult, head: tuple[Image, Series]) -> None:
    image, series = head
    reference = load_segmentation(ROOT / "tests" / "data" / "colin27_brain.nii.gz", image.grid)
    stripped = replace(image, voxels=image.voxels * (reference.labels > 0))
    made = _segment(runner, brain, stripped, series).provenance
    unlike, volume = made.notes
    assert "is unlike those that Brain extraction was trained on" in unlike
    assert "lies outside the expected 900 to 2200 ml: check this result." in volume
    assert made.doubt.flags == made.notes
    assert made.doubt.distance == pytest.approx(2.3, abs=0.2)


def test_a_ct_that_does_not_say_so_is_flagged(
    runner: Runner, brain: DiscoverResult, head: tuple[Image, Series]
) -> None:
    """In HU its air gives it away; as grey values from 0 up, what the network sees does."""
    image, series = head
    unknown = replace(series, modality="", reader="nifti", body_part="")
    ct = ct_like(image)
    hounsfield = _segment(runner, brain, replace(image, voxels=ct, modality=""), unknown).provenance.doubt
    assert any("out of the range -50 to 1e+06" in flag for flag in hounsfield.flags)
    assert hounsfield.outside
    grey = ((ct + 150) * (255 / 400)).clip(0, 255).astype(np.uint8)
    shown = _segment(runner, brain, replace(image, voxels=grey, modality=""), unknown).provenance.doubt
    assert not any("range" in flag for flag in shown.flags)
    assert shown.outside
    assert any("is unlike those" in flag for flag in shown.flags)


def test_the_head_as_another_scanner_shows_it_is_not_flagged(
    runner: Runner, brain: DiscoverResult, head: tuple[Image, Series]
) -> None:
    """Milder changes than the reference is made of, by seeds that it has not seen."""
    image, series = head
    for seed in (9001, 9002):
        voxels = augmented(image.voxels, seed, strength=0.5)
        grid = replace(image.grid, shape=voxels.shape)
        made = _segment(runner, brain, replace(image, voxels=voxels, grid=grid), replace(series, grid=grid)).provenance
        assert made.doubt.flags == ()
        assert made.doubt.distance is not None
        assert made.doubt.distance < 0.8


def ct_like(head: Image) -> np.ndarray:
    """The demo head as CT would show it: air of -1000, bone of 900 around a brain of little contrast, HU as float32."""
    brain = load_segmentation(ROOT / "tests" / "data" / "colin27_brain.nii.gz", head.grid).labels > 0
    inside = binary_fill_holes(head.voxels > 20)
    values = np.where(inside, np.float32(40), np.float32(-1000))
    values[brain] = 30 + (head.voxels[brain].astype(np.float32) - head.voxels[brain].mean()) * 0.05
    near, far = (binary_dilation(brain, iterations=steps) for steps in (1, 6))
    values[far & ~near & inside] = 900
    return values


def test_a_ct_is_refused(runner: Runner, brain: DiscoverResult, head: tuple[Image, Series]) -> None:
    image, series = head
    with pytest.raises(UnsuitableImageError, match="modality MR, but this is CT"):
        _segment(runner, brain, replace(image, modality="CT"), series)


def test_grad_cam_looks_at_the_brain(runner: Runner, brain: DiscoverResult, head: tuple[Image, Series]) -> None:
    image, series = head
    weights = base_weights(brain, Path("unused"))
    job = submit_explanation(runner, image, series, brain, weights, "1.0.0", device="cpu")
    runner.wait(job, WAIT_S)
    heatmap = job.result()
    assert heatmap.label == "Grad-CAM of Brain, brain-extraction, model 1.0.0"
    assert heatmap.grid.matches(image.grid)
    assert heatmap.values.max() == 1
    reference = load_segmentation(ROOT / "tests" / "data" / "colin27_brain.nii.gz", image.grid).labels > 0
    values = heatmap.values.astype(np.float32)
    assert values[reference].mean() > 4 * values[~reference].mean()


def test_the_contract(runner: Runner, brain: DiscoverResult) -> None:
    job = submit_check(runner, brain, base_weights(brain, Path("unused")), device="cpu")
    runner.wait(job, WAIT_S)
    assert [row.text for row in job.result() if not row.ok] == []


def test_weights_name_their_source_and_licence(brain: DiscoverResult) -> None:
    with safe_open(base_weights(brain, Path("unused")), "np") as opened:
        assert opened.metadata()["licence"] == "MIT"
        assert "deepbrain 0.1" in opened.metadata()["source"]
        count = sum(opened.get_tensor(key).size for key in opened.keys())  # noqa: SIM118  # not a dict
    assert count == sum(parameter.numel() for parameter in BrainUNet().parameters()) == 171_465
    assert "MIT License" in (brain.folder / "weights" / "LICENSE.md").read_text()


def test_the_reference_says_what_it_is_made_of(brain: DiscoverResult) -> None:
    assert brain.manifest is not None
    path = brain.folder / brain.manifest.weights.reference
    assert path.stat().st_size < 100_000
    reference = read(path)
    assert (reference.kind, reference.images, reference.source) == ("mahalanobis", 160, SOURCE)


def test_the_loss_falls_and_the_encoder_stays() -> None:
    """A few steps on one small case: the loss goes down, and what must not learn does not."""
    torch.manual_seed(0)
    plugin, network = BrainExtraction(), BrainUNet()
    target = torch.zeros(1, 1, 16, 16, 16)
    target[..., 4:12] = 1
    values = target * 0.7 + 0.2 * torch.rand(target.shape)
    encoder = network.conv_3.weight.clone()
    optimiser = torch.optim.Adam(plugin.trainable_parameters(network), lr=1e-2)
    losses = []
    for _ in range(15):
        loss = plugin.loss(network(values), target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
    assert torch.equal(encoder, network.conv_3.weight)


def test_the_loss_is_small_when_all_is_right_and_defined_when_all_is_empty() -> None:
    plugin, empty = BrainExtraction(), torch.zeros(1, 1, 4, 4, 4)
    full = torch.ones_like(empty)
    assert float(plugin.loss(20 * full, full)) == pytest.approx(0, abs=1e-3)
    assert float(plugin.loss(-20 * full, full)) > 10
    assert float(plugin.loss(-20 * full, empty)) == pytest.approx(0, abs=1e-3)


def test_a_head_with_nothing_above_zero_becomes_zeros() -> None:
    values = np.full((2, 2, 2), -3, np.float32)
    np.testing.assert_array_equal(BrainExtraction().normalise(values), np.zeros((1, 2, 2, 2)))
