"""What a user chooses for a fine-tuning run."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from medviewer.errors import InputError


@dataclass(frozen=True)
class FinetuneOptions:
    """Settings of one fine-tuning run.

    Parameters
    ----------
    epochs
        How often each case is seen, unless `max_steps` ends it before.
    learning_rate
        Of AdamW.
    max_steps
        Steps at most, where one case is one step; None for no such limit. Cases that are left out do not count as used.
    seed
        For the order of the cases and what is varied in them.
    device
        ``auto``, ``cpu`` or ``cuda``.

    Raises
    ------
    InputError
        If a number is out of range.
    """

    epochs: int = 10
    learning_rate: float = 1e-4  # for weights that were trained already; ten times as much forgets them
    max_steps: int | None = None
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        for name, low, high in (("epochs", 1, 10_000), ("max_steps", 1, 1_000_000), ("seed", 0, 2**32 - 1)):
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise InputError(f"{name} should lie in {low} to {high}, not {value}; choose another.")
        if not 0 < self.learning_rate <= 1:
            raise InputError(f"learning_rate should lie above 0 and up to 1, not {self.learning_rate}; choose another.")

    def steps(self, cases: int) -> int:
        """Steps of a run over that many cases."""
        steps = self.epochs * cases
        return steps if self.max_steps is None else min(steps, self.max_steps)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary."""
        return asdict(self)
