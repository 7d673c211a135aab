"""PNG, JPEG and TIFF: every kind of pixel, pages, how the camera was held, and when a picture is listed."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import TiffImagePlugin

from medviewer.domain.study import is_usual
from medviewer.errors import UnreadableError
from medviewer.formats import load, scan, write_dicom_series
from tests.formats.conftest import STUDY, grid_of, image_of, series_of

RAMP = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20


def only(path: Path):
    result = scan([path])
    assert [warning.text for warning in result.warnings] == []
    [series] = result.series
    return series


def opened(path: Path):
    return load(only(path))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_grey_pictures_open_whatever_their_name(tmp_path, kind):
    path = tmp_path / "picture"
    Pillow.fromarray(RAMP).save(path, kind)
    series = only(path)
    assert (series.reader, series.modality, series.calibrated) == ("raster", "OT", False)
    assert [warning.code for warning in series.warnings] == ["no-orientation", "uncalibrated"]
    assert all(is_usual(warning.text) for warning in series.warnings)
    image = load(series)
    assert (image.grid.shape, image.voxels.dtype, image.calibrated) == ((1, 3, 4), np.uint8, False)
    assert image.windows[0].limits == (0, 255)
    np.testing.assert_allclose(image.voxels[0].astype(int), RAMP, atol=8 if kind == "JPEG" else 0)


@pytest.mark.parametrize(
    ("dtype", "suffix"),
    [(np.uint16, "png"), (np.uint16, "tif"), (np.int32, "tif"), (np.float32, "tif")],
)
def test_deep_grey_is_kept(tmp_path, dtype, suffix):
    values = (np.arange(12).reshape(3, 4) * 5000).astype(dtype)
    Pillow.fromarray(values).save(tmp_path / f"deep.{suffix}")
    image = opened(tmp_path / f"deep.{suffix}")
    assert image.voxels.dtype == dtype
    assert image.windows == ()
    np.testing.assert_array_equal(image.voxels[0], values)


def test_big_endian_and_white_is_zero(tmp_path):
    values = (np.arange(12).reshape(3, 4) * 5000).astype(">u2")
    Pillow.frombytes("I;16B", (4, 3), values.tobytes()).save(tmp_path / "big.tif")
    np.testing.assert_array_equal(opened(tmp_path / "big.tif").voxels[0], values)
    info = TiffImagePlugin.ImageFileDirectory_v2()
    info[262] = 0
    Pillow.fromarray(values.astype(np.uint16)).save(tmp_path / "white.tif", tiffinfo=info)
    data = (tmp_path / "white.tif").read_bytes()
    entry = struct.pack("<HHIHH", 262, 3, 1, 1, 0)
    (tmp_path / "white.tif").write_bytes(data.replace(entry, struct.pack("<HHIHH", 262, 3, 1, 0, 0)))
    assert opened(tmp_path / "white.tif").inverted


def test_bigtiff(tmp_path):
    Pillow.fromarray(RAMP).save(tmp_path / "big.tif", big_tiff=True)
    assert (tmp_path / "big.tif").read_bytes()[:4] == b"II+\0"
    np.testing.assert_array_equal(opened(tmp_path / "big.tif").voxels[0], RAMP)


def test_colour_palette_and_transparency(tmp_path):
    colours = np.random.default_rng(2).integers(0, 256, (3, 4, 3), dtype=np.uint8)
    Pillow.fromarray(colours).save(tmp_path / "rgb.png")
    np.testing.assert_array_equal(opened(tmp_path / "rgb.png").voxels[0], colours)
    palette = Pillow.fromarray(RAMP // 20).convert("P")
    palette.putpalette(bytes(range(36)) * 21 + bytes(12))
    palette.save(tmp_path / "palette.png")
    np.testing.assert_array_equal(
        opened(tmp_path / "palette.png").voxels[0, 0, 1], palette.convert("RGB").getpixel((1, 0))
    )
    alpha = np.dstack([colours, np.array([[255, 0, 128, 255]] * 3, np.uint8)])
    Pillow.fromarray(alpha).save(tmp_path / "rgba.png")
    flat = opened(tmp_path / "rgba.png").voxels[0]
    np.testing.assert_array_equal(flat[:, 0], colours[:, 0])
    assert not flat[:, 1].any()
    np.testing.assert_allclose(flat[:, 2], colours[:, 2] * (128 / 255), atol=1)
    Pillow.fromarray(np.dstack([RAMP, np.full_like(RAMP, 255)])).save(tmp_path / "la.png")
    np.testing.assert_array_equal(opened(tmp_path / "la.png").voxels[0], RAMP)
    Pillow.fromarray(RAMP > 100).save(tmp_path / "bits.png")
    np.testing.assert_array_equal(opened(tmp_path / "bits.png").voxels[0], (RAMP > 100) * 255)


def test_colours_that_are_all_grey_are_grey(tmp_path):
    Pillow.fromarray(RAMP).convert("RGB").save(tmp_path / "grey.png")
    image = opened(tmp_path / "grey.png")
    assert not image.is_colour
    np.testing.assert_array_equal(image.voxels[0], RAMP)


@pytest.mark.parametrize("held", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_the_picture_is_turned_as_the_camera_was_held(tmp_path, held, kind):
    exif = Pillow.Exif()
    exif[0x0112] = held
    Pillow.fromarray(np.kron(RAMP, np.ones((16, 16), np.uint8))).save(tmp_path / "a", kind, exif=exif, quality=95)
    series = only(tmp_path / "a")
    turned = {
        1: RAMP,
        2: RAMP[:, ::-1],
        3: RAMP[::-1, ::-1],
        4: RAMP[::-1],
        5: RAMP.T,
        6: np.rot90(RAMP, -1),
        7: np.rot90(RAMP, 2).T,
        8: np.rot90(RAMP),
    }[held]
    assert series.grid.shape == (1, *(16 * n for n in turned.shape))
    np.testing.assert_allclose(load(series).voxels[0, 8::16, 8::16].astype(int), turned, atol=4)


def test_pages_are_phases_and_odd_ones_are_told(tmp_path):
    pages = [Pillow.fromarray(RAMP + k) for k in range(4)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    series = only(tmp_path / "pages.tif")
    assert (series.phases.name, series.phases.values) == ("page", (1, 2, 3, 4))
    image = load(series)
    np.testing.assert_array_equal(image.dynamic.voxels[:, 0], [RAMP + k for k in range(4)])
    np.testing.assert_array_equal(image.at_phase(2).voxels[0], RAMP + 2)
    odd = [pages[1], Pillow.fromarray(RAMP.T.copy()), pages[2]]
    pages[0].save(tmp_path / "odd.tif", save_all=True, append_images=odd)
    series = only(tmp_path / "odd.tif")
    assert len(series.phases) == 3
    assert "1 pages of odd.tif" in series.warnings[2].text
    np.testing.assert_array_equal(load(series).at_phase(2).voxels[0], RAMP + 2)


def test_pictures_beside_medical_images_are_passed_over_unless_named(tmp_path):
    image = image_of(grid_of((3, 4, 5)))
    for name in ("disc", "photos"):
        (tmp_path / name).mkdir()
        Pillow.fromarray(RAMP).save(tmp_path / name / "logo.png")
    write_dicom_series(image, tmp_path / "disc", study=STUDY, series=series_of(image.grid))
    assert [s.reader for s in scan([tmp_path / "disc"]).series] == ["dicom"]
    both = scan([tmp_path / "disc", tmp_path / "photos"]).series
    assert sorted(s.reader for s in both) == ["dicom", "raster"]
    assert [s.reader for s in scan([tmp_path / "photos"]).series] == ["raster"]
    assert [s.reader for s in scan([tmp_path]).series] == ["dicom"]
    named = scan([tmp_path / "disc", tmp_path / "disc" / "logo.png"]).series
    assert sorted(s.reader for s in named) == ["dicom", "raster"]


def png(width: int, height: int) -> bytes:
    """A PNG that declares a size and holds a few bytes."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def test_bombs_and_damage_are_one_sentence(tmp_path):
    (tmp_path / "bomb.png").write_bytes(png(60_000, 60_000))
    assert "bomb.png declares more pixels" in scan([tmp_path / "bomb.png"]).warnings[0].text
    (tmp_path / "short.png").write_bytes(png(400, 400))
    with pytest.raises(UnreadableError, match=r"short\.png is a damaged PNG"):
        opened(tmp_path / "short.png")
    Pillow.fromarray(np.random.default_rng(0).integers(0, 255, (90, 90), np.uint8)).save(tmp_path / "cut.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "cut.jpg").read_bytes()[:2000])
    with pytest.raises(UnreadableError, match=r"cut\.jpg is a damaged JPEG"):
        opened(tmp_path / "cut.jpg")
    (tmp_path / "bad.tif").write_bytes(b"II*\0" + bytes(30))
    assert "bad.tif is a damaged TIFF" in scan([tmp_path / "bad.tif"]).warnings[0].text
