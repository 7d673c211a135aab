"""Which processor a run uses. Called in the child process: the window's process never imports torch for it."""

from __future__ import annotations

from medviewer.errors import InputError

CHOICES = ("auto", "cpu", "cuda")


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


def resolve_device(choice: str) -> str:
    """The torch device string, ``cpu`` or ``cuda:0``, of a user's choice.

    Raises
    ------
    InputError
        If the choice is unknown, or CUDA is asked for on a machine that has none.
    """
    import torch

    if check_choice(choice) == "cpu":
        return "cpu"
    if torch.cuda.is_available():
        return "cuda:0"
    if choice == "cuda":
        raise InputError("CUDA was asked for, but torch finds no CUDA device here; choose auto or cpu.")
    return "cpu"


def describe_device(device: str) -> str:
    """A device for people, for example ``CPU, 8 threads`` or ``NVIDIA H100 (cuda:0)``."""
    import torch

    if device == "cpu":
        return f"CPU, {torch.get_num_threads()} threads"
    return f"{torch.cuda.get_device_name(device)} ({device})"
