"""The layer of another series that is laid over the slices of a viewport, sampled as they are shown."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from napari.utils.colormaps import Colormap

from medviewer.app.ports.display import Display, FusedLook
from medviewer.domain.fusing import Sampled, slice_through
from medviewer.ui.viewport.canvas import NapariCanvas
from medviewer.ui.viewport.fused_slabs import FusedFeed
from medviewer.ui.viewport.layers import SliceLayers
from medviewer.ui.viewport.looks import PlainImage, set_visible
from medviewer.ui.viewport.tables import colour_table, ordered
from medviewer.ui.viewport.turned import block_of

_CLEAR_PART = 0.25
"""Of the range of colours: over it they become solid, so that where little was taken up the image stays as it is."""
_COLOURS = "hot-iron"
_OUTSIDE = -1e9
"""Drawn where there is nothing: below every lower limit, so clear."""


class FusedLayer:
    """Shows `Display.fused` above the image and below mask and heat map."""

    def __init__(self, canvas: NapariCanvas, layers: SliceLayers) -> None:
        self._canvas, self._layers = canvas, layers
        self.layer: Any = None
        self.slabs = FusedFeed()

    def forget(self) -> None:
        """Nothing is shown any more: the layers were hidden."""
        self.layer = None

    def apply(self, display: Display, old: Display | None, made: Sampled | None = None) -> None:
        """Show that, changing only what differs from what is shown; `old` is None where nothing of it stays.

        `made` is what the slice shows, where that was worked out before.
        """
        look, before = display.fused, old.fused if old is not None else None
        if look is None:
            set_visible(self.layer, False)
            self.slabs.forget()
            return
        if self.layer is None:
            self.layer = self._made(display.plane.shape, display.plane.spacing, look.limits, look.colours)
            before = None
        set_visible(self.layer, True)
        if self.layer.opacity != look.opacity:
            self.layer.opacity = look.opacity
        moved = before is None or old is None or _where(old) != _where(display)
        if moved or before is None or before.source != look.source:
            self._feed(made or self._sampled(display, look), look)
        if before is None or before.limits != look.limits:
            node = self._canvas.node(self.layer)
            node.clim = ordered(look.limits)
            node.update()
        if before is None or before.colours != look.colours:
            self.layer.colormap = fused_colours(look.colours)

    def prepare(self, shape: tuple[int, int], spacing: tuple[float, float]) -> Any:
        """Make the layer before there is anything to show in it; all of it is clear."""
        made = self._made(shape, spacing, (0.0, 1.0), _COLOURS)
        made.data[:] = _OUTSIDE
        return made

    def _made(
        self, shape: tuple[int, int], spacing: tuple[float, float], limits: tuple[float, float], colours: str
    ) -> Any:
        return self._layers.get(
            "fused",
            PlainImage,
            shape,
            np.float32,
            spacing,
            above=("grey", "colour"),
            contrast_limits=ordered(limits),
            colormap=fused_colours(colours),
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

    def _sampled(self, display: Display, look: FusedLook) -> Sampled:
        if look.thick is not None:
            return self.slabs.take(display)
        return slice_through(look.voxels, look.grid, display.plane, display.k, block_of(display))


def _where(display: Display) -> tuple[object, ...]:
    return display.plane, display.k, block_of(display)


@lru_cache(maxsize=8)
def fused_colours(name: str) -> Colormap:
    """A colour map that is clear at its low end and solid from a quarter of it on."""
    positions = np.linspace(0, 1, 256, dtype=np.float32)
    colours = colour_table(name, positions).copy()
    colours[:, 3] = np.clip(positions / _CLEAR_PART, 0, 1)
    return Colormap(colours, name=f"fused {name}")
