"""Keeps the readers' own warnings from the console."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Drop what a library warns of while it reads or writes a file.

    Such warnings quote values, and a value may be a patient's name. What is wrong with a file is told by our own
    `medviewer.domain.study.Warning`, beside its series.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
