"""How the user wants a plugin to run: kept for each plugin as long as the program runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Tta = Literal["off", "fast", "full"]
"""As `inference.request.Tta`; the window's process reads it without loading what runs plugins."""


@dataclass(frozen=True)
class RunChoice:
    """What may be chosen for a run; the defaults are one pass of the active version.

    Parameters
    ----------
    parameters
        Values of the manifest's parameters that differ from their defaults.
    device
        ``auto``, ``cpu`` or ``cuda``.
    version
        The model version; empty for the active one.
    ensemble
        Further versions whose answers are averaged with it.
    tta, samples, uncertainty
        As in `inference.request.RunOptions`.
    channels
        UID of the series for each further channel of the manifest, by its name.
    """

    parameters: dict[str, Any] = field(default_factory=dict)
    device: str = "auto"
    version: str = ""
    ensemble: tuple[str, ...] = ()
    tta: Tta = "off"
    samples: int = 0
    uncertainty: bool = False
    channels: dict[str, str] = field(default_factory=dict)

    @property
    def changed(self) -> int:
        """How many of them differ from the defaults."""
        plain = RunChoice()
        return sum(getattr(self, name) != getattr(plain, name) for name in vars(plain))
