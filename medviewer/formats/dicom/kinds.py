"""What a DICOM object is, and whether it can be shown yet."""

from __future__ import annotations

from pydicom.uid import UID

from medviewer.domain.study import Warning
from medviewer.formats.dicom import tags as t
from medviewer.formats.dicom.headers import UNDEFINED, Header

DIRECTORY = "1.2.840.10008.1.3.10"
"""Media Storage Directory Storage: a DICOMDIR, which lists files that are found anyway."""

_NAMES = (
    ("1.2.840.10008.5.1.4.1.1.66.4", "a segmentation (SEG); open it as a mask on its image"),
    ("1.2.840.10008.5.1.4.1.1.66.7", "a label map segmentation (SEG); open it as a mask on its image"),
    ("1.2.840.10008.5.1.4.1.1.481.3", "a structure set (RTSTRUCT), which is not shown yet"),
    ("1.2.840.10008.5.1.4.1.1.88.", "a structured report (SR), which is not shown yet"),
    ("1.2.840.10008.5.1.4.1.1.104.1", "an encapsulated PDF, which is not shown yet"),
    ("1.2.840.10008.5.1.4.1.1.11.", "a presentation state (PR), which is not applied yet"),
)


def why_not(header: Header) -> Warning | None:
    """Why an object cannot be shown as an image, or None if it can."""
    sop_class = header.plain(t.SOP_CLASS_UID)
    for prefix, text in _NAMES:
        if sop_class == prefix or (prefix.endswith(".") and sop_class.startswith(prefix)):
            return _unsupported(header, text)
    if not header.integer(t.ROWS) or not header.integer(t.COLUMNS) or (header.pixel_offset < 0 and not header.deflated):
        return _unsupported(header, f"{_sop_name(sop_class)} without pixel data, so there is nothing to show")
    frames = header.plain(t.NUMBER_OF_FRAMES)
    if frames and header.whole(t.NUMBER_OF_FRAMES) is None:
        return Warning("unreadable", f"{header.path.name} gives no whole number of frames; it was left out.")
    if (header.whole(t.NUMBER_OF_FRAMES) or 1) > 1:
        return _unsupported(
            header, f"a multi-frame image ({frames} frames, {_sop_name(sop_class)}), which is not shown yet"
        )
    if header.integer(t.BITS_ALLOCATED) not in (8, 16, 32):
        return _unsupported(
            header, f"an image of {header.integer(t.BITS_ALLOCATED)} bits a pixel; 8, 16 or 32 can be shown"
        )
    return None


def truncated(header: Header) -> Warning | None:
    """The warning for a file that ends before its uncompressed pixels do."""
    if header.pixel_length == UNDEFINED or header.pixel_offset < 0:
        return None
    needed, there = native_bytes(header), min(header.pixel_length, header.size - header.pixel_offset)
    if there >= needed:
        return None
    text = (
        f"{header.path.name} holds {there} of {needed} bytes of pixels; its slice is shown blank, fetch the file again."
    )
    return Warning("truncated", text)


def native_bytes(header: Header) -> int:
    """Bytes that the uncompressed pixels of one frame take."""
    samples = header.integer(t.SAMPLES_PER_PIXEL) or 1
    pixels = (header.integer(t.ROWS) or 0) * (header.integer(t.COLUMNS) or 0)
    if header.plain(t.PHOTOMETRIC_INTERPRETATION) == "YBR_FULL_422":  # two pixels share their colour
        return pixels * 2
    return pixels * samples * (header.integer(t.BITS_ALLOCATED) or 8) // 8


def _unsupported(header: Header, text: str) -> Warning:
    return Warning("unsupported", f"{header.path.name} is {text}.")


def _sop_name(sop_class: str) -> str:
    return UID(sop_class).name.removesuffix(" Storage") if sop_class else "an object"
