"""Where the files lie that come with the program: the demo, icons, themes, presets and the manual."""

from __future__ import annotations

from pathlib import Path

import medviewer
from medviewer.errors import NotFoundError

_PACKAGE = Path(medviewer.__file__).parent


def resource(name: str) -> Path:
    """The path of ``resources/<name>``, in an installed package or in a source checkout.

    Raises
    ------
    NotFoundError
        If this installation has no such file.
    """
    for root in (_PACKAGE / "resources", _PACKAGE.parent / "resources"):
        if (root / name).exists():
            return root / name
    raise NotFoundError(f"This installation of medviewer should hold resources/{name}, but does not; install it again.")


def plugin_folders() -> tuple[Path, ...]:
    """Folders that are searched for first-party plugins: beside the package in a checkout, inside it when installed."""
    return tuple(root for root in (_PACKAGE / "plugins", _PACKAGE.parent / "plugins") if root.is_dir())
