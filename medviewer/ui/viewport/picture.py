"""The slice itself, in layers: grey or colour, another series, what the file draws over it, mask and heat map.

Slices of the shared volume are copied into the buffers of two-dimensional napari layers: the volume itself is never
copied, and napari's slicing of n dimensions, which takes half of a crosshair step, is not run.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from medviewer.app.ports.display import Display, MaskLook, Padding
from medviewer.ui.theme import COLOURS
from medviewer.ui.viewport.canvas import NapariCanvas
from medviewer.ui.viewport.fused import FusedLayer
from medviewer.ui.viewport.layers import SliceLayers
from medviewer.ui.viewport.looks import (
    PlainImage,
    PlainLabels,
    heat_colours,
    image_colours,
    label_colours,
    line_colours,
)
from medviewer.ui.viewport.slabs import SlabFeed
from medviewer.ui.viewport.tables import ordered
from medviewer.ui.viewport.turned import Pixels, block_of, labels_of, real_values, source_of

IMAGES = ("grey", "mask uint8")
"""Layers that most images need."""
RESULTS = ("fused", "heat")
"""Layers that come with what is laid over, and with what a model says."""
_PIXEL = (1, 1), (1.0, 1.0)
_HEAT = "inferno"


class SlicePicture:
    """The layers of one viewport.

    Parameters
    ----------
    canvas
        Where they are drawn.
    """

    def __init__(self, canvas: NapariCanvas) -> None:
        self._canvas = canvas
        self._layers = SliceLayers(canvas)
        self.image: Any = None
        self.mask: Any = None
        self.heat: Any = None
        self.graphics: Any = None
        self.fused = FusedLayer(canvas, self._layers)
        self.slabs = SlabFeed()
        self._shade: tuple[object, ...] | None = None
        """What the colours of the grey layer were made of."""
        self._curve: NDArray[np.float32] | None = None
        """Kept while its colours are shown: it is told from others by what it is, not by its values."""
        self._fresh: list[Any] = []
        """Layers that were made ahead, and are still to be hidden."""
        self._coloured: dict[str, object] = {}
        """What the colours of the layers of masks, by their names, and of the heat map were made of."""

    def apply(self, old: Display | None, display: Display, made: Pixels | None = None) -> None:
        """Show that in place of what was shown, changing only what differs.

        Parameters
        ----------
        made
            What a turned plane shows, where that was worked out before.
        """
        fresh = old is None or not old.same_picture(display)
        if fresh:
            self._make_image(display)
        if fresh or old is None or source_of(old) != source_of(display):
            self._feed_image(display, made)
        if fresh or old is None or _grey(old) != _grey(display):
            self._set_limits(display)
        self.fused.apply(display, None if fresh else old, made.fused if made is not None else None)
        self._apply_graphics(display, None if fresh else old)
        self._apply_mask(display, None if fresh else old, made)
        self._apply_heat(display, None if fresh else old, made)
        if fresh:
            self._layers.hide_spare()

    def clear(self) -> None:
        """Show nothing."""
        self._layers.spare()
        self._layers.hide_spare()
        for feed in (self.slabs, self.fused.slabs):
            feed.forget()
        self.image = self.mask = self.heat = self.graphics = None
        self.fused.forget()

    def prepare(self, names: tuple[str, ...]) -> bool:
        """Make one of some layers before there is anything to show; whether there was one to make.

        napari takes some hundredths of a second for each, and all viewports need theirs at once when a study or a
        result comes. They are of one clear pixel, and seen until `hide_prepared`, so that they can be drawn once.

        Parameters
        ----------
        names
            `IMAGES` or `RESULTS`.
        """
        missing = next((name for name in names if name not in self._layers), "")
        if missing == "grey":
            self._image_layer(*_PIXEL, (0.0, 1.0))  # a black one: nothing that had to be hidden
        elif missing == "fused":
            self._fresh.append(self.fused.prepare(*_PIXEL))
        elif missing == "heat":
            self._fresh.append(self._heat_layer(*_PIXEL, _HEAT))
        elif missing:
            self._fresh.append(self._mask_layer(np.dtype(np.uint8), *_PIXEL))
        return bool(missing)

    def hide_prepared(self) -> None:
        """Hide the layers that were made ahead and that nothing has asked for meanwhile."""
        for layer in self._fresh:
            if layer not in (self.mask, self.heat, self.fused.layer):
                self._canvas.show(layer, False)
        self._fresh.clear()

    def _make_image(self, display: Display) -> None:
        self._layers.spare()
        self.mask = self.heat = self.graphics = None
        self.fused.forget()
        colour = display.voxels.ndim == 4
        limits = None if colour else ordered(display.limits)
        shape = (*display.plane.shape, 3) if colour else display.plane.shape
        self.image = self._image_layer(shape, display.plane.spacing, limits)

    def _image_layer(
        self, shape: tuple[int, ...], spacing: tuple[float, float], limits: tuple[float, float] | None
    ) -> Any:
        """The layer of grey values, or of colours where there are no limits."""
        extra: dict[str, Any] = {} if limits is None else {"contrast_limits": limits, "colormap": "gray"}
        return self._layers.get(
            "colour" if limits is None else "grey",
            PlainImage,
            shape,
            np.uint8 if limits is None else np.float32,
            spacing,
            below=True,
            rgb=limits is None,
            interpolation2d="linear",
            **extra,
        )

    def _feed_image(self, display: Display, made: Pixels | None) -> None:
        nothing = None
        if display.turned is not None:
            np.copyto(self.image.data, real_values(display) if made is None else made.image)
            self._upload(self.image, self.image.data)
            return
        if display.slab is not None:
            piece, nothing = self.slabs.take(display)
        else:
            piece = display.plane.take(display.voxels, display.k)
        buffer = self.image.data
        if buffer.ndim == 3:
            np.copyto(buffer, piece, casting="unsafe")
        else:
            np.multiply(piece, np.float32(display.slope), out=buffer, casting="unsafe")
            buffer += np.float32(display.intercept)
            if display.padding is not None:
                padded = nothing if nothing is not None else _padded(display, display.padding)
                buffer[padded] = display.padding.value
        self._upload(self.image, buffer)

    def _set_limits(self, display: Display) -> None:
        if display.voxels.ndim == 4:
            return
        low, high = ordered(display.limits)
        node = self._canvas.node(self.image)
        node.clim = (low, high)
        node.update()
        shade = _grey(display)[1:]
        if self._shade != shade:
            self._shade, self._curve = shade, display.curve
            self.image.colormap = image_colours(display.colours, display.curve, display.limits[0] > display.limits[1])

    def _apply_graphics(self, display: Display, old: Display | None) -> None:
        look, before = display.graphics, old.graphics if old else None
        planes = [] if look is None else [one.planes[look.slot] for one in look.overlays if look.slot in one.planes]
        if look is None or not planes:
            self._canvas.show(self.graphics, False)
            return
        if self.graphics is None:
            self._make_graphics(display)
            before = None
        self._canvas.show(self.graphics, True)
        if before is None or before.overlays is not look.overlays or before.slot != look.slot:
            drawn = np.logical_or.reduce(planes)
            np.copyto(self.graphics.data, display.plane.take(drawn[None], 0))
            self._upload(self.graphics, self.graphics.data)

    def _make_graphics(self, display: Display) -> None:
        self.graphics = self._layers.get(
            "graphics",
            PlainImage,
            display.plane.shape,
            np.float32,
            display.plane.spacing,
            contrast_limits=(0, 1),
            colormap=line_colours(COLOURS["graphics"]),
            blending="translucent",
            interpolation2d="linear",
        )

    def _apply_mask(self, display: Display, old: Display | None, made: Pixels | None) -> None:
        look, before = display.mask, old.mask if old else None
        if look is None:
            self._canvas.show(self.mask, False)
            return
        if self.mask is None or self.mask.data.dtype != look.labels.dtype:
            self._make_mask(display, look)
            before = None
        self._canvas.show(self.mask, True)
        if self._coloured.get(self.mask.name) != look.colours:
            self._coloured[self.mask.name] = look.colours
            self.mask.colormap = label_colours(look)
        if self.mask.opacity != look.opacity:
            self.mask.opacity = look.opacity
        same = before is not None and before.labels is look.labels
        if not (
            same and old is not None and (old.k, old.revision) == (display.k, display.revision) and _stays(old, display)
        ):
            known = None if made is None else made.mask
            np.copyto(self.mask.data, labels_of(display, look.labels) if known is None else known)
            self._upload(self.mask, self.mask.data)

    def _make_mask(self, display: Display, look: MaskLook) -> None:
        self._canvas.show(self.mask, False)
        self.mask = self._mask_layer(look.labels.dtype, display.plane.shape, display.plane.spacing)

    def _mask_layer(self, dtype: np.dtype[Any], shape: tuple[int, ...], spacing: tuple[float, float]) -> Any:
        """One layer for each type of label, since a texture keeps the type that it was made with."""
        return self._layers.get(f"mask {dtype}", PlainLabels, shape, dtype, spacing)

    def _apply_heat(self, display: Display, old: Display | None, made: Pixels | None) -> None:
        look, before = display.heat, old.heat if old else None
        if look is None:
            self._canvas.show(self.heat, False)
            return
        if self.heat is None:
            self.heat = self._heat_layer(display.plane.shape, display.plane.spacing, look.colormap)
            before = None
        self._canvas.show(self.heat, True)
        if self.heat.opacity != look.opacity:
            self.heat.opacity = look.opacity
        if self._coloured.get("heat") != look.colormap:
            self._coloured["heat"] = look.colormap
            self.heat.colormap = heat_colours(look.colormap)
        same = before is not None and before.values is look.values
        if not (same and old is not None and old.k == display.k and _stays(old, display)):
            known = None if made is None else made.heat
            np.copyto(self.heat.data, labels_of(display, look.values) if known is None else known, casting="unsafe")
            self._upload(self.heat, self.heat.data)

    def _heat_layer(self, shape: tuple[int, int], spacing: tuple[float, float], colours: str) -> Any:
        return self._layers.get(
            "heat",
            PlainImage,
            shape,
            np.float32,
            spacing,
            contrast_limits=(0, 1),
            colormap=heat_colours(colours),
            blending="translucent",
            interpolation2d="linear",
        )

    def _upload(self, layer: Any, data: NDArray[np.generic]) -> None:
        """Hand a layer's buffer to its texture, past napari's cascade of events for new data."""
        node = self._canvas.node(layer)
        node.set_data(data)
        node.update()


def _stays(old: Display, display: Display) -> bool:
    """Whether the pixels lie where they lay; of a turned plane they move with the crosshair."""
    return old.plane == display.plane and block_of(old) == block_of(display)


def _grey(display: Display) -> tuple[object, ...]:
    """What turns real values into colours: the limits, and what the table between them is made of."""
    return display.limits, id(display.curve), display.colours, display.limits[0] > display.limits[1]


def _padded(display: Display, padding: Padding) -> NDArray[np.bool_]:
    stored = display.plane.take(padding.voxels, display.k)
    inside: NDArray[np.bool_] = np.greater_equal(stored, padding.low) & np.less_equal(stored, padding.high)
    return inside
