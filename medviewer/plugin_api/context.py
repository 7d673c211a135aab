"""What a running plugin is given by its host."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from medviewer.errors import JobCancelled


def _ignore(fraction: float, message: str) -> None:
    """The progress sink of a run that nobody watches."""


@dataclass(frozen=True)
class RunContext:
    """Device, cancellation, progress, log and seed of one run.

    Parameters
    ----------
    device
        Torch device string, ``cpu`` or ``cuda:0``; already resolved by the host.
    parameters
        The values of the manifest's parameters for this run.
    report
        Sink of progress: fraction in 0..1 and a few words.
    cancelled
        Set by the host when the user wants the run to stop.
    seed
        Seed for whatever is random.
    """

    device: str = "cpu"
    parameters: dict[str, Any] = field(default_factory=dict)
    report: Callable[[float, str], None] = _ignore
    cancelled: threading.Event = field(default_factory=threading.Event)
    seed: int = 0
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("medviewer.plugin"))

    def progress(self, fraction: float, message: str = "") -> None:
        """Tell how far the run is, and stop it here if the user asked for that.

        Raises
        ------
        JobCancelled
            If the user cancelled the run.
        """
        self.check()
        self.report(min(max(fraction, 0.0), 1.0), message)

    def check(self) -> None:
        """Raise JobCancelled if the user cancelled the run."""
        if self.cancelled.is_set():
            raise JobCancelled("The run was cancelled.")
