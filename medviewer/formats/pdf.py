"""Pages of a PDF as pictures. The renderer is native code, so it runs in a process of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from medviewer.errors import JobError, UnreadableError
from medviewer.formats import isolation

MAX_PIXELS = 24_000_000
"""Of a page's picture; a page that would be larger is drawn coarser."""
MAX_PAGES = 5_000
_POINTS_AN_INCH = 72


def page_count(pdf: bytes) -> int:
    """How many pages there are.

    Raises
    ------
    UnreadableError
        If it is damaged, locked by a password, or has no pages.
    """
    count = int(_asked("medviewer.formats.pdf:_count", pdf))
    if not 1 <= count <= MAX_PAGES:
        raise UnreadableError(f"A document has 1 to {MAX_PAGES} pages, but this has {count}; save it and look at it.")
    return count


def page(pdf: bytes, number: int, dpi: float) -> NDArray[np.uint8]:
    """The picture of a page, shape (rows, columns, 3), RGB.

    Parameters
    ----------
    number
        From 0.
    dpi
        Pixels an inch; less where the page would get more than `MAX_PIXELS`.

    Raises
    ------
    UnreadableError
        If the page cannot be drawn.
    """
    picture: NDArray[np.uint8] = _asked("medviewer.formats.pdf:_draw", pdf, number, dpi)
    return picture


def _asked(function: str, *arguments: Any) -> Any:
    try:
        return isolation.call(function, *arguments)
    except JobError as error:
        raise UnreadableError(
            "The document should be drawn, but the renderer crashed or hung on it; save it, and open it elsewhere only "
            "if you trust where it comes from.",
            str(error),
        ) from error


# What follows runs in the child.


def _count(pdf: bytes) -> int:
    with _opened(pdf) as document:
        return len(document)


def _draw(pdf: bytes, number: int, dpi: float) -> NDArray[np.uint8]:
    with _opened(pdf) as document:
        sheet = document[number]
        width, height = sheet.get_size()
        scale = min(dpi / _POINTS_AN_INCH, (MAX_PIXELS / max(width * height, 1.0)) ** 0.5)
        return np.ascontiguousarray(sheet.render(scale=scale, rev_byteorder=True).to_numpy()[..., :3])


def _opened(pdf: bytes) -> Any:
    import pypdfium2  # type: ignore[import-untyped]  # it publishes no types

    try:
        return pypdfium2.PdfDocument(pdf)
    except pypdfium2.PdfiumError as error:
        raise UnreadableError(
            "The document should be a PDF without a password, but it cannot be opened; save it and look at it.",
            str(error),
        ) from error
