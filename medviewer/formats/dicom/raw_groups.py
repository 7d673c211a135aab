"""Functional groups straight from the bytes of a file: a thousand frames in the time that pydicom needs for some ten.

Only what a scan asks for is kept, and only little endian is read; whatever is odd is left to `multiframe.FrameGroups`.
"""

from __future__ import annotations

from struct import Struct
from struct import error as StructError

import numpy as np
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

from medviewer.formats.dicom import tags as t
from medviewer.formats.dicom.headers import LONG_FORM, SHORT_FORM, UNDEFINED, Header

Item = dict[int, bytes]
Groups = dict[int, Item]
"""For every macro its first item."""

_EXPLICIT, _IMPLICIT = Struct("<HH2sH").unpack_from, Struct("<HHI").unpack_from
_LENGTH = Struct("<I").unpack_from
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_DEEPEST = 16
_NUMBERS = {"FD": "<f8", "FL": "<f4", "UL": "<u4", "US": "<u2", "SL": "<i4", "SS": "<i2"}


class _OddError(Exception):
    """Not the plain case."""


class RawGroups:
    """The functional groups of one file, asked like `multiframe.FrameGroups`."""

    def __init__(self, shared: Groups, frames: list[Groups]) -> None:
        self._shared, self._frames = shared, frames

    def numbers(self, frame: int, macro: str, keyword: str) -> tuple[float, ...]:
        """The numbers of an element in a macro; empty if there are none."""
        value = self._value(frame, macro, keyword)
        if not value:
            return ()
        kind = _NUMBERS.get(dictionary_VR(_tag(keyword)))
        try:
            if kind is not None:
                numbers = tuple(np.frombuffer(value, kind).tolist())
            else:
                numbers = tuple(float(part) for part in value.strip(b" \0").split(b"\\"))
        except ValueError:
            return ()
        return numbers if all(abs(number) < np.inf for number in numbers) else ()

    def text(self, frame: int, macro: str, keyword: str) -> str:
        """The text of an element in a macro; empty if there is none."""
        return self._value(frame, macro, keyword).decode("latin-1").strip(" \0")

    def _value(self, frame: int, macro: str, keyword: str) -> bytes:
        tag = _tag(macro)
        own = self._frames[frame].get(tag) if 0 <= frame < len(self._frames) else None
        item = own if own is not None else self._shared.get(tag)
        return item.get(_tag(keyword), b"") if item is not None else b""


_TAGS: dict[str, int] = {}


def _tag(keyword: str) -> int:
    if keyword not in _TAGS:
        _TAGS[keyword] = tag_for_keyword(keyword) or 0
    return _TAGS[keyword]


def raw_groups(header: Header, macros: dict[str, set[str]]) -> RawGroups | None:
    """The functional groups of a file; None where its bytes are not the plain case.

    Parameters
    ----------
    header
        Its header.
    macros
        Keyword of every macro that is asked for, and of its elements.
    """
    start, end = header.groups_offset, header.pixel_offset
    if start < 0 or end <= start or header.transfer_syntax == ExplicitVRBigEndian:
        return None
    wanted = {_tag(macro): frozenset(map(_tag, keywords)) for macro, keywords in macros.items()}
    try:
        with header.path.open("rb") as file:
            file.seek(start)
            data = file.read(end - start)
        return _parsed(_Parser(data, header.transfer_syntax == ImplicitVRLittleEndian, wanted))
    except (_OddError, StructError, OSError):
        return None  # the slow way is tried next, and says what is wrong


def _parsed(parser: _Parser) -> RawGroups | None:
    shared: list[Groups] = []
    frames: list[Groups] = []
    at = 0
    while at + 8 <= len(parser.data):
        tag, length, start = parser.element(at)
        if tag not in (t.SHARED_GROUPS, t.FRAME_GROUPS):
            break  # only what follows the groups; pixels are next
        found, at = parser.groups(start, length)
        (shared if tag == t.SHARED_GROUPS else frames).extend(found)
    return RawGroups(shared[0] if shared else {}, frames) if shared or frames else None


class _Parser:
    """Sequences in the bytes of a file (PS3.5 7.5)."""

    def __init__(self, data: bytes, implicit: bool, wanted: dict[int, frozenset[int]]) -> None:
        self.data, self.implicit, self.wanted = data, implicit, wanted

    def element(self, at: int) -> tuple[int, int, int]:
        """Tag, length and where the value starts; items and their ends have no VR."""
        group, number, length = _IMPLICIT(self.data, at)
        if self.implicit or group == 0xFFFE:
            return group << 16 | number, length, at + 8
        group, number, vr, length = _EXPLICIT(self.data, at)
        if vr in SHORT_FORM:
            return group << 16 | number, length, at + 8
        if vr not in LONG_FORM or (vr == b"UN" and _LENGTH(self.data, at + 8)[0] == UNDEFINED):
            raise _OddError
        return group << 16 | number, _LENGTH(self.data, at + 8)[0], at + 12

    def groups(self, at: int, length: int) -> tuple[list[Groups], int]:
        """The groups of every item of a sequence, and where it ends."""
        found: list[Groups] = []
        end = self._end(at, length)
        while at < end:
            tag, size, at = self.element(at)
            if tag == _SEQUENCE_END:
                return found, at
            if tag != _ITEM:
                raise _OddError
            groups, at = self._groups(at, size)
            found.append(groups)
        return found, at

    def _groups(self, at: int, length: int) -> tuple[Groups, int]:
        groups: Groups = {}
        end = self._end(at, length)
        while at < end:
            tag, size, start = self.element(at)
            if tag == _ITEM_END:
                return groups, start
            if tag in self.wanted:
                item, at = self._first_item(start, size, self.wanted[tag])
                if item is not None:
                    groups[tag] = item
            else:
                at = self._after(start, size, 0)
        return groups, at

    def _first_item(self, at: int, length: int, wanted: frozenset[int]) -> tuple[Item | None, int]:
        after = self._after(at, length, 0)
        if length == 0:
            return None, after
        tag, size, at = self.element(at)
        if tag != _ITEM:
            return None, after
        item: Item = {}
        end = min(self._end(at, size), after)
        while at < end:
            tag, size, start = self.element(at)
            if tag == _ITEM_END:
                break
            at = self._after(start, size, 0)
            if tag in wanted and size != UNDEFINED:
                item[tag] = self.data[start:at]
        return item, after

    def _end(self, at: int, length: int) -> int:
        """Where a value ends; for one of undefined length where it has to, at the latest."""
        end = len(self.data) if length == UNDEFINED else at + length
        if end > len(self.data):
            raise _OddError
        return end

    def _after(self, at: int, length: int, depth: int) -> int:
        """Where what follows a value starts."""
        if length != UNDEFINED:
            return self._end(at, length)
        if depth > _DEEPEST:
            raise _OddError
        while True:  # the items of a sequence
            tag, size, at = self.element(at)
            if tag == _SEQUENCE_END:
                return at
            if tag != _ITEM:
                raise _OddError
            if size != UNDEFINED:
                at = self._end(at, size)
                continue
            while True:  # the elements of an item
                tag, size, start = self.element(at)
                if tag == _ITEM_END:
                    at = start
                    break
                at = self._after(start, size, depth + 1)
