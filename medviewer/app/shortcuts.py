"""Which key does what: the keys that actions come with, and those that the user chose instead."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from app_model.types import KeyBinding
from psygnal import Signal

from medviewer.app import settings
from medviewer.errors import InputError

log = logging.getLogger(__name__)


class Shortcuts:
    """One key at most for each action, and one action at most for each key.

    What the user chose wins over what an action came with: an action whose own key was given to another one has none,
    and gets it back when the other lets go of it.

    Parameters
    ----------
    home
        Folder of the settings.
    """

    changed = Signal()
    """Some action has another key now."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._defaults: dict[str, str] = {}
        kept = settings.load(home).keys
        self._chosen = {action: key for action, key in kept.items() if _known(key)}
        if len(self._chosen) < len(kept):
            log.warning("%d keys of the settings are not known and left out", len(kept) - len(self._chosen))

    def offer(self, defaults: Mapping[str, str]) -> None:
        """Say which actions there are now, with the key that each comes with, empty for none."""
        self._defaults = dict(defaults)
        self.changed.emit()

    def key_of(self, action: str) -> str:
        """The key of an action; empty where it has none."""
        if action in self._chosen:
            return self._chosen[action]
        key = self._defaults.get(action, "")
        return "" if key and self._chooser(key) else key

    def default_of(self, action: str) -> str:
        """The key that an action comes with; empty for none."""
        return self._defaults.get(action, "")

    def is_changed(self, action: str) -> bool:
        """Whether an action has another key than the one it comes with."""
        return self.key_of(action) != self.default_of(action)

    def holder(self, key: str, but: str = "") -> str:
        """The action that has a key, leaving one out; empty where the key is free."""
        return next((one for one in self._defaults if one != but and key and self.key_of(one) == key), "")

    @staticmethod
    def is_usable(key: str) -> bool:
        """Whether a key can be given to an action; none can."""
        return _known(key)

    def assign(self, action: str, key: str, *, take: bool = False) -> None:
        """Give an action a key, or none where it is empty, and keep that.

        Parameters
        ----------
        take
            Whether another action that has the key is to lose it.

        Raises
        ------
        InputError
            If another action has the key and is not to lose it, or there is no such action or key.
        StoreError
            If the settings cannot be kept; nothing is changed then.
        """
        if action not in self._defaults:
            raise InputError(f"A key should be given to an action of the menus, not to {action}.")
        if key and not _known(key):
            raise InputError(f"The key {key} is not one that medviewer knows; choose another.")
        other = self.holder(key, action)
        if other and not take:
            raise InputError(f"The key {key} is that of {other}; take it from there first, or choose another.")
        chosen = {**self._chosen, action: key}
        if other in chosen:
            chosen[other] = ""  # one that had its own key has none while this one has it
        self._keep(chosen)

    def reset(self, action: str, *, take: bool = False) -> None:
        """Give an action the key that it came with; raises as `assign` does."""
        self.assign(action, self.default_of(action), take=take)

    def reset_all(self) -> None:
        """Give every action the key that it came with. Raises StoreError if that cannot be kept."""
        self._keep({})

    def _chooser(self, key: str) -> str:
        """The action that the user gave a key; empty where nobody chose it."""
        return next((one for one, chosen in self._chosen.items() if chosen == key and one in self._defaults), "")

    def _keep(self, chosen: dict[str, str]) -> None:
        """Keep what differs from what actions come with."""
        kept = {one: key for one, key in chosen.items() if key != self._defaults.get(one)}
        settings.change(self._home, keys=kept)
        self._chosen = kept
        self.changed.emit()


def _known(key: str) -> bool:
    """Whether a key can be bound: one that app-model's table of keys has."""
    if not key:
        return True
    try:
        binding = KeyBinding.from_str(key)
    except (ValueError, KeyError):
        return False
    return len(binding.parts) == 1 and binding.to_text() == key
