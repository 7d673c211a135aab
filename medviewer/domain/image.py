"""Voxels as they were stored, where they lie, and how they become real units."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medviewer.domain.geometry import Grid


@dataclass(frozen=True)
class Window:
    """A grey-scale window in real units (PS3.3 C.11.2.1.2).

    Parameters
    ----------
    center, width
        Window Center and Window Width, in the image's unit; width is at least 1e-6.
    name
        The file's explanation or the preset's name.
    """

    center: float
    width: float
    name: str = ""

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
