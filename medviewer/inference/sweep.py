"""A volume's way through the network and back: windows, scores, labels and maps of doubt."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.geometry import Shape
from medviewer.errors import ContractError
from medviewer.inference.answering.activation import activated, background_counts, channels_of, check_channels
from medviewer.inference.answering.labels import Labels, LabelSink, MapSink
from medviewer.inference.answering.outputs import check_finite, check_probabilities
from medviewer.inference.device import describe_device
from medviewer.inference.doubting.calibration import cooled_threshold
from medviewer.inference.doubting.doubts import UncertaintyMeter
from medviewer.inference.passes import dropout_on, plan_of, steps_of
from medviewer.inference.pipeline import OpenedRun, SweepInput, called, layers_checked, prepared
from medviewer.inference.preparing.frame import NetworkFrame
from medviewer.inference.windows import Plan, Slab, Slabs, Values, predict_slabs
from medviewer.plugin_api import RunContext
from medviewer.plugin_api.spec import Inputs, Windows

if TYPE_CHECKING:
    from torch import Tensor, nn

_START, _STOP = 0.1, 0.95
"""How far a run is before its first window and after its last one."""


@dataclass(frozen=True, eq=False)
class Segmented:
    """What a segmenter says of an image.

    Parameters
    ----------
    labels
        Label map on the source grid (z, y, x).
    notes, steps
        What has to be read beside it, and what the run did differently to get there.
    entropy, mutual
        Maps of doubt on the source grid, float16, 0 to 1; None unless the run's options asked for them.
    frame
        Where the network looked.
    uncertainty
        Mean doubt of the voxels that are labelled or nearly so, 0 to 1; None if none is.
    """

    labels: Labels
    notes: tuple[str, ...]
    steps: tuple[str, ...]
    entropy: NDArray[np.float16] | None
    mutual: NDArray[np.float16] | None
    frame: NetworkFrame
    uncertainty: float | None = None


def segmented(opened: OpenedRun, found: SweepInput | None = None, temperature: float = 1.0) -> Segmented:
    """Label an image, slab by slab: nothing of all classes is ever held for the whole volume.

    Parameters
    ----------
    found
        The network's input, where it is made already.
    temperature
        What calibrates the version's doubt (see `inference.doubting.calibration`); the mask stays the same.

    Raises
    ------
    ContractError
        If the network or the plugin answers something other than what the manifest declares.
    """
    found = found or prepared(opened)
    manifest, frame = opened.loaded.manifest, found.frame
    plan = plan_of(opened, temperature)
    threshold = manifest.outputs.threshold
    sink = LabelSink(
        frame,
        len(manifest.outputs.labels),
        background=background_counts(manifest),
        threshold=cooled_threshold(threshold, temperature) if plan.uncertainty else threshold,
        context=opened.context,
    )
    meter = UncertaintyMeter(background_counts(manifest))
    maps = tuple(MapSink(frame, opened.context) for _ in range(2)) if plan.uncertainty else ()
    with sweep(opened, found.values, plan) as slabs:
        for slab in slabs:
            scores = scores_of(opened, slab, plan, frame.shape)
            meter.add(scores, slab.entropy, probabilities=plan.uncertainty)
            sink.add(slab.start, scores)
            for one, values in zip(maps, (slab.entropy, slab.mutual), strict=False):
                if values is not None:
                    one.add(slab.start, values)
        steps = (*steps_of(opened), *slabs.steps)
    entropy, mutual = (one.values for one in maps) if maps else (None, None)
    if not (len(plan.flips) > 1 or plan.samples > 1 or plan.networks):
        mutual = None  # a single pass has nobody to disagree with
    return Segmented(sink.labels, found.notes, steps, entropy, mutual, frame, meter.value)


@contextmanager
def sweep(opened: OpenedRun, values: Values, plan: Plan) -> Iterator[Slabs]:
    """The slabs of a run: its networks called so that what they raise is mapped and a cancel stops them early.

    Parameters
    ----------
    values
        Network input (channels, z, y, x).
    """
    further = tuple(cast("nn.Module", network) for network in plan.networks)
    networks = (opened.loaded.network, *further)
    plan = replace(plan, networks=tuple(_mapped(opened, network) for network in further), modules=networks)
    opened.context.progress(_START, f"Running on {describe_device(opened.loaded.device)}")
    whole = opened.loaded.manifest.inputs.windows is None and len(plan.flips) == len(networks) == 1
    with ExitStack() as stack:
        stack.enter_context(dropout_on(networks, plan.samples, opened.context.seed))
        for network in networks:
            stack.enter_context(layers_checked(opened, _START, _STOP, network, tell=whole))
        slabs = predict_slabs(
            _mapped(opened, opened.loaded.network),
            values,
            windows_of(opened.loaded.manifest.inputs),
            plan,
            _share(opened.context),
        )
        yield stack.enter_context(closing(slabs))  # networks go back to the GPU even if nobody takes the last slab


def windows_of(inputs: Inputs) -> Windows:
    """The sliding window; a network that sees its whole input at once has a single one."""
    return inputs.windows or Windows(roi=inputs.size, overlap=0, blend="constant")


def scores_of(opened: OpenedRun, slab: Slab, plan: Plan, shape: Shape) -> Tensor:
    """What a slab says of each voxel, checked: scores with the background first, or probabilities of the labels.

    Parameters
    ----------
    shape
        Of the network's grid.

    Raises
    ------
    ContractError
        If it is something other than what the manifest declares.
    """
    manifest, scores = opened.loaded.manifest, slab.scores
    voxels = (slab.stop - slab.start, *shape[1:])
    if plan.uncertainty and not background_counts(manifest):
        return check_probabilities(scores, manifest, (channels_of(manifest), *voxels))
    if background_counts(manifest):
        check_channels(opened, scores[None])
        return check_finite(scores, manifest, (channels_of(manifest), *voxels))
    flat = manifest.inputs.ndim == 2
    return activated(opened, (scores[:, 0] if flat else scores)[None], voxels)


def _mapped(opened: OpenedRun, network: nn.Module) -> partial[Tensor]:
    return partial(_output, opened, network)


def _output(opened: OpenedRun, network: nn.Module, values: Tensor) -> Tensor:
    output = called(opened, network, values)
    if output.ndim != values.ndim or output.shape[0] != values.shape[0]:
        raise ContractError(
            f"{opened.name}: the network should answer windows of shape {tuple(values.shape)} voxel by voxel, not with "
            f"shape {tuple(output.shape)}; tell its author."
        )
    return output


def _share(context: RunContext) -> RunContext:
    """A context that tells the sweep's own progress as a part of the run's."""

    def report(fraction: float, message: str) -> None:
        context.report(_START + (_STOP - _START) * fraction, message)

    return replace(context, report=report)
