"""Voxels as they were stored, where they lie, and how they become real units."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medviewer.domain.geometry import Grid
from medviewer.domain.study import PhaseAxis


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
        """The entries for input values of any shape."""
        index = np.clip(np.asarray(values, np.int64) - self.first, 0, len(self.table) - 1)
        return self.table[index]


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
        """The values shown black and white."""
        return self.center - self.width / 2, self.center + self.width / 2

    @classmethod
    def from_limits(cls, low: float, high: float, name: str = "") -> Window:
        """The window whose black and white values are `low` and `high`."""
        return cls((low + high) / 2, max(high - low, 1e-6), name)


@dataclass(frozen=True)
class Rescale:
    """The linear way from stored values to real units: ``real = stored * slope + intercept`` (PS3.3 C.11.1.1).

    Parameters
    ----------
    slope, intercept
        One number for the whole series, or one a slice along z.
    unit
        ``HU``, ``SUV`` or what Rescale Type says; empty for arbitrary units.
    """

    slope: float | tuple[float, ...] = 1.0
    intercept: float | tuple[float, ...] = 0.0
    unit: str = ""

    @property
    def is_uniform(self) -> bool:
        """Whether every slice has the same slope and intercept."""
        return not isinstance(self.slope, tuple) and not isinstance(self.intercept, tuple)

    def at(self, z: int) -> tuple[float, float]:
        """Slope and intercept of slice z."""
        slope = self.slope[z] if isinstance(self.slope, tuple) else self.slope
        intercept = self.intercept[z] if isinstance(self.intercept, tuple) else self.intercept
        return slope, intercept

    def apply(self, stored: ArrayLike, z: int = 0) -> NDArray[np.float32]:
        """Real values, float32, of stored values that all lie in slice z."""
        slope, intercept = self.at(z)
        return np.asarray(stored, np.float32) * np.float32(slope) + np.float32(intercept)

    def invert(self, real: float, z: int = 0) -> float:
        """The stored value (not rounded) of a real one in slice z."""
        slope, intercept = self.at(z)
        return (real - intercept) / slope


@dataclass(frozen=True, eq=False)
class Dynamic:
    """All phases of an image: its 4th axis.

    Parameters
    ----------
    axis
        What changes from phase to phase.
    voxels
        Stored values, shape (phase, z, y, x), or (phase, z, y, x, 3) for colour.
    rescales
        The way from stored to real values, one a phase.
    """

    axis: PhaseAxis
    voxels: NDArray[np.generic]
    rescales: tuple[Rescale, ...]


@dataclass(frozen=True, eq=False)
class GraphicOverlay:
    """A bit plane that a file draws over its pixels (Overlay Plane module, PS3.3 C.9.2).

    Parameters
    ----------
    name
        Overlay Label or Description, else its group.
    planes
        For every z that has one, the pixels to draw, boolean, shape (y, x).
    """

    name: str
    planes: dict[int, NDArray[np.bool_]]


@dataclass(frozen=True, eq=False)
class Image:
    """One volume or radiograph in memory. The voxels are never copied to be shown.

    Parameters
    ----------
    voxels
        Stored values, shape (z, y, x), or (z, y, x, 3) for colour, of the file's own type.
    grid
        Where they lie.
    modality
        DICOM modality.
    rescale
        The way from stored to real values.
    windows
        The file's own windows, in real units; may be empty.
    inverted
        True for MONOCHROME1: the lowest value is white.
    calibrated
        False where lengths in mm are not known.
    padding
        Stored values (low, high) that mean "no image here" (PS3.3 C.7.5.1.1.2), both ends included, or None.
    series_uid
        The series it was read from.
    lut
        Modality LUT (PS3.3 C.11.1): a table from stored to real values that counts instead of `rescale`, or None.
    overlays
        What the file draws over its pixels.
    dynamic
        All phases, or None for a single image; `voxels` and `rescale` are those of `phase`.
    phase
        Which phase this is.
    """

    voxels: NDArray[np.generic]
    grid: Grid
    modality: str = "OT"
    rescale: Rescale = field(default_factory=Rescale)
    windows: tuple[Window, ...] = ()
    inverted: bool = False
    calibrated: bool = True
    padding: tuple[float, float] | None = None
    series_uid: str = ""
    lut: Lut | None = None
    overlays: tuple[GraphicOverlay, ...] = ()
    dynamic: Dynamic | None = None
    phase: int = 0

    def __post_init__(self) -> None:
        if self.voxels.shape[:3] != self.grid.shape:
            raise ValueError(f"voxels of shape {self.voxels.shape} do not fit a grid of {self.grid.shape}")

    @property
    def is_volume(self) -> bool:
        """Whether there is more than one slice."""
        return self.grid.shape[0] > 1

    @property
    def is_colour(self) -> bool:
        """Whether voxels carry red, green and blue."""
        return self.voxels.ndim == 4

    @cached_property
    def _phases(self) -> dict[int, Image]:
        return {self.phase: self}

    def at_phase(self, phase: int) -> Image:
        """The image of one phase, sharing the voxels; the same object whenever it is asked for again.

        Raises
        ------
        IndexError
            If there is no such phase.
        """
        if phase not in self._phases:
            if self.dynamic is None or not 0 <= phase < len(self.dynamic.axis):
                raise IndexError(f"there is no phase {phase}")
            voxels, rescale = self.dynamic.voxels[phase], self.dynamic.rescales[phase]
            found = self._phases[phase] = replace(self, voxels=voxels, rescale=rescale, phase=phase)
            found.__dict__["_phases"] = self._phases  # whichever phase is asked, the answer is the same object
        return self._phases[phase]

    def value_at(self, index: tuple[int, int, int]) -> float:
        """The real value of one grey voxel at (z, y, x)."""
        return float(self.rescale.apply(self.voxels[index], index[0]))

    def real(self) -> NDArray[np.float32]:
        """All real values, shape (z, y, x): a float32 copy, for networks, never for the screen."""
        if self.rescale.is_uniform:
            return self.rescale.apply(self.voxels)
        return np.stack([self.rescale.apply(plane, z) for z, plane in enumerate(self.voxels)])

    @cached_property
    def uniform(self) -> tuple[NDArray[np.generic], float, float]:
        """Voxels, slope and intercept that hold for every slice, as a screen needs them.

        The stored voxels themselves, but for a series whose slices have rescales of their own (PET): a coronal slice
        of that crosses all of them, so its real values are kept beside the stored ones.
        """
        if self.rescale.is_uniform:
            return self.voxels, *self.rescale.at(0)
        return self.real(), 1.0, 0.0

    def auto_window(self) -> Window:
        """A window over the 0.5th to 99.8th percentile of a sample of the real values, padding left out."""
        return self._auto_window

    @cached_property
    def _auto_window(self) -> Window:
        # Kept, because every step of a window drag asks for it.
        step = max(1, round((self.voxels.size / 500_000) ** (1 / 3)))
        start = tuple(n // 2 % min(step, n) for n in self.grid.shape)
        sample = self.voxels[start[0] :: step, start[1] :: step, start[2] :: step]
        parts = []
        for k, plane in enumerate(sample):
            keep = np.isfinite(plane)
            if self.padding is not None:
                keep &= (plane < self.padding[0]) | (plane > self.padding[1])
            parts.append(self.rescale.apply(plane[keep], start[0] + k * step))
        values = np.concatenate(parts)
        if values.size == 0:
            return Window(0.5, 1.0, "Auto")
        low, high = np.percentile(values, (0.5, 99.8))
        return Window.from_limits(float(low), float(high if high > low else low + 1), "Auto")
