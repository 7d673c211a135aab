"""The layers of a viewport that shows slices: made when first needed, then filled anew, and never removed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from medviewer.ui.viewport.canvas import NapariCanvas
from medviewer.ui.viewport.looks import set_visible


class SliceLayers:
    """Named two-dimensional napari layers of one canvas.

    A layer that is removed leaves GL objects behind that the next drawing may still use, which ends the program on
    some drivers. So a layer that is not needed is hidden, and gets another buffer when it is needed again.

    Parameters
    ----------
    canvas
        Where they are drawn.
    """

    def __init__(self, canvas: NapariCanvas) -> None:
        self._canvas = canvas
        self._layers: dict[str, Any] = {}

    def get(
        self,
        name: str,
        kind: type[Any],
        shape: tuple[int, ...],
        dtype: DTypeLike,
        spacing: tuple[float, float],
        *,
        below: bool = False,
        above: tuple[str, ...] = (),
        **options: Any,
    ) -> Any:
        """The layer of that name, shown, with a buffer of zeros of that shape and pixels of that size in mm.

        Parameters
        ----------
        kind, options
            How the layer is made, when there is none yet.
        below
            Whether a new one goes below all others.
        above
            The layers that a new one goes straight above, where it does not go above all others.
        """
        layer = self._layers.get(name)
        if layer is None:
            layer = self._canvas.add(kind, np.zeros(shape, dtype), scale=spacing, name=name, **options)
            layers = self._canvas.model.layers
            if below and len(layers) > 1:
                layers.move(len(layers) - 1, 0)
            elif above:
                layers.move(len(layers) - 1, sum(one in self._layers for one in above))
            self._layers[name] = layer
            return layer
        set_visible(layer, True)
        if tuple(layer.scale) != tuple(spacing):
            layer.scale = spacing
        if layer.data.shape == shape:
            layer.data.fill(0)
        else:
            layer.data = np.zeros(shape, dtype)
        return layer

    def hide(self) -> None:
        """Hide every layer."""
        for layer in self._layers.values():
            set_visible(layer, False)
