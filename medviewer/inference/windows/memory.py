"""What is done when memory runs out, one rung after the other."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING

from medviewer.errors import PluginError
from medviewer.inference.device import budget

if TYPE_CHECKING:
    from medviewer.plugin_api.spec import Windows

_SAYS_MEMORY = (
    "out of memory",  # CUDA, and oneDNN's out_of_memory below
    "out_of_memory",
    "defaultcpuallocator",
    "not enough memory",
    "can't allocate memory",
    "bad_alloc",
    "alloc_failed",  # cuBLAS and cuDNN
    "could not create a memory object",  # oneDNN
)
"""How the libraries say it where they have no exception of its own, lower case."""


class Rung(Enum):
    """What a step down changed."""

    BATCH = auto()
    BLEND = auto()
    WINDOWS = auto()
    DEVICE = auto()


@dataclass
class Ladder:
    """How a sweep runs now, and what it gave up to fit into memory.

    Parameters
    ----------
    windows
        Present windows; smaller than the declared ones after `Rung.WINDOWS`.
    batch
        Windows at once.
    device
        Where networks run.
    steps
        What was given up, one sentence each.
    blend_device
        Where windows are added up.
    movable
        Whether the networks can be taken to the CPU.
    """

    windows: Windows
    batch: int
    device: str
    steps: list[str]
    blend_device: str = ""
    movable: bool = True
    _declared: Windows = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.blend_device = self.blend_device or self.device
        self._declared = self.windows

    def step_down(self) -> Rung:
        """Give something up; what changed.

        Raises
        ------
        PluginError
            If nothing is left to give up.
        """
        where = "the GPU" if self.device != "cpu" else "the computer"
        ran_out = f"The memory of {where} ran out"
        if self.batch > 1:
            self.batch //= 2
            self.steps.append(f"{ran_out}: {_windows(self.batch)} went through the network at once.")
            return Rung.BATCH
        if self.blend_device != "cpu":
            self.blend_device = "cpu"
            self.steps.append(f"{ran_out}: windows were put together in the computer's memory.")
            return Rung.BLEND
        smaller = self._smaller()
        if smaller != self.windows.roi:
            self.windows = self.windows.model_copy(update={"roi": smaller})
            self.steps.append(f"{ran_out}: windows of {_size(smaller)} voxels were used.")
            return Rung.WINDOWS
        if self.device != "cpu" and self.movable:
            self.device, self.windows = "cpu", self._declared
            self.steps.append(f"{ran_out}: the rest ran on the CPU.")
            return Rung.DEVICE
        raise PluginError(
            f"A single window of {_size(self.windows.roi)} voxels should fit into memory, but the memory of {where} "
            "ran out; close other programs, or choose a plugin with smaller windows."
        )

    def _smaller(self) -> tuple[int, ...]:
        """Every side one step smaller, where it stays a step long."""
        step = self.windows.multiple
        if not step:
            return self.windows.roi
        return tuple(side - step if side - step >= step else side for side in self.windows.roi)


def _windows(count: int) -> str:
    return "one window" if count == 1 else f"{count} windows"


def _size(roi: tuple[int, ...]) -> str:
    return " × ".join(map(str, roi))


def out_of_memory(error: BaseException) -> bool:
    """Whether an exception, or one that it was made of, says that memory ran out."""
    import torch

    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, (MemoryError, torch.OutOfMemoryError)):
            return True
        # RuntimeError: torch's own; others come out of other runtimes (onnxruntime) under names of their own
        if isinstance(seen, Exception) and any(word in str(seen).lower() for word in _SAYS_MEMORY):
            return True
        seen = seen.__cause__
    return False


def free_gb(device: str) -> float:
    """Memory of a device that this process may still take, in GB."""
    free = budget(device)
    if free is None:
        import psutil

        free = psutil.virtual_memory().available
    return float(free) / 1e9


def first_batch(declared: int, memory_gb: float, device: str) -> tuple[int, str]:
    """The batch to begin with, and the step that is said if it is not the declared one.

    Parameters
    ----------
    memory_gb
        What a run with the declared batch takes; 0 if nobody knows.
    """
    if declared == 1 or not memory_gb:
        return declared, ""
    free, batch = free_gb(device), declared
    while batch > 1 and memory_gb * batch / declared > free:
        batch //= 2
    if batch == declared:
        return declared, ""
    return batch, f"Only {free:.1f} GB of memory were free: {_windows(batch)} went through the network at once."


def release(device: str) -> None:
    """Give cached memory of a GPU back, so that what was split up can be used in one piece."""
    import torch

    if torch.device(device).type == "cuda":
        torch.cuda.empty_cache()
