"""The layer of another series that is laid over the slices of a viewport, sampled as they are shown."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.utils.colormaps import Colormap

from medviewer.app.ports import Display, FusedLook
from medviewer.domain.fusing import Sampled, join, slice_through
from medviewer.domain.plane import Plane
from medviewer.ui.viewport.canvas import NapariCanvas
from medviewer.ui.viewport.layers import SliceLayers
from medviewer.ui.viewport.looks import PlainImage, set_visible
from medviewer.ui.viewport.tables import colour_table, ordered
from medviewer.ui.viewport.turned import block_of

_CLEAR_PART = 0.25
"""Of the range of colours: over it they become solid, so that where little was taken up the image stays as it is."""
_OUTSIDE = -1e9
"""Drawn where there is nothing: below every lower limit, so clear."""
_KEPT_BYTES = 96 << 20


class FusedLayer:
    """Shows `Display.fused` above the image and below mask and heat map.

    Slices of a slab are kept as they were sampled while the slab moves on, so that a step samples only the new one.
    """

    def __init__(self, canvas: NapariCanvas, layers: SliceLayers) -> None:
        self._canvas, self._layers = canvas, layers
        self.layer: Any = None
        self._kept: dict[int, Sampled] = {}
        self._kept_of: object = None
        self._joined: tuple[object, Sampled] | None = None
        """What was shown last of a slab, and of which slices: one through the whole volume stays as it is."""

    def forget(self) -> None:
        """Nothing is shown any more: the layers were hidden."""
        self.layer = None
        self._kept.clear()
        self._kept_of = self._joined = None

    def apply(self, display: Display, old: Display | None, made: Sampled | None = None) -> None:
        """Show that, changing only what differs from what is shown; `old` is None where nothing of it stays.

        `made` is what the slice shows, where that was worked out before.
        """
        look, before = display.fused, old.fused if old is not None else None
        if look is None:
            set_visible(self.layer, False)
            self._kept.clear()
            self._joined = None
            return
        if self.layer is None:
            self._make(display, look)
            before = None
        set_visible(self.layer, True)
        if self.layer.opacity != look.opacity:
            self.layer.opacity = look.opacity
        moved = before is None or old is None or _where(old) != _where(display)
        if moved or before is None or before.source != look.source:
            self._feed(made or self._sampled(display.plane, display.k, look, block_of(display)), look)
        if before is None or before.limits != look.limits:
            node = self._canvas.node(self.layer)
            node.clim = ordered(look.limits)
            node.update()
        if before is None or before.colours != look.colours:
            self.layer.colormap = fused_colours(look.colours)

    def _make(self, display: Display, look: FusedLook) -> None:
        self.layer = self._layers.get(
            "fused",
            PlainImage,
            display.plane.shape,
            np.float32,
            display.plane.spacing,
            above=("grey", "colour"),
            contrast_limits=ordered(look.limits),
            colormap=fused_colours(look.colours),
            blending="translucent",
            interpolation2d="linear",
        )

    def _feed(self, made: Sampled, look: FusedLook) -> None:
        values, inside = made
        buffer = self.layer.data
        np.multiply(values, np.float32(look.slope), out=buffer)
        buffer += np.float32(look.intercept)
        buffer[~inside | np.isnan(buffer)] = _OUTSIDE
        node = self._canvas.node(self.layer)
        node.set_data(buffer)
        node.update()

    def _sampled(self, plane: Plane, k: int, look: FusedLook, block: int) -> Sampled:
        thick = look.thick
        if thick is None:
            self._kept.clear()
            self._joined = None
            return slice_through(look.voxels, look.grid, plane, k, block)
        of = id(look.voxels), look.grid, plane
        if self._kept_of != of:
            self._kept.clear()
            self._kept_of = of
        if self._joined is not None and self._joined[0] == (of, thick):
            return self._joined[1]
        wanted = range(thick.start, thick.stop)
        made = {
            one: self._kept[one] if one in self._kept else slice_through(look.voxels, look.grid, plane, one)
            for one in wanted
        }
        most = _KEPT_BYTES // (5 * plane.shape[0] * plane.shape[1])
        self._kept = made if len(made) <= most else {}
        joined = join(list(made.values()), thick.mode)
        self._joined = (of, thick), joined
        return joined


def _where(display: Display) -> tuple[object, ...]:
    return display.plane, display.k, block_of(display)


def fused_colours(name: str) -> Colormap:
    """A colour map that is clear at its low end and solid from a quarter of it on."""
    positions = np.linspace(0, 1, 256, dtype=np.float32)
    colours = colour_table(name, positions).copy()
    colours[:, 3] = np.clip(positions / _CLEAR_PART, 0, 1)
    return Colormap(colours, name=f"fused {name}")
