"""Files of the catalogue: their paths as text, and what the disk says of them."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes

_BYTES = "bytes:"
"""Before a path whose bytes are no UTF-8: those of old Linux disks, which a database does not take as text."""


@dataclass(frozen=True)
class Known:
    """A file with the size in bytes and the time of change (ns) that it had when it was last looked at."""

    path: Path
    size: int
    mtime_ns: int

    @property
    def likeness(self) -> tuple[str, int]:
        """By what a file that was moved is known again, within its series: name and size."""
        return self.path.name, self.size


def to_text(path: str) -> str:
    """A path, or a part of one, as text that any database takes."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return _BYTES + quote_from_bytes(os.fsencode(path))
    return path


def from_text(text: str) -> str:
    """Read back what `to_text` made."""
    return os.fsdecode(unquote_to_bytes(text.removeprefix(_BYTES))) if text.startswith(_BYTES) else text


def look(path: Path) -> Known | None:
    """What the disk says of a file; None where it is not there or may not be looked at."""
    try:
        found = path.stat()
    except OSError:
        return None
    return Known(path, found.st_size, found.st_mtime_ns)


def is_fleeting(path: Path) -> bool:
    """Whether a file was unpacked from an archive and goes with the process (see `medviewer.formats.sources`)."""
    try:
        inner = path.relative_to(tempfile.gettempdir())
    except ValueError:
        return False
    return len(inner.parts) > 1 and inner.parts[0].startswith("medviewer-")


def reconciled(known: list[Known], found: list[Known]) -> list[Known]:
    """The files of a series, after it was found again, maybe in part or elsewhere.

    A file that is where it was is brought up to date. One that turns up at a new place, while the former one is gone,
    moves. One that is a second copy of a file that is still there changes nothing. Anything else is new. Where at
    least as many files were found as were known and none of the others is left, these others are forgotten.
    """
    places = {file.path: file for file in found}
    kept = {file.path: places.pop(file.path, file) for file in known}
    others = [file for file in known if file.path not in {f.path for f in found}]
    if not places:
        return list(kept.values())
    gone = {file.path for file in others if look(file.path) is None}
    alike: dict[tuple[str, int], list[Known]] = {}
    for file in others:
        alike.setdefault(file.likeness, []).append(file)
    for path, file in places.items():
        former = alike.get(file.likeness, [])
        if not former:
            kept[path] = file
        elif (old := former.pop()).path in gone:
            kept.pop(old.path)
            kept[path] = file
    if len(found) >= len(known):
        kept = {path: file for path, file in kept.items() if path not in gone}
    return list(kept.values())
