"""The language of what stands over images and in the status bar.

English is what is written in the code. `app` has no Qt: whoever shows the texts says by `use` how they are translated.
"""

from __future__ import annotations

from collections.abc import Callable

_translate: list[Callable[[str], str]] = [str]


def use(translate: Callable[[str], str]) -> None:
    """Let texts be translated so from now on; `str` leaves them in English."""
    _translate[0] = translate


def word(text: str) -> str:
    """A text of the program in the language that is in use. Never for what files say: names, descriptions."""
    return _translate[0](text)


_LEAST_FINE = 10.0
"""From which size on a value without a unit of its own rule is told to one decimal."""


def number_text(value: float, unit: str) -> str:
    """A voxel's value as the status bar tells it, also between voxels and over a slab: no finer than it is known.

    HU to one decimal, SUV of any kind to two; others to one, small ones to five digits. Zeros at the end are left out.
    """
    if unit == "HU" or (abs(value) >= _LEAST_FINE and not unit.startswith("SUV")):
        return f"{round(value, 1) + 0.0:.10g}"
    return f"{round(value, 2) + 0.0:.10g}" if unit.startswith("SUV") else f"{value:.5g}"
