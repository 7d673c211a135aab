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
        self._spare: set[str] = set()
        self._lowest: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name in self._layers

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
        self._spare.discard(name)
        layer = self._layers.get(name)
        if layer is None:
            layer = self._canvas.add(kind, np.zeros(shape, dtype), scale=spacing, name=name, **options)
            layers = self._canvas.model.layers
            if below and len(layers) > 1:
                layers.move(len(layers) - 1, 0)
            elif above:
                layers.move(len(layers) - 1, sum(one in self._layers for one in above))
            self._layers[name] = layer
            if below:
                self._lowest.add(name)
            return layer
        if below:
            set_visible(layer, True)  # napari draws the lowest of its layers in a way of its own
        else:
            self._canvas.show(layer, True)
        self._canvas.refit(layer, np.zeros(shape, dtype), spacing)
        return layer

    def spare(self) -> None:
        """From here on no layer is needed, until it is asked for again; `hide_spare` hides the rest.

        To hide one and show it again at once would cost a cascade of napari's events, and a drawing of its own.
        """
        self._spare = set(self._layers)

    def hide_spare(self) -> None:
        """Hide the layers that were not asked for since `spare`."""
        for name in self._spare:
            if name in self._lowest:
                set_visible(self._layers[name], False)
            else:
                self._canvas.show(self._layers[name], False)
        self._spare = set()
