"""A case of the queue as the child process needs it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from medviewer.archive.blobs import read_array
from medviewer.domain.image import Image
from medviewer.inference.loader import LoadedPlugin, begin_run
from medviewer.inference.pipeline import OpenedRun, network_batch, prepared
from medviewer.inference.preparing.frame import NetworkFrame, as_volume, nearest_axes
from medviewer.inference.preparing.pieces import Piece
from medviewer.inference.preparing.resample import to_frame
from medviewer.inference.request import PluginRun, image_from_json
from medviewer.plugin_api import RunContext

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class StoredCase:
    """One approved case, read from the archive's files.

    Parameters
    ----------
    id
        Its id in the queue.
    image
        The image.
    labels
        The approved label map, shape (z, y, x), on the image's grid.
    """

    id: str
    image: Image
    labels: NDArray[Any]


def read_case(files: dict[str, Any]) -> StoredCase:
    """Read what `CorrectionQueue.case_files` named. Raises StoreError if a file is missing or damaged."""
    image = image_from_json(files["image"], read_array(Path(files["image_blob"])))
    return StoredCase(files["id"], image, read_array(Path(files["mask_blob"])))


def opened(run: PluginRun, loaded: LoadedPlugin, case: StoredCase, context: RunContext) -> OpenedRun:
    """A case as a run of the plugin that heeds a cancel and reports nothing: the steps around it do."""
    quiet = RunContext(loaded.device, cancelled=context.cancelled, seed=context.seed, log=context.log)
    quiet = begin_run(loaded.manifest, loaded.plugin, run.parameters, quiet)
    return OpenedRun(run, loaded, case.image, quiet)


WINDOWS = 8
"""Windows that are kept of a case, for a network that sees it piece by piece; each epoch learns from one of them."""


def training_pair(run: OpenedRun, labels: NDArray[Any]) -> tuple[Tensor, Tensor]:
    """Network input (n, c, z, y, x) and one-hot truth (n, labels, z, y, x) of a case, both on the network's grid.

    The input is made as in a prediction. For the truth each label is resampled as the image is, and each voxel goes to
    what covers most of it, so that thin parts shrink as little as the grid allows. n is 1 for a network that sees the
    case as a whole; otherwise there are several windows, most of them around a voxel of a label, the labels in turn,
    and one anywhere, so that the rest of the body is learnt too.
    """
    import torch

    found = prepared(run)
    winner = torch.from_numpy(truth_on(run, labels, found.frame).astype(np.int32))
    numbers = range(1, len(run.loaded.manifest.outputs.labels) + 1)
    values, truth = [], []
    for piece in _pieces(run, winner.numpy()):
        seen = found.values if piece is None else piece.cut(found.values)
        within = winner[None] if piece is None else piece.cut(winner[None])
        values.append(network_batch(run, seen))
        truth.append(network_batch(run, torch.cat([(within == number).float() for number in numbers])))
    return torch.cat(values), torch.cat(truth)


def left_right(run: OpenedRun) -> int | None:
    """The axis of the network's input, counted from the last, that runs from the patient's right to the left.

    None for a picture that shows no such axis.
    """
    inputs, grid = run.loaded.manifest.inputs, run.image.grid
    axes, _ = nearest_axes(grid, inputs.orientation)
    axis = axes.index(grid.array_axis(0)) - 3
    return axis if axis >= -inputs.ndim else None


def _pieces(run: OpenedRun, winner: NDArray[np.int32]) -> list[Piece | None]:
    """The windows of a case; None stands for all of it."""
    inputs = run.loaded.manifest.inputs
    if inputs.windows is None:
        return [None]
    chance = np.random.default_rng(run.context.seed)
    roi = as_volume(inputs.windows.roi)
    found = [np.flatnonzero(winner == number) for number in np.unique(winner[winner > 0])]
    pieces: list[Piece | None] = []
    for k in range(WINDOWS):
        anywhere = k == WINDOWS - 1 or not found
        place = int(chance.choice(winner.size if anywhere else found[k % len(found)]))
        centre = [int(at) for at in np.unravel_index(place, winner.shape)]
        start = [_window_start(*one, chance) for one in zip(centre, roi, winner.shape, strict=True)]
        pieces.append(Piece((start[0], start[1], start[2]), roi, roi))
    return pieces


def _window_start(centre: int, window: int, size: int, chance: np.random.Generator) -> int:
    """Where a window begins that has a voxel somewhere in its middle half; around all of a smaller volume."""
    if window >= size:
        return -((window - size) // 2)
    quarter = window // 4
    return min(max(centre + int(chance.integers(-quarter, quarter + 1)) - window // 2, 0), size - window)


def truth_on(run: OpenedRun, labels: NDArray[Any], frame: NetworkFrame) -> NDArray[Any]:
    """The label that covers most of each voxel of the network's grid; one map is held at a time."""
    if not frame.resamples:
        return np.array(frame.view(labels))
    background = np.ones(frame.shape, np.float32)
    best, winner = np.zeros(frame.shape, np.float32), np.zeros(frame.shape, labels.dtype)
    covered = np.empty(frame.shape, np.float32)
    for number in range(1, len(run.loaded.manifest.outputs.labels) + 1):
        mask = Image((labels == number).astype(np.uint8), run.image.grid)
        to_frame(mask, frame, covered, "linear", run.loaded.device, run.context)
        background -= covered
        more = covered > best
        best[more], winner[more] = covered[more], number
    winner[background >= best] = 0
    return winner
