"""From values to colours, without napari as long as they are grey."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from medviewer.app.colours import GREY, colour_map, palette
from medviewer.app.ports.display import Display


def ordered(limits: tuple[float, float]) -> tuple[float, float]:
    """Limits in ascending order and apart, as napari wants them."""
    low, high = sorted(limits)
    return low, max(high, low + 1e-6)


def colour_table(name: str, positions: NDArray[np.float32]) -> NDArray[np.float32]:
    """The colours of a map of `app.colours` at positions of 0 to 1, shape (n, 4)."""
    known = colour_map(name)
    if known.palette:
        table = palette(known.palette)
        rgb = table[np.rint(positions * (len(table) - 1)).astype(np.intp)]
        return np.concatenate([rgb, np.ones((len(rgb), 1), np.float32)], axis=1)
    if name == GREY:  # a table of napari's would round
        return np.stack([positions, positions, positions, np.ones_like(positions)], axis=1)
    from napari.utils.colormaps import ensure_colormap

    return np.asarray(ensure_colormap(known.id).map(positions), np.float32)


def coloured(display: Display, part: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Red, green and blue of values as a viewport shows them, shape (rows, columns, 3).

    Parameters
    ----------
    display
        How they are shown.
    part
        Real values (rows, columns), or colours (rows, columns, 3), of which any part of a slice will do.
    """
    if part.ndim == 3:
        return part.astype(np.uint8)
    low, high = ordered(display.limits)
    grey = np.clip((part.astype(np.float32) - low) / (high - low), 0, 1)
    if display.curve is not None:
        grey = display.curve[np.rint(grey * (len(display.curve) - 1)).astype(np.intp)]
    if display.limits[0] > display.limits[1]:
        grey = 1 - grey
    table = colour_table(display.colours, np.linspace(0, 1, 256, dtype=np.float32))[:, :3]
    colours: NDArray[np.uint8] = np.rint(255 * table).astype(np.uint8)
    picked: NDArray[np.uint8] = np.take(colours, np.rint(np.nan_to_num(grey) * 255).astype(np.intp), axis=0)
    return picked
