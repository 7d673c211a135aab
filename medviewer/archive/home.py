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


def make_private(path: Path) -> None:
    """Let nobody else read a file that holds names, a database; make it where it is missing.

    The log of a database gets the same permissions from SQLite.

    Raises
    ------
    StoreError
        If that cannot be done.
    """
    try:
        path.touch(mode=0o600)
        if os.name != "nt" and path.stat().st_mode & 0o077:
            path.chmod(0o600)
    except OSError as error:
        raise StoreError(
            f"The database {path} should be readable by this user only, but its permissions cannot be set; choose "
            "another folder with MEDVIEWER_HOME.",
            str(error),
        ) from error
