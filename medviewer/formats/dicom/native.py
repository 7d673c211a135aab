"""Uncompressed pixels: straight from the disk into the array, or through a few steps of numpy."""

from __future__ import annotations

import io
import os
import zlib
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import ExplicitVRLittleEndian

from medviewer.errors import UnreadableError
from medviewer.formats.dicom.headers import BLOCK, UNDEFINED, Header, read_open
from medviewer.formats.dicom.pixels import PixelFormat, as_rgb, clean_bits, finish


class Source(Protocol):
    """Bytes that can be read from anywhere."""

    def read_into(self, view: memoryview, offset: int) -> int:
        """Fill `view` with the bytes from `offset` on; returns how many there were."""
        ...


class FileSource:
    """The bytes of an open file, by its descriptor; several threads may use files of their own."""

    def __init__(self, file: int) -> None:
        self.file = file

    def read_into(self, view: memoryview, offset: int) -> int:
        """Fill `view` with the bytes from `offset` on; returns how many there were."""
        done = 0
        while done < len(view):
            if hasattr(os, "preadv"):
                count = os.preadv(self.file, [view[done:]], offset + done)
            else:
                os.lseek(self.file, offset + done, os.SEEK_SET)
                data = os.read(self.file, len(view) - done)
                count = len(data)
                view[done : done + count] = data
            if not count:
                break
            done += count
        return done


class BytesSource:
    """Bytes in memory."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def read_into(self, view: memoryview, offset: int) -> int:
        """Fill `view` with the bytes from `offset` on; returns how many there were."""
        piece = self.data[offset : offset + len(view)]
        view[: len(piece)] = piece
        return len(piece)


def read_frames(source: Source, header: Header, form: PixelFormat, first: int, out: NDArray[Any]) -> None:
    """Read consecutive uncompressed frames.

    Parameters
    ----------
    source, header, form
        The file, opened.
    first
        Number of the first frame.
    out
        Shape (frames, ...) of `PixelFormat.shape`, contiguous.

    Raises
    ------
    UnreadableError
        If the file ends before they do, or its pixels are not what the header states.
    """
    if form.as_kept:
        size = form.kept_bytes
        view = out.reshape(-1).view(np.uint8).data
        _fill(source, view, header, first * size)
        if not form.real and form.stored < form.allocated:
            for frame in out:
                clean_bits(frame, form.stored, form.high_bit)
        return
    try:
        for k, frame in enumerate(out):
            finish(_samples(source, header, form, first + k), form, frame)
    except (ValueError, TypeError, IndexError, OverflowError) as error:
        raise UnreadableError(
            f"{header.path.name} could not be read: its pixels are not what its header states; fetch the file again.",
            details=str(error),
        ) from error


def _fill(source: Source, view: memoryview, header: Header, offset: int) -> None:
    if offset + len(view) > header.pixel_length:
        raise _ended(header)
    if source.read_into(view, header.pixel_offset + offset) < len(view):
        raise _ended(header)


def _ended(header: Header) -> UnreadableError:
    return UnreadableError(f"{header.path.name} ended while its pixels were read; fetch the file again.")


def _samples(source: Source, header: Header, form: PixelFormat, frame: int) -> NDArray[Any]:
    """One frame's samples, shape (rows, columns) or (rows, columns, 3), colour as red, green and blue."""
    bits = form.frame_bits
    start, skip = divmod(frame * bits, 8)
    count = (skip + bits + 7) // 8
    if form.big_endian and form.allocated < 16 and _in_words(source, header):
        raw = _words(source, header, start, count)
    else:
        raw = np.empty(count, np.uint8)
        _fill(source, raw.data, header, start)
    if form.allocated == 1:
        return np.unpackbits(raw, bitorder="little")[skip : skip + bits].reshape(form.rows, form.columns)
    samples = raw.view(form.sample.newbyteorder(">" if form.big_endian else "<"))
    if form.photometric == "YBR_FULL_422" and form.samples == 3:
        y1, y2, blue, red = samples.reshape(-1, 4).T
        samples = np.stack([y1, blue, red, y2, blue, red], axis=1)
    if form.samples == 1:
        return samples.reshape(form.rows, form.columns)
    if form.planar and form.photometric != "YBR_FULL_422":
        return as_rgb(np.moveaxis(samples.reshape(form.samples, form.rows, form.columns), 0, -1), form)
    return as_rgb(samples.reshape(form.rows, form.columns, form.samples), form)


def _in_words(source: Source, header: Header) -> bool:
    """Whether 8-bit pixels of a big-endian file are OW, with their bytes exchanged in pairs (PS3.5 annex D)."""
    named = bytearray(2)
    source.read_into(memoryview(named), header.pixel_offset - 8)
    return bytes(named) == b"OW"


def _words(source: Source, header: Header, start: int, count: int) -> NDArray[np.uint8]:
    """Bytes that are stored with those of every word exchanged."""
    even = start - start % 2
    raw = np.empty(start - even + count + (start - even + count) % 2, np.uint8)
    _fill(source, raw.data, header, even)
    return raw.reshape(-1, 2)[:, ::-1].reshape(-1)[start - even :][:count]


def inflate(file: io.FileIO | io.BufferedReader, header: Header, limit: int) -> tuple[BytesSource, Header]:
    """A deflated file unpacked (PS3.5 A.5), and its header with the place of the pixels in it.

    Raises
    ------
    UnreadableError
        If it is damaged, or would unpack to more than `limit` bytes.
    """
    file.seek(0)
    data = file.read()
    try:
        plain = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data[_end_of_meta(data) :], limit + 1)
    except zlib.error as error:
        raise UnreadableError(f"{header.path.name} is damaged and cannot be unpacked; fetch the file again.") from error
    if len(plain) > limit:
        raise UnreadableError(f"{header.path.name} would unpack to more than {limit / 1e9:.1f} GB; it was left out.")
    syntax = str(ExplicitVRLittleEndian).encode() + b"\0"
    meta = b"\x02\0\x10\0UI" + len(syntax).to_bytes(2, "little") + syntax
    whole = bytes(128) + b"DICM" + meta + plain
    found = read_open(io.BytesIO(whole), header.path, whole[:BLOCK])  # type: ignore[arg-type]  # it only reads
    if found.pixel_offset < 0 or found.pixel_length == UNDEFINED or found.deflated:
        raise UnreadableError(f"{header.path.name} holds no pixels that can be found; fetch the file again.")
    return BytesSource(whole), found


def _end_of_meta(data: bytes) -> int:
    """Where the File Meta Information, which is explicit little endian, ends."""
    at = 132
    while data[at : at + 2] == b"\x02\0":
        long = data[at + 4 : at + 6] in (b"OB", b"OW", b"UN", b"SQ", b"UT")
        length = data[at + 8 : at + 12] if long else data[at + 6 : at + 8]
        at += (12 if long else 8) + int.from_bytes(length, "little")
    return at
