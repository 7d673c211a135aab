"""How the pixels of a file are stored, and how stored samples become the voxels that are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from medviewer.formats.dicom import tags as t

if TYPE_CHECKING:
    # The processes that decode frames do without pydicom.
    from medviewer.formats.dicom.headers import Header

_RED_FROM_YBR = np.array([[1, 0, 1.402], [1, -0.114 * 1.772 / 0.587, -0.299 * 1.402 / 0.587], [1, 1.772, 0]])
"""From luminance and colour differences to red, green and blue (PS3.3 C.7.6.3.1.2, which is ITU-R BT.601)."""

_FULL_YBR = ("YBR_FULL", "YBR_FULL_422")


@dataclass(frozen=True, eq=False)
class PixelFormat:
    """How one frame of a file is stored (PS3.3 C.7.6.3).

    Parameters
    ----------
    rows, columns, samples
        Size of a frame, and samples a pixel.
    allocated, stored, high_bit
        Bits of a sample in the file, those that count, and the highest of them.
    signed, real
        Whether samples are two's complement, and whether they are floating-point numbers.
    big_endian
        Whether the high byte comes first.
    photometric
        Photometric Interpretation.
    planar
        Whether red, green and blue lie apart instead of pixel by pixel.
    palette
        Red, green and blue of every stored value, uint8, shape (n, 3), or None.
    """

    rows: int
    columns: int
    samples: int = 1
    allocated: int = 16
    stored: int = 16
    high_bit: int = 15
    signed: bool = False
    real: bool = False
    big_endian: bool = False
    photometric: str = "MONOCHROME2"
    planar: bool = False
    palette: NDArray[np.uint8] | None = None

    @property
    def colour(self) -> bool:
        """Whether the pixels become red, green and blue."""
        return self.samples > 1 or self.photometric == "PALETTE COLOR"

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a frame as it is kept."""
        return (self.rows, self.columns, 3) if self.colour else (self.rows, self.columns)

    @property
    def sample(self) -> np.dtype[Any]:
        """Type of a stored sample, in the machine's byte order."""
        if self.real:
            return np.dtype(f"f{self.allocated // 8}")
        return np.dtype(f"{'i' if self.signed else 'u'}{max(self.allocated // 8, 1)}")

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a voxel as it is kept: as stored; colour always with 8 bits."""
        return np.dtype(np.uint8) if self.colour else self.sample

    @property
    def frame_bits(self) -> int:
        """Bits that a frame takes uncompressed."""
        if self.photometric == "YBR_FULL_422":  # two pixels share their colour
            return self.rows * self.columns * 16
        return self.rows * self.columns * self.samples * self.allocated

    @property
    def kept_bytes(self) -> int:
        """Bytes that a frame takes as it is kept."""
        return self.rows * self.columns * (3 if self.colour else self.sample.itemsize)

    @property
    def as_kept(self) -> bool:
        """Whether a frame lies uncompressed in the file as it will lie in memory."""
        return not self.colour and not self.big_endian and self.allocated >= 8


FORMAT = (
    t.SAMPLES_PER_PIXEL,
    t.PHOTOMETRIC_INTERPRETATION,
    t.PLANAR_CONFIGURATION,
    t.ROWS,
    t.COLUMNS,
    t.BITS_ALLOCATED,
    t.BITS_STORED,
    t.HIGH_BIT,
    t.PIXEL_REPRESENTATION,
)
"""The elements that `format_of` reads."""

_COMPRESSED = ("1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.")
"""RLE, and what begins with the rest: JPEG in all its kinds (PS3.5 A.4)."""


def is_encapsulated(header: Header) -> bool:
    """Whether the pixels are compressed frames; some writers give them a length, which the standard does not allow."""
    return header.pixel_length == 0xFFFFFFFF or header.transfer_syntax.startswith(_COMPRESSED)


def is_colour(header: Header) -> bool:
    """Whether the pixels become red, green and blue."""
    return (header.integer(t.SAMPLES_PER_PIXEL) or 1) > 1 or header.plain(
        t.PHOTOMETRIC_INTERPRETATION
    ) == "PALETTE COLOR"


def format_of(header: Header, palette: NDArray[np.uint8] | None = None) -> PixelFormat:
    """The pixel format that a header states."""
    allocated = header.integer(t.BITS_ALLOCATED) or 8
    stored = header.integer(t.BITS_STORED) or allocated
    high_bit = header.integer(t.HIGH_BIT)
    return PixelFormat(
        rows=header.integer(t.ROWS) or 0,
        columns=header.integer(t.COLUMNS) or 0,
        samples=header.integer(t.SAMPLES_PER_PIXEL) or 1,
        allocated=allocated,
        stored=stored,
        high_bit=stored - 1 if high_bit is None else high_bit,
        signed=header.integer(t.PIXEL_REPRESENTATION) == 1,
        real=header.pixel_tag in (t.FLOAT_PIXEL_DATA, t.DOUBLE_FLOAT_PIXEL_DATA),
        big_endian=not header.little_endian,
        photometric=header.plain(t.PHOTOMETRIC_INTERPRETATION),
        planar=header.integer(t.PLANAR_CONFIGURATION) == 1,
        palette=palette,
    )


def finish(samples: NDArray[Any], form: PixelFormat, out: NDArray[Any]) -> None:
    """Put decoded samples into `out` as they are kept.

    Parameters
    ----------
    samples
        Shape (rows, columns) or (rows, columns, 3); of colour, red, green and blue but for a palette's indices.
    form
        What the header states.
    out
        Of `PixelFormat.shape` and `PixelFormat.dtype`.

    Raises
    ------
    ValueError
        If the samples have another shape.
    """
    if form.palette is not None and form.colour and form.samples == 1:
        index = np.array(samples, form.sample)
        clean_bits(index, form.stored, form.high_bit)
        raw = index.view(f"u{index.dtype.itemsize}").astype(np.intp)
        if form.signed:  # without the extension of the sign
            raw &= len(form.palette) - 1
        samples = form.palette[np.minimum(raw, len(form.palette) - 1)]
    if samples.shape != out.shape:
        raise ValueError(f"decoded to {samples.shape} instead of {out.shape}")
    if not form.colour:
        out[...] = samples
        if not form.real:
            clean_bits(out, form.stored, form.high_bit)
    elif samples.dtype.itemsize > 1:
        out[...] = samples >> max(form.stored - 8, 0)
    else:
        out[...] = samples


def as_rgb(samples: NDArray[Any], form: PixelFormat) -> NDArray[Any]:
    """Red, green and blue of uncompressed samples (rows, columns, 3), which may be luminance and colour differences."""
    if form.photometric not in _FULL_YBR:
        return samples
    top = (1 << form.stored) - 1
    parts = samples.astype(np.float32)
    parts[..., 1:] -= (top + 1) // 2
    rgb = parts @ _RED_FROM_YBR.T.astype(np.float32)
    return np.clip(np.rint(rgb), 0, top).astype(samples.dtype)


def clean_bits(stored: NDArray[Any], bits: int, high_bit: int | None) -> None:
    """Remove in place what lies outside of Bits Stored, and extend the sign (PS3.5 8.1.1).

    Old files keep overlays in the bits above; a value there would be shown as a very bright pixel.
    """
    allocated = stored.dtype.itemsize * 8
    if not 0 < bits < allocated or stored.size == 0:
        return
    spare_low = max((high_bit if high_bit is not None else bits - 1) - bits + 1, 0)
    if spare_low + bits > allocated:  # a high bit beyond the sample
        spare_low = 0
    signed = stored.dtype.kind == "i"
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    if spare_low == 0 and int(stored.max()) <= high and (not signed or int(stored.min()) >= low):
        return
    shift = stored.dtype.type(allocated - bits - spare_low)
    np.left_shift(stored, shift, out=stored)
    np.right_shift(stored, stored.dtype.type(allocated - bits), out=stored)
