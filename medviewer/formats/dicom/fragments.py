"""Where the compressed frames of a file lie: items, offset tables and frames of several fragments (PS3.5 A.4)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from struct import Struct

from medviewer.errors import UnreadableError
from medviewer.formats.dicom import tags as t
from medviewer.formats.dicom.headers import Header

Piece = tuple[int, int]
"""A piece of a file: where it begins and its bytes."""

_HEAD = Struct("<HHI")
_ITEM = (0xFFFE, 0xE000)
_STARTS = (b"\xff\xd8", b"\xff\x4f\xff\x51")
"""How a JPEG or JPEG-LS stream and a JPEG 2000 codestream begin."""


def frame_pieces(file: int, header: Header, frames: int) -> list[list[Piece]]:
    """The pieces of every frame of a file with encapsulated pixels.

    Frames are told apart by the Basic or the Extended Offset Table; where there is none, by their number, or by the
    bytes that a compressed stream begins with. There may be fewer than asked for.

    Parameters
    ----------
    file
        Descriptor of the open file.
    header
        Its header; `pixel_length` is undefined.
    frames
        How many frames it should hold.

    Raises
    ------
    UnreadableError
        If the items are damaged, or frames cannot be told apart.
    OSError
        If the file cannot be read.
    """
    table, fragments = _items(file, header)
    if len(fragments) == frames:
        return [[piece] for piece in fragments]
    if frames == 1:
        return [fragments]
    starts = _extended(header, frames) or table
    first = fragments[0][0] - _HEAD.size if fragments else 0
    if len(starts) == frames:
        groups = _by_offset(fragments, [first + start for start in starts])
        if all(groups):
            return groups
    if len(fragments) < frames:  # cut short: what there is, one fragment a frame
        return [[piece] for piece in fragments]
    return _by_content(file, header, fragments, frames)


def _items(file: int, header: Header) -> tuple[list[int], list[Piece]]:
    """The Basic Offset Table, and the fragments up to the end of the sequence or of the file."""
    table: list[int] | None = None
    fragments: list[Piece] = []
    offset = header.pixel_offset
    while True:
        head = _pread(file, _HEAD.size, offset)
        if len(head) < _HEAD.size:
            break
        group, element, length = _HEAD.unpack(head)
        if (group, element) != _ITEM:
            break
        start = offset + _HEAD.size
        if start + length > header.size:
            length = header.size - start  # cut short: a decoder may still make something of it
        if table is None:
            data = _pread(file, min(length, 4 * 1_000_000), start)
            table = [int.from_bytes(data[k : k + 4], "little") for k in range(0, len(data) - 3, 4)]
        elif length > 0:
            fragments.append((start, length))
        offset = start + length
    if not fragments:
        raise UnreadableError(f"{header.path.name} holds no compressed frames; fetch the file again.")
    return table or [], fragments


def _pread(file: int, count: int, offset: int) -> bytes:
    os.lseek(file, offset, os.SEEK_SET)
    return os.read(file, count)


def _extended(header: Header, frames: int) -> list[int]:
    """The Extended Offset Table (PS3.3 C.7.6.3.1.8), empty where there is none for so many frames."""
    data = header.raw.get(t.EXTENDED_OFFSET_TABLE, b"")
    return (
        [int.from_bytes(data[k : k + 8], "little") for k in range(0, len(data), 8)] if len(data) == 8 * frames else []
    )


def _by_offset(fragments: Sequence[Piece], starts: Sequence[int]) -> list[list[Piece]]:
    groups: list[list[Piece]] = [[] for _ in starts]
    ends = [*starts[1:], fragments[-1][0] + fragments[-1][1] + 1]
    frame = 0
    for offset, length in fragments:
        item = offset - _HEAD.size
        while frame < len(starts) - 1 and item >= ends[frame]:
            frame += 1
        if starts[frame] <= item < ends[frame]:
            groups[frame].append((offset, length))
    return groups


def _by_content(file: int, header: Header, fragments: Sequence[Piece], frames: int) -> list[list[Piece]]:
    groups: list[list[Piece]] = []
    for piece in fragments:
        if _pread(file, 4, piece[0]).startswith(_STARTS) or not groups:
            groups.append([])
        groups[-1].append(piece)
    if len(groups) != frames:
        raise UnreadableError(
            f"{header.path.name} should hold {frames} frames, but has {len(fragments)} fragments and no table that "
            "says which belong together; fetch the file again."
        )
    return groups
