"""The few header elements that a viewer needs, read fast.

A study is thousands of files, and `pydicom` spends most of its time on elements that nobody asks for. So the plain
case, little endian with a preamble, is walked here: tags are skipped by their length (PS3.5 7.1) and the wanted values
kept as bytes. Whatever is odd goes to `pydicom`, and so does every conversion that is more than a number.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from struct import Struct
from struct import error as StructError
from typing import Any, BinaryIO

import pydicom
from pydicom.charset import convert_encodings, decode_bytes
from pydicom.dataelem import RawDataElement
from pydicom.errors import InvalidDicomError
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from pydicom.valuerep import TEXT_VR_DELIMS, PersonName

from medviewer.errors import UnreadableError
from medviewer.formats.dicom import tags as t
from medviewer.formats.dicom.deflated import Inflating, open_plain
from medviewer.formats.dicom.quiet import quiet
from medviewer.formats.dicom.whole import refuse_bomb

BLOCK = 16 * 1024
UNDEFINED = 0xFFFFFFFF


def _both_orders(magic: int) -> tuple[bytes, bytes]:
    return magic.to_bytes(4, "big"), magic.to_bytes(4, "little")


LONG_FORM = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"))
"""Value representations whose length takes 4 bytes, after 2 reserved ones (PS3.5 7.1.2)."""
SHORT_FORM = frozenset(b"AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split())
_EXPLICIT = Struct("<HH2sH").unpack_from
_IMPLICIT = Struct("<HHI").unpack_from
_LENGTH = Struct("<I").unpack_from
_DOUBLES = {True: Struct("<d"), False: Struct(">d")}
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD

_GROUPS = frozenset((t.SHARED_GROUPS, t.FRAME_GROUPS))

_DEEPEST = 32
"""Sequences inside sequences that are followed; the deepest that the standard has are about 10."""

_EXECUTABLE = (b"MZ", b"\x7fELF", *(m for n in (0xFEEDFACE, 0xFEEDFACF, 0xCAFEBABE) for m in _both_orders(n)))
"""How programs of Windows, Linux and macOS start."""


class _OddError(Exception):
    """The file is not the plain case; `pydicom` has to read it."""


@dataclass(frozen=True)
class Header:
    """What was read of one file.

    Parameters
    ----------
    path, size
        The file and its length in bytes.
    transfer_syntax
        Transfer Syntax UID; worked out where the file does not say.
    raw
        Tag -> value bytes, of the wanted tags only.
    pixel_offset, pixel_length
        Where the value of the pixels starts and its length; -1 where there are none, or where they lie in a deflated
        stream. The length is `UNDEFINED` for encapsulated frames.
    pixel_tag
        Which element holds the pixels: Pixel Data, Float Pixel Data or Double Float Pixel Data; 0 where there are none,
        or where they lie in a deflated stream.
    executable
        Whether the preamble, the 128 bytes in front of the object, is that of a program (PS3.10 7.5).
    groups_offset
        Where the first of the two functional groups sequences starts; -1 where there is none, or it is not known.
    """

    path: Path
    size: int
    transfer_syntax: str
    raw: dict[int, bytes] = field(repr=False)
    pixel_offset: int = -1
    pixel_length: int = 0
    pixel_tag: int = 0
    executable: bool = False
    groups_offset: int = -1

    @property
    def little_endian(self) -> bool:
        """Whether numbers are stored with the low byte first."""
        return self.transfer_syntax != ExplicitVRBigEndian

    @property
    def deflated(self) -> bool:
        """Whether everything after the file meta information is compressed (PS3.5 A.5)."""
        return self.transfer_syntax == DeflatedExplicitVRLittleEndian

    def plain(self, tag: int) -> str:
        """A value of the default character set (UI, CS, DA, DS, IS, ...), without padding; empty if absent."""
        return self.raw.get(tag, b"").decode("latin-1").strip(" \0")

    def numbers(self, tag: int) -> tuple[float, ...]:
        """The values of a DS or IS element; empty if absent or not numbers."""
        text = self.raw.get(tag, b"").strip(b" \0")
        try:
            return tuple(float(part) for part in text.split(b"\\")) if text else ()
        except ValueError:
            return ()

    def integer(self, tag: int, signed: bool = False) -> int | None:
        """The value of a US or SS element; None if absent."""
        value = self.raw.get(tag, b"")[:2]
        return (
            int.from_bytes(value, "little" if self.little_endian else "big", signed=signed) if len(value) == 2 else None
        )

    def double(self, tag: int) -> float | None:
        """The first value of an FD element; None if absent."""
        value = self.raw.get(tag, b"")[:8]
        return float(_DOUBLES[self.little_endian].unpack(value)[0]) if len(value) == 8 else None

    def whole(self, tag: int) -> int | None:
        """The first value of an IS element; None if absent or not a whole number."""
        values = self.numbers(tag)
        return int(values[0]) if values and values[0].is_integer() else None

    def text(self, tag: int) -> str:
        """A value in the file's character set (LO, SH, ...), without padding; empty if absent."""
        value = self.raw.get(tag, b"")
        if value.isascii():
            return value.decode("ascii").strip(" \0")
        try:
            with quiet():
                return decode_bytes(value, self._encodings, TEXT_VR_DELIMS).strip(" \0")
        except Exception:  # a broken escape sequence: the bytes still say more than nothing
            return value.decode("latin-1").strip(" \0")

    def person(self, tag: int) -> str:
        """A person's name as ``family^given``, alphabetic where there is one (PS3.5 6.2.1.2)."""
        value = self.raw.get(tag, b"").strip(b" \0")
        if not value:
            return ""
        try:
            with quiet():
                name = PersonName(value, self._encodings).decode()
                return name.alphabetic or name.ideographic or name.phonetic
        except Exception:  # as in `text`
            return value.decode("latin-1").partition("=")[0]

    def date(self, tag: int) -> str:
        """A DA value as an ISO date; empty if absent or not a date."""
        digits = self.plain(tag).replace(".", "")
        return f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}" if len(digits) == 8 and digits.isdigit() else ""

    @cached_property
    def _encodings(self) -> list[str]:
        names = self.plain(t.SPECIFIC_CHARACTER_SET).split("\\")
        try:
            with quiet():
                return convert_encodings([name.strip(" \0") for name in names])
        except Exception:  # a name that no set has: each byte is a character
            return ["latin-1"]


def read_header(path: Path) -> Header:
    """Read one file's header, up to its pixels.

    Raises
    ------
    UnreadableError
        If it is not DICOM, or broken before the pixels.
    """
    try:
        with path.open("rb", buffering=0) as file:
            return read_open(file, path, file.read(BLOCK))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UnreadableError(
            f"{path.name} could not be opened ({reason}); check that it exists and may be read."
        ) from error


def read_open(file: io.FileIO, path: Path, block: bytes) -> Header:
    """Read the header of an open file that starts with `block`; see `read_header`."""
    size = file.seek(0, io.SEEK_END)
    try:
        return _walk(file, path, size, block)
    except (_OddError, StructError):
        return _read_with_pydicom(path, size, block)


def _walk(file: io.FileIO, path: Path, size: int, block: bytes) -> Header:
    if block[128:132] != b"DICM":
        raise _OddError
    source = _Source(file, size, block)
    meta, offset, _, _ = source.elements(132, implicit=False, last_group=0x0002)
    syntax = meta.get(t.TRANSFER_SYNTAX_UID, b"").decode("latin-1").strip(" \0")
    if not syntax or syntax in (ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian):
        raise _OddError
    raw, offset, length, tag = source.elements(offset, implicit=syntax == ImplicitVRLittleEndian)
    if not raw:
        raise _OddError
    return Header(path, size, syntax, raw, offset, length, tag, block.startswith(_EXECUTABLE), source.groups)


class _Source:
    """The bytes of a file, a block at a time."""

    def __init__(self, file: io.FileIO, size: int, block: bytes) -> None:
        self.file, self.size, self.block, self.base = file, size, block, 0
        self.groups = -1

    def take(self, offset: int, count: int) -> bytes:
        """`count` bytes from `offset`, fewer at the end of the file."""
        at = offset - self.base
        if at < 0 or at + count > len(self.block):
            self.file.seek(offset)
            self.block, self.base, at = self.file.read(max(count, BLOCK)), offset, 0
        return self.block[at : at + count]

    def elements(self, offset: int, implicit: bool, last_group: int = 0xFFFF) -> tuple[dict[int, bytes], int, int, int]:
        """Wanted values from `offset` on; then where the pixels' value starts (or the next group), length and tag.

        The loop is the time of a scan, so it works on the block itself.
        """
        raw: dict[int, bytes] = {}
        wanted, pixels, first_pixels = t.WANTED, t.PIXELS, min(t.PIXELS)
        short, explicit = SHORT_FORM, _EXPLICIT
        before, vr = 0, b""
        block, base = self.block, self.base
        last = len(block) - 12
        while True:
            at = offset - base
            if not 0 <= at <= last:
                if len(self.take(offset, 12)) < 8:
                    return raw, -1, 0, 0
                block, base = self.block, self.base
                at, last = offset - base, len(block) - 12
            start = offset + 8
            if implicit:
                group, number, length = _IMPLICIT(block, at)
            else:
                group, number, vr, length = explicit(block, at)
            if group > last_group:  # before its VR is looked at: the encoding may be another
                return raw, offset, 0, 0
            if vr not in short and not implicit:
                if vr not in LONG_FORM:
                    raise _OddError
                length, start = _LENGTH(block, at + 8)[0], offset + 12
            tag = group << 16 | number
            if tag >= first_pixels and tag in pixels:
                return raw, start, length, tag
            if tag <= before:
                raise _OddError
            before = tag
            if tag in _GROUPS and self.groups < 0:
                self.groups = offset
            if length == UNDEFINED:
                # An explicit UN of undefined length holds implicit items (PS3.5 6.2.2).
                offset = self._skip_items(start, implicit or vr == b"UN")
                block, base = self.block, self.base
                last = len(block) - 12
                if tag in wanted:
                    raw[tag] = b""
                continue
            offset = start + length
            if tag in wanted:
                at = start - base
                value = block[at : at + length]
                if len(value) < length:
                    value = self.take(start, length) if length <= BLOCK else b""
                    block, base = self.block, self.base
                    last = len(block) - 12
                raw[tag] = value
            if offset > self.size:
                raise _OddError

    def _skip_items(self, offset: int, implicit: bool, depth: int = 0) -> int:
        """The offset after a sequence of undefined length (PS3.5 7.5.2)."""
        if depth > _DEEPEST:
            raise _OddError
        while True:
            tag, _, length, offset = _element(self.take(offset, 8), offset, implicit=True)
            if tag == _SEQUENCE_END:
                return offset
            if tag != _ITEM:
                raise _OddError
            offset = self._skip_item(offset, implicit, depth) if length == UNDEFINED else offset + length

    def _skip_item(self, offset: int, implicit: bool, depth: int) -> int:
        while True:
            head = self.take(offset, 12)
            if head[:4] == b"\xfe\xff\x0d\xe0":
                return offset + 8
            _, vr, length, start = _element(head, offset, implicit)
            undefined = length == UNDEFINED
            offset = self._skip_items(start, implicit or vr == b"UN", depth + 1) if undefined else start + length


def _element(head: bytes, offset: int, implicit: bool) -> tuple[int, bytes, int, int]:
    """Tag, VR, length and where the value starts, of the element whose first bytes are `head`."""
    if implicit:
        group, number, length = _IMPLICIT(head)
        return group << 16 | number, b"", length, offset + 8
    group, number, vr, length = _EXPLICIT(head)
    if vr in SHORT_FORM:
        return group << 16 | number, vr, length, offset + 8
    if vr in LONG_FORM:
        return group << 16 | number, vr, _LENGTH(head, 8)[0], offset + 12
    raise _OddError


def _read_with_pydicom(path: Path, size: int, block: bytes) -> Header:
    """The slow and tolerant way: other byte orders, deflated, no preamble, wrong lengths."""
    forced = block[128:132] != b"DICM"
    try:
        with quiet():
            refuse_bomb(path)
        with open_plain(path) as file, quiet():
            dataset = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=list(t.WANTED), force=forced)
            raw = {tag: _raw_value(dataset, tag) for tag in t.WANTED if tag in dataset}
            if isinstance(file, Inflating):
                syntax, found = str(DeflatedExplicitVRLittleEndian), (-1, 0, 0)
            else:
                syntax = str(dataset.file_meta.get("TransferSyntaxUID", "")) or _guess_syntax(dataset)
                found = _find_pixels(file, syntax)
    except UnreadableError:
        raise
    except InvalidDicomError as error:
        raise UnreadableError(f"{path.name} is not a DICOM file; open a DICOM or NIfTI file instead.") from error
    except Exception as error:
        raise UnreadableError(
            f"{path.name} is broken: its DICOM header could not be read ({type(error).__name__}); fetch it again.",
            details=str(error),
        ) from error
    if forced and not (t.SOP_CLASS_UID in raw or t.ROWS in raw):
        raise UnreadableError(f"{path.name} is not a DICOM file; open a DICOM or NIfTI file instead.")
    return Header(path, size, syntax, raw, *found, block.startswith(_EXECUTABLE))


def _raw_value(dataset: pydicom.Dataset, tag: int) -> bytes:
    element: Any = dataset.get_item(tag)  # annotated as never raw
    if tag == t.SPECIFIC_CHARACTER_SET:  # the one element that pydicom converts at once
        names = dataset[tag].value or ""
        return (names if isinstance(names, str) else "\\".join(names)).encode("ascii", "replace")
    value = element.value if isinstance(element, RawDataElement) else None
    return value if isinstance(value, bytes) else b""


def _guess_syntax(dataset: pydicom.Dataset) -> str:
    implicit, little = dataset.original_encoding
    if not little:
        return str(ExplicitVRBigEndian)
    return str(ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian)


def _find_pixels(file: BinaryIO, syntax: str) -> tuple[int, int, int]:
    """Where the pixels' value starts, its length and tag, when `pydicom` has stopped in front of the element."""
    offset = file.tell()
    head = file.read(12)
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    if len(head) < 12:
        return -1, 0, 0
    group, number = Struct(order + "HH").unpack_from(head)
    tag = group << 16 | number
    if tag not in t.PIXELS:
        return -1, 0, 0
    if syntax == ImplicitVRLittleEndian or not head[4:6].isalpha():  # some files are implicit, whatever they claim
        return offset + 8, int(_LENGTH(head, 4)[0]), tag
    return offset + 12, int(Struct(order + "I").unpack_from(head, 8)[0]), tag
