"""Which processor a run uses, and how much of its memory.

All but `has_gpu` and `gpu_resource` is called in the child process: the window's process never imports torch for it.
"""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from medviewer.errors import InputError

if TYPE_CHECKING:
    from medviewer.plugin_api import Manifest

CHOICES = ("auto", "cpu", "cuda")
GPU = "GPU"
"""The resource of jobs that may run on CUDA: one of them at a time."""
SHARE_VARIABLE = "MEDVIEWER_GPU_SHARE"
"""Environment variable: how much of the GPU's memory a run may take, 0 to 1; all of it unless set."""
_DRIVERS = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg")
"""What a CUDA driver leaves on Linux; the last one in its subsystem on Windows."""


def check_choice(choice: str) -> str:
    """Return `choice` if it is one of ``auto``, ``cpu`` and ``cuda``.

    Raises
    ------
    InputError
        If it is something else.
    """
    if choice not in CHOICES:
        raise InputError(f"A device is one of {', '.join(CHOICES)}, not {choice!r}; choose one of them.")
    return choice


def resolve_device(choice: str, manifest: Manifest | None = None) -> str:
    """The torch device string, ``cpu`` or ``cuda:0``, of a user's choice.

    Parameters
    ----------
    manifest
        Of the plugin that runs, whose ``resources.gpu`` may forbid the GPU or ask for it.

    Raises
    ------
    InputError
        If the choice is unknown, CUDA is asked for on a machine that has none, or the plugin runs on a GPU only.
    """
    import torch

    asked = manifest.resources.gpu if manifest is not None else "optional"
    if check_choice(choice) != "cpu" and asked != "never" and torch.cuda.is_available():
        limit_memory("cuda:0")
        return "cuda:0"
    if manifest is not None and asked == "required":
        reason = "the CPU was asked for" if choice == "cpu" else "torch finds no CUDA device here"
        raise InputError(f"{manifest.name} runs on a GPU only, but {reason}; choose a GPU, or another plugin.")
    if choice == "cpu" or asked == "never":
        return "cpu"
    if choice == "cuda":
        raise InputError("CUDA was asked for, but torch finds no CUDA device here; choose auto or cpu.")
    return "cpu"


def describe_device(device: str) -> str:
    """A device for people, for example ``CPU, 8 threads`` or ``NVIDIA H100 (cuda:0)``."""
    import torch

    if device == "cpu":
        return f"CPU, {torch.get_num_threads()} threads"
    return f"{torch.cuda.get_device_name(device)} ({device})"


@cache
def has_gpu() -> bool:
    """Whether a run with the choice ``auto`` may end on CUDA: a driver is here, and torch was built for it.

    Only looks at files, so that it may be asked in the window's process. A yes where torch then finds no device costs
    no more than a queue.
    """
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1"):
        return False
    if sys.platform == "win32":
        found = Path(os.environ.get("SYSTEMROOT", r"C:\Windows"), "System32", "nvcuda.dll").exists()
    else:
        found = any(Path(driver).exists() for driver in _DRIVERS)
    return found and _torch_has_cuda()


def _torch_has_cuda() -> bool:
    """Read from torch's version file whether it was built with CUDA; importing it takes seconds."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return False
    try:
        text = Path(spec.origin).with_name("version.py").read_text(encoding="utf-8")
    except OSError:
        return True  # an unusual build: better a queue too many than two jobs in one GPU's memory
    return re.search(r"^cuda\b.*=\s*None\s*$", text, re.MULTILINE) is None


def gpu_resource(choice: str, manifest: Manifest | None = None) -> str:
    """The `resource` of a job for `Runner.submit_process`: `GPU` if it may end on CUDA, else empty.

    Parameters
    ----------
    choice
        The user's choice of a device.
    manifest
        Of the plugin that runs; one that never uses the GPU need not wait for it.
    """
    never = manifest is not None and manifest.resources.gpu == "never"
    return "" if choice == "cpu" or never or not has_gpu() else GPU


def budget(device: str) -> int | None:
    """Bytes of the device's memory that this process may still take; None on the CPU, where the system answers.

    What torch holds for reuse counts as free. Other programs' share is not.
    """
    if device == "cpu":
        return None
    import torch

    free, total = torch.cuda.mem_get_info(device)
    mine, used = torch.cuda.memory_reserved(device), torch.cuda.memory_allocated(device)
    return max(0, min(free + mine - used, int(total * memory_share()) - used))


def memory_share() -> float:
    """How much of the GPU's memory a run may take, 0 to 1, from the environment.

    Raises
    ------
    InputError
        If the variable holds something else.
    """
    text = os.environ.get(SHARE_VARIABLE, "1")
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise InputError(f"{SHARE_VARIABLE} should be a number above 0 and up to 1, not {text!r}; set it anew.")
    return share


def limit_memory(device: str) -> None:
    """Hold torch to this process's share of the GPU's memory; what would go beyond it fails as if there were no more.

    Raises
    ------
    InputError
        If the environment names no share that can be.
    """
    share = memory_share()
    if device != "cpu" and share < 1:
        import torch

        torch.cuda.set_per_process_memory_fraction(share, device)
