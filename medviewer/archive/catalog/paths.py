"""Files of the catalogue: their paths as text, and what the disk says of them."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes

_BEGIN = 64 * 1024
_BYTES = "bytes:"
"""Before a path whose bytes are no UTF-8: those of old Linux disks, which a database does not take as text."""


@dataclass(frozen=True)
class Known:
    """A file with the size in bytes and the time of change (ns) that it had when it was last looked at.

    `mark` is what `mark_of` said of it, or empty where nobody had to ask: it costs reading the file. `sop` is its SOP
    Instance UID, which tells for sure what is one.
    """

    path: Path
    size: int
    mtime_ns: int
    mark: str = field(default="", compare=False)
    sop: str = field(default="", compare=False)

    @property
    def likeness(self) -> tuple[str, int]:
        """By what a file that was moved may be known again, within its series: SOP Instance UID, or name and size.

        The latter not for sure: a series on two discs has files of equal names, and many are of one size.
        """
        return (self.sop, 0) if self.sop else (self.path.name, self.size)


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


def look(path: Path, sop: str = "") -> Known | None:
    """What the disk says of a file with that SOP Instance UID; None where it is not there or may not be looked at."""
    try:
        found = path.stat()
    except OSError:
        return None
    return Known(path, found.st_size, found.st_mtime_ns, sop=sop)


def mark_of(path: Path) -> str:
    """What tells a file from others of its name and size: its begin, where a DICOM object has its UID.

    Empty where it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.sha256(stream.read(_BEGIN)).hexdigest()[:32]
    except OSError:
        return ""


class MarkUnreadError(Exception):
    """Files have to be compared that were not read yet, while others wait."""


class Marks:
    """Marks of files, each read once and only when somebody asks.

    Attributes
    ----------
    may_read
        Whether files may be read now; if not, `MarkUnreadError` is raised where one would have to be.
    """

    def __init__(self) -> None:
        self.may_read = True
        self._read: dict[Known, str] = {}

    def __call__(self, file: Known) -> str:
        """The mark that a file has, or had when it was last asked for."""
        if file.mark:
            return file.mark
        if file not in self._read:
            if not self.may_read:
                raise MarkUnreadError
            self._read[file] = mark_of(file.path)
        return self._read[file]

    def are_one(self, former: Known, file: Known, gone: bool) -> bool:
        """Whether two files that are alike are one; of a former file that is gone, and has no mark, it is believed."""
        if former.sop and file.sop:
            return former.sop == file.sop
        if gone and not former.mark:
            return True
        mark = self(file)
        return bool(mark) and self(former) == mark


def is_fleeting(path: Path) -> bool:
    """Whether a file was unpacked from an archive and goes with the process (see `medviewer.formats.sources`)."""
    try:
        inner = path.relative_to(tempfile.gettempdir())
    except ValueError:
        return False
    return len(inner.parts) > 1 and inner.parts[0].startswith("medviewer-")


def reconciled(
    known: list[Known], found: list[Known], marks: Marks, is_own: Callable[[Path], bool] = lambda path: False
) -> list[Known]:
    """The files of a series, after it was found again, maybe in part or elsewhere.

    A file that is where it was is brought up to date. One that turns up at a new place, while the former one is gone,
    moves. One that is a second copy of a file that is still there changes nothing; but a copy of our own (`is_own`)
    takes the place of a file elsewhere. Anything else is new: files without a SOP Instance UID are compared by their
    marks where name and size are one. Where at least as many files were found as were known and none of the others is
    left, these others are forgotten.
    """
    places = {file.path: file for file in found}
    kept = {file.path: _again(file, places.pop(file.path, file)) for file in known}
    own = {file.path for file in found}
    others = [file for file in known if file.path not in own]
    if not places:
        return list(kept.values())
    gone = {file.path for file in others if look(file.path) is None}
    alike: dict[tuple[str, int], list[Known]] = {}
    for file in sorted(others, key=lambda file: file.path in gone):  # one that is still there comes first
        alike.setdefault(file.likeness, []).append(file)
    for path, file in places.items():
        candidates = alike.get(file.likeness, [])
        former = next((one for one in candidates if marks.are_one(one, file, one.path in gone)), None)
        if candidates and not file.sop and (former is None or former.path not in gone):
            file = replace(file, mark=marks(file))
        if former is None:
            kept[path] = file
            continue
        candidates.remove(former)
        if former.path in gone or (is_own(path) and not is_own(former.path)):
            kept.pop(former.path)
            kept[path] = file
        else:
            kept[former.path] = replace(former, mark=file.mark)
    if len(found) >= len(known):
        kept = {path: file for path, file in kept.items() if path not in gone}
    return list(kept.values())


def _again(former: Known, now: Known) -> Known:
    """A file as it is now; its mark stays where it did not change."""
    return replace(now, mark=former.mark) if former == now else now
