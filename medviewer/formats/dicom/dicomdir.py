"""DICOMDIR: the list of files of a disc (PS3.3 F, PS3.10 8). Only files below its own folder are taken."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medviewer.domain.study import Warning
from medviewer.errors import UnreadableError
from medviewer.formats.dicom.quiet import quiet
from medviewer.formats.dicom.whole import read_whole


@dataclass(frozen=True)
class Listing:
    """What a DICOMDIR lists.

    Parameters
    ----------
    files
        The files that are there, in the order of the records.
    warnings
        What is missing, and what lies outside the folder.
    """

    files: tuple[Path, ...] = ()
    warnings: tuple[Warning, ...] = ()


def read_listing(path: Path) -> Listing:
    """Find the files that a DICOMDIR refers to.

    Names are compared as ISO 9660 discs need it: without regard to case, a version (``;1``) and a final dot.

    Raises
    ------
    UnreadableError
        If it is broken.
    """
    root = path.parent.resolve()
    finder = _Finder(root)
    found: list[Path] = []
    missing: list[str] = []
    unsafe = 0
    for parts in _references(path):
        if not parts or not all(_is_plain(part) for part in parts):
            unsafe += 1
            continue
        file = finder.find(parts)
        if file is None:
            missing.append("/".join(parts))
        elif not file.resolve().is_relative_to(root):  # a link that leads elsewhere
            unsafe += 1
        else:
            found.append(path.parent / file.relative_to(root))
    return Listing(tuple(dict.fromkeys(found)), tuple(_warnings(path, missing, unsafe)))


def _warnings(path: Path, missing: list[str], unsafe: int) -> list[Warning]:
    told = []
    if missing:
        count = f"{len(missing)} files that are" if len(missing) > 1 else "a file that is"
        text = f"{path.name} lists {count} not there, {missing[0]} first; copy the whole disc to see all images."
        told.append(Warning("missing-file", text))
    if unsafe:
        count = f"{unsafe} files" if unsafe > 1 else "a file"
        told.append(Warning("unsafe-path", f"{path.name} lists {count} outside its folder, which is not opened."))
    return told


def _references(path: Path) -> list[list[str]]:
    """Referenced File ID of every record that is in use, in parts."""
    try:
        with quiet():
            data = read_whole(path)
            records: Any = data.get("DirectoryRecordSequence") or []
            return [parts for record in records if (parts := _parts(record))]
    except Exception as error:  # pydicom raises whatever broken bytes lead it to
        raise UnreadableError(
            f"{path.name} is a directory of DICOM files that is damaged; open its folder instead.", details=repr(error)
        ) from error


def _parts(record: Any) -> list[str]:
    if record.get("RecordInUseFlag", 0xFFFF) == 0:  # PS3.3 F.3.2.2: a record that was deleted
        return []
    value = record.get("ReferencedFileID")
    if not value:
        return []
    return [value] if isinstance(value, str) else [str(part) for part in value]


def _is_plain(part: str) -> bool:
    """Whether a part of a path is the name of one folder or file."""
    return part not in ("", ".", "..") and not any(mark in part for mark in "/\\:\0")


class _Finder:
    """Files below a folder by parts of their path, whatever case they are written in."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._names: dict[Path, dict[str, Path]] = {}

    def find(self, parts: list[str]) -> Path | None:
        """The file, or None where there is none."""
        place = self._root
        for part in parts:
            found = self._listed(place).get(_folded(part))
            if found is None:
                return None
            place = found
        return place if place.is_file() else None

    def _listed(self, folder: Path) -> dict[str, Path]:
        if folder not in self._names:
            try:
                self._names[folder] = {_folded(entry.name): entry for entry in sorted(folder.iterdir(), reverse=True)}
            except OSError:  # no folder, or not ours to read: then nothing is found there, and that is said
                self._names[folder] = {}
        return self._names[folder]


def _folded(name: str) -> str:
    return name.partition(";")[0].rstrip(". ").casefold()
