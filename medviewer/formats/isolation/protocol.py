"""What goes over the pipes: length, then a pickle whose arrays lie beside it.

Requests come from the program itself. Answers come from a process that has just read a foreign file, so only plain
values, arrays and our own frozen domain values are taken from them.
"""

from __future__ import annotations

import io
import pickle
import struct
from typing import IO, Any

MAX_MESSAGE = 8 * 1024**3
"""Bytes; a child that claims more has lost its mind."""

_LENGTH = struct.Struct("<Q")
_SAFE = {
    "builtins": {"complex", "frozenset", "set", "slice", "range", "bytearray"},
    "collections": {"OrderedDict", "defaultdict"},
    "numpy": {"dtype", "ndarray"},
    "numpy._core.multiarray": {"_reconstruct", "scalar"},
    "numpy.core.multiarray": {"_reconstruct", "scalar"},
    "numpy._core.numeric": {"_frombuffer"},
    "numpy.core.numeric": {"_frombuffer"},
    "pathlib": {"Path", "PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath"},
    "pathlib._local": {"Path", "PosixPath", "WindowsPath"},
    "medviewer.formats.isolation.memory": {"Token"},
}
_OWN = "medviewer.domain."


class _Plain(pickle.Unpickler):
    """Makes nothing but values."""

    def find_class(self, module: str, name: str) -> Any:
        """A class that an answer may name."""
        if name in _SAFE.get(module, ()) or (module.startswith(_OWN) and "." not in name):
            found = super().find_class(module, name)
            if not module.startswith(_OWN) or isinstance(found, type):
                return found
        raise pickle.UnpicklingError(f"an answer may not hold {module}.{name}")


def write(stream: IO[bytes], value: Any) -> None:
    """Send a value."""
    buffers: list[pickle.PickleBuffer] = []
    body = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    parts = [buffer.raw() for buffer in buffers]
    sizes = [len(body), *(part.nbytes for part in parts)]
    stream.write(b"".join(_LENGTH.pack(number) for number in (len(sizes), *sizes)))
    for part in (memoryview(body), *parts):
        _write_all(stream, part)
    stream.flush()


def read(stream: IO[bytes], trusted: bool) -> Any:
    """The next value; `trusted` is what the program itself wrote.

    Raises
    ------
    EOFError
        If the other side is gone.
    pickle.UnpicklingError
        If it is no message, or holds what it may not.
    """
    [count] = _LENGTH.unpack(_read_exactly(stream, _LENGTH.size))
    if not 1 <= count <= 10_000:
        raise pickle.UnpicklingError("this is no message")
    sizes = [_LENGTH.unpack(_read_exactly(stream, _LENGTH.size))[0] for _ in range(count)]
    if sum(sizes) > MAX_MESSAGE:
        raise pickle.UnpicklingError("the message is too long")
    body, *buffers = [_read_exactly(stream, size) for size in sizes]
    loader = pickle.Unpickler if trusted else _Plain
    return loader(io.BytesIO(body), buffers=buffers).load()


def _read_exactly(stream: IO[bytes], count: int) -> bytearray:
    data = bytearray(count)
    view, done = memoryview(data), 0
    while done < count:
        got = stream.readinto(view[done:])  # type: ignore[attr-defined]  # raw and buffered streams have it
        if not got:
            raise EOFError
        done += got
    return data


def _write_all(stream: IO[bytes], data: memoryview) -> None:
    done = 0
    while done < len(data):
        done += stream.write(data[done:]) or 0
