"""The libraries that read other formats, in processes of their own: a hostile file costs itself and not the window."""

from __future__ import annotations

import threading
from typing import Any

from medviewer.errors import JobCancelled, JobTimeout, UnreadableError, WorkerDied
from medviewer.formats import isolation

HEADER_S = 20.0
"""Seconds for a header: the first one waits for the library to be imported."""

_SLOWEST = 20e6
"""Bytes a second that the slowest decoder still gives; a volume of 2 GB may take almost two minutes."""


def ask(
    name: str,
    function: str,
    *arguments: Any,
    size: int = 0,
    cancelled: threading.Event | None = None,
) -> Any:
    """Call ``package.module:function`` apart.

    Parameters
    ----------
    name
        The file that it reads, for the error's text.
    size
        Bytes that it makes, by which its time is measured.

    Raises
    ------
    UnreadableError
        If it says so, crashes or hangs.
    JobCancelled
        If `cancelled` was set.
    """
    try:
        return isolation.call(function, *arguments, timeout_s=HEADER_S + size / _SLOWEST, cancelled=cancelled)
    except WorkerDied as error:
        raise UnreadableError(f"{name} makes its reader crash, so it is damaged; export it again.") from error
    except JobTimeout as error:
        raise UnreadableError(f"{name} keeps its reader busy without an end; export it again.") from error


def stop_if(cancelled: threading.Event | None) -> None:
    """Raise JobCancelled where the user asked for it."""
    if cancelled is not None and cancelled.is_set():
        raise JobCancelled("Loading was stopped; open the series again to see it.")
