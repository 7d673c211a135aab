"""Detection, in the child process: windows through the network, boxes back onto the image's grid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from medviewer.errors import ContractError
from medviewer.inference.detecting.nms import suppress
from medviewer.inference.device import describe_device
from medviewer.inference.doubting.doubts import doubt_of, reference_of, with_doubt
from medviewer.inference.doubting.features import seeing
from medviewer.inference.loader import plugin_step
from medviewer.inference.passes import ensemble_of, flips_of, left_right_axis, steps_of
from medviewer.inference.pipeline import NetworkInput, OpenedRun, layers_checked, open_run, prepared, windows_seen
from medviewer.inference.preparing.frame import NetworkFrame
from medviewer.jobs import WorkerReply, WorkerRequest
from medviewer.plugin_api import Detector, Manifest, RunContext

if TYPE_CHECKING:
    from torch import Tensor, nn

_START, _STOP = 0.1, 0.9
_MOST = 10_000
"""Boxes of one window above the threshold; more is a network that finds everything everywhere."""
_ROUNDING = 1e-4


@dataclass(frozen=True)
class Boxes:
    """Boxes (n, 6) as z0, y0, x0, z1, y1, x1, edge to edge, with scores (n,) and labels (n,), counted from 0."""

    boxes: Tensor
    scores: Tensor
    labels: Tensor


def detect(request: WorkerRequest, context: RunContext) -> WorkerReply:
    """Find things in an image.

    The arrays ``boxes`` (n, 6) lie on the source grid; ``scores`` (n,) and ``labels`` (n,) beside them, the surest
    first. With the ``provenance``.
    """
    opened = open_run(request, context)
    reference, seen = reference_of(opened), prepared(opened)
    found, features = seeing(opened, seen.values, lambda: detected(opened, seen), wanted=reference is not None)
    boxes = on_source(found.boxes.numpy(), seen.frame)
    labels = found.labels.numpy()
    counted = count_flags(opened.loaded.manifest, labels)
    doubt = doubt_of(opened, reference=reference, features=features, flags=counted)
    provenance = with_doubt(opened.provenance(*seen.notes, steps=steps_of(opened)), doubt)
    opened.context.progress(1.0, "Done")
    arrays: dict[str, NDArray[np.generic]] = {"boxes": boxes, "scores": found.scores.numpy(), "labels": labels}
    return WorkerReply({"provenance": provenance.to_json()}, arrays)


def detected(opened: OpenedRun, seen: NetworkInput) -> Boxes:
    """What the run's networks find over all windows and mirrored passes, on the network's grid and on the CPU.

    Raises
    ------
    ContractError
        If the plugin's `boxes` returns something else than it should.
    """
    import torch

    manifest, run = opened.loaded.manifest, opened.run.options
    flips, _ = flips_of(run.tta, manifest, left_right_axis(opened))
    networks = (opened.loaded.network, *ensemble_of(opened))
    opened.context.progress(_START, f"Running on {describe_device(opened.loaded.device)}")
    every: list[Boxes] = []
    with torch.inference_mode():
        for number, (network, axes) in enumerate((network, axes) for network in networks for axes in flips):
            opened.context.check()
            every += _one_pass(opened, network, seen, axes, tell=number == 0)
    boxes, scores, labels = (torch.cat([getattr(one, name) for one in every]) for name in ("boxes", "scores", "labels"))
    kept = suppress(boxes, scores, labels, opened.context.check)
    return Boxes(boxes[kept], scores[kept], labels[kept])


def _one_pass(
    opened: OpenedRun, network: nn.Module, seen: NetworkInput, axes: tuple[int, ...], tell: bool
) -> Iterator[Boxes]:
    """What a network finds window by window in the image, mirrored along these axes."""
    values = seen.values.flip([axis - 3 for axis in axes]) if axes else seen.values
    size = values.shape[1:]
    for place, window in windows_seen(opened, values):
        with layers_checked(opened, _START, _STOP, network, tell=tell), plugin_step(opened.name, "running its network"):
            output = network(window)
        with plugin_step(opened.name, "reading its network's output"):
            answer = cast(Detector, opened.loaded.plugin).boxes(output)
        found = checked(opened.loaded.manifest, answer)
        start = found.boxes.new_tensor(place.start if place is not None else (0, 0, 0)).repeat(2)
        yield _inside(Boxes(found.boxes + start, found.scores, found.labels), size, axes)


def _inside(found: Boxes, size: tuple[int, ...], axes: tuple[int, ...]) -> Boxes:
    """Boxes mirrored back and cut at the edges of the network's grid; what lies outside, in its padding, is dropped."""
    boxes = found.boxes.clone()
    for axis in axes:
        boxes[:, [axis, axis + 3]] = size[axis] - found.boxes[:, [axis + 3, axis]]
    limit = boxes.new_tensor(size).repeat(2)
    boxes = boxes.clamp(min=0).minimum(limit)
    there = (boxes[:, 3:] > boxes[:, :3]).all(dim=1)
    return Boxes(boxes[there], found.scores[there], found.labels[there])


def checked(manifest: Manifest, answer: object) -> Boxes:
    """A plugin's boxes on the CPU, those below the threshold left out, once they are what the protocol says.

    Raises
    ------
    ContractError
        If they have another form, hold something that is not finite, or name a label that nobody declared.
    """
    import torch

    name, numbers = manifest.name, 2 * manifest.inputs.ndim
    if not isinstance(answer, tuple) or len(answer) != 3 or not all(isinstance(part, torch.Tensor) for part in answer):
        raise ContractError(f"{name}: boxes should return three tensors (boxes, scores, labels){_CURE}")
    boxes, scores, labels = (part.detach().cpu() for part in answer)
    count = len(scores) if scores.ndim == 1 else -1
    shapes = [tuple(part.shape) for part in (boxes, scores, labels)]
    if shapes != [(count, numbers), (count,), (count,)]:
        raise ContractError(f"{name}: boxes should have the shapes (n, {numbers}), (n,), (n,), not {shapes}{_CURE}")
    if labels.is_floating_point() or labels.is_complex() or not (boxes.is_floating_point() or _whole(boxes)):
        raise ContractError(
            f"{name}: boxes should be numbers and labels whole ones, not {boxes.dtype}, {labels.dtype}{_CURE}"
        )
    boxes, scores, labels = boxes.float(), scores.float(), labels.long()
    if not (torch.isfinite(boxes).all() and torch.isfinite(scores).all()):
        raise ContractError(f"{name} should return finite boxes and scores, but some are not a number{_CURE}")
    if count and not -_ROUNDING <= float(scores.min()) <= float(scores.max()) <= 1 + _ROUNDING:
        raise ContractError(
            f"{name} should return scores in 0 to 1, not {scores.min():.3g} to {scores.max():.3g}{_CURE}"
        )
    if count and not 0 <= int(labels.min()) <= int(labels.max()) < len(manifest.outputs.labels):
        raise ContractError(
            f"{name} declares {len(manifest.outputs.labels)} labels, but found {int(labels.min())} to "
            f"{int(labels.max())}, counted from 0{_CURE}"
        )
    sure = scores >= manifest.outputs.threshold
    if int(sure.sum()) > _MOST:
        raise ContractError(f"{name} found {int(sure.sum())} things in one window, which nobody can read{_CURE}")
    boxes = boxes[sure]
    if numbers == 4:  # a picture is a volume of one slice
        first, last = boxes.new_zeros((len(boxes), 1)), boxes.new_ones((len(boxes), 1))
        boxes = torch.cat([first, boxes[:, :2], last, boxes[:, 2:]], dim=1)
    return Boxes(boxes, scores[sure].clamp(0, 1), labels[sure])


def on_source(boxes: NDArray[np.generic], frame: NetworkFrame) -> NDArray[np.float64]:
    """Boxes (n, 6) of the network's grid on the source grid, edge to edge on both."""
    # Edges are half a voxel before the index of the middle.
    corners = frame.source_index(np.asarray(boxes, float).reshape(-1, 2, 3) - 0.5) + 0.5
    found: NDArray[np.float64] = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    return found


def count_flags(manifest: Manifest, labels: NDArray[np.generic]) -> tuple[str, ...]:
    """One sentence for each label of which another number was found than its manifest expects."""
    counts, told = Counter(labels.tolist()), []
    for number, spec in enumerate(manifest.outputs.labels):
        if spec.expected_count is None:
            continue
        low, high = spec.expected_count
        if not low <= counts[number] <= high:
            wanted = f"{low}" if low == high else f"{low} to {high}"
            told.append(f"{spec.name} was found {counts[number]} times, where {wanted} should be: check this result.")
    return tuple(told)


def _whole(values: Tensor) -> bool:
    return not values.is_complex() and not values.is_floating_point()


_CURE = "; do not use this result, and tell the plugin's author."
