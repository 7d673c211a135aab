"""A case of the queue as the child process needs it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from medviewer.archive.blobs import read_array
from medviewer.domain.image import Image
from medviewer.inference.frame import NetworkFrame
from medviewer.inference.loader import LoadedPlugin
from medviewer.inference.pipeline import OpenedRun, network_batch, prepared
from medviewer.inference.request import PluginRun, image_from_json
from medviewer.inference.resample import to_frame
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
    quiet = RunContext(loaded.device, run.parameters, cancelled=context.cancelled, seed=context.seed, log=context.log)
    return OpenedRun(run, loaded, case.image, quiet)


def training_pair(run: OpenedRun, labels: NDArray[Any]) -> tuple[Tensor, Tensor]:
    """Network input (1, c, z, y, x) and one-hot truth (1, labels, z, y, x) of a case, both on the network's grid.

    The input is made as in a prediction. For the truth each label is resampled as the image is, and each voxel goes to
    what covers most of it, so that thin parts shrink as little as the grid allows.
    """
    import torch

    found = prepared(run)
    winner = torch.from_numpy(_winners(run, labels, found.frame))
    truth = torch.stack(
        [(winner == number).float() for number in range(1, len(run.loaded.manifest.outputs.labels) + 1)]
    )
    return network_batch(run, found.values), network_batch(run, truth)


def _winners(run: OpenedRun, labels: NDArray[Any], frame: NetworkFrame) -> NDArray[Any]:
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
