"""The pixels of all frames of a SEG; compressed ones are decoded in a process of their own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from medviewer.errors import JobError, MedviewerError, UnreadableError
from medviewer.formats import isolation
from medviewer.formats.dicom.fragments import frame_pieces
from medviewer.formats.dicom.headers import read_header
from medviewer.formats.dicom.kinds import stated_frames
from medviewer.formats.dicom.pixels import format_of, is_encapsulated
from medviewer.formats.dicom.slices import MAX_BYTES

_DECODE = "medviewer.formats.dicom.codecs:decode_into"


def stored_values(dataset: Dataset, path: Path) -> NDArray[Any]:
    """The stored values of a SEG, shape (frames, rows, columns).

    Parameters
    ----------
    dataset
        What was read from `path`.

    Raises
    ------
    UnreadableError
        If compressed frames claim more than `slices.MAX_BYTES` and more than the file holds, or cannot be decoded.
    ValueError
        If uncompressed pixels are not what the header states; that is `pydicom`'s, which then also raises other things.
    """
    if not dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        pixels = np.asarray(dataset.pixel_array)
        return pixels[np.newaxis] if pixels.ndim == 2 else pixels
    return _decoded(path)


def _decoded(path: Path) -> NDArray[Any]:
    header = read_header(path)
    form, count = format_of(header), stated_frames(header)
    size = count * form.kept_bytes
    if not is_encapsulated(header) or form.colour or size <= 0:
        raise UnreadableError(f"{path.name} is a DICOM SEG without frames that can be told apart; export it again.")
    if size > MAX_BYTES and size > header.size:
        raise UnreadableError(
            f"{path.name} claims {size / 1e9:.1f} GB of pixels but holds {header.size / 1e6:.1f} MB; export it again."
        )
    with path.open("rb") as file:
        pieces = frame_pieces(file.fileno(), header, count)
    if len(pieces) < count:
        raise UnreadableError(f"{path.name} has {len(pieces)} of its {count} frames; fetch the file again.")
    block = isolation.SharedBlock(size)
    try:
        for k, piece in enumerate(pieces):
            place = (form, block.token, k * form.kept_bytes)
            isolation.call(_DECODE, os.fspath(path.absolute()), piece, header.transfer_syntax, *place)
    except (JobError, UnreadableError) as error:
        raise UnreadableError(
            f"{path.name} is a DICOM SEG whose compressed frame {k + 1} could not be decoded; export it again.",
            details=_details(error),
        ) from error
    finally:
        block.close()
    return block.array((count, *form.shape), form.dtype)


def _details(error: MedviewerError) -> str:
    return f"{type(error).__name__}: {error} {error.details}".strip()
