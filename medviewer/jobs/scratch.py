"""The folders through which arrays travel, and the removal of those that a crash left behind."""

from __future__ import annotations

import os
import platform
import re
import secrets
import shutil
import sys
from pathlib import Path

_NAME = re.compile(r"run-(?P<node>.*)-(?P<pid>\d+)-[0-9a-f]{8}")


def new_run_folder(scratch: Path) -> Path:
    """A fresh folder for this process, named with its machine and process id; those of dead processes are removed.

    The machine's name is there because a home folder may be shared: a process id says nothing about another machine.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    for folder in scratch.iterdir():
        match = _NAME.fullmatch(folder.name)
        if match and match["node"] == _node() and not process_exists(int(match["pid"])):
            shutil.rmtree(folder, ignore_errors=True)
    run = scratch / f"run-{_node()}-{os.getpid()}-{secrets.token_hex(4)}"
    run.mkdir(mode=0o700)
    return run


def remove(folder: Path) -> None:
    """Remove a folder; what a process on Windows still maps stays, and goes with the next start."""
    shutil.rmtree(folder, ignore_errors=True)


def process_exists(pid: int) -> bool:
    """Whether a process of this machine has that id."""
    if sys.platform == "win32":
        return _process_exists_on_windows(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # somebody else's
    return True


def _process_exists_on_windows(pid: int) -> bool:
    """Ask for a handle: os.kill would end the process there."""
    import ctypes

    query_limited_information = 0x1000
    still_active = 259
    kernel = ctypes.WinDLL("kernel32")  # type: ignore[attr-defined,unused-ignore]  # on Windows only
    kernel.OpenProcess.restype = ctypes.c_void_p
    handle = kernel.OpenProcess(query_limited_information, False, pid)
    if not handle:
        return False
    code = ctypes.c_ulong()
    kernel.GetExitCodeProcess(ctypes.c_void_p(handle), ctypes.byref(code))
    kernel.CloseHandle(ctypes.c_void_p(handle))
    return code.value == still_active


def _node() -> str:
    return re.sub(r"[^A-Za-z0-9]+", "_", platform.node())[:40] or "here"
