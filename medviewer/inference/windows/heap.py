"""Keeps the memory of one window for the next, on a CPU.

A layer's output is tens of megabytes. glibc takes such a piece from the system and gives it back every time, and the
system hands it out page by page, each one zeroed: of a U-Net's time on a CPU that was up to a third (measured in
``tests/benchmarks/engine.py``). While windows run one after the other, the pieces stay.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Iterator

# mallopt(3)
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT = 2**30
"""Bytes up to which a piece is kept."""
_BEFORE = 32 * 2**20
"""Where glibc's own threshold ends up in a program that frees pieces of that size."""


@contextlib.contextmanager
def kept_memory(wanted: bool = True) -> Iterator[None]:
    """Keep freed memory for the next layer, and give it back at the end; where there is no glibc, change nothing."""
    libc = _glibc() if wanted else None
    if libc is None:
        yield
        return
    libc.mallopt(_MMAP_THRESHOLD, _KEPT)
    libc.mallopt(_TRIM_THRESHOLD, 2 * _KEPT - 1)
    try:
        yield
    finally:
        libc.mallopt(_MMAP_THRESHOLD, _BEFORE)
        libc.mallopt(_TRIM_THRESHOLD, 2 * _BEFORE)
        libc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim") else None
