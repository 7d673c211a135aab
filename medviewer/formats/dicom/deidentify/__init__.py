"""De-identification of DICOM objects by PS3.15 Annex E, and of NIfTI headers; no database, no network.

What is listed here is imported when it is first asked for: the window needs the options long before it needs pydicom.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medviewer.formats.dicom.deidentify.dataset import Cleaned, deidentify
    from medviewer.formats.dicom.deidentify.files import Written, deidentify_file
    from medviewer.formats.dicom.deidentify.options import Key, Options

__all__ = ["Cleaned", "Key", "Options", "Written", "deidentify", "deidentify_file"]

_HOMES = {
    "Cleaned": "dataset",
    "Key": "options",
    "Options": "options",
    "Written": "files",
    "deidentify": "dataset",
    "deidentify_file": "files",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
