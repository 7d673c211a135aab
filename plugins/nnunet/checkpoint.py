"""nnU-Net's checkpoints, read as numbers and words only."""

from __future__ import annotations

import pickle
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from medviewer.errors import PluginError
from nnunet.network import canonical


@dataclass(frozen=True)
class Checkpoint:
    """One fold's weights, and what its training noted.

    Parameters
    ----------
    state
        Tensors by name, one name each.
    configuration
        Name of the configuration in plans.json.
    trainer
        Name of the trainer.
    mirrored
        The axes along which it was trained mirrored, in the network's order; None if it does not say.
    """

    state: dict[str, Tensor]
    configuration: str
    trainer: str
    mirrored: tuple[int, ...] | None


def read_checkpoint(path: Path) -> Checkpoint:
    """Read ``checkpoint_final.pth``: tensors, plain containers and single numbers of NumPy; nothing in it runs.

    Raises
    ------
    PluginError
        If it holds something else, or is no checkpoint of nnU-Net v2.
    """
    try:
        with _numpy_numbers():
            data = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (pickle.UnpicklingError, RuntimeError, OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise PluginError(
            f"{path.name} should hold an nnU-Net's weights as numbers and words, but it holds something else or is "
            "broken; nothing of it was run.",
            str(error),
        ) from error
    try:
        weights, said = data["network_weights"], data["init_args"]
        mirrored = data.get("inference_allowed_mirroring_axes")
        if not all(isinstance(name, str) and isinstance(one, Tensor) for name, one in weights.items()):
            raise TypeError("network_weights should be tensors by name")
        return Checkpoint(
            canonical(weights),
            str(said["configuration"]),
            str(data.get("trainer_name", "")),
            None if mirrored is None else tuple(int(axis) for axis in mirrored),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise PluginError(f"{path.name} should be a checkpoint of nnU-Net v2, but lacks a part.", str(error)) from error


def _numpy_numbers() -> AbstractContextManager[Any]:
    """Let pickles hold NumPy's scalars, as nnU-Net's log does; NumPy 1 and 2 name their maker differently."""
    scalar: Any = np.core.multiarray.scalar if not hasattr(np, "_core") else np._core.multiarray.scalar  # type: ignore[attr-defined]  # what the pickle names
    kinds = [type(np.dtype(name)) for name in ("float16", "float32", "float64", "int32", "int64", "bool")]
    allowed: list[Any] = [
        (scalar, "numpy.core.multiarray.scalar"),
        (scalar, "numpy._core.multiarray.scalar"),
        np.dtype,
        *kinds,
    ]
    return torch.serialization.safe_globals(allowed)
