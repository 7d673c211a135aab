"""Where the compressed frames of a file lie: items, offset tables and frames of several fragments (PS3.5 A.4)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from struct import Struct

from medviewer.errors import UnreadableError
from medviewer.formats.dicom import tags as t
from medviewer.formats.dicom.headers import Header

Piece = tuple[int, int]
"""A piece of a file: where it begins and its bytes."""

_HEAD = Struct("<HHI")
_ITEM, _END = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)
_STARTS = (b"\xff\xd8", b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  ")
"""How a JPEG or JPEG-LS stream, a JPEG 2000 codestream, and one in a JP2 file begin."""
_STOPS = (b"\xff\xd9", b"\xff\xd9\0")
"""How all of these end, padded to an even length or not. No such byte pair stands within their coded data."""
_ONE_EACH = ("1.2.840.10008.1.2.5", "1.2.840.10008.1.2.1.98")
"""RLE and encapsulated uncompressed frames have one fragment each (PS3.5 A.4.2, A.4.11)."""


@dataclass(frozen=True)
class _Items:
    """What lies in the pixel data.

    Parameters
    ----------
    table
        The Basic Offset Table.
    pieces
        The items after it; some may have no bytes.
    ended
        Whether they end as they should, with a delimiter.
    cut
        Whether the file ends within the last one, or what follows it is no item.
    """

    table: list[int]
    pieces: list[Piece]
    ended: bool
    cut: bool

    @property
    def end(self) -> int:
        return sum(self.pieces[-1])

    @property
    def one_each(self) -> list[list[Piece]]:
        """Every item as a frame; none for an empty item, or for one that is cut short."""
        groups = [[piece] if piece[1] else [] for piece in self.pieces]
        return [*groups[:-1], []] if self.cut else groups


def frame_pieces(file: int, header: Header, frames: int) -> list[list[Piece]]:
    """The pieces of every frame of a file with encapsulated pixels.

    Frames are told apart by the Basic or the Extended Offset Table; where there is none, by their number, or by the
    bytes that a compressed stream begins and ends with. Pictures in wrong places are worse than none: where it is not
    sure what belongs to which frame, nothing is returned.

    Parameters
    ----------
    file
        Descriptor of the open file.
    header
        Its header; `pixel_length` is undefined.
    frames
        How many frames it should hold.

    Returns
    -------
    list
        In the order of the frames. There may be fewer than asked for, and of frames that the file lost, or ends
        within, there is no piece.

    Raises
    ------
    UnreadableError
        If the items are damaged, or frames cannot be told apart.
    OSError
        If the file cannot be read.
    """
    items = _items(file, header)
    if frames == 1:
        return [[piece for piece in items.pieces if piece[1]]]
    groups = _by_offset(file, items, _extended(header, frames), frames)
    if groups is None:
        groups = _by_offset(file, items, items.table, frames)
    if groups is not None:
        return groups
    count = len(items.pieces)
    if (items.ended and count == frames) or (header.transfer_syntax in _ONE_EACH and count <= frames):
        return items.one_each
    groups = _by_content(file, items, frames)
    if groups is not None:
        return groups
    if not items.cut and count == frames:
        return items.one_each
    raise UnreadableError(
        f"{header.path.name} should hold {frames} frames, but has {count} fragments and no table that says which "
        "belong together; fetch the file again."
    )


def _items(file: int, header: Header) -> _Items:
    """The Basic Offset Table, and the fragments up to the end of the sequence or of the file."""
    table: list[int] | None = None
    pieces: list[Piece] = []
    offset = header.pixel_offset
    ended = cut = False
    while not cut:
        head = _pread(file, _HEAD.size, offset)
        if len(head) < _HEAD.size:
            cut = len(head) > 0
            break
        group, element, length = _HEAD.unpack(head)
        if (group, element) != _ITEM:
            ended = (group, element) == _END or offset - header.pixel_offset == header.pixel_length
            cut = not ended
            break
        start = offset + _HEAD.size
        if start + length > header.size:
            length, cut = header.size - start, True  # a decoder may still make something of a single frame
        if table is None:
            data = _pread(file, min(length, 4 * 1_000_000), start)
            table = [int.from_bytes(data[k : k + 4], "little") for k in range(0, len(data) - 3, 4)]
        else:
            pieces.append((start, length))
        offset = start + length
    if not any(length for _, length in pieces):
        raise UnreadableError(f"{header.path.name} holds no compressed frames; fetch the file again.")
    return _Items(table or [], pieces, ended, cut)


def _pread(file: int, count: int, offset: int) -> bytes:
    os.lseek(file, offset, os.SEEK_SET)
    return os.read(file, count)


def _extended(header: Header, frames: int) -> list[int]:
    """The Extended Offset Table (PS3.3 C.7.6.3.1.8), empty where there is none for so many frames."""
    data = header.raw.get(t.EXTENDED_OFFSET_TABLE, b"")
    return (
        [int.from_bytes(data[k : k + 8], "little") for k in range(0, len(data), 8)] if len(data) == 8 * frames else []
    )


def _by_offset(file: int, items: _Items, starts: Sequence[int], frames: int) -> list[list[Piece]] | None:
    """The frames as a table has them; None where it is none for so many, or not of these items.

    In a file that is cut short, the table says which frames are lost, and that the last one there is not whole.
    """
    if len(starts) != frames or starts[0] != 0 or any(b <= a for a, b in pairwise(starts)):
        return None
    first = items.pieces[0][0] - _HEAD.size
    places = [first + start for start in starts]
    begins = {offset - _HEAD.size for offset, _ in items.pieces}
    if not all(place in begins for place in places if place < items.end) or (items.ended and places[-1] >= items.end):
        return None
    groups: list[list[Piece]] = [[] for _ in places]
    frame = 0
    for offset, length in items.pieces:
        while frame < frames - 1 and offset - _HEAD.size >= places[frame + 1]:
            frame += 1
        if length:
            groups[frame].append((offset, length))
    if frame < frames - 1:
        whole = items.end >= places[frame + 1]
    else:
        whole = items.ended or not (items.cut or (_begins(file, items.pieces[0]) and not _ends(file, items.pieces[-1])))
    if not whole:
        groups[frame] = []
    return groups


def _begins(file: int, piece: Piece) -> bool:
    return _pread(file, min(piece[1], 8), piece[0]).startswith(_STARTS)


def _ends(file: int, piece: Piece) -> bool:
    offset, length = piece
    return _pread(file, min(length, 3), offset + max(length - 3, 0)).endswith(_STOPS)


def _by_content(file: int, items: _Items, frames: int) -> list[list[Piece]] | None:
    """The frames by the streams that begin in fragments; None where these say nothing, or contradict each other."""
    pieces = [piece for piece in items.pieces if piece[1]]
    begins = [_begins(file, piece) for piece in pieces]
    if not begins[0] or sum(begins) > frames:
        return None
    ends = [_ends(file, piece) for piece in pieces]
    if any(ended != begun for ended, begun in zip(ends, begins[1:], strict=False)) and sum(begins) < frames:
        return None
    groups: list[list[Piece]] = []
    for piece, begun in zip(pieces, begins, strict=True):
        if begun:
            groups.append([])
        groups[-1].append(piece)
    if not ends[-1] and not items.ended:
        groups[-1] = []
    return groups
