"""The contract tests themselves: each finds its fault in a plugin that otherwise behaves."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from medviewer.domain.image import Image
from medviewer.errors import JobCancelled, PluginError
from medviewer.plugin_api import Manifest, RunContext
from medviewer.plugin_api.testing import CheckRow, check_plugin
from medviewer.plugin_api.testing.images import plain_image, turned

MANIFEST = Manifest.model_validate(
    {
        "id": "tiny",
        "name": "Tiny",
        "version": "1.0.0",
        "description": "",
        "kinds": ["segment", "explain", "train"],
        "entry": "tiny:Tiny",
        "inputs": {"ndim": 3, "size": [4, 4, 4]},
        "outputs": {"labels": [{"name": "Bright"}]},
        "weights": {"file": "w", "sha256": "0" * 64, "source": "", "licence": ""},
    }
)
Predict = Callable[[Image, RunContext], NDArray[np.generic]]


class Tiny:
    """Everything that a segmenter needs."""

    def build_network(self) -> nn.Module:
        return nn.Sequential(nn.Conv3d(1, 1, 1))

    def normalise(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        return values[None]

    def explain_layer(self, network: nn.Module) -> nn.Module:
        return next(network.children())

    def explain_logits(self, output: Tensor, label: int) -> Tensor:
        return output[:, label]

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return nn.functional.mse_loss(output, target)

    def trainable_parameters(self, network: nn.Module) -> list[nn.Parameter]:
        return list(network.parameters())


def _good(image: Image, context: RunContext) -> NDArray[np.generic]:
    context.progress(0.5, "half")
    context.check()
    return (np.nan_to_num(image.voxels) > 100).astype(np.uint8)


def _rows(predict: Predict = _good, plugin: Tiny | None = None) -> list[CheckRow]:
    torch.manual_seed(0)
    subject = plugin or Tiny()
    return check_plugin(MANIFEST, subject, subject.build_network(), predict, RunContext())


def _failed(rows: list[CheckRow]) -> dict[str, str]:
    return {row.name: row.text for row in rows if not row.ok}


def test_a_good_plugin_has_no_failed_row() -> None:
    rows = _rows()
    assert _failed(rows) == {}
    assert [row.name for row in rows][-2:] == ["explain", "train"]


def test_odd_images_reach_the_plugin() -> None:
    seen: list[Image] = []

    def look(image: Image, context: RunContext) -> NDArray[np.generic]:
        seen.append(image)
        return _good(image, context)

    _rows(look)
    assert any(not np.isfinite(image.voxels).all() for image in seen)
    assert any(image.voxels.min() == image.voxels.max() for image in seen)
    assert any(max(image.grid.shape) < 6 for image in seen)
    assert any(len(set(image.grid.spacing)) == 3 for image in seen)
    assert {str(image.voxels.dtype) for image in seen} == {"uint8", "int16", "int32", "float32", "float64"}
    assert any(np.isinf(image.voxels).any() for image in seen)
    huge = max(seen, key=lambda image: image.voxels.size)
    assert huge.grid.shape == (160, 160, 160)
    assert huge.voxels.strides[0] == 0  # and no memory of its own


@pytest.mark.parametrize(
    ("fault", "name", "words"),
    [
        (lambda image, answer: answer[1:], "flipped", "Expected a label map of shape"),
        (lambda image, answer: answer + 1, "flipped", "label 2 is there"),
    ],
)
def test_wrong_answers_are_found(
    fault: Callable[[Image, NDArray[np.generic]], NDArray[np.generic]], name: str, words: str
) -> None:
    failed = _failed(_rows(lambda image, context: fault(image, _good(image, context))))
    assert words in failed[name]


def test_one_check_that_raises_hides_no_other() -> None:
    def moody(image: Image, context: RunContext) -> NDArray[np.generic]:
        if not np.isfinite(image.voxels).all():
            raise ValueError("not a number")
        if max(image.grid.shape) < 6:
            raise PluginError("Tiny images are too small.")
        return _good(image, context)

    assert _failed(_rows(moody)) == {
        "tiny": "Tiny images are too small.",
        "nan": "The plugin raised ValueError: not a number",
    }


def test_deafness_to_cancelling_is_found() -> None:
    def deaf(image: Image, context: RunContext) -> NDArray[np.generic]:
        context.report(0.5, "half")
        return (np.nan_to_num(image.voxels) > 100).astype(np.uint8)

    assert _failed(_rows(deaf)) == {"cancel": "Expected a cancelled run to stop, but it ran to its end."}


def test_a_run_that_rarely_looks_for_a_cancel_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medviewer.plugin_api.testing.runs.CANCEL_S", 0.03)

    def busy(image: Image, context: RunContext) -> NDArray[np.generic]:
        context.progress(0.1)
        until = time.thread_time() + 0.06
        while time.thread_time() < until:
            pass
        return _good(image, context)

    assert "within 0.03 s, but it went on for 0.1 s" in _failed(_rows(busy))["cancel"]


def test_swallowing_a_cancel_in_the_middle_is_found() -> None:
    def stubborn(image: Image, context: RunContext) -> NDArray[np.generic]:
        context.progress(0.1)
        with contextlib.suppress(JobCancelled):
            context.check()
        return (np.nan_to_num(image.voxels) > 100).astype(np.uint8)

    assert _failed(_rows(stubborn)) == {"cancel": "Expected a cancelled run to stop, but it ran to its end."}


def test_remembering_the_last_image_is_found() -> None:
    seen: list[tuple[int, ...]] = []

    def mindful(image: Image, context: RunContext) -> NDArray[np.generic]:
        seen.append(image.voxels.strides)
        return _good(image, context) * np.uint8(len(seen) < 2 or seen[-2] == seen[-1])

    failed = _failed(_rows(mindful))
    assert "changes after another image was seen" in failed["repeatable"]


def test_memory_without_bounds_is_found() -> None:
    held = []

    def greedy(image: Image, context: RunContext) -> NDArray[np.generic]:
        if image.grid.shape == (160, 160, 160):
            held.append(np.ones(520 << 20, np.uint8))
        return _good(image, context)

    assert "at most, but it took" in _failed(_rows(greedy))["memory"]


def test_answers_that_follow_the_array_are_found_where_an_orientation_is_declared() -> None:
    inputs = MANIFEST.inputs.model_copy(update={"orientation": "RAS"})
    manifest = MANIFEST.model_copy(update={"inputs": inputs})

    def by_index(image: Image, context: RunContext) -> NDArray[np.generic]:
        labels = _good(image, context)
        labels[:, :, 20:] = 0
        return labels

    subject = Tiny()
    good, bad = (
        _failed(check_plugin(manifest, subject, subject.build_network(), predict, RunContext()))
        for predict in (_good, by_index)
    )
    assert good == {}
    assert "declares the orientation RAS" in bad["orientation"]


def test_a_turned_image_lies_where_it_lay() -> None:
    plain = plain_image(MANIFEST)
    other = turned(plain)
    for index in ((0, 0, 0), (5, 7, 3), (40, 52, 46)):
        place = plain.grid.affine @ np.array([*index, 1])
        there = np.rint(np.linalg.solve(other.grid.affine, place)[:3]).astype(int)
        assert other.voxels[tuple(there)] == plain.voxels[index]
        np.testing.assert_allclose(other.grid.affine @ np.array([*there, 1]), place, atol=1e-9)


def test_odd_features_and_doubts_are_found() -> None:
    class Seer(Tiny):
        def embed(self, network: nn.Module, values: Tensor) -> Tensor:
            return values.mean(dim=(2, 3, 4)) * float("nan")

        def uncertainty(self, output: Tensor) -> Tensor:
            return output[0, 0] * 0 + 2

    failed = _failed(_rows(plugin=Seer()))
    assert list(failed) == ["embed", "uncertain"]


def test_a_loss_without_parameters_or_of_many_numbers_is_found() -> None:
    class Idle(Tiny):
        def trainable_parameters(self, network: nn.Module) -> list[nn.Parameter]:
            return []

    class Wide(Tiny):
        def loss(self, output: Tensor, target: Tensor) -> Tensor:
            return (output - target).mean(dim=(0, 1, 2, 3))

    assert "at least one parameter" in _failed(_rows(plugin=Idle()))["train"]
    assert "one finite number" in _failed(_rows(plugin=Wide()))["train"]


def test_the_user_can_stop_the_check() -> None:
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(JobCancelled):
        check_plugin(MANIFEST, Tiny(), Tiny().build_network(), _good, RunContext(cancelled=cancelled))


def test_a_classifier_answers_with_one_number_a_label() -> None:
    manifest = MANIFEST.model_copy(update={"kinds": ("classify",)})
    network = Tiny().build_network()

    def predict(image: Image, context: RunContext) -> NDArray[np.generic]:
        context.progress(0.5)
        context.check()
        return np.array([0.4])

    def two(image: Image, context: RunContext) -> NDArray[np.generic]:
        return np.concatenate([predict(image, context), [0.6]])

    assert _failed(check_plugin(manifest, Tiny(), network, predict, RunContext())) == {}
    failed = _failed(check_plugin(manifest, Tiny(), network, two, RunContext()))
    assert "Expected 1 finite probabilities" in failed["flipped"]


def test_the_room_is_free_of_hosts() -> None:
    """What plugins import must not lead back into the host: neither jobs nor inference."""
    folder = Path(__file__).parents[2] / "medviewer" / "plugin_api"
    for path in folder.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "medviewer.inference" not in text
        assert "medviewer.jobs" not in text
