"""Files that are either whole or not there: written beside the target, flushed to the disk, then renamed."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from medviewer.errors import InputError


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; it takes the place of `path` when the block ends well.

    The temporary name keeps the suffixes, because writers choose their format by them.

    Raises
    ------
    InputError
        If the folder is missing or the system refuses to write there.
    """
    suffix = "".join(path.suffixes[-2:])
    try:
        handle, name = tempfile.mkstemp(prefix=".writing-", suffix=suffix, dir=path.parent)
    except OSError as error:
        raise _cannot_write(path, error) from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        _flush(temporary)
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
        if sys.platform != "win32":  # Windows cannot open a folder; its rename is journalled
            _flush(path.parent)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def _cannot_write(path: Path, error: OSError) -> InputError:
    reason = error.strerror or type(error).__name__
    return InputError(
        f"{path.name} could not be written to {path.parent} ({reason}); choose a folder you can write to."
    )


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    # The process's mask can only be read by setting it.
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
