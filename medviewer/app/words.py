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
