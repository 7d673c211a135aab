"""What travels to the child arrives unchanged."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from medviewer.domain.image import Image, Lut, Rescale, Window
from medviewer.inference.request import PluginRun, image_from_json, image_to_json, input_hash


def test_an_image_comes_back_from_json(image: Image) -> None:
    sent = replace(
        image,
        rescale=Rescale(tuple(range(1, 12)), tuple(range(11)), "HU"),
        windows=(Window(40.0, 400.0, "Abdomen"),),
        inverted=True,
        calibrated=False,
        padding=(-5.0, -3.0),
    )
    came = image_from_json(json.loads(json.dumps(image_to_json(sent))), sent.voxels)
    assert image_to_json(came) == image_to_json(sent)
    assert came.grid == sent.grid
    assert came.rescale == sent.rescale
    assert came.windows == sent.windows
    assert (came.inverted, came.calibrated, came.padding) == (True, False, (-5.0, -3.0))


def test_tables_to_real_values_travel_and_tables_to_grey_do_not(image: Image) -> None:
    lut = Lut(-3, np.array([1, 5, 4000], np.uint16), 12)
    sent = replace(image, lut=lut, windows=(Window(0, 2, lut=lut), Window(1, 2, "", "SIGMOID")))
    came = image_from_json(json.loads(json.dumps(image_to_json(sent))), sent.voxels)
    assert came.windows == (Window(1, 2, "", "SIGMOID"),)
    np.testing.assert_array_equal(came.real(), sent.real())
    data = image_to_json(image)
    del data["lut"]  # a case of the queue from before there were tables
    assert image_from_json(data, image.voxels).lut is None


def test_a_run_comes_back_from_json() -> None:
    run = PluginRun(Path("a/b"), Path("c.safetensors"), "f" * 64, "1.0.0", "cpu", {"keep": 2})
    assert PluginRun.from_json(json.loads(json.dumps(run.to_json()))) == run


def test_the_hash_knows_voxels_type_and_place(image: Image) -> None:
    moved = replace(image, grid=replace(image.grid, origin=(0.0, 0.0, 0.0)))
    changed = replace(image, voxels=image.voxels + np.int16(1))
    wider = replace(image, voxels=image.voxels.astype(np.int32))
    assert len({input_hash(one) for one in (image, moved, changed, wider)}) == 4
    assert input_hash(image) == input_hash(replace(image, voxels=np.asfortranarray(image.voxels)))
