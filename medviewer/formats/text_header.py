"""The text headers of NRRD and MetaImage, read for what has to be known before ITK opens the file.

That is: which other files hold the voxels (they must lie in the header's own folder), whether the voxels are packed,
and what the header leaves unsaid. Geometry and voxels are ITK's. Whatever could be understood in two ways is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from medviewer.errors import UnreadableError

_MOST = 1024 * 1024
"""Bytes that a header may take; DWI headers with hundreds of gradients take some ten thousand."""
_META_LAST = "elementdatafile"


@dataclass(frozen=True)
class TextHeader:
    """What one header says.

    Parameters
    ----------
    fields
        Its fields, names in lower case without spaces.
    data
        The files that hold the voxels: the file itself where they follow the header.
    packed
        Whether they are compressed, or written as text.
    stored
        Bytes in `data`.
    """

    fields: dict[str, str] = field(repr=False)
    data: tuple[Path, ...]
    packed: bool
    stored: int


def nrrd_header(path: Path) -> TextHeader:
    """Read the header of a NRRD file (teem's format definition, NRRD0001 to NRRD0005).

    Raises
    ------
    UnreadableError
        If it is broken, or its voxels lie in files that are missing, outside its folder or named by a pattern.
    """
    text, ended = _text(path)
    head, separator, _ = text.replace("\r\n", "\n").partition("\n\n")
    fields: dict[str, str] = {}
    names: list[str] | None = None
    for line in head.split("\n")[1:]:
        if names is not None:  # everything behind "data file: LIST" is a file's name
            names.append(line.strip())
            continue
        if line.startswith("#") or ":=" in line:
            continue
        key, colon, value = line.partition(":")
        key = key.replace(" ", "").lower()
        if not colon:
            continue
        if key in fields:
            raise _broken(path, f"it has the field {key} twice")
        fields[key] = value.strip()
        if key == "datafile" and value.split()[:1] == ["LIST"]:
            names = []
    if "sizes" not in fields or "type" not in fields:
        raise _broken(path, "it does not say how many values of which type there are")
    where = fields.get("datafile")
    if where is None and not separator and not ended:
        raise _broken(path, "it does not end")
    listed = [name for name in names if name] if names is not None else None if where is None else [where]
    return _made(path, fields, listed, fields.get("encoding", "").lower() != "raw")


def meta_header(path: Path) -> TextHeader:
    """Read the header of a MetaImage file (.mha, .mhd).

    Raises
    ------
    UnreadableError
        If it is broken, or its voxels lie in files that are missing, outside its folder or named by a pattern.
    """
    text, _ = _text(path)
    lines = iter(text.split("\n"))
    fields: dict[str, str] = {}
    for key, value in _pairs(lines):
        fields.setdefault(key, value)
        if key == _META_LAST:
            break
    where = fields.get(_META_LAST)
    if not where:
        raise _broken(path, "it does not say where its voxels are")
    if where.split()[0] == "LIST":
        listed: list[str] | None = [name.strip() for name in lines if name.strip()]
    else:
        listed = None if where in ("LOCAL", "Local", "local") else [where]
    packed = fields.get("compresseddata", "").lower().startswith("t")
    return _made(path, fields, listed, packed or fields.get("binarydata", "true").lower().startswith("f"))


def _pairs(lines: Iterator[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        key, mark, value = re.match(r"([^=:]*)([=:]?)(.*)", line, re.DOTALL).groups()  # type: ignore[union-attr]  # always
        if mark:
            yield key.strip().lower(), value.strip()


def _text(path: Path) -> tuple[str, bool]:
    """The start of a file as text, and whether that is all of it."""
    try:
        with path.open("rb") as file:
            start = file.read(_MOST)
            return start.decode("latin-1"), not file.read(1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UnreadableError(f"{path.name} could not be opened ({reason}); check that it may be read.") from error


def _made(path: Path, fields: dict[str, str], listed: Sequence[str] | None, packed: bool) -> TextHeader:
    data = (path,) if listed is None else tuple(_beside(path, name) for name in listed)
    if not data:
        raise _broken(path, "it lists no files with voxels")
    try:
        stored = sum(file.stat().st_size for file in data)
    except OSError as error:
        raise UnreadableError(f"The voxels of {path.name} cannot be opened; check that they may be read.") from error
    return TextHeader(fields, data, packed, stored)


def _beside(path: Path, name: str) -> Path:
    """A file that a header names: it has to lie in the header's folder, and links out of it do not count."""
    if "%" in name:
        raise UnreadableError(
            f"{path.name} names its voxels' files by a pattern, but a name or a list of names is needed; save it again "
            "as one file."
        )
    folder = path.parent.resolve()
    pure = PurePosixPath(name.replace("\\", "/"))
    try:
        file = (folder / pure).resolve()
        there = file.is_file()
    except (
        OSError,
        ValueError,
        RuntimeError,
    ) as error:  # a name that is too long, goes round in circles or holds a zero byte
        raise _broken(path, "it names its voxels' file by what is no name") from error
    if pure.is_absolute() or ":" in name or not file.is_relative_to(folder):
        raise UnreadableError(
            f"{path.name} has its voxels in a file outside its folder, which is not opened; save it again as one file."
        )
    if not there:
        raise UnreadableError(f"{path.name} has its voxels in {pure.name}, which is not beside it; copy both files.")
    return file


def _broken(path: Path, why: str) -> UnreadableError:
    return UnreadableError(f"{path.name} has a broken header: {why}; export the file again.")
