"""What a plugin refuses, and in which words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medviewer.domain.geometry import Grid
from medviewer.domain.image import Dynamic, Image, Rescale
from medviewer.domain.study import PhaseAxis, Series
from medviewer.errors import UnsuitableImageError
from medviewer.inference import check_suitable
from medviewer.inference.suitability import doubts
from medviewer.plugin_api import Manifest
from medviewer.plugin_api.manifest import read_manifest

PLUGINS = Path(__file__).parents[2] / "plugins"
CHEST, BRAIN = (read_manifest(PLUGINS / name) for name in ("chest_xray", "brain_extraction"))


def _film(**header: str) -> tuple[Image, Series]:
    grid = Grid((1, 4, 5))
    series = Series("1.2", header.pop("modality", "DX"), "", grid, (), "dicom", **header)
    return Image(np.zeros(grid.shape, np.uint16), grid, series.modality), series


def _head(modality: str = "MR", slices: int = 6, body_part: str = "") -> tuple[Image, Series]:
    grid = Grid((slices, 4, 5))
    return (
        Image(np.zeros(grid.shape, np.int16), grid, modality),
        Series("1.2", modality, "", grid, (), "dicom", body_part=body_part),
    )


@pytest.mark.parametrize("modality", ["CR", "DX", "DR"])
@pytest.mark.parametrize(
    "header", [{}, {"body_part": "CHEST"}, {"body_part": " chest "}, {"view": "PA"}, {"view": "ap"}]
)
def test_chest_films_pass(modality: str, header: dict[str, str]) -> None:
    check_suitable(CHEST, *_film(modality=modality, **header))


@pytest.mark.parametrize(
    ("manifest", "pair", "words"),
    [
        (CHEST, _film(modality="MG"), ("modality CR, DX or DR", "this is MG")),
        (CHEST, _film(modality="CR", body_part="EXTREMITY", view="AP"), ("the body part CHEST", "this is EXTREMITY")),
        (CHEST, _film(body_part="CHEST", view="LL"), ("the view PA or AP", "this is LL")),
        (CHEST, _head("DX"), ("a single picture", "6 slices")),
        (BRAIN, _head("CT"), ("modality MR", "this is CT")),
        (BRAIN, _head(slices=1), ("a volume of several slices", "1 slice;")),
        (BRAIN, _head(body_part="KNEE"), ("the body part HEAD", "this is KNEE")),
    ],
)
def test_refusals_say_what_was_expected_and_what_came(
    manifest: Manifest, pair: tuple[Image, Series], words: tuple[str, ...]
) -> None:
    with pytest.raises(UnsuitableImageError) as caught:
        check_suitable(manifest, *pair)
    for word in (manifest.name, *words, "choose a series that fits."):
        assert word in str(caught.value)


def test_a_silent_header_is_refused_only_where_the_body_part_is_required() -> None:
    strict = CHEST.model_copy(update={"inputs": CHEST.inputs.model_copy(update={"require_body_part": True})})
    check_suitable(CHEST, *_film())
    with pytest.raises(UnsuitableImageError, match="nothing in the header"):
        check_suitable(strict, *_film())


def test_colour_is_refused() -> None:
    image, series = _film()
    colour = replace(image, voxels=np.zeros((1, 4, 5, 3), np.uint8))
    with pytest.raises(UnsuitableImageError, match="expects grey images, but this is colour"):
        check_suitable(CHEST, colour, series)


def test_the_series_says_the_modality_where_the_image_does_not() -> None:
    image, series = _film(modality="CR")
    check_suitable(CHEST, replace(image, modality="OT"), series)
    with pytest.raises(UnsuitableImageError):
        check_suitable(CHEST, replace(image, modality="OT"), replace(series, modality="OT"))


def test_a_format_that_names_no_modality_passes_with_a_doubt() -> None:
    image, series = _head("OT")
    nifti = replace(series, reader="nifti")

    check_suitable(BRAIN, image, nifti)

    assert doubts(BRAIN, image, nifti) == ("The file does not say its modality; Brain extraction is made for MR.",)
    assert doubts(BRAIN, *_head("MR")) == ()


def test_dicom_that_says_other_is_refused() -> None:
    with pytest.raises(UnsuitableImageError, match="this is OT"):
        check_suitable(BRAIN, *_head("OT"))


def test_which_phase_was_looked_at_is_told() -> None:
    image, series = _head("MR")
    axis = PhaseAxis("time", (0.0, 2.5, 5.0), "s")
    voxels = np.zeros((3, *image.grid.shape), np.int16)
    film = replace(image, voxels=voxels[0], dynamic=Dynamic(axis, voxels, (Rescale(),) * 3))
    assert doubts(BRAIN, film.at_phase(1), series) == ("Made from time 2 of 3 (2.5 s), and from no other.",)
    counted = replace(film, dynamic=replace(film.dynamic, axis=PhaseAxis("frame", (1, 2, 3))))
    assert doubts(BRAIN, counted, series) == ("Made from frame 1 of 3, and from no other.",)
