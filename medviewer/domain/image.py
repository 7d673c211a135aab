"""Voxels as they were stored, where they lie, and how they become real units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medviewer.domain.cached import cached
from medviewer.domain.geometry import Grid
from medviewer.domain.study import PhaseAxis
from medviewer.domain.window import Lut as Lut
from medviewer.domain.window import Window as Window

_EDGE = 10
"""Of a picture, the part of rows and columns at each edge that is not taken for the body."""


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
        For every slot that has one (``phase * slices + z``, which is z where there is one phase only), the pixels to
        draw, boolean, shape (y, x). A mapping may unpack them when they are asked for.
    """

    name: str
    planes: Mapping[int, NDArray[np.bool_]]


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

    @cached
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

    def real_of(self, stored: ArrayLike, z: int = 0) -> NDArray[np.float32]:
        """Real values, float32, of stored values that all lie in slice z."""
        return self.rescale.apply(stored, z) if self.lut is None else self.lut.apply(stored).astype(np.float32)

    def value_at(self, index: tuple[int, int, int]) -> float:
        """The real value of one grey voxel at (z, y, x)."""
        return float(self.real_of(self.voxels[index], index[0]))

    def real(self) -> NDArray[np.float32]:
        """All real values, shape (z, y, x): a float32 copy, for networks, never for the screen."""
        if self.lut is not None or self.rescale.is_uniform:
            return self.real_of(self.voxels)
        return np.stack([self.rescale.apply(plane, z) for z, plane in enumerate(self.voxels)])

    @cached
    def uniform(self) -> tuple[NDArray[np.generic], float, float]:
        """Voxels, slope and intercept that hold for every slice, as a screen needs them.

        The stored voxels themselves, but for a modality LUT, whose entries are kept beside them as the integers that
        they are, and for a series whose slices have rescales of their own (PET): a coronal slice of that crosses all of
        them, so its real values are kept.
        """
        if self.lut is not None:
            return self.lut.apply(self.voxels), 1.0, 0.0
        if self.rescale.is_uniform:
            return self.voxels, *self.rescale.at(0)
        return self.real(), 1.0, 0.0

    def auto_window(self) -> Window:
        """A window over the 0.5th to 99.8th percentile of a sample of the real values, padding left out."""
        return self._auto_window

    def body_window(self) -> Window:
        """A window over the 1st to 99th percentile of the middle of a picture, padding left out.

        Of a radiograph that is the body: what lies at the edges, bare detector and collimators, is left out.
        """
        return self._body_window

    def background(self, inverted: bool) -> float | None:
        """The real value to draw in place of padding, so that it is as dark as anything.

        PS3.3 C.7.5.1.1.2: padding is no part of the image and of no grey-scale transformation, so no inversion makes it
        white. None where nothing has to be replaced: no padding, or it is at the dark end anyway, as in CT.

        Parameters
        ----------
        inverted
            Whether low values are shown white.
        """
        return self._backgrounds[inverted]

    def darkest(self, inverted: bool) -> float:
        """A real value that is drawn as dark as any other of the image: its lowest, or highest where that is dark."""
        if self._spread is None:
            return 0.0
        return self._spread[3] if inverted else self._spread[0]

    @cached
    def _backgrounds(self) -> tuple[float | None, float | None]:
        return self._background(False), self._background(True)

    def _background(self, inverted: bool) -> float | None:
        if self.padding is None or self.is_colour or self._spread is None:
            return None
        darkest = self._spread[3] if inverted else self._spread[0]
        if self.rescale.is_uniform or self.lut is not None:
            padding = self.real_of(np.array(self.padding))
            if (padding >= darkest).all() if inverted else (padding <= darkest).all():
                return None
        return darkest

    @cached
    def _auto_window(self) -> Window:
        # Kept, because every step of a window drag asks for it.
        if self._spread is None:
            return Window(0.5, 1.0, "Auto")
        _, low, high, _ = self._spread
        return Window.from_limits(low, high if high > low else low + 1, "Auto")

    @cached
    def _body_window(self) -> Window:
        values = self._sample(tuple(n // _EDGE for n in self.grid.shape[1:]))
        if values.size == 0:
            return self._auto_window
        low, high = (float(v) for v in np.percentile(values, (1, 99)))
        return Window.from_limits(low, high if high > low else low + 1, "Auto")

    @cached
    def _spread(self) -> tuple[float, float, float, float] | None:
        """Lowest value, 0.5th and 99.8th percentile and highest of a sample, padding left out; None for no values."""
        values = self._sample()
        if values.size == 0:
            return None
        low, high = np.percentile(values, (0.5, 99.8))
        return float(values.min()), float(low), float(high), float(values.max())

    def _sample(self, edges: tuple[int, ...] = (0, 0)) -> NDArray[np.float32] | NDArray[np.float64]:
        """Some of the real values, padding and so many rows and columns at the edges left out."""
        rows, columns = (slice(edge, n - edge) for edge, n in zip(edges, self.grid.shape[1:], strict=True))
        voxels = self.voxels[:, rows, columns]
        axes = max(1, sum(n > 1 for n in self.grid.shape))
        step = max(1, round((voxels.size / 500_000) ** (1 / axes)))
        start = tuple(n // 2 % min(step, n) for n in voxels.shape[:3])
        sample = voxels[start[0] :: step, start[1] :: step, start[2] :: step]
        parts = []
        for k, plane in enumerate(sample):
            keep = np.isfinite(plane)
            if self.padding is not None:
                keep &= (plane < self.padding[0]) | (plane > self.padding[1])
            parts.append(self.real_of(plane[keep], start[0] + k * step))
        return np.concatenate(parts)
