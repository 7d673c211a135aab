"""Launch: the window for paths and nothing, the command line for commands. The one place that knows both."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medviewer.app.ports.shell import Screen


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
    import_window()
    from medviewer.ui.main import run

    return run(paths, demo=demo)


def import_window() -> None:
    """Import what the window needs to be shown, in the order in which that takes least."""
    # What is imported stays: looking for garbage in it meanwhile takes half a second. The window turns it on again.
    gc.disable()
    # Else pydantic looks into every installed package for plugins of its own.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # What knows no Qt comes first: PySide reads the source of every module that is imported after itself.
    for name in ("medviewer.app.actions", "medviewer.app.services", "medviewer.ui.main", "medviewer.ui.window"):
        importlib.import_module(name)


if __name__ == "__main__":
    sys.exit(main())
