"""What the user pointed at, as a flat list of files: folders are walked, ZIP archives unpacked, DICOMDIRs followed."""

from __future__ import annotations

import atexit
import lzma
import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath

from medviewer.domain.study import Warning
from medviewer.errors import UnreadableError
from medviewer.formats.sniff import Kind, head_of, is_directory, sniff

MAX_UNPACKED = 16 * 1024**3
"""Bytes that one archive may unpack to: more than any study, less than what fills a disk unnoticed."""

MAX_MEMBERS = 500_000
"""Files that one archive may hold."""

_CHUNK = 1024 * 1024

_DAMAGE = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,  # bz2 has no error of its own
    ValueError,  # a name that is not in the encoding it claims
    RuntimeError,  # NotImplementedError, an unknown compression
)
"""What `zipfile` and the decoders that it calls raise over archives that cannot be read."""


@dataclass
class Sources:
    """The files to scan.

    Parameters
    ----------
    files
        Every file, in a stable order.
    named
        Those that the user named one by one; what is wrong with them is always said.
    origins
        Folder of an unpacked archive -> the archive, so that a file in it has the same identity on every scan.
    warnings
        Archives that could not be unpacked, in whole or in part; folders that could not be read.
    roots
        The folders that were searched, those of archives included.
    """

    files: list[Path] = field(default_factory=list)
    named: set[Path] = field(default_factory=set)
    origins: dict[Path, Path] = field(default_factory=dict)
    warnings: list[Warning] = field(default_factory=list)
    roots: list[Path] = field(default_factory=list)

    def root(self, path: Path) -> Path | None:
        """The searched folder that a file was found in, the innermost one; None where it was named."""
        within = [folder for folder in self.roots if path.is_relative_to(folder)]
        return max(within, key=lambda folder: len(folder.parts), default=None)

    def identity(self, path: Path) -> str:
        """What stands for a file or folder on every scan: its path, or its archive and the place within."""
        for folder, archive in self.origins.items():
            if path.is_relative_to(folder):
                return f"{archive}!{path.relative_to(folder).as_posix()}"
        return str(path)


def collect(paths: Sequence[Path], scratch: Path | None, stop: Callable[[], None]) -> Sources:
    """List the files below `paths`; `stop` is called now and then and raises when the user cancelled.

    Raises
    ------
    UnreadableError
        If one of the paths does not exist.
    """
    sources = Sources()
    seen: set[Path] = set()
    for path in dict.fromkeys(path.absolute() for path in paths):
        if not _exists(path):
            raise UnreadableError(f"{path} does not exist; open a file, folder or ZIP archive that does.")
        if path.is_file():
            sources.named.add(path)
            found = [(path, path.resolve())]
        else:
            sources.roots.append(path)
            found = _walk(path, sources.warnings)
        for file, itself in found:
            stop()
            if itself in seen:
                continue
            seen.add(itself)
            if file.suffix.lower() == ".zip" or file in sources.named:
                _add(file, sources, scratch, stop)
            else:
                sources.files.append(file)
    sources.files = list(dict.fromkeys(sources.files))
    return sources


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:  # not ours to look at
        reason = error.strerror or type(error).__name__
        raise UnreadableError(f"{path} could not be opened ({reason}); check that it may be read.") from error


def _walk(folder: Path, warnings: list[Warning]) -> list[tuple[Path, Path]]:
    """Every file below a folder with where it really lies, sorted; links to folders are not followed, for their loops.

    A folder that cannot be read is named in `warnings`.
    """
    found: list[tuple[Path, Path]] = []
    left = [(folder, folder.resolve())]
    while left:
        parent, itself = left.pop()
        try:
            with os.scandir(parent) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            text = f"The folder {parent.name} could not be read ({reason}); check that it may be opened."
            warnings.append(Warning("unreadable", text))
            continue
        folders = []
        for entry in listed:
            if entry.is_dir(follow_symlinks=False):
                folders.append((parent / entry.name, itself / entry.name))
            elif _is_file(entry):  # a pipe or a device would be waited for without an end
                place = parent / entry.name
                found.append((place, place.resolve() if entry.is_symlink() else itself / entry.name))
        left += reversed(folders)
    return found


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link in a loop, or into a folder that is not ours
        return False


def _add(file: Path, sources: Sources, scratch: Path | None, stop: Callable[[], None]) -> None:
    try:
        if file in sources.named and is_directory(head_of(file)):
            from medviewer.formats.dicom.dicomdir import (
                read_listing,  # brings pydicom, which the window's start does without
            )

            listing = read_listing(file)
            sources.files += listing.files
            sources.roots.append(file.parent)
            sources.warnings += listing.warnings
        elif sniff(file) is Kind.ZIP:
            _add_archive(file, sources, scratch, stop)
        else:
            sources.files.append(file)
    except UnreadableError as error:
        sources.warnings.append(Warning("unreadable", str(error)))


def _add_archive(file: Path, sources: Sources, scratch: Path | None, stop: Callable[[], None]) -> None:
    folder = Path(tempfile.mkdtemp(prefix="zip-", dir=scratch or _own_scratch()))
    try:
        warnings = unpack(file, folder, stop)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)  # half an archive is of no use, and may be large
        raise
    sources.origins[folder] = file
    sources.roots.append(folder)
    sources.warnings += warnings
    sources.files += [found for found, _ in _walk(folder, sources.warnings)]


def unpack(archive: Path, folder: Path, stop: Callable[[], None], limit: int = MAX_UNPACKED) -> list[Warning]:
    """Unpack a ZIP archive into `folder`; members whose path would leave it are left out and named.

    Raises
    ------
    UnreadableError
        If the archive is broken, encrypted, or larger than `limit` bytes, or than the disk has room, when unpacked.
    """
    warnings: list[Warning] = []
    left = limit
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [member for member in opened.infolist() if not member.is_dir()]
            _refuse_over(limit, sum(member.file_size for member in members), archive)
            _refuse(members, folder, archive)
            for member in members:
                stop()
                target = _inside(folder, member.filename)
                if target is None:
                    text = f"{archive.name} holds a file whose path leads out of the archive; that file was left out."
                    warnings.append(Warning("unsafe-path", text))
                    continue
                left -= _copy(opened, member, target, left, archive)
    except _DAMAGE as error:
        text = f"{archive.name} could not be unpacked; it has to be a whole ZIP archive."
        raise UnreadableError(text, details=str(error)) from error
    return warnings


def _refuse(members: Sequence[zipfile.ZipInfo], folder: Path, archive: Path) -> None:
    if any(member.flag_bits & 1 for member in members):  # APPNOTE 4.4.4: bit 0, encrypted
        raise UnreadableError(f"{archive.name} is locked with a password; unpack it yourself and open the folder.")
    if len(members) > MAX_MEMBERS:
        raise UnreadableError(
            f"{archive.name} holds {len(members)} files, more than the {MAX_MEMBERS} that are allowed; unpack it "
            "yourself and open the folder."
        )
    needed, room = sum(member.file_size for member in members), shutil.disk_usage(folder).free
    if needed > room:
        raise UnreadableError(
            f"{archive.name} needs {needed / 1024**3:.1f} GB to be unpacked, but the disk has room for "
            f"{room / 1024**3:.1f} GB; make room, or unpack it elsewhere and open the folder."
        )


def _inside(folder: Path, name: str) -> Path | None:
    """Where a member belongs below `folder`; None if it would lie elsewhere."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if not parts or any(part in ("..", "/") or ":" in part for part in parts):
        return None
    return folder.joinpath(*parts)


def _copy(opened: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, left: int, archive: Path) -> int:
    """Write one member and return its size; the declared size is not believed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with opened.open(member) as source, target.open("wb") as sink:
        while chunk := source.read(_CHUNK):
            written += len(chunk)
            _refuse_over(left, written, archive)
            sink.write(chunk)
    return written


def _refuse_over(limit: int, size: int, archive: Path) -> None:
    if size > limit:
        raise UnreadableError(
            f"{archive.name} would unpack to more than the {MAX_UNPACKED / 1024**3:.0f} GB that are allowed; unpack it "
            "yourself and open the folder."
        )


@cache
def _own_scratch() -> Path:
    """A folder that lives as long as the process."""
    folder = Path(tempfile.mkdtemp(prefix="medviewer-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
