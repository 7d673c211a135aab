"""PNG, JPEG and TIFF by Pillow: pictures without a patient, a place in him or a size in mm."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.geometry import Grid
from medviewer.domain.image import Dynamic, Image, Rescale, Window
from medviewer.domain.study import UNORIENTED_FILE, UNSIZED_FILE, PhaseAxis, Series, Warning
from medviewer.errors import UnreadableError
from medviewer.formats.apart import ask, stop_if
from medviewer.formats.bounds import MAX_PACKED, check_phases, check_size
from medviewer.formats.colours import grey_if_equal, on_black
from medviewer.formats.isolation import SharedBlock, Token, window
from medviewer.formats.sniff import head_of, kind_of

_ORIENTATION = 0x0112
"""EXIF tag: how the camera was held (EXIF 2.3, 4.6.4); 5 to 8 exchange rows and columns."""
_PHOTOMETRIC = 262
"""TIFF tag: 0 means that the lowest value is white (TIFF 6.0, PhotometricInterpretation)."""
_CAMERA = ("JPEG", "MPO")
"""What cameras write, in Pillow's names: a JPEG, or one with a preview behind it."""
_GREY = {"1": np.uint8, "L": np.uint8, "I": np.int32, "F": np.float32}
_DEEPEST = 4
"""Bytes of a pixel, at most: 32 bits of grey."""
_LOOK, _READ = "medviewer.formats.raster:read_pages", "medviewer.formats.raster:read_pixels_into"


@dataclass(frozen=True)
class Pages:
    """What a picture's header says.

    Parameters
    ----------
    size
        Rows and columns of the first page, as it is shown.
    count, left_out
        Pages of that size and kind, and pages of other ones.
    mode
        Pillow's name for the kind of pixels.
    """

    size: tuple[int, int]
    count: int
    left_out: int
    mode: str


def scan_raster(path: Path, uid: str) -> Series:
    """Read the header of one picture as a series; the pages of a TIFF are its phases.

    Raises
    ------
    UnreadableError
        If it is broken or of a kind that Pillow does not know.
    """
    pages = Pages(*ask(path.name, _LOOK, str(path)))
    warnings = [
        Warning("no-orientation", UNORIENTED_FILE),
        Warning("uncalibrated", UNSIZED_FILE),
    ]
    if pages.left_out:
        text = f"{pages.left_out} pages of {path.name} differ from the first in size or kind and were left out."
        warnings.append(Warning("several-volumes", text))
    rows, columns = pages.size
    values = tuple(float(k + 1) for k in range(pages.count))
    return Series(
        uid,
        "OT",
        path.stem,
        Grid((1, rows, columns)),
        (path,),
        "raster",
        calibrated=False,
        warnings=tuple(warnings),
        phases=PhaseAxis("page", values) if pages.count > 1 else None,
    )


def load_raster(
    series: Series,
    progress: Callable[[float, str], None] | None = None,
    cancelled: threading.Event | None = None,
) -> Image:
    """Read the pixels of a scanned picture; see `medviewer.formats.load`. Colours that are all grey become grey."""
    path = series.files[0]
    if progress is not None:
        progress(0.0, f"Reading {path.name}")
    stop_if(cancelled)
    pages = Pages(*ask(path.name, _LOOK, str(path), cancelled=cancelled))
    size = pages.count * pages.size[0] * pages.size[1] * _DEEPEST
    if size > MAX_PACKED:  # what deflate can shrink does not hold here: a blank JPEG or fax page shrinks more
        check_size(path.name, size, size, packed=True)
    with SharedBlock(size) as block:
        shape, dtype, inverted = ask(path.name, _READ, str(path), block.token, size=size, cancelled=cancelled)
        pixels: NDArray[Any] = block.array(shape, np.dtype(dtype))
    count = len(series.phases) if series.phases is not None else 1
    rows, columns = series.grid.shape[1:]
    if pixels.shape[:3] != (count, rows, columns):
        raise UnreadableError(f"{path.name} changed since it was looked at; scan its folder again.")
    if pixels.ndim == 4:
        pixels = grey_if_equal(pixels)
    voxels = pixels[:, None]
    if progress is not None:
        progress(1.0, f"Read {path.name}")
    axis = series.phases
    return Image(
        voxels=voxels[0],
        grid=series.grid,
        modality=series.modality,
        windows=(Window.from_limits(0, 255, "Full range"),) if voxels.ndim == 4 and voxels.dtype == np.uint8 else (),
        inverted=inverted,
        calibrated=False,
        series_uid=series.uid,
        dynamic=None if axis is None else Dynamic(axis, voxels, (Rescale(),) * len(axis)),
    )


def read_pages(path: str) -> tuple[tuple[int, int], int, int, str]:
    """Let Pillow read the header of every page: the fields of `Pages`.

    Raises
    ------
    UnreadableError
        If it cannot.
    """
    with _opened(path) as picture:
        size, mode = _shown_size(picture), picture.mode
        count = _frames(picture)
        check_phases(Path(path).name, count)
        same = sum(_is_like(picture, page, size, mode) for page in range(count))
        return size, same, count - same, mode


def read_pixels_into(path: str, token: Token) -> tuple[tuple[int, ...], str, bool]:
    """Let Pillow decode all pages like the first into shared memory.

    Returns
    -------
    The shape, (page, y, x) or (page, y, x, 3), the type, and whether low values are white.

    Raises
    ------
    UnreadableError
        If it cannot, or they need more than there is room for.
    """
    pages = Pages(*read_pages(path))
    with _opened(path) as picture:
        white = _white_is_zero(picture)
        found = [
            _pixels(picture) for page in range(_frames(picture)) if _is_like(picture, page, pages.size, pages.mode)
        ]
    first = found[0]
    shape = (len(found), *first.shape)
    if any(page.shape != first.shape for page in found) or len(found) * first.nbytes > token.size:
        raise UnreadableError(f"{Path(path).name} has pages that differ when they are decoded; save it again.")
    with window(token, 0, shape, first.dtype) as target:
        for page, pixels in enumerate(found):
            target[page] = pixels
    return shape, first.dtype.str, white


def _pixels(picture: Any) -> NDArray[Any]:
    from PIL import ImageOps

    picture.load()
    # Pillow turns a TIFF itself as it loads it
    turned = ImageOps.exif_transpose(picture) if picture.format in _CAMERA else picture
    mode = turned.mode
    if mode == "1":
        return np.asarray(turned, np.uint8) * np.uint8(255)
    if mode.startswith("I;16"):
        return np.asarray(turned).astype(np.uint16)
    if mode in _GREY:
        return np.asarray(turned, _GREY[mode])
    if mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in turned.info:
        straight = turned.convert("LA" if mode in ("LA", "La") else "RGBA")
        flat = on_black(np.asarray(straight))
        return flat[..., 0] if flat.shape[-1] == 1 else flat
    return np.asarray(turned.convert("RGB"))


def _frames(picture: Any) -> int:
    """Pages; only a TIFF's count: the second picture in a JPEG is a preview of the first."""
    return int(getattr(picture, "n_frames", 1)) if picture.format == "TIFF" else 1


def _is_like(picture: Any, page: int, size: tuple[int, int], mode: str) -> bool:
    """Go to a page, and say whether it is like the first."""
    if page != picture.tell():
        picture.seek(page)
    return picture.mode == mode and _shown_size(picture) == size


def _shown_size(picture: Any) -> tuple[int, int]:
    columns, rows = picture.size
    if picture.format in _CAMERA and picture.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8):
        return columns, rows
    return rows, columns


def _white_is_zero(picture: Any) -> bool:
    """Pillow turns bytes round itself, deeper grey not."""
    deep = picture.mode.startswith("I") or picture.mode == "F"
    return deep and picture.format == "TIFF" and bool(picture.tag_v2.get(_PHOTOMETRIC) == 0)


@contextmanager
def _opened(path: str) -> Iterator[Any]:
    """The picture; whatever Pillow raises over it is one error of ours."""
    from PIL import Image as Pillow

    name = Path(path).name
    kind = kind_of(head_of(Path(path)))
    if not kind.is_raster:
        raise UnreadableError(f"{name} is neither PNG, JPEG nor TIFF any more; scan its folder again.")
    try:
        # Not by its name: Pillow would map the file, which ends the program when it shrinks, and Pillow 13.0 turns a
        # mapped TIFF wrongly.
        with Path(path).open("rb") as file, Pillow.open(file, formats=(kind.value,)) as picture:
            yield picture
    except UnreadableError:
        raise
    except (Pillow.DecompressionBombError, Pillow.DecompressionBombWarning) as error:
        raise UnreadableError(
            f"{name} declares more pixels than a picture may have; cut or shrink it first.", details=str(error)
        ) from error
    except Exception as error:  # decoders of three formats raise whatever a damaged file leads them to
        raise UnreadableError(
            f"{name} is a damaged {kind.value} picture, or of a rare kind; save it again.", details=repr(error)
        ) from error
