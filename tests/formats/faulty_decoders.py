"""Decoders that misbehave on purpose, run in a child by the tests of isolation."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from medviewer.errors import NotFoundError
from medviewer.formats.dicom import codecs
from medviewer.formats.isolation import Token, window

KILL, HANG, GREEDY, RAISE, LEAVE = b"KILL", b"HANG", b"GREEDY", b"RAISE", b"LEAVE"


def segfault() -> None:
    ctypes.string_at(0)


def leave() -> None:
    os._exit(3)


def leave_politely() -> None:
    sys.exit(4)


def loop() -> None:
    while True:
        pass


def greedy() -> int:
    return np.ones(10 * 1024**3, np.uint8).nbytes


def fail() -> None:
    raise ValueError("of the decoder")


def refuse() -> None:
    raise NotFoundError("There is none.", "details")


def babble() -> int:
    os.write(1, b"a library's own words")
    sys.stdout.write("more of them")
    sys.stdout.flush()
    return 1


def evil() -> Any:
    class Evil:
        def __reduce__(self) -> Any:
            return os.getcwd, ()

    return Evil()


def doubled(values: np.ndarray, path: Path) -> dict[str, Any]:
    return {"values": values * 2, "path": path, "pid": os.getpid(), "memory": "torch" in sys.modules}


def fill(token: Token, offset: int, count: int) -> None:
    with window(token, offset, (count,), np.dtype(np.uint16)) as part:
        part[:] = np.arange(count)


def slow(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def decode_into(path: str, pieces: Any, *more: Any) -> None:
    """The real decoder, but for frames that begin with one of the words above."""
    with Path(path).open("rb") as file:
        file.seek(pieces[0][0])
        word = file.read(8)
    for begin, act in ((KILL, segfault), (HANG, loop), (GREEDY, greedy), (RAISE, fail), (LEAVE, leave)):
        if word.startswith(begin):
            act()
    codecs.decode_into(path, pieces, *more)
