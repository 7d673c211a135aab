"""What the command line writes: reports on stdout, everything else on stderr."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Any


def report(text: str) -> None:
    """Write what was asked for to stdout."""
    sys.stdout.write(f"{text}\n")


def report_json(data: Any) -> None:
    """Write what was asked for to stdout as JSON; numbers that JSON does not know become null."""
    report(json.dumps(_finite(data), indent=2, ensure_ascii=False, allow_nan=False))


def say(text: str) -> None:
    """Tell the user something beside the report, on stderr."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def confirmed(question: str) -> bool:
    """Ask a yes-or-no question on the terminal; no where nobody is there to answer."""
    import typer

    try:
        return typer.confirm(question, err=True)
    except typer.Abort:
        say("")  # the question has no line break, and no answer gave one
        return False


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their longest entry, two blanks apart."""
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(len(line[k]) for line in lines) for k in range(len(header))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


class Progress:
    """One line on stderr that is written anew as work goes on; nothing at all where stderr is no terminal.

    Parameters
    ----------
    title
        What is being done.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self._shown = ""
        self._terminal = sys.stderr.isatty()

    def show(self, fraction: float, message: str) -> None:
        """Tell how far the work is, in 0..1, and what it does."""
        text = f"{self._title}  {fraction:4.0%}  {message}"[:100]
        if self._terminal and text != self._shown:
            sys.stderr.write(f"\r{text.ljust(len(self._shown))}")
            sys.stderr.flush()
            self._shown = text

    def say(self, text: str) -> None:
        """Tell something that stays, above the line."""
        self._wipe()
        say(text)

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wipe the line, so that what is said next starts on a clean one."""
        self._wipe()

    def _wipe(self) -> None:
        if self._shown:
            sys.stderr.write(f"\r{' ' * len(self._shown)}\r")
            sys.stderr.flush()
            self._shown = ""


def _finite(data: Any) -> Any:
    if isinstance(data, dict):
        return {str(key): _finite(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data
