"""Launch: the window for paths and nothing, the command line for commands. The one place that knows both."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medviewer.app.ports import Screen


def main(argv: Sequence[str] | None = None) -> int:
    """Run medviewer with command-line arguments; returns the exit code."""
    from medviewer import cli

    arguments = list(sys.argv[1:] if argv is None else argv)
    if cli.is_command(arguments):
        return cli.run(arguments, screen=_screen)
    return cli.run_window(arguments, launch=_window)


def _screen() -> Screen:
    """Make what the screenshot command needs; Qt is imported only then."""
    from medviewer.ui.offscreen import OffscreenScreen

    return OffscreenScreen()


def _window(paths: Sequence[Path], demo: bool) -> int:
    """Open the window; returns its exit code."""
    # What is imported stays: looking for garbage in it meanwhile takes half a second. `run` turns it on again.
    gc.disable()
    from medviewer.ui.main import run

    return run(paths, demo=demo)


if __name__ == "__main__":
    sys.exit(main())
