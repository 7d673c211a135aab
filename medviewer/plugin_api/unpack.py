"""Taking files out of a folder or archive that nobody trusts: names, kinds and sizes are checked, nothing is run."""

from __future__ import annotations

import lzma
import os
import shutil
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from medviewer.errors import PluginError

MAX_BYTES = 16 * 1024**3
"""Bytes of one package: more than the folds of an ensemble, less than what fills a disk unnoticed."""
MAX_FILES = 5_000
"""Files of one package; the code and weights of a model are some dozens."""
MAX_RATIO = 200
"""How much smaller a member may be when packed: code comes to a tenth, and a bomb to a thousandth or less."""
_SMALL = 16 * 1024**2
"""What unpacks to less than this harms nobody, however well it was packed."""
_MAX_NAME = 240
_CHUNK = 1024 * 1024

SKIPPED = frozenset({"__pycache__", ".git", ".hg", ".svn", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".venv"})
"""Folders that are left behind: caches and histories are no part of a plugin, and its fingerprint passes them by."""

_DEVICES = frozenset(
    {"con", "prn", "aux", "nul", *(f"com{k}" for k in range(1, 10)), *(f"lpt{k}" for k in range(1, 10))}
)
"""Names that stand for a device on Windows, whatever suffix follows them."""

DAMAGE = (
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


@dataclass(frozen=True)
class Member:
    """One file that may be taken.

    Parameters
    ----------
    name
        Where it lies, relative and with slashes.
    size
        In bytes, as declared.
    info
        Its entry of the archive; None for a file of a folder.
    """

    name: str
    size: int
    info: zipfile.ZipInfo | None = None


def archive_members(opened: zipfile.ZipFile, archive: str) -> list[Member]:
    """The files of an archive, every one of them checked.

    Raises
    ------
    PluginError
        If a single one could do harm: that is no accident, and nothing of the archive is taken.
    """
    infos = opened.infolist()
    _refuse_many(len(infos), sum(info.file_size for info in infos), archive)
    members = []
    for info in infos:
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise _unsafe(archive, "a link or device")
        if info.flag_bits & 1:  # APPNOTE 4.4.4: bit 0, encrypted
            raise _unsafe(archive, "a file that is locked with a password")
        # zipfile ends a name at a NUL; what follows it is read by nobody and meant for somebody
        if "\0" in info.orig_filename:
            raise _unsafe(archive, "a name with a NUL in it")
        if info.file_size > max(_SMALL, MAX_RATIO * info.compress_size):
            raise _unsafe(archive, "a file that grows absurdly when it is unpacked")
        if not info.is_dir():
            members.append(Member(info.filename.replace("\\", "/"), info.file_size, info))
    _check_names((member.name for member in members), archive)
    return members


def folder_members(folder: Path) -> list[Member]:
    """The files below a folder, without caches.

    Raises
    ------
    PluginError
        If there is a link, a device, or a name that another system could not keep.
    """
    members: list[Member] = []
    for path, entry in _walk(folder):
        if not entry.is_file(follow_symlinks=False):
            raise _unsafe(folder.name, f"a link or device, {entry.name}")
        members.append(Member(path.relative_to(folder).as_posix(), entry.stat(follow_symlinks=False).st_size))
        _refuse_many(len(members), 0, folder.name)
    _refuse_many(len(members), sum(member.size for member in members), folder.name)
    _check_names((member.name for member in members), folder.name)
    return members


def within(members: Iterable[Member], prefix: str) -> list[tuple[Member, str]]:
    """Those that lie below a folder, with their names from there; caches are left out."""
    start = f"{prefix}/" if prefix else ""
    below = ((member, member.name[len(start) :]) for member in members if member.name.startswith(start))
    return [(member, name) for member, name in below if not SKIPPED & set(name.split("/"))]


def take(
    source: Path,
    members: Iterable[tuple[Member, str]],
    target: Path,
    tell: Callable[[float], None],
) -> None:
    """Write members of a folder or archive below `target`, which exists and is empty.

    Parameters
    ----------
    members
        Each with the name that it gets.
    tell
        Gets the part that is done, 0 to 1; raises when the user cancelled.

    Raises
    ------
    PluginError
        If the disk has no room, or a member is larger than it said.
    """
    chosen = list(members)
    needed = sum(member.size for member, _ in chosen)
    room = shutil.disk_usage(target).free
    if needed > room:
        raise PluginError(
            f"{source.name} needs {needed / 1024**3:.1f} GB, but the disk has room for {room / 1024**3:.1f} GB; make "
            "room and install it again."
        )
    opened = zipfile.ZipFile(source) if source.is_file() else None
    done = 0
    try:
        for member, name in chosen:
            path = target.joinpath(*name.split("/"))
            path.parent.mkdir(parents=True, exist_ok=True)
            for size in _copied(opened, source, member, path):
                done += size
                tell(done / max(1, needed))
    finally:
        if opened is not None:
            opened.close()


def _copied(opened: zipfile.ZipFile | None, source: Path, member: Member, path: Path) -> Iterator[int]:
    """Write one member; the sizes of its pieces. The declared size is not believed."""
    stream = opened.open(member.info) if opened is not None and member.info else (source / member.name).open("rb")
    written = 0
    with stream as read, path.open("xb") as sink:
        while chunk := read.read(_CHUNK):
            written += len(chunk)
            if written > member.size:
                raise _unsafe(source.name, "a file that is larger than it says")
            sink.write(chunk)
            yield len(chunk)


def _walk(folder: Path) -> Iterator[tuple[Path, os.DirEntry[str]]]:
    with os.scandir(folder) as entries:
        listed = sorted(entries, key=lambda entry: entry.name)
    for entry in listed:
        path = folder / entry.name
        if not entry.is_dir(follow_symlinks=False):
            yield path, entry
        elif entry.name not in SKIPPED:
            yield from _walk(path)


def _check_names(names: Iterable[str], what: str) -> None:
    """Refuse names that lead elsewhere, that some system cannot keep, or that meet on some system."""
    folders: set[str] = set()
    files: set[str] = set()
    for name in names:
        parts = name.split("/")
        if _leads_away(name, parts):
            raise _unsafe(what, "a name that leads out of it")
        if len(name) > _MAX_NAME or any(map(_not_portable, parts)):
            raise _unsafe(what, "a name that not every system can keep")
        folded = unicodedata.normalize("NFC", name).casefold()
        if folded in files:
            raise _unsafe(what, "two files of one name")
        files.add(folded)
        folders.update(str(parent) for parent in PurePosixPath(folded).parents)
    if files & folders:
        raise _unsafe(what, "a file and a folder of one name")


def _leads_away(name: str, parts: list[str]) -> bool:
    return name.startswith("/") or ".." in parts or ":" in name or "\\" in name


def _not_portable(part: str) -> bool:
    return (
        part in ("", ".")
        or part != part.strip()
        or part.endswith(".")
        or part.split(".")[0].lower() in _DEVICES
        or any(ord(letter) < 32 or letter in '<>"|?*' for letter in part)
    )


def _refuse_many(files: int, size: int, what: str) -> None:
    if files > MAX_FILES:
        raise PluginError(f"A plugin should hold at most {MAX_FILES} files, but {what} holds more; take what it needs.")
    if size > MAX_BYTES:
        raise PluginError(
            f"A plugin should take at most {MAX_BYTES >> 30} GB, but {what} takes {size / 1024**3:.0f} GB when "
            "unpacked; take what it needs."
        )


def _unsafe(what: str, found: str) -> PluginError:
    return PluginError(f"{what} holds {found}, as no plugin needs; nothing of it was taken, so ask who made it.")
