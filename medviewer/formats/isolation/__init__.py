"""Decoders in processes of their own: a crash, a hang or a bomb costs one file and not the window.

`call` runs one function in a warm child process; `SharedBlock` is memory that both sides write. Nothing of it outlives
the program: blocks have no name that could be left behind on Linux and Windows, and a child ends with its parent.
"""

from __future__ import annotations

from medviewer.formats.isolation.memory import SharedBlock, Token, window
from medviewer.formats.isolation.pool import call, processes, shutdown, size, warm

__all__ = ["SharedBlock", "Token", "call", "processes", "shutdown", "size", "warm", "window"]
