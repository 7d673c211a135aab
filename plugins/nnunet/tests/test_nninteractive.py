"""nnInteractive's folders, when the user has them: prompts as channels, and a tiny network of that form that answers.

Its own weights are not here; what is tested is the form, and a network that was trained on it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from nnunet import nninteractive
from nnunet.adapter import NnUnet
from nnunet.network import Recipe, UNet
from nnunet.nninteractive import Channels, InteractiveModel
from nnunet.normalise import normalised
from numpy.typing import NDArray
from torch import nn

from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image
from medviewer.domain.mask import dice
from medviewer.domain.study import Series
from medviewer.errors import PluginError
from medviewer.inference.clicking.interactive import Part, submit_prompts
from medviewer.jobs import Runner
from medviewer.plugin_api import Manifest, Prompt, Prompts, RunContext
from medviewer.plugin_api.discovery import discover, find
from medviewer.plugin_api.manifest import read_manifest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import nnunet_folders as folders  # noqa: E402

SIZE = (12, 24, 24)
SHAPE = (16, 40, 44)
ARCHITECTURE = {
    **folders.ARCHITECTURE,
    "n_stages": 3,
    "features_per_stage": [8, 12, 16],
    "kernel_sizes": [[3, 3, 3]] * 3,
    "strides": [[1, 1, 1], [2, 2, 2], [2, 2, 2]],
    "n_conv_per_stage": [1, 1, 1],
    "n_conv_per_stage_decoder": [1, 1],
}
INFO = {"point_radius": 4, "interaction_decay": 0.98, "supported_interactions": {"points": True, "bbox3d": False}}


def balls(
    seed: int, shape: tuple[int, int, int]
) -> tuple[NDArray[np.float32], list[NDArray[np.bool_]], list[tuple[float, ...]]]:
    """Two equal balls in noise: only a click tells which is meant."""
    rng = np.random.default_rng(seed)
    index = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), -1)
    image, truths, places = rng.normal(100, 8, shape), [], []
    for part in (0.25, 0.75):
        place = np.array([shape[0] / 2, shape[1] * part, shape[2] * part]) + rng.uniform(-1.5, 1.5, 3)
        inside = ((index - place) ** 2).sum(-1) < 4.5**2
        image[inside] += 80
        truths.append(inside)
        places.append(tuple(place))
    return image.astype(np.float32), truths, places


def model(**changes: object) -> InteractiveModel:
    """The prompts' side of the adapter, without a network."""
    said = json.loads(json.dumps(nninteractive.asdict(nninteractive._channels({**INFO, **changes}, Channels()))))
    data = {"schema": 1, "id": "clicks", "name": "Clicks", "version": "1.0.0", "description": "d", "adapter": "nnunet"}
    weights = {"file": "w", "sha256": "0" * 64, "source": "s", "licence": "l"}
    inputs, outputs = {"windows": {"roi": list(SIZE)}}, {"labels": [{"name": "Object"}], "activation": "softmax"}
    settings = {"prompts": said, "channels": folders.ZSCORE}
    parts = {"kinds": ["interactive"], "inputs": inputs, "outputs": outputs, "weights": weights, "settings": settings}
    return InteractiveModel(Manifest.model_validate(data | parts))


@pytest.fixture(scope="module")
def trained() -> UNet:
    """A network with nnInteractive's channels that segments the ball with the click in it."""
    torch.manual_seed(0)
    network = UNet(Recipe(ARCHITECTURE, 8, 2), residual=False).train()
    optimizer, prompts = torch.optim.Adam(network.parameters(), 0.01), model()
    for step in range(40):
        image, truths, places = balls(step % 6, SIZE)
        which = step % 2
        values = normalised(image[None], folders.ZSCORE)
        mark = Prompts((Prompt("point", (places[which],)),))
        channels = prompts.encode_prompts(mark, np.zeros(SIZE, bool), 1.0)
        seen = torch.from_numpy(np.concatenate([values, channels]))[None]
        target = torch.from_numpy(truths[which].astype(np.int64))[None]
        loss = nn.functional.cross_entropy(network(seen), target, torch.tensor([0.5, 1.0]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval()


def test_a_click_segments_the_ball_under_it_and_not_its_twin(trained: UNet, runner: Runner, tmp_path: Path) -> None:
    configuration = {
        "patch_size": list(SIZE),
        "architecture": {"network_class_name": "a.PlainConvUNet", "arch_kwargs": ARCHITECTURE},
    }
    labels = {"background": 0, **{f"object {k}": k for k in range(1, 40)}}
    source = folders.write_result(
        tmp_path,
        {"0": trained},
        said=folders.plans(configuration=configuration, dataset_name="Dataset225_nnInteractiveV2"),
        dataset={**folders.DATASET, "labels": labels},
        trainer="nnInteractiveTrainer_stub__nnUNetPlans__3d_fullres",
        trainer_name="nnInteractiveTrainer_stub",
    )
    (source / "inference_info.json").write_text(json.dumps(INFO))
    folder = tmp_path / "installed"
    folder.mkdir()
    NnUnet().install(source, folder, RunContext())
    manifest = read_manifest(folder)
    assert manifest.kinds == ("interactive",)
    assert "CC BY-NC-SA 4.0" in manifest.weights.licence
    assert manifest.inputs.prompts == ("point", "box", "scribble")
    assert manifest.inputs.spacing == ()

    image, truths, places = balls(77, SHAPE)
    grid = Grid(SHAPE, (2.0, 1.0, 1.0))
    plugin = find(manifest.id, discover([folder, HERE.parent]))
    asked = (Image(image, grid, modality="MR"), Series("1.2", "MR", "", grid, (), "nifti"), plugin)
    nothing = Part((0, 0, 0), np.zeros((1, 1, 1), bool))
    prompts = Prompts((Prompt("point", (places[1],)),))  # type: ignore[arg-type]  # three numbers
    job = submit_prompts(runner, *asked, folder / "weights.safetensors", "1.0.0", prompts, nothing, device="cpu")
    runner.wait(job, 120)
    found = np.zeros(SHAPE, bool)
    part = job.result().part
    found[part.box] = part.inside
    assert dice(found, truths[1]) > 0.8
    assert not (found & truths[0]).any()


def test_prompts_fade_with_age_and_keep_to_their_channels() -> None:
    marks = (
        Prompt("point", ((6.0, 8.0, 8.0),)),
        Prompt("point", ((6.0, 12.0, 20.0),), positive=False),
        Prompt("box", ((4.0, 2.0, 3.0), (4.0, 9.0, 12.0))),
        Prompt("scribble", ((2.0, 2.0, 2.0), (2.0, 2.0, 9.0)), positive=False),
    )
    previous = np.zeros(SIZE, bool)
    previous[3, 4, 5] = True
    channels = model().encode_prompts(Prompts(marks), previous, 1.0)
    assert channels.dtype == np.float32
    assert channels.shape == (7, *SIZE)
    assert np.array_equal(channels[0] > 0, previous)
    assert channels[3, 6, 8, 8] == pytest.approx(0.98**3)
    assert channels[4, 6, 12, 20] == pytest.approx(0.98**2)
    assert (channels[1] > 0).sum() == 8 * 10
    assert channels[1, 4, 2, 3] == pytest.approx(0.98)
    assert (channels[6, 2, 2, 2:10] == 1).all()
    assert not channels[2].any()
    assert not channels[5].any()


def test_a_point_is_a_ball_that_fades_to_its_rim() -> None:
    channels = model().encode_prompts(Prompts((Prompt("point", ((6.0, 12.0, 12.0),)),)), np.zeros(SIZE, bool), 1.0)
    line = channels[3, 6, 12]
    assert line[12] == 1
    assert (np.diff(line[12:18]) <= 0).all()
    assert line[16] > 0
    assert line[17] == 0


def test_points_at_the_edge_and_beyond_are_cut() -> None:
    outside = Prompt("point", ((-30.0, 4.0, 4.0),))
    edge = Prompt("point", ((0.0, 0.0, 23.0),))
    channels = model().encode_prompts(Prompts((outside, edge)), np.zeros(SIZE, bool), 1.0)
    assert channels[3, 0, 0, 23] == 1
    far = model().encode_prompts(Prompts((edge,)), np.zeros(SIZE, bool), 2.25)
    assert far[3, 0, 0, 23] == 1
    assert (far[3] > 0).sum() < (channels[3] > 0).sum()


def test_channels_counted_from_the_end_are_understood() -> None:
    said = {"channel_mapping": {"prev_seg": -7, "points": [-4, -3]}, "interaction_channels": 6}
    channels = nninteractive._channels(said, Channels())
    assert (channels.previous, channels.points) == (0, (3, 4))


def test_the_first_releases_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "inference_session_class.json").write_text('"nnInteractiveInferenceSession"')
    assert nninteractive.read_channels(tmp_path).decay == 0.9
    (tmp_path / "inference_session_class.json").write_text(
        '{"point_radius": 3, "preferred_scribble_thickness": [3, 3, 3]}'
    )
    assert (nninteractive.read_channels(tmp_path).radius, nninteractive.read_channels(tmp_path).thickness) == (3, 3.0)


def test_what_it_asks_and_is_not_known_is_refused(tmp_path: Path) -> None:
    (tmp_path / "inference_info.json").write_text('{"pad_mode_image": "reflect"}')
    with pytest.raises(PluginError, match="reflect"):
        nninteractive.read_channels(tmp_path)
