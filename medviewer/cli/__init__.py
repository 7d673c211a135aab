"""The command line: whatever the window does, a script can do. One thin function a command.

Only the names of the commands are known here, so that the window does not wait for what the commands need.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medviewer.app.ports.shell import Screen

COMMANDS = (
    "info",
    "convert",
    "deidentify",
    "pacs",
    "document",
    "measured",
    "report",
    "keyimages",
    "predict",
    "explain",
    "screenshot",
    "plugin",
    "queue",
    "finetune",
    "models",
    "studies",
    "demo",
)

_FLAGS = ("--help", "-h", "--version")
FAILURE, WRONG_USAGE = 1, 2


def is_command(arguments: Sequence[str]) -> bool:
    """Whether the arguments are for a command, ``--help`` or ``--version``; otherwise they are for the window."""
    first = next((argument for argument in arguments if argument != "--verbose"), "")
    return first in COMMANDS or first in _FLAGS


def run(arguments: Sequence[str], screen: Callable[[], Screen]) -> int:
    """Run a command.

    Parameters
    ----------
    screen
        Makes what pictures are drawn with; called by the commands that need it only.

    Returns
    -------
    The exit code: 0, 1 for a failure, 2 for wrong usage.
    """
    try:
        from medviewer.cli.main import run_command

        return run_command(arguments, screen)
    except KeyboardInterrupt:  # so early that the commands were not there yet
        sys.stderr.write("Stopped before it was done.\n")
        return FAILURE


def run_window(arguments: Sequence[str], launch: Callable[[Sequence[Path], bool], int]) -> int:
    """Open the window on ``[PATH...] [--demo]``.

    Parameters
    ----------
    launch
        Opens the window on paths, with the demo study beside them where the second argument is true.

    Returns
    -------
    What `launch` returns; 2 where the arguments are neither options, paths nor a command.
    """
    options, paths = _split(arguments)
    wrong = _wrong_option(options) or _wrong_path(paths)
    if wrong:
        sys.stderr.write(f"{wrong}\n")
        return WRONG_USAGE
    return launch([Path(path) for path in paths], "--demo" in options)


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Options and paths; all that follows ``--`` is a path."""
    known = list(arguments)
    end = known.index("--") if "--" in known else len(known)
    options = [argument for argument in known[:end] if argument.startswith("-")]
    return options, [argument for argument in known[:end] if argument not in options] + known[end + 1 :]


def _wrong_option(options: Sequence[str]) -> str:
    unknown = [option for option in options if option not in ("--demo", "--verbose")]
    if not unknown:
        return ""
    return f"The window takes paths and --demo, not the option {unknown[0]}; see: medviewer --help"


def _wrong_path(paths: Sequence[str]) -> str:
    missing = [path for path in paths if not Path(path).exists()]
    if not missing:
        return ""
    close = get_close_matches(missing[0], COMMANDS, n=1)
    cure = f"did you mean: medviewer {close[0]}?" if close else "see: medviewer --help"
    return f"medviewer expects a file, a folder or a command, but {missing[0]!r} is none of them; {cure}"
