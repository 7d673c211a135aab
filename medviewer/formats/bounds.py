"""How large a file's voxels may be, looked at before memory is asked for: declared size against real size."""

from __future__ import annotations

from medviewer.errors import UnreadableError

MAX_PACKED = 2 * 1024**3
"""Bytes that one compressed file may unpack to; an uncompressed one may be as large as it is."""

MAX_PHASES = 100_000
"""Steps of a 4th axis; far more than any recording has, and few enough to be listed."""

_RATIO = 1032
"""What deflate can shrink at most (zlib's technical details): a file that claims more is a bomb."""


def check_size(name: str, declared: int, stored: int, packed: bool) -> None:
    """Refuse a file whose header asks for voxels that it cannot hold.

    Parameters
    ----------
    name
        Name of the file.
    declared
        Bytes of voxels that the header promises.
    stored
        Bytes of voxels in the file, or all of its bytes.
    packed
        Whether they are compressed.

    Raises
    ------
    UnreadableError
        If uncompressed voxels are fewer than declared, or compressed ones would unpack to more than `MAX_PACKED` or
        than their size allows.
    """
    if not packed and declared > stored:
        raise UnreadableError(
            f"{name} ends before its voxels do ({_size(stored)} of {_size(declared)}); fetch the file again."
        )
    if packed and declared > MAX_PACKED:
        raise UnreadableError(
            f"{name} would unpack to {_size(declared)}, but {_size(MAX_PACKED)} are allowed; unpack it yourself and "
            "open the unpacked file."
        )
    if packed and declared > max(stored, 64) * _RATIO:
        raise UnreadableError(
            f"{name} ends before its voxels do: {_size(stored)} cannot unpack to {_size(declared)}; fetch the file "
            "again."
        )


def check_phases(name: str, count: int) -> None:
    """Refuse a 4th axis that no recording has.

    Raises
    ------
    UnreadableError
        If there are more than `MAX_PHASES`.
    """
    if count > MAX_PHASES:
        raise UnreadableError(f"{name} declares {count} volumes, more than any recording has; export the file again.")


def _size(count: int) -> str:
    for unit, one in (("GB", 1024**3), ("MB", 1024**2), ("kB", 1024)):
        if count >= one:
            return f"{count / one:.1f} {unit}"
    return f"{count} bytes"
