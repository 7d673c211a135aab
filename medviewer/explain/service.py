"""What the child process does to explain a plugin's answer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from medviewer.errors import PluginError
from medviewer.explain.methods import find_method
from medviewer.explain.window import likely_window
from medviewer.inference.answering.activation import activated, class_distribution
from medviewer.inference.answering.labels import map_to_source
from medviewer.inference.loader import plugin_step
from medviewer.inference.pipeline import OpenedRun, layers_checked, network_batch, open_run, prepared
from medviewer.inference.preparing.frame import NetworkFrame, as_volume
from medviewer.inference.preparing.pieces import Piece
from medviewer.jobs import WorkerReply, WorkerRequest
from medviewer.plugin_api import Explainable, RunContext

if TYPE_CHECKING:
    from torch import Tensor


def explain(request: WorkerRequest, context: RunContext) -> WorkerReply:
    """Explain an image: array ``values`` on the source grid, the ``target``'s name and the ``provenance``."""
    opened = open_run(request, context)
    method = find_method(request.payload["method"])
    found = prepared(opened)
    scorer = Scorer(opened, request.payload["label"])
    window = likely_window(opened, found, scorer.label)
    inputs = network_batch(opened, window.cut(found.values) if window is not None else found.values)
    opened.context.progress(0.1, method.name)
    plugin = cast(Explainable, opened.loaded.plugin)
    with plugin_step(opened.name, f"being explained by {method.name}"), layers_checked(opened, 0.1, 0.6):
        layer = plugin.explain_layer(opened.loaded.network)
        attribution = method.attribute(scorer, layer, inputs)
    opened.context.progress(0.85, "Resampling the map")
    values, empty = _heat(opened, found.frame, window, attribution, method.name)
    labels = opened.loaded.manifest.outputs.labels
    target = labels[scorer.label or 0].name
    notes = (*found.notes, *_window_note(found.frame, window, target))
    provenance = opened.provenance(*notes, *scorer.notes, *empty)
    opened.context.progress(1.0, "Done")
    return WorkerReply({"target": target, "provenance": provenance.to_json()}, {"values": values})


class Scorer:
    """Takes network input to the number that is explained.

    Parameters
    ----------
    opened
        The run.
    label
        Index of the explained label; None takes the top class of a Classifier and the first label of a Segmenter, and
        `label` then tells which that was.

    Attributes
    ----------
    notes
        What has to be read beside the map.
    """

    def __init__(self, opened: OpenedRun, label: int | None) -> None:
        self._opened = opened
        self.label = label
        self.notes: tuple[str, ...] = ()

    def __call__(self, inputs: Tensor) -> Tensor:
        """Score of shape (1,): a class' logit, or the sum of a label's logits over the voxels that are given it."""
        output = self._opened.loaded.network(inputs)
        if "segment" in self._opened.loaded.manifest.kinds:
            return self._segment_score(output)
        if self.label is None:
            self.label = int(activated(self._opened, output.detach()).argmax())
        return self._logits(output).reshape(1)

    def _segment_score(self, output: Tensor) -> Tensor:
        self.label = self.label or 0
        inside = self._given(output.detach())
        logits = self._logits(output).reshape(inside.shape)
        if not bool(inside.any()):
            self.notes = ("No voxel was given this label, so the map explains its score over the whole image.",)
            return logits.sum().reshape(1)
        return logits[inside].sum().reshape(1)

    def _given(self, output: Tensor) -> Tensor:
        """Which voxels (z, y, x) get the label, as a prediction gives it."""
        outputs, label = self._opened.loaded.manifest.outputs, self.label or 0
        if outputs.activation == "softmax":
            given = class_distribution(self._opened, output)[0].argmax(dim=0) == label + 1
            return given if given.ndim == 3 else given[None]
        return activated(self._opened, output)[label] >= outputs.threshold

    def _logits(self, output: Tensor) -> Tensor:
        plugin = cast(Explainable, self._opened.loaded.plugin)
        return plugin.explain_logits(output, self.label or 0)


def _window_note(frame: NetworkFrame, window: Piece | None, target: str) -> tuple[str, ...]:
    if window is None or all(size <= seen for size, seen in zip(frame.shape, window.shape, strict=True)):
        return ()
    seen = " x ".join(map(str, window.shape))
    return (f"Only the window of {seen} voxels that holds the most of {target} is explained; elsewhere the map is 0.",)


def _heat(
    opened: OpenedRun, frame: NetworkFrame, window: Piece | None, attribution: Tensor, method: str
) -> tuple[NDArray[np.float16], tuple[str, ...]]:
    """The map on the source grid, scaled so that its highest value is 1; one that is zero everywhere gets a note.

    Raises
    ------
    PluginError
        If the map is not a number somewhere: the network's gradients overflowed.
    """
    shape = opened.image.grid.shape
    coarse = attribution.float() if attribution.ndim == 3 else attribution.float()[None]
    if window is not None:
        coarse = _placed(coarse, window, frame)
    highest = float(coarse.max())
    if not np.isfinite(highest):
        raise PluginError(f"{method} needs finite gradients, but those of {opened.name} are not; try another method.")
    if highest <= 0:
        note = f"{method} is zero everywhere: nothing in this layer speaks for the target, so the map shows nothing."
        return np.zeros(shape, np.float16), (note,)
    values = map_to_source(replace(frame, shape=as_volume(coarse.shape)), coarse / highest, opened.context)
    # Interpolation passes by the highest coarse voxel, so that the finer map peaks a little below 1.
    values /= values.max()
    return values, ()


def _placed(coarse: Tensor, window: Piece, frame: NetworkFrame) -> Tensor:
    """A map that covers a window, on the network's grid, 0 elsewhere."""
    import torch
    from torch.nn import functional as F

    fine = F.interpolate(coarse[None, None], size=window.extent, mode="trilinear", align_corners=False)[0, 0]
    whole = torch.zeros(frame.shape, device=fine.device)
    grid, own = window.inner(frame.shape)
    whole[grid] = fine[own]
    return whole
