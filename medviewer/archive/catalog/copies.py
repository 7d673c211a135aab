"""Copies of images in the archive: byte for byte, each either whole or not there."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import uuid4

from medviewer.archive.blobs import sync_folder
from medviewer.archive.catalog.paths import Known, look, mark_of
from medviewer.archive.home import make_folder
from medviewer.archive.incoming import FOLDER, hashed, incoming
from medviewer.errors import JobCancelled, StoreError

_CHUNK = 1024 * 1024
_APART = "-"
"""In the name of a folder of copies that lie apart."""
_COMPANIONS = {".mhd": (".raw", ".zraw"), ".nhdr": (".raw", ".raw.gz", ".gz"), ".hdr": (".img",), ".img": (".hdr",)}
"""Files that belong to a header file and that no series lists."""
_REMOVED = ".removed"
_RESERVE = 256 * 1024**2
"""Bytes that a copy leaves free on the disk, so that masks can still be saved."""


class Copies:
    """The folder of copies of an archive.

    Parameters
    ----------
    home
        The archive's folder.
    """

    def __init__(self, home: Path) -> None:
        self.folder = home / FOLDER

    def folder_of(self, study_uid: str) -> Path:
        """Where the copies of a study lie; a UID is no safe name for a folder."""
        return self.folder / hashed(study_uid)

    def holds(self, path: Path) -> bool:
        """Whether a file is one of the copies."""
        return path.is_relative_to(self.folder)

    def refuse_too_much(self, size: int) -> None:
        """Raise StoreError if that many bytes do not fit on the disk."""
        make_folder(self.folder)
        free = shutil.disk_usage(self.folder).free
        if size + _RESERVE > free:
            raise StoreError(
                f"The copies need {size / 1024**3:.1f} GB, but only {free / 1024**3:.1f} GB are free in "
                f"{self.folder.parent}; free some space, or open the files where they are."
            )

    def take(
        self,
        study_uid: str,
        files: Sequence[Path],
        discard: Callable[[list[Path]], None],
        cancelled: threading.Event | None = None,
    ) -> list[tuple[Path, Known]]:
        """Copy files of a study, with what belongs to them, and return each with its copy.

        A copy keeps the name and the time of change of its file; a file that was copied before, and is the same, is
        not copied again. One that cannot be read is left out. No copy is ever overwritten: two discs of one study have
        files of one name at one place, one after the other.

        Parameters
        ----------
        discard
            Called with the copies that this call made when it fails; deletes those that nobody lists by then.

        Raises
        ------
        StoreError
            If the disk does not take them.
        JobCancelled
            If `cancelled` was set.
        """
        made: list[Path] = []
        taken = []
        try:
            for file in files:
                if cancelled is not None and cancelled.is_set():
                    raise JobCancelled("The import was cancelled; the series that were copied by then are kept.")
                target = file
                if not self.holds(file):
                    parts = (*companions(file), file)
                    target = self._target(study_uid, parts)
                    made += [copy for part in parts if self._copy(part, copy := target.with_name(part.name))]
                known = look(target)
                if known is not None:
                    taken.append((file, known))
        except BaseException:
            discard(made)
            raise
        for folder in {path.parent for path in made}:
            sync_folder(folder)
        return taken

    def set_aside(self, name: str) -> None:
        """Move the folder of that name to those that are to be deleted, at once. Raises StoreError if it cannot."""
        folder = self.folder / name
        try:
            if folder.exists():
                folder.rename(make_folder(self.folder / _REMOVED) / uuid4().hex)
        except OSError as error:
            raise _undeleted(folder, error) from error

    def has_aside(self) -> bool:
        """Whether folders wait to be deleted."""
        return any((self.folder / _REMOVED).glob("*"))

    def delete_aside(self) -> None:
        """Delete what was set aside; another program may do so at the same time. Raises StoreError if it cannot."""
        for folder in (self.folder / _REMOVED).glob("*"):
            try:
                shutil.rmtree(folder)
            except FileNotFoundError:
                continue  # another program was faster, and goes on with what is left
            except OSError as error:
                raise _undeleted(folder, error) from error

    def _target(self, study_uid: str, parts: Sequence[Path]) -> Path:
        """A folder for each source folder: names stay, and files of one name do not meet.

        Parameters
        ----------
        parts
            A file, which comes last, and what belongs to it.
        """
        *_, file = parts
        folder = self.folder_of(study_uid) / hashed(os.fspath(file.parent), 12)
        if any(look(folder / part.name) is not None and not _is_same(part, folder / part.name) for part in parts):
            mark = "".join(_mark(part) for part in parts)
            folder = folder.with_name(f"{folder.name}{_APART}{hashed(mark, 12)}")
        return folder / file.name

    def _copy(self, source: Path, target: Path) -> bool:
        """Copy one file; False if its copy is there already, or it cannot be read."""
        before = look(source)
        if before is None or look(target) is not None:
            return False
        make_folder(target.parent)
        try:
            return _copied(source, self.folder, target, before.mtime_ns)
        except OSError as error:
            raise StoreError(
                f"A copy could not be written to {self.folder}; free some space or check its permissions.", str(error)
            ) from error


def _undeleted(folder: Path, error: OSError) -> StoreError:
    return StoreError(
        f"The study was removed from the list, but its files in {folder} could not be deleted; close what uses them, "
        "and they go when medviewer starts again.",
        str(error),
    )


def _copied(source: Path, folder: Path, target: Path, mtime_ns: int) -> bool:
    """Write a copy under another name, on the disk before it gets its own; False if the source cannot be read."""
    with incoming(folder) as (temporary, sink):
        try:
            stream = source.open("rb")
        except OSError:
            return False
        with stream:
            while chunk := _read(stream):
                sink.write(chunk)
            if chunk is None:
                return False
        sink.flush()
        os.utime(temporary, ns=(mtime_ns, mtime_ns))
        os.fsync(sink.fileno())
        if os.name == "nt":
            sink.close()  # Windows renames no open file
        temporary.replace(target)
    return True


def _is_same(file: Path, copy: Path) -> bool:
    """Whether a copy is one of that file: discs are burnt with one time for all files, so their begin counts too."""
    return _mark(file) == _mark(copy)


def _mark(file: Path) -> str:
    """What tells a file from others of its name: size, time of change and begin; a DICOM object has its UID there."""
    known = look(file)
    if known is None:
        return ""
    mark = mark_of(file)
    return f"{known.size} {known.mtime_ns} {mark}" if mark else ""


def _read(stream: object) -> bytes | None:
    """The next part of a source; None where it cannot be read, as from a scratched disc."""
    try:
        part: bytes = stream.read(_CHUNK)  # type: ignore[attr-defined]  # a binary file
    except OSError:
        return None
    return part


def companions(file: Path) -> list[Path]:
    """Files that belong to a header file, beside it."""
    endings = _COMPANIONS.get(file.suffix.lower(), ())
    return [other for ending in endings if (other := file.with_suffix(ending)).is_file()]
