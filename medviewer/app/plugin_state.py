"""How a plugin stands: whether it may run, on whose word, and what it brings."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from medviewer.errors import PluginError
from medviewer.inference.acquiring.install import code_files
from medviewer.plugin_api.discovery import DiscoverResult, Origin
from medviewer.plugin_api.fingerprint import fingerprint


class Word(StrEnum):
    """On whose word a plugin's code runs."""

    SHIPPED = "comes with medviewer"
    PACKAGE = "Python package"
    NAMED = "named for this run"
    TRUSTED = "trusted"
    CHANGED = "changed since it was trusted"
    UNTRUSTED = "not trusted"
    NO_CODE = "brings no code"


_ORIGINS = {Origin.SHIPPED: Word.SHIPPED, Origin.PACKAGE: Word.PACKAGE, Origin.NAMED: Word.NAMED}


@dataclass(frozen=True)
class PluginState:
    """How one plugin stands.

    Parameters
    ----------
    row
        What discovery says of it.
    word
        On whose word its code runs.
    fingerprint
        Of its folder as it is now; empty where nobody has to trust it.
    code
        Names of its files that can hold code; of an installed plugin only.
    """

    row: DiscoverResult
    word: Word
    fingerprint: str = ""
    code: tuple[str, ...] = ()

    @property
    def runs(self) -> bool:
        """Whether it can be used: healthy, switched on, and its code may run or there is none."""
        return self.row.manifest is not None and self.row.enabled and self.word not in (Word.CHANGED, Word.UNTRUSTED)

    @property
    def text(self) -> str:
        """One or two words for a table."""
        if self.row.error:
            return "broken"
        return str(self.word) if self.row.enabled else "switched off"


def state_of(row: DiscoverResult) -> PluginState:
    """How a plugin stands. Hashes the files of an installed one: off the home thread in the window."""
    if row.origin is not Origin.INSTALLED:
        return PluginState(row, _ORIGINS[row.origin])
    try:
        now, code = fingerprint(row.folder), code_files(row.folder)
    except (PluginError, OSError):  # nothing that cannot be read whole can be trusted
        return PluginState(row, Word.CHANGED if row.trusted else Word.UNTRUSTED)
    if row.trusted:
        return PluginState(row, Word.TRUSTED if now == row.trusted else Word.CHANGED, now, code)
    runs_bare = row.adapter is not None and not code
    return PluginState(row, Word.NO_CODE if runs_bare else Word.UNTRUSTED, now, code)


def waits_for_trust(row: DiscoverResult) -> bool:
    """Whether code came with a plugin that nobody has answered for yet; looks at names only."""
    if row.may_run:
        return False
    try:
        return row.adapter is None or bool(code_files(row.folder))
    except (PluginError, OSError):  # what cannot be looked at is not run
        return True
