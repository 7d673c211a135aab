"""What the user pointed at, as a flat list of files: folders are walked, ZIP archives unpacked."""

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
from medviewer.formats.sniff import Kind, sniff

MAX_UNPACKED = 16 * 1024**3
"""Bytes that one archive may unpack to: more than any study, less than what fills a disk unnoticed."""

_CHUNK = 1024 * 1024

_DAMAGE = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,  # bz2 has no error of its own
    ValueError,  # a name that is not in the encoding it claims
    RuntimeError,  # a member that needs a password; and NotImplementedError, an unknown compression
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
        Archives that could not be unpacked, in whole or in part.
    """

    files: list[Path] = field(default_factory=list)
    named: set[Path] = field(default_factory=set)
    origins: dict[Path, Path] = field(default_factory=dict)
    warnings: list[Warning] = field(default_factory=list)

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
    for path in paths:
        if not path.exists():
            raise UnreadableError(f"{path} does not exist; open a file, folder or ZIP archive that does.")
        found = [path.absolute()] if path.is_file() else _walk(path.absolute())
        if path.is_file():
            sources.named.update(found)
        for file in found:
            stop()
            if file.suffix.lower() == ".zip" or file in sources.named:
                _add(file, sources, scratch, stop)
            else:
                sources.files.append(file)
    sources.files = list(dict.fromkeys(sources.files))
    return sources


def _walk(folder: Path) -> list[Path]:
    files = []
    for parent, folders, names in os.walk(folder):
        folders.sort()
        # A pipe or a device would be waited for without an end.
        files += [path for name in sorted(names) if (path := Path(parent, name)).is_file()]
    return files


def _add(file: Path, sources: Sources, scratch: Path | None, stop: Callable[[], None]) -> None:
    try:
        if sniff(file) is not Kind.ZIP:
            sources.files.append(file)
            return
        folder = Path(tempfile.mkdtemp(prefix="zip-", dir=scratch or _own_scratch()))
        sources.origins[folder] = file
        sources.warnings += unpack(file, folder, stop)
        sources.files += _walk(folder)
    except UnreadableError as error:
        sources.warnings.append(Warning("unreadable", str(error)))


def unpack(archive: Path, folder: Path, stop: Callable[[], None], limit: int = MAX_UNPACKED) -> list[Warning]:
    """Unpack a ZIP archive into `folder`; members whose path would leave it are left out and named.

    Raises
    ------
    UnreadableError
        If the archive is broken, encrypted, or larger than `limit` bytes when unpacked.
    """
    warnings: list[Warning] = []
    left = limit
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [member for member in opened.infolist() if not member.is_dir()]
            _refuse_over(limit, sum(member.file_size for member in members), archive)
            for member in members:
                stop()
                target = _inside(folder, member.filename)
                if target is None:
                    text = f"{archive.name} holds a file whose path leads out of the archive; that file was left out."
                    warnings.append(Warning("unsafe-path", text))
                    continue
                left -= _copy(opened, member, target, left, archive)
    except _DAMAGE as error:
        text = f"{archive.name} could not be unpacked; it has to be a whole ZIP archive without a password."
        raise UnreadableError(text, details=str(error)) from error
    return warnings


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
