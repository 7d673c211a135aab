"""What the program remembers of its user: small, kept as JSON in the archive's folder, read leniently."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ValidationError

from medviewer.errors import InputError, StoreError
from medviewer.formats.atomic import replacing

FILE = "settings.json"
RECENT = 10
"""Paths that are remembered."""

log = logging.getLogger(__name__)


class Settings(BaseModel):
    """Everything that is remembered.

    Parameters
    ----------
    recent
        What was opened last, newest first: folders, files and archives. Paths only; what is in them is not kept here.
    disabled
        Ids of the plugins that the user switched off.
    """

    recent: tuple[Path, ...] = ()
    disabled: tuple[str, ...] = ()

    def opened(self, paths: Sequence[Path]) -> Settings:
        """The settings after paths were opened: each of them comes first, once.

        Many files out of one folder count as that folder, or they would push out everything else.
        """
        given = [path.absolute() for path in paths]
        folders = {path.parent for path in given}
        if len(given) > 3 and len(folders) == 1:
            given = list(folders)
        return self.model_copy(update={"recent": tuple(dict.fromkeys((*given, *self.recent)))[:RECENT]})

    def switched(self, plugin_id: str, on: bool) -> Settings:
        """The settings after a plugin was switched on or off."""
        others = {known for known in self.disabled if known != plugin_id}
        return self.model_copy(update={"disabled": tuple(sorted(others if on else {*others, plugin_id}))})


def load(home: Path) -> Settings:
    """The settings kept in a folder; those of a new user where there are none or they cannot be read."""
    try:
        return Settings.model_validate_json((home / FILE).read_bytes())
    except FileNotFoundError:
        return Settings()
    except (OSError, ValidationError) as error:
        # Not worth a program that does not start; the next change writes them anew.
        log.warning("the settings could not be read and start anew (%s)", type(error).__name__)
        return Settings()


def save(home: Path, settings: Settings) -> None:
    """Keep the settings in a folder, whole or not at all.

    Raises
    ------
    StoreError
        If the folder refuses.
    """
    try:
        with replacing(home / FILE) as temporary:
            temporary.write_text(settings.model_dump_json(indent=1), encoding="utf-8")
        (home / FILE).chmod(0o600)  # paths may hold names of patients
    except (InputError, OSError) as error:
        raise StoreError(
            f"What was opened last could not be kept in {home}; check that the folder may be written to.", str(error)
        ) from error
