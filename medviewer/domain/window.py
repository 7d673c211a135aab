"""Look-up tables, and the windows through which real values become grey."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medviewer.domain.cached import cached

_MANY = 1 << 17
"""Values from which on it pays to look up every input that there can be first."""

_CURVE = 1024
"""Most positions of a curve, which are as many as a screen's colour map has."""

_SIGMOID_SPAN = 4.0
"""Widths from what a sigmoid shows black to what it shows white: beyond, grey differs by less than 0.001."""


@dataclass(frozen=True, eq=False)
class Lut:
    """A look-up table (PS3.3 C.11.1.1, C.11.2.1.1): values below it take its first entry, values above its last.

    Parameters
    ----------
    first
        The input value of the first entry.
    table
        The entries, shape (n,), unsigned.
    bits
        Bits of an entry: the highest output is ``2**bits - 1``.
    """

    first: int
    table: NDArray[np.uint8] | NDArray[np.uint16]
    bits: int

    def apply(self, values: ArrayLike) -> NDArray[np.uint8] | NDArray[np.uint16]:
        """The entries for input values of any shape; values between two inputs take the nearer one's."""
        array = np.asarray(values)
        if array.dtype.kind in "iu" and array.dtype.itemsize <= 2 and array.size > _MANY:
            # One entry a bit pattern, looked up by that, takes no index as large as the image.
            patterns = np.arange(1 << 8 * array.dtype.itemsize, dtype=f"u{array.dtype.itemsize}")
            entries = self._entries(patterns.view(array.dtype.newbyteorder("=")))
            native = array.astype(array.dtype.newbyteorder("="), copy=False)
            return entries[native.view(patterns.dtype)]
        return self._entries(array)

    def _entries(self, values: NDArray[np.generic]) -> NDArray[np.uint8] | NDArray[np.uint16]:
        return self.table[self._index(values)]

    def _index(self, values: NDArray[np.generic]) -> NDArray[np.int64]:
        last = self.first + len(self.table) - 1
        if values.dtype.kind in "iub":
            return np.clip(values.astype(np.int64), self.first, last) - self.first
        inputs = np.clip(np.asarray(values, np.float64), self.first, last)
        return np.rint(np.nan_to_num(inputs, nan=self.first)).astype(np.int64) - self.first

    def grey(self, values: NDArray[np.generic]) -> NDArray[np.float32]:
        """The entries for input values of any shape, as parts of the highest output: 0 to 1."""
        return (self.table.astype(np.float32) / np.float32((1 << self.bits) - 1))[self._index(values)]


@dataclass(frozen=True)
class Window:
    """A grey-scale window in real units, or a table in its place (PS3.3 C.11.2).

    Parameters
    ----------
    center, width
        Window Center and Window Width, in the image's unit; width is at least 1e-6.
    name
        The file's explanation or the preset's name.
    function
        VOI LUT Function: ``LINEAR_EXACT``, as our own windows are, ``LINEAR``, as a file's are unless it says
        otherwise, or ``SIGMOID``.
    lut
        A table from real values to grey (VOI LUT Sequence), which then counts instead of the function; center and
        width span its input.
    """

    center: float
    width: float
    name: str = ""
    function: str = "LINEAR_EXACT"
    lut: Lut | None = None

    @property
    def limits(self) -> tuple[float, float]:
        """The values shown black and white: all below are as the first, all above as the second (PS3.3 C.11.2.1)."""
        if self.lut is None and self.function == "LINEAR":
            half = max(self.width - 1, 0) / 2  # C.11.2.1.2.1: the window's values are pixels, from centre to centre
            return self.center - 0.5 - half, self.center - 0.5 + half
        span = self.width * (_SIGMOID_SPAN if self.lut is None and self.function == "SIGMOID" else 1)
        return self.center - span / 2, self.center + span / 2

    @property
    def is_linear(self) -> bool:
        """Whether grey rises evenly between the limits."""
        return self.lut is None and self.function != "SIGMOID"

    def apply(self, real: ArrayLike) -> NDArray[np.float32]:
        """Grey, 0 (black) to 1 (white), of real values of any shape; black for what is not a number.

        The functions are those of PS3.3 C.11.2.1.2 and C.11.2.1.3; in LINEAR, a value equal to the lower limit is
        black and one above the upper limit white, which decides for a width of 1.
        """
        values = np.asarray(real, np.float64)
        grey: NDArray[np.floating[Any]]
        if self.lut is not None:
            grey = self.lut.grey(values)
        elif self.function == "SIGMOID":
            with np.errstate(over="ignore"):
                grey = 1 / (1 + np.exp(-4 * (values - self.center) / self.width))
        else:
            low, high = self.limits
            grey = np.clip((values - low) / (high - low), 0, 1) if high > low else np.where(values > low, 1.0, 0.0)
        return np.where(np.isnan(values), 0, grey).astype(np.float32)

    @cached
    def curve(self) -> NDArray[np.float32] | None:
        """Grey at evenly spaced values from the lower to the upper limit, shape (n,); None where it is linear."""
        if self.is_linear:
            return None
        count = _CURVE if self.lut is None else int(np.clip(round(self.width) + 1, 2, _CURVE))
        return self.apply(np.linspace(*self.limits, count))

    @cached
    def plain(self) -> tuple[Window, bool]:
        """The LINEAR_EXACT window that comes nearest, and whether it has to be inverted for that.

        Of a sigmoid it is the window of the same center and width, whose slope is the sigmoid's own in its middle; of a
        table, the line that fits it best where it rises (or falls).
        """
        curve = self.curve
        if self.lut is None and self.function == "LINEAR":
            return Window.from_limits(*self.limits), False
        if self.lut is None or curve is None:
            return Window(self.center, self.width), False
        values = np.linspace(*self.limits, len(curve))
        lowest, highest = float(curve.min()), float(curve.max())
        margin = 0.02 * (highest - lowest)
        middle = (curve >= lowest + margin) & (curve <= highest - margin)
        part = middle if np.count_nonzero(middle) > 1 else np.ones_like(middle)
        slope = float(np.polyfit(values[part] - self.center, curve[part], 1)[0]) if highest > lowest else 0.0
        if slope == 0:
            return Window.from_limits(*self.limits), False
        at_center = float(np.mean(curve[part])) - slope * float(np.mean(values[part] - self.center))
        return Window(self.center + (0.5 - at_center) / slope, max(1 / abs(slope), 1e-6)), slope < 0

    @classmethod
    def from_limits(cls, low: float, high: float, name: str = "") -> Window:
        """The window whose black and white values are `low` and `high`."""
        return cls((low + high) / 2, max(high - low, 1e-6), name)
