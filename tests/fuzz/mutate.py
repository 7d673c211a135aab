"""Damage to files, the same for the same seed."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

import numpy as np

Random = np.random.Generator

_HUGE = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
"""Numbers at which arithmetic goes wrong."""
_TEXTS = (b"-1", b"0", b"999999999", b"1e308", b"nan", b"inf", b"\\\\\\\\", b"%s%n", b"\xff\xfe\xfd", b"1.5\\x")
_LENGTHS = (b"UL", b"US", b"DS", b"IS", b"CS", b"UI", b"SQ", b"OW", b"OB", b"LO", b"PN")


def mutant(data: bytes, others: Sequence[bytes], random: Random) -> bytes:
    """One damaged copy of a file; one to four kinds of damage.

    Parameters
    ----------
    data
        The file.
    others
        Files whose pieces are spliced in.
    random
        Decides.
    """
    made = bytearray(data)
    for _ in range(int(random.choice([1, 1, 1, 1, 2, 2, 3]))):
        kind = int(random.integers(len(_KINDS) + 1))
        made = _KINDS[kind](made, random) if kind < len(_KINDS) else _splice(made, others, random)
        if not made:
            break
    return bytes(made)


def _place(data: bytearray, random: Random, width: int = 1) -> int:
    """Somewhere; more often in the header, where everything is decided."""
    end = max(len(data) - width, 0)
    if random.random() < 0.75:
        end = min(end, 2500)
    return int(random.integers(end + 1))


def _flip(data: bytearray, random: Random) -> bytearray:
    for _ in range(int(random.integers(1, 12))):
        data[min(_place(data, random), len(data) - 1)] ^= 1 << int(random.integers(8))
    return data


def _truncate(data: bytearray, random: Random) -> bytearray:
    return data[: int(random.integers(len(data) + 1))]


def _length(data: bytearray, random: Random) -> bytearray:
    """Another length in an explicit element; where there is none, a number anywhere."""
    at = data.find(_LENGTHS[int(random.integers(len(_LENGTHS)))], _place(data, random))
    if at < 0 or at + 8 > len(data):
        return _number(data, random)
    value = int(random.choice(_HUGE)) if random.random() < 0.5 else int(random.integers(0, 300))
    if random.random() < 0.5:
        struct.pack_into("<H", data, at + 2, value & 0xFFFF)
    else:
        struct.pack_into("<I", data, at + 4, value)
    return data


def _number(data: bytearray, random: Random) -> bytearray:
    width, form = ((1, "B"), (2, "<H"), (4, "<I"), (2, ">H"), (4, ">I"))[int(random.integers(5))]
    at = _place(data, random, width)
    if at + width <= len(data):
        struct.pack_into(form, data, at, int(random.choice(_HUGE)) & (2 ** (8 * width) - 1))
    return data


def _splice(data: bytearray, others: Sequence[bytes], random: Random) -> bytearray:
    other = others[int(random.integers(len(others)))]
    start = int(random.integers(len(other) + 1))
    piece = other[start : start + int(random.integers(1, 600))]
    at = _place(data, random)
    return data[:at] + piece + data[at + (len(piece) if random.random() < 0.5 else 0) :]


def _zero(data: bytearray, random: Random) -> bytearray:
    at, size = _place(data, random), int(random.integers(1, 400))
    stop = min(at + size, len(data))
    data[at:stop] = bytes([int(random.choice([0, 0, 0xFF, 0x20]))]) * (stop - at)
    return data


def _swap_tags(data: bytearray, random: Random) -> bytearray:
    """Exchange two pieces of the same size, such as the tags of two elements."""
    size = int(random.choice([2, 4, 8]))
    one, two = _place(data, random, size) & ~1, _place(data, random, size) & ~1
    if abs(one - two) >= size and max(one, two) + size <= len(data):
        data[one : one + size], data[two : two + size] = data[two : two + size], data[one : one + size]
    return data


def _text(data: bytearray, random: Random) -> bytearray:
    word, at = _TEXTS[int(random.integers(len(_TEXTS)))], _place(data, random)
    data[at : at + len(word)] = word
    return data


def _repeat(data: bytearray, random: Random) -> bytearray:
    at, size = _place(data, random), int(random.integers(1, 300))
    return data[:at] + data[at : at + size] * int(random.integers(2, 40)) + data[at + size :]


_KINDS: tuple[Callable[[bytearray, Random], bytearray], ...] = (
    _flip,
    _truncate,
    _length,
    _number,
    _zero,
    _swap_tags,
    _text,
    _repeat,
)
