"""Small things that both kinds of viewport need of napari's layers."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, cast

import numpy as np
from napari.layers import Image, Labels
from napari.utils.colormaps import Colormap, DirectLabelColormap, ensure_colormap
from napari.utils.colormaps.standardize_color import transform_color
from numpy.typing import NDArray

from medviewer.app.colours import GREY
from medviewer.app.ports.display import MaskLook
from medviewer.ui.viewport.tables import colour_table


class PlainImage(Image):  # type: ignore[misc]  # napari publishes no types
    """An image layer without the thumbnail that only napari's own layer list shows."""

    def _update_thumbnail(self) -> None:
        """Draw none."""


class PlainLabels(Labels):  # type: ignore[misc]  # napari publishes no types
    """A labels layer without a thumbnail, and without what napari draws with: it takes longer than the rest."""

    def __init__(self, *values: Any, **options: Any) -> None:
        super().__init__(*values, **options)
        for name in ("polygon", "brush_stroke"):  # of modes that no viewport is ever in
            self._overlays.pop(name, None)

    def _update_thumbnail(self) -> None:
        """Draw none."""


def set_visible(layer: Any, visible: bool) -> None:
    """Show or hide a layer; saying again what holds already would cost a cascade of napari's events."""
    if layer is not None and layer.visible != visible:
        layer.visible = visible


def image_colours(name: str, curve: NDArray[np.float32] | None, inverted: bool) -> str | Colormap:
    """From the lower to the upper limit of a window: napari's own grey where that will do, else a table of colours.

    Parameters
    ----------
    name
        An id of `app.colours`.
    curve
        Grey, 0 to 1, at evenly spaced values between the limits; None where it is linear.
    inverted
        Whether the colours run the other way.
    """
    if curve is None and name == GREY:
        return "gray_r" if inverted else "gray"
    positions = np.linspace(0, 1, 256, dtype=np.float32) if curve is None else curve
    return Colormap(colour_table(name, 1 - positions if inverted else positions), name=f"{name} of the window")


def line_colours(colour: str) -> Colormap:
    """A colour map from clear to one colour."""
    solid = np.array(transform_color(colour)[0])
    return Colormap(np.array([[*solid[:3], 0.0], solid]), name=f"clear to {colour}")


def label_colours(look: MaskLook) -> DirectLabelColormap:
    """Napari's colour map of a mask: hidden labels and the background are clear."""
    clear = (0.0, 0.0, 0.0, 0.0)
    colours: dict[int | None, tuple[float, ...]] = {None: clear, 0: clear}
    for label, rgb in look.colours:
        colours[label] = (*(c / 255 for c in rgb), 1.0)
    return DirectLabelColormap(color_dict=cast("Any", colours))


@lru_cache(maxsize=8)
def heat_colours(name: str) -> Colormap:
    """A colour map that is clear where the heat map is cold, so that the image stays as it is there."""
    colours = np.array(ensure_colormap(name).map(np.linspace(0, 1, 256)))
    colours[:, 3] = np.clip(np.linspace(0, 2, 256), 0, 1)
    return Colormap(colours, name=f"heat {name}")
