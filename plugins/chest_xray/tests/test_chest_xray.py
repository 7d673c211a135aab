"""The chest classifier with its real weights, on real films, through the program's own road."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from chest_xray.convert import convert_package
from chest_xray.network import ChestXception
from pydicom.data import get_testdata_file
from safetensors import safe_open

from medviewer.domain.finding import Classification
from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image
from medviewer.domain.study import Series
from medviewer.errors import PluginError, UnsuitableImageError, WeightsMissingError
from medviewer.explain import submit_explanation
from medviewer.formats import load, scan
from medviewer.inference import base_weights, submit_check, submit_prediction
from medviewer.inference.request import RunOptions
from medviewer.jobs import Runner
from medviewer.plugin_api.discovery import DiscoverResult

ROOT = Path(__file__).parents[3]
WAIT_S = 120.0


def _film(path: Path) -> tuple[Image, Series]:
    (series,) = scan([path]).series
    return load(series), series


def _classify(
    runner: Runner,
    plugin: DiscoverResult,
    weights: Path,
    image: Image,
    series: Series,
    options: RunOptions | None = None,
) -> Classification:
    job = submit_prediction(runner, image, series, plugin, weights, "1.0.0", device="cpu", options=options)
    runner.wait(job, WAIT_S)
    result = job.result()
    assert isinstance(result, Classification)
    return result


def test_an_adult_chest_is_normal(runner: Runner, chest: DiscoverResult, weights: Path) -> None:
    result = _classify(runner, chest, weights, *_film(ROOT / "resources" / "demo" / "chest"))
    assert list(result.probabilities) == ["NORMAL", "PNEUMONIA"]
    assert result.probabilities["PNEUMONIA"] == pytest.approx(0.06, abs=0.02)
    assert result.notes[0] == "Demonstration, not a validated model."


def test_an_adult_chest_is_unlike_the_childrens(runner: Runner, chest: DiscoverResult, weights: Path) -> None:
    result = _classify(runner, chest, weights, *_film(ROOT / "resources" / "demo" / "chest"))
    assert result.provenance.doubt.distance == pytest.approx(1.19, abs=0.05)
    assert result.abstained


def test_white_and_black_swapped_change_nothing(runner: Runner, chest: DiscoverResult, weights: Path) -> None:
    """The demo film is MONOCHROME1; the same film as MONOCHROME2 gets the same answer."""
    image, series = _film(ROOT / "resources" / "demo" / "chest")
    assert image.inverted
    swapped = replace(image, voxels=image.voxels.max() - image.voxels, inverted=False)
    first, second = (_classify(runner, chest, weights, one, series) for one in (image, swapped))
    # The automatic window cuts unequal tails, so a swap moves it a little.
    assert first.probabilities["PNEUMONIA"] == pytest.approx(second.probabilities["PNEUMONIA"], abs=0.03)


def test_thirteen_of_sixteen(
    runner: Runner, chest: DiscoverResult, weights: Path, pictures: dict[str, np.ndarray]
) -> None:
    """And none of them is flagged: the network knows them, which also shows that host and plugin look alike."""
    right = 0
    for name, picture in pictures.items():
        grid = Grid((1, *picture.shape))
        series = Series("1.2.3", "DX", "", grid, (), "raster", body_part="CHEST")
        result = _classify(runner, chest, weights, Image(picture[None], grid, "DX"), series)
        right += result.top[0] == ("NORMAL" if name.startswith("NORMAL") else "PNEUMONIA")
        assert (result.provenance.doubt.flags, result.abstained) == ((), False)
        assert result.provenance.doubt.distance == pytest.approx(0, abs=0.02)
    assert (right, len(pictures)) == (13, 16)


def test_a_leg_is_refused(runner: Runner, chest: DiscoverResult, weights: Path) -> None:
    path = get_testdata_file("RG3_UNCR.dcm")
    assert path is not None
    with pytest.raises(UnsuitableImageError, match="the body part CHEST, THORAX or LUNG, but this is EXTREMITY"):
        _classify(runner, chest, weights, *_film(Path(path)))


def test_a_leg_whose_header_says_nothing_gets_no_answer(runner: Runner, chest: DiscoverResult, weights: Path) -> None:
    """The network calls it pneumonia with 0.99; the film is unlike all that it was shown, and that is said."""
    path = get_testdata_file("RG3_UNCR.dcm")
    assert path is not None
    image, series = _film(Path(path))
    result = _classify(runner, chest, weights, image, replace(series, body_part="", view=""))
    assert result.top == ("PNEUMONIA", pytest.approx(0.99, abs=0.02))
    assert result.abstained
    assert result.provenance.doubt.outside
    assert result.provenance.doubt.distance == pytest.approx(1.54, abs=0.1)
    (flag,) = result.provenance.doubt.flags
    assert flag.startswith("This image is unlike those that Chest X-ray was trained on (1.5 times the limit)")
    assert flag in result.notes


def test_its_mirror_is_a_second_opinion(runner: Runner, chest: DiscoverResult, weights: Path) -> None:
    """Passes over mirrored films, averaged: no turn of the answer, and the same every time."""
    image, series = _film(ROOT / "resources" / "demo" / "chest")
    plain, *several = (
        _classify(runner, chest, weights, image, series, RunOptions(tta)) for tta in ("off", "fast", "fast")
    )
    first, second = (one.probabilities["PNEUMONIA"] for one in several)
    assert first == second != plain.probabilities["PNEUMONIA"]
    assert first == pytest.approx(plain.probabilities["PNEUMONIA"], abs=0.2)
    assert several[0].provenance.doubt.distance == pytest.approx(plain.provenance.doubt.distance)


def test_grad_cam_names_the_class(
    runner: Runner, chest: DiscoverResult, weights: Path, pictures: dict[str, np.ndarray]
) -> None:
    """A normal film is explained as normal, a sick child's as pneumonia, each with a map of its own."""
    child = pictures["person1946_bacteria_4874.jpeg"]
    grid = Grid((1, *child.shape))
    films = {
        "NORMAL": _film(ROOT / "resources" / "demo" / "chest"),
        "PNEUMONIA": (Image(child[None], grid, "DX"), Series("1.2.3", "DX", "", grid, (), "raster")),
    }
    for target, (image, series) in films.items():
        job = submit_explanation(runner, image, series, chest, weights, "1.0.0", device="cpu")
        runner.wait(job, WAIT_S)
        heatmap = job.result()
        assert heatmap.label == f"Grad-CAM of {target}, chest-xray, model 1.0.0"
        assert heatmap.values.shape == image.grid.shape
        assert heatmap.values.max() == 1
        assert 0.01 < float(heatmap.values.astype(np.float32).mean()) < 0.9


def test_the_contract(runner: Runner, chest: DiscoverResult, weights: Path) -> None:
    job = submit_check(runner, chest, weights, device="cpu")
    runner.wait(job, WAIT_S)
    assert [row.text for row in job.result() if not row.ok] == []


def test_weights_that_are_absent_say_how_to_get_them(runner: Runner, chest: DiscoverResult, tmp_path: Path) -> None:
    with pytest.raises(WeightsMissingError, match="run: medviewer plugin fetch chest-xray"):
        _classify(runner, chest, base_weights(chest, tmp_path), *_film(ROOT / "resources" / "demo" / "chest"))


def test_the_converted_weights_say_where_they_are_from(weights: Path) -> None:
    with safe_open(weights, "pt") as opened:
        assert opened.metadata()["source"].startswith("pneumonia_model_package-0.3.0")
        names = set(opened.keys())
    assert names == set(ChestXception().state_dict())


def test_a_package_of_something_else_is_said(tmp_path: Path) -> None:
    other = tmp_path / "other.whl"
    other.write_bytes(b"no zip")
    with pytest.raises(PluginError, match="should hold the network's weights"):
        convert_package(other, tmp_path / "weights.safetensors")
