"""How a result came to be: enough to make it again and to say who is answerable for it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from medviewer.domain.doubt import Doubt


def utc_now() -> str:
    """The present time in UTC, ISO 8601 to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True)
class Provenance:
    """Which model, plugin, parameters, input, author and time made a result.

    Parameters
    ----------
    plugin_id, plugin_version
        The plugin; both empty for a result made by hand.
    model_version
        The version of the weights in the model registry.
    parameters
        What was chosen for this run, JSON-ready.
    input_hash
        SHA-256 of the input voxels and their grid.
    author
        The user's name on this machine, or ``algorithm``.
    created
        UTC time, ISO 8601.
    device
        Where it ran, for example ``cpu`` or ``cuda:0``.
    notes
        What has to be read beside the result.
    steps
        What the run did differently on its way, where that changes nothing in how the result is read: a smaller batch,
        the CPU after the GPU's memory ran out.
    doubt
        How far the result can be trusted.
    """

    plugin_id: str = ""
    plugin_version: str = ""
    model_version: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    input_hash: str = ""
    author: str = ""
    created: str = field(default_factory=utc_now)
    device: str = ""
    notes: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    doubt: Doubt = field(default_factory=Doubt)

    @property
    def label(self) -> str:
        """One line for the screen, for example ``brain-extraction, model 1.0.0``."""
        return f"{self.plugin_id}, model {self.model_version}" if self.plugin_id else f"by {self.author or 'hand'}"

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary."""
        doubt = {**asdict(self.doubt), "flags": list(self.doubt.flags)}
        return {**asdict(self), "notes": list(self.notes), "steps": list(self.steps), "doubt": doubt}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Provenance:
        """Read back what `to_json` wrote."""
        doubt = data.get("doubt", {})  # results from before there was any have none
        return cls(
            **{
                **data,
                "notes": tuple(data.get("notes", ())),
                "steps": tuple(data.get("steps", ())),
                "doubt": Doubt(**{**doubt, "flags": tuple(doubt.get("flags", ()))}),
            }
        )
