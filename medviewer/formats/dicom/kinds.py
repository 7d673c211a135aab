"""What a DICOM object is: an image, something that belongs to one, or nothing that can be shown."""

from __future__ import annotations

import io
from functools import cache
from struct import Struct
from struct import error as StructError

from pydicom.uid import UID

from medviewer.domain.study import Warning
from medviewer.formats.dicom import tags as t
from medviewer.formats.dicom.headers import UNDEFINED, Header
from medviewer.formats.dicom.quiet import quiet

DIRECTORY = "1.2.840.10008.1.3.10"
"""Media Storage Directory Storage: a DICOMDIR, which lists files that are found anyway."""

_ATTACHED = (
    ("1.2.840.10008.5.1.4.1.1.66.4", "seg"),
    ("1.2.840.10008.5.1.4.1.1.66.7", "seg"),
    ("1.2.840.10008.5.1.4.1.1.481.3", "rtstruct"),
    ("1.2.840.10008.5.1.4.1.1.88.", "report"),
    ("1.2.840.10008.5.1.4.1.1.104.1", "pdf"),
    ("1.2.840.10008.5.1.4.1.1.104.2", "cda"),
)
"""SOP classes of attachments; one that ends with a dot stands for all below it."""

_NAMES = (
    ("1.2.840.10008.5.1.4.1.1.11.", "a presentation state (PR), which is not applied yet"),
    ("1.2.840.10008.5.1.4.1.1.77.1.6", "a whole-slide image, whose frames are tiles; open it in a microscopy viewer"),
)

_VIDEO = "1.2.840.10008.1.2.4.10"
"""MPEG-2, H.264 and HEVC: transfer syntaxes ...100 to ...108."""

_BITS = {
    0: (1, 8, 16, 32),  # deflated: not known before it is read
    t.PIXEL_DATA: (1, 8, 16, 32),
    t.FLOAT_PIXEL_DATA: (32,),
    t.DOUBLE_FLOAT_PIXEL_DATA: (64,),
}
"""Bits Allocated that can be shown, for each element that pixels lie in."""

_DECISIVE = (t.SOP_CLASS_UID, t.ROWS, t.COLUMNS, t.NUMBER_OF_FRAMES, t.BITS_ALLOCATED)

_DEFLATE = 1032
"""Deflate makes data smaller by no more than this (RFC 1951)."""

_FRAGMENT = Struct("<HHI")
_ITEM = (0xFFFE, 0xE000)


@cache
def attachment_kind(sop_class: str) -> str:
    """Which kind of `Attachment` an object of a SOP class is; empty for one that is none."""
    for prefix, kind in _ATTACHED:
        if sop_class == prefix or (prefix.endswith(".") and sop_class.startswith(prefix)):
            return kind
    return ""


def fingerprint(header: Header) -> tuple[object, ...]:
    """What decides whether an object can be shown: files that agree in it are all shown, or none of them."""
    raw = header.raw
    shown = header.pixel_offset >= 0 or header.deflated
    return shown, header.pixel_tag, header.transfer_syntax, *(raw.get(tag) for tag in _DECISIVE)


def why_not(header: Header) -> Warning | None:
    """Why an object cannot be shown as an image, or None if it can."""
    sop_class = header.plain(t.SOP_CLASS_UID)
    for prefix, text in _NAMES:
        if sop_class == prefix or (prefix.endswith(".") and sop_class.startswith(prefix)):
            return _unsupported(header, text)
    if not header.integer(t.ROWS) or not header.integer(t.COLUMNS) or (header.pixel_offset < 0 and not header.deflated):
        return _unsupported(header, f"{_sop_name(sop_class)} without pixel data, so there is nothing to show")
    frames = header.plain(t.NUMBER_OF_FRAMES)
    if frames and (header.whole(t.NUMBER_OF_FRAMES) is None or stated_frames(header) < 1):
        return Warning("unreadable", f"{header.path.name} gives no whole number of frames; it was left out.")
    if header.transfer_syntax.startswith(_VIDEO):
        return _unsupported(header, f"a video ({UID(header.transfer_syntax).name}), which is not shown yet")
    bits, allowed = header.integer(t.BITS_ALLOCATED), _BITS[header.pixel_tag]
    if bits not in allowed:
        expected = ", ".join(str(one) for one in allowed)
        return _unsupported(header, f"an image of {bits} bits a pixel; {expected} can be shown")
    return None


def stated_frames(header: Header) -> int:
    """Number of Frames as the header says, 1 where it says nothing."""
    stated = header.whole(t.NUMBER_OF_FRAMES)
    return 1 if stated is None else stated


def usable_frames(header: Header) -> int:
    """How many frames a file can really hold, at most as many as it states and at least 1.

    A header may claim any number; nothing is laid out for frames that the bytes have no room for.
    """
    stated = max(stated_frames(header), 1)
    if stated == 1:
        return 1
    if header.deflated:
        room = header.size * _DEFLATE * 8
    elif header.pixel_length == UNDEFINED:
        return min(stated, max(_fragments(header, stated), 1))
    else:
        room = min(header.pixel_length, header.size - header.pixel_offset) * 8
    return max(min(stated, room // frame_bits(header)), 1)


def _fragments(header: Header, most: int) -> int:
    """Fragments of encapsulated pixels, counted up to `most`; a frame has at least one (PS3.5 A.4)."""
    count = -1  # the first item is the offset table
    try:
        with header.path.open("rb") as file:
            offset = header.pixel_offset
            while count < most:
                file.seek(offset)
                group, number, length = _FRAGMENT.unpack(file.read(_FRAGMENT.size))
                if (group, number) != _ITEM:
                    break
                offset = file.seek(length, io.SEEK_CUR)
                count += 1
    except (OSError, StructError):
        return count  # it ends here, or it went away; loading says so
    return count


def frames_missing(header: Header, there: int) -> Warning | None:
    """The warning for a multi-frame file that holds fewer frames than it states."""
    stated = stated_frames(header)
    if there >= stated:
        return None
    text = f"{header.path.name} holds {there} of the {stated} frames that it states; fetch the file again."
    return Warning("truncated", text)


def truncated(header: Header) -> Warning | None:
    """The warning for a file that ends before its first frame of uncompressed pixels does."""
    if header.pixel_length == UNDEFINED or header.pixel_offset < 0:
        return None
    needed, there = native_bytes(header), min(header.pixel_length, header.size - header.pixel_offset)
    if there >= needed:
        return None
    text = (
        f"{header.path.name} holds {there} of {needed} bytes of pixels; its slice is shown blank, fetch the file again."
    )
    return Warning("truncated", text)


def executable(header: Header) -> Warning | None:
    """The warning for a file whose preamble makes it a program as well (PS3.10 7.5, CVE-2019-11687)."""
    if not header.executable:
        return None
    text = (
        f"{header.path.name} begins like a program, as the first 128 bytes of a DICOM file may; nothing of it was run. "
        "Do not run it either, and pass on only copies that `medviewer deidentify` made, which zeroes these bytes."
    )
    return Warning("executable-preamble", text)


def frame_bits(header: Header) -> int:
    """Bits that the uncompressed pixels of one frame take; frames of 1-bit pixels follow without padding."""
    samples = header.integer(t.SAMPLES_PER_PIXEL) or 1
    pixels = (header.integer(t.ROWS) or 0) * (header.integer(t.COLUMNS) or 0)
    if header.plain(t.PHOTOMETRIC_INTERPRETATION) == "YBR_FULL_422":  # two pixels share their colour
        return pixels * 16
    return pixels * samples * (header.integer(t.BITS_ALLOCATED) or 8)


def native_bytes(header: Header) -> int:
    """Bytes that the uncompressed pixels of one frame take."""
    return (frame_bits(header) + 7) // 8


def _unsupported(header: Header, text: str) -> Warning:
    return Warning("unsupported", f"{header.path.name} is {text}.")


def _sop_name(sop_class: str) -> str:
    with quiet():
        return UID(sop_class).name.removesuffix(" Storage") if sop_class else "an object"
