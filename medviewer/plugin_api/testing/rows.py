"""One row a check: a word, whether it held, and one sentence on what did or did not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from medviewer.errors import JobCancelled, MedviewerError

Check = tuple[str, Callable[[], str]]
"""Name, and what says in a sentence what held, or raises what did not."""


@dataclass(frozen=True)
class CheckRow:
    """The outcome of one check.

    Parameters
    ----------
    name
        A word for the table.
    ok
        Whether it passed.
    text
        One sentence: what held, or what did not.
    """

    name: str
    ok: bool
    text: str


def row_of(name: str, check: Callable[[], str]) -> CheckRow:
    """Run one check, which returns what held or raises.

    Raises
    ------
    JobCancelled
        If the user cancelled.
    """
    try:
        return CheckRow(name, True, check())
    except JobCancelled:
        raise
    except MedviewerError as error:
        return CheckRow(name, False, str(error))
    except Exception as error:  # a plugin's code may raise anything, and the other checks still have to run
        return CheckRow(name, False, f"The plugin raised {type(error).__name__}: {error}")
