"""The folder that holds everything medviewer keeps on this machine."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_data_path

from medviewer.errors import StoreError

VARIABLE = "MEDVIEWER_HOME"


def home() -> Path:
    """The archive's folder: ``MEDVIEWER_HOME`` if it is set, else the platform's user data folder; made when missing.

    Raises
    ------
    StoreError
        If the folder cannot be made.
    """
    chosen = os.environ.get(VARIABLE)
    return make_folder(Path(chosen).expanduser() if chosen else user_data_path("medviewer", appauthor=False))


def make_folder(path: Path) -> Path:
    """Make a folder that only this user may enter, because it will hold images of patients; keep one that is there.

    Raises
    ------
    StoreError
        If it cannot be made.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"The archive needs the folder {path}, which cannot be made; choose another one with {VARIABLE}.",
            str(error),
        ) from error
    return path
