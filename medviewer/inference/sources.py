"""Plugin code is imported from its source, and never from byte code that Python finds in ``__pycache__``.

Trust is given to a folder by its fingerprint, which leaves ``__pycache__`` out. Python takes what lies there for the
source if date and size agree, so that a file put there later would run although nobody looked at it.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)
from pathlib import Path
from types import CodeType

_folders: set[Path] = set()


class SourceLoader(SourceFileLoader):
    """Compiles a module's source each time, and keeps nothing."""

    def get_code(self, fullname: str) -> CodeType:
        """The code of that module."""
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


def only_from_source(folder: Path) -> None:
    """From now on this process imports what lies in that folder from its source."""
    if folder.resolve() in _folders:
        return
    if not _folders:
        sys.path_hooks.insert(0, _finder)
    _folders.add(folder.resolve())
    for known in [path for path in sys.path_importer_cache if _is_here(path)]:
        del sys.path_importer_cache[known]


def _is_here(path: str) -> bool:
    real = Path(os.path.realpath(path))
    return any(real.is_relative_to(folder) for folder in _folders)


def _finder(path: str) -> FileFinder:
    """A hook of ``sys.path_hooks``; the kinds of files and their order are Python's own."""
    if not _is_here(path):
        raise ImportError("not in a plugin's folder")
    return FileFinder(
        path,
        (ExtensionFileLoader, EXTENSION_SUFFIXES),
        (SourceLoader, SOURCE_SUFFIXES),
        (SourcelessFileLoader, BYTECODE_SUFFIXES),
    )
