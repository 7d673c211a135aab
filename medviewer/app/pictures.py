"""A slice as a viewport shows it, drawn without a screen: for key images, their thumbnails and reports.

The whole slice is drawn, whatever part of it the viewport shows, with the window, the colours, the overlays and the
measurements on it, and without the corner texts: names of patients are never in these pictures.
"""

from __future__ import annotations

import io
from functools import cache
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from medviewer.app.colours import GREY, colour_map, palette
from medviewer.domain.fusing import join, slice_through
from medviewer.domain.reslice import reslice, reslice_labels
from medviewer.domain.slab import project

if TYPE_CHECKING:
    from PIL.Image import Image as Picture
    from PIL.ImageDraw import ImageDraw

    from medviewer.app.ports.display import Display, FusedLook

Rgb = NDArray[np.uint8]
Floats = NDArray[np.float32]

LEAST, MOST = 800, 1400
"""Pixels along the longer edge of a picture: small slices are enlarged, so that lines and words on them stay fine."""

_LETTERS, _LINES = 24, 300
"""Parts of the longer edge that a letter is high and a line wide: a report shows pictures a third as large as they are,
and there words and lines have to be seen, too."""

_MEASURE, _BOX, _LETTER, _RIM = (242, 214, 75), (255, 140, 66), (215, 218, 221), (0, 0, 0)
_GRAPHICS = (255, 233, 168)
_CLEAR_PART = 0.25
"""Of the range of what is laid over: as on the screen."""


def picture_of(display: Display) -> Rgb:
    """What a viewport shows of a slice, with square pixels: red, green, blue, shape (rows, columns, 3)."""
    from PIL import Image

    pixels = _overlaid(display, _slice(display))
    top, left, bottom, right = _bounds(display)
    pixels = pixels[top:bottom, left:right]
    row_mm, column_mm = display.plane.spacing
    height, width = pixels.shape[0] * row_mm, pixels.shape[1] * column_mm
    longer = max(pixels.shape[0] * row_mm, pixels.shape[1] * column_mm) / min(row_mm, column_mm)
    scale = min(max(longer, LEAST), MOST) / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    made = Image.fromarray(np.ascontiguousarray(pixels)).resize(size, Image.Resampling.BICUBIC)
    _Drawing(made, display, (row_mm * scale, column_mm * scale), (top, left)).draw()
    return np.asarray(made)


def png_of(pixels: Rgb) -> bytes:
    """A picture as PNG."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _bounds(display: Display) -> tuple[int, int, int, int]:
    """First and last row and column to draw: of a turned plane what the volume can reach, else all."""
    rows, columns = display.plane.shape
    if display.turned is None:
        return 0, 0, rows, columns
    top, left, bottom, right = display.turned.bounds
    return (
        int(np.clip(np.floor(top), 0, rows - 1)),
        int(np.clip(np.floor(left), 0, columns - 1)),
        int(np.clip(np.ceil(bottom) + 1, 1, rows)),
        int(np.clip(np.ceil(right) + 1, 1, columns)),
    )


def _slice(display: Display) -> Rgb:
    """The pixels of the image itself."""
    plane = display.plane
    if display.voxels.ndim == 4:
        taken = plane.take(display.voxels, display.k)
        return np.array(taken if taken.dtype == np.uint8 else _to_bytes(taken))
    real = _real(display)
    low, high = display.limits
    inverted = low > high
    low, high = min(low, high), max(low, high)
    part = np.clip((real - low) / max(high - low, 1e-6), 0, 1)
    if display.curve is not None:
        part = np.interp(part, np.linspace(0, 1, len(display.curve)), display.curve).astype(np.float32)
    return _coloured(display.colours, 1 - part if inverted else part)


def _real(display: Display) -> Floats:
    """Real values of the slice, float32, shape (rows, columns)."""
    plane, turned, slab = display.plane, display.turned, display.slab
    if turned is not None:
        values, inside = reslice(display.voxels, turned.grid, plane.grid, display.k)
        real = np.where(inside, values * display.slope + display.intercept, turned.outside)
        return cast("Floats", plane.turn(real.astype(np.float32)))
    nothing: NDArray[np.bool_] | None = None
    if slab is not None:
        piece, gone = project(display.voxels, plane.axis, slab.slices, display.k, slab.mode, slab.stored, slab.padding)
        stored = plane.turn(piece)
        nothing = None if gone is None else cast("NDArray[np.bool_]", plane.turn(gone))
    else:
        stored = plane.take(display.voxels, display.k)
    real = np.asarray(stored, np.float32) * np.float32(display.slope) + np.float32(display.intercept)
    padding = display.padding
    if padding is not None:
        if slab is None:
            own = plane.take(padding.voxels, display.k)
            nothing = np.greater_equal(own, padding.low) & np.less_equal(own, padding.high)
        if nothing is not None:
            real[nothing] = padding.value
    real[np.isnan(real)] = min(display.limits)
    return real


def _coloured(name: str, part: Floats) -> Rgb:
    """Values of 0 to 1 through a colour map."""
    steps = np.rint(part * 255).astype(np.uint8)
    if name == GREY:
        return np.repeat(steps[..., None], 3, axis=2)
    known = colour_map(name)
    return (np.rint(palette(known.palette) * 255).astype(np.uint8) if known.palette else _table(known.id))[steps]


@cache
def _table(name: str) -> Rgb:
    """A colour map of matplotlib, which has those of napari by the same names: shape (256, 3)."""
    import matplotlib

    return np.asarray(matplotlib.colormaps[name](np.arange(256), bytes=True)[:, :3], np.uint8)


def _overlaid(display: Display, pixels: Rgb) -> Rgb:
    """The slice under its mask, its heat map and what the file draws over it."""
    out = pixels.astype(np.float32)
    if display.fused is not None:
        _lay_over(out, display, display.fused)
    if display.mask is not None and display.mask.opacity > 0:
        labels = _taken(display, display.mask.labels)
        for label, colour in display.mask.colours:
            where = labels == label
            out[where] += (np.asarray(colour, np.float32) - out[where]) * np.float32(display.mask.opacity)
    if display.heat is not None:
        heat = np.nan_to_num(np.asarray(_taken(display, display.heat.values), np.float32))
        # clear where it is cold, as on the screen
        alpha = (np.clip(2 * heat, 0, 1) * display.heat.opacity)[..., None]
        colours = _coloured(display.heat.colormap, np.clip(heat, 0, 1)).astype(np.float32)
        out += (colours - out) * alpha
    if display.graphics is not None:
        for overlay in display.graphics.overlays:
            plane = overlay.planes.get(display.graphics.slot)
            if plane is not None:
                out[display.plane.turn(plane).astype(bool)] = _GRAPHICS
    return np.rint(np.clip(out, 0, 255)).astype(np.uint8)


def _lay_over(out: Floats, display: Display, look: FusedLook) -> None:
    """Another series over the slice: clear where its values are low, solid from a quarter of its range on."""
    plane, thick = display.plane, look.thick
    if thick is None:
        values, inside = slice_through(look.voxels, look.grid, plane, display.k)
    else:
        slices = range(thick.start, thick.stop)
        values, inside = join([slice_through(look.voxels, look.grid, plane, k) for k in slices], thick.mode)
    low, high = min(look.limits), max(look.limits)
    real = values * np.float32(look.slope) + np.float32(look.intercept)
    part = np.clip((np.nan_to_num(real, nan=low) - low) / max(high - low, 1e-6), 0, 1)
    alpha = (np.clip(part / _CLEAR_PART, 0, 1) * look.opacity * inside)[..., None]
    out += (_coloured(look.colours, part.astype(np.float32)).astype(np.float32) - out) * alpha


def _taken(display: Display, values: NDArray[np.generic]) -> NDArray[np.generic]:
    plane = display.plane
    if display.turned is not None:
        return plane.turn(reslice_labels(values, display.turned.grid, plane.grid, display.k))
    return plane.take(values, display.k)


def _to_bytes(values: NDArray[np.generic]) -> Rgb:
    most = float(2 ** (8 * values.dtype.itemsize) - 1) if values.dtype.kind == "u" else 1.0
    return np.asarray(np.clip(np.asarray(values, np.float32) / most * 255, 0, 255), np.uint8)


class _Drawing:
    """What stands over the pixels: measurements, boxes and letters, each with a dark rim."""

    def __init__(self, made: Picture, display: Display, scale: tuple[float, float], first: tuple[int, int]) -> None:
        from PIL import ImageFont
        from PIL.ImageDraw import Draw

        from medviewer.reporting.fonts import font_file

        self._display, self._scale, self._first = display, scale, first
        self._size = made.size
        self._line = max(3, round(max(made.size) / _LINES))
        letters = round(max(made.size) / _LETTERS)
        self._font = ImageFont.truetype(str(font_file()), letters)
        self._bold = ImageFont.truetype(str(font_file(bold=True)), letters + 2)
        self._rim = max(2, letters // 8)
        self._draw: ImageDraw = Draw(made)
        self._taken: list[tuple[float, float, float, float]] = []

    def draw(self) -> None:
        """Draw all of it."""
        for text, place, anchor in self._sides():
            self._taken.append(self._draw.textbbox(place, text, self._bold, anchor, stroke_width=self._rim))
        for box in self._display.boxes:
            corners = [self._at(*corner) for corner in box.corners]
            (x0, x1), (y0, y1) = (sorted(pair) for pair in zip(*corners, strict=True))
            for colour, width in ((_RIM, self._line + 2), (box.colour, self._line)):
                self._draw.rectangle((x0, y0, x1, y1), outline=colour, width=width)
            self._write((x0, y0 - self._font.size - 4), box.text, box.colour)
        for measure in self._display.measures:
            if not measure.drafted:
                self._measure(measure.lines, measure.handles, measure.text)
        self._letters()

    def _at(self, row: float, column: float) -> tuple[float, float]:
        """Across and down of a row and column, whose middle is where it is whole."""
        return (
            (column - self._first[1] + 0.5) * self._scale[1],
            (row - self._first[0] + 0.5) * self._scale[0],
        )

    def _measure(
        self,
        lines: tuple[tuple[tuple[float, float], ...], ...],
        handles: tuple[tuple[int, float, float], ...],
        text: tuple[str, ...],
    ) -> None:
        drawn = [[self._at(*spot) for spot in line] for line in lines]
        for colour, width in ((_RIM, self._line + 2), (_MEASURE, self._line)):
            for line in drawn:
                if len(line) > 1:
                    self._draw.line(line, fill=colour, width=width, joint="curve")
        spots = [self._at(row, column) for _, row, column in handles]
        radius = self._line * 1.6
        for x, y in spots:
            self._draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=_MEASURE, outline=_RIM)
        every = [*spots, *(spot for line in drawn for spot in line)]
        if text and every:
            x, y = max(every)
            self._write((x + 3 * self._line, y - self._font.size / 2), "\n".join(text), _MEASURE)

    def _sides(self) -> list[tuple[str, tuple[float, float], str]]:
        """The letters of the four sides that have one, each with its place and what of it is there."""
        width, height = self._size
        left, right, top, bottom = self._display.letters
        edge = self._line * 3
        sides = [
            (left, (edge, height / 2), "lm"),
            (right, (width - edge, height / 2), "rm"),
            (top, (width / 2, edge), "mt"),
            (bottom, (width / 2, height - edge), "mb"),
        ]
        return [side for side in sides if side[0]]

    def _letters(self) -> None:
        for text, place, anchor in self._sides():
            self._draw.text(place, text, _LETTER, self._bold, anchor, stroke_width=self._rim, stroke_fill=_RIM)

    def _write(self, at: tuple[float, float], text: str, colour: tuple[int, int, int]) -> None:
        """Words inside the picture, and where there is room not over those that stand there already."""
        if not text:
            return
        x0, y0, x1, y1 = self._draw.multiline_textbbox((0, 0), text, self._font, stroke_width=self._rim)
        wide, high = x1 - x0, y1 - y0
        lowest = max(self._size[1] - high - 6, 2.0)
        x = min(max(at[0], 2.0), max(self._size[0] - wide - 4, 2.0))
        wanted = min(max(at[1], 2.0), lowest)
        beside = [t for t in self._taken if x < t[2] and t[0] < x + wide]
        heights = [wanted, *(t[3] + 2 for t in beside), *(t[1] - high - 4 for t in beside)]
        free = [y for y in heights if 2.0 <= y <= lowest and not any(y < t[3] and t[1] < y + high + 2 for t in beside)]
        y = min(free, key=lambda one: abs(one - wanted), default=wanted)
        self._taken.append((x, y, x + wide, y + high + 2))
        self._draw.multiline_text((x, y), text, colour, self._font, stroke_width=self._rim, stroke_fill=_RIM)
