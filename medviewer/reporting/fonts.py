"""The font of reports: DejaVu Sans, which comes with matplotlib under a free licence and holds most alphabets.

Latin, Greek, Cyrillic, Armenian, Georgian, Hebrew and Arabic letters are in it; Chinese, Japanese and Korean ones are
not. Arabic and Hebrew are written letter by letter, not joined, and from left to right.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from medviewer.errors import NotFoundError


@cache
def font_file(*, bold: bool = False) -> Path:
    """Where the font lies.

    Raises
    ------
    NotFoundError
        If this installation has no such file.
    """
    found = find_spec("matplotlib")  # nothing of it is imported
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    for folder in found.submodule_search_locations or () if found is not None else ():
        path = Path(folder, "mpl-data", "fonts", "ttf", name)
        if path.is_file():
            return path
    raise NotFoundError(f"Reports need the font {name}, which comes with matplotlib; install medviewer again.")
