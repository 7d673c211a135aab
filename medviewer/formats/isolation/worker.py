"""The child process: reads requests from its standard input, answers on its standard output, and ends with its parent.

Run as ``python -m medviewer.formats.isolation.worker``; imports what a request names, when it names it.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import os
import queue
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import IO, Any

from medviewer.errors import MedviewerError
from medviewer.formats.isolation import protocol

GRACE_S = 5.0
"""Seconds after its time limit at which a child that its parent forgot ends itself."""

MEMORY = 6 * 1024**3
"""Bytes of address space that a child may take; half of the machine's memory if that is less."""

_LEAST = 3 * 1024**3
"""Below this, libraries fail to load."""


def main() -> None:
    """Answer requests until the parent is gone."""
    requests, answers = _pipes()
    _limit_memory()
    warnings.simplefilter("ignore")  # they quote values, and a value may be a name
    waiting: queue.SimpleQueue[tuple[str, tuple[Any, ...], float]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests, waiting), daemon=True).start()
    import numpy as np  # noqa: F401 - before the first request is timed

    protocol.write(answers, ("ready", os.getpid()))
    while True:
        name, arguments, limit_s = waiting.get()
        _watch(limit_s + GRACE_S)
        answer = _answer(name, arguments)
        _watch(0.0)
        _reply(answers, answer)


def _watch(seconds: float) -> None:
    """End this process after so many seconds, whatever it does then; 0 takes that back.

    The parent ends a child that hangs long before. This is for a child whose decoder holds Python's lock and so never
    notices that its parent is gone.
    """
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_REAL, seconds)  # the signal's default action ends the process
    elif seconds:
        faulthandler.dump_traceback_later(seconds, exit=True, file=_nowhere())
    else:
        faulthandler.cancel_dump_traceback_later()


@cache
def _nowhere() -> IO[str]:
    return Path(os.devnull).open("w")


def _answer(name: str, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    try:
        return ("done", _function(name)(*arguments))
    except MedviewerError as error:
        return ("refused", type(error).__name__, str(error), error.details)
    except MemoryError:
        return ("memory",)
    except BaseException as error:  # whatever a decoder raises, SystemExit too, is told
        return ("failed", type(error).__name__, traceback.format_exc(limit=-8))


def _reply(answers: IO[bytes], answer: tuple[Any, ...]) -> None:
    try:
        protocol.write(answers, answer)
    except BrokenPipeError:
        os._exit(0)
    except Exception as error:  # a value that cannot be pickled, found before a byte was sent
        protocol.write(answers, ("failed", type(error).__name__, traceback.format_exc(limit=-8)))


def _function(name: str) -> Callable[..., Any]:
    module, _, function = name.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return found


def _listen(requests: IO[bytes], waiting: queue.SimpleQueue[Any]) -> None:
    """Take requests, and notice at once when the parent is gone."""
    files: set[str] = set()
    try:
        while True:
            request = protocol.read(requests, trusted=True)
            if sys.platform not in ("linux", "win32"):
                files = {part.name for part in request[1] if hasattr(part, "name") and hasattr(part, "size")}
            waiting.put(request)
    except EOFError:
        for file in files:  # a block that its parent could not remove
            with contextlib.suppress(OSError):
                Path(file).unlink()
        os._exit(0)


def _pipes() -> tuple[IO[bytes], IO[bytes]]:
    """The two pipes, with standard output and error turned away: what a library prints must not get in between."""
    requests = os.fdopen(os.dup(0), "rb", buffering=0)
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)
    os.close(nowhere)
    return requests, answers


def _limit_memory() -> None:
    """Let an allocation beyond any image fail here instead of driving the machine into swapping."""
    if sys.platform == "win32":
        return
    import resource

    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = max(min(MEMORY, physical // 2), _LEAST)
    # macOS knows the limit and does not keep it; a container may forbid to set it
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
