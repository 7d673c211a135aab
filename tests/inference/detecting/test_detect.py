"""Boxes from the network's windows to the source grid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from medviewer.domain.finding import Detection, Detections
from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image
from medviewer.domain.study import Series
from medviewer.errors import ContractError, JobCancelled
from medviewer.inference import base_weights, submit_prediction
from medviewer.inference.detecting.detect import checked, count_flags, on_source
from medviewer.inference.detecting.nms import suppress
from medviewer.inference.preparing.frame import frame_of
from medviewer.inference.request import RunOptions
from medviewer.jobs import Runner
from medviewer.plugin_api.spec import Inputs
from tests.inference.tiny_detector import EDGE, write_detector

OBLIQUE = Grid((30, 26, 34), (2.5, 0.8, 1.1), (-30.0, 12.0, 70.0), (0.0, 0.6, 0.8, 0.0, -0.8, 0.6, 1.0, 0.0, 0.0))
PLACES = ((0, 0, 0), (8, 5, 10), (17, 20, 30), (26, 4, 4), (9, 18, 20))
"""Lower corners of the blobs: at edges of the image, across windows, and in the middle of one."""


def blobs(shape: tuple[int, int, int], places: tuple[tuple[int, int, int], ...]) -> np.ndarray:
    voxels = np.zeros(shape, np.int16)
    for z, y, x in places:
        voxels[z : z + EDGE, y : y + EDGE, x : x + EDGE] = 1
    return voxels


def run(runner: Runner, plugin: Any, tmp_path: Path, image: Image, **options: Any) -> Detections:
    series = Series(image.series_uid, "CT", "Thorax", image.grid, (Path("a.dcm"),), "dicom")
    job = submit_prediction(
        runner, image, series, plugin, base_weights(plugin, tmp_path), "1.0.0", device="cpu", options=options.get("how")
    )
    runner.wait(job, 120)
    result = job.result()
    assert isinstance(result, Detections)
    return result


def corners(found: Detections) -> set[tuple[int, ...]]:
    rounded = {tuple(round(edge, 3) for edge in (*one.low, *one.high)) for one in found.found}
    assert len(rounded) == len(found.found)
    return {tuple(int(edge) for edge in box) for box in rounded}


WANTED = {(z, y, x, z + EDGE, y + EDGE, x + EDGE) for z, y, x in PLACES}


@pytest.mark.parametrize(
    ("inputs", "how"),
    [
        ({}, RunOptions()),
        ({"orientation": "RAS"}, RunOptions()),
        ({}, RunOptions(tta="full")),
        ({"orientation": "ILP"}, RunOptions(tta="fast")),
    ],
)
def test_blobs_are_found_where_they_are_and_once(
    runner: Runner, tmp_path: Path, inputs: dict[str, Any], how: RunOptions
) -> None:
    plugin = write_detector(tmp_path, inputs=inputs)
    image = Image(blobs(OBLIQUE.shape, PLACES), OBLIQUE, "CT", series_uid="1.2.3")
    found = run(runner, plugin, tmp_path, image, how=how)
    assert corners(found) == WANTED
    assert (found.grid, found.series_uid, found.provenance.plugin_id) == (OBLIQUE, "1.2.3", "blobs")
    assert all(one.score == pytest.approx(1) and one.label == "Blob 1" for one in found.found)


def test_boxes_of_a_resampled_image_lie_on_the_source_grid(runner: Runner, tmp_path: Path) -> None:
    # Twice as fine as the network's grid: a blob of 8 voxels an axis there is one of 4 here.
    grid = Grid((60, 52, 68), (0.5, 0.5, 0.5))
    fine = blobs((30, 26, 34), PLACES[1:2]).repeat(2, 0).repeat(2, 1).repeat(2, 2)
    plugin = write_detector(tmp_path, inputs={"spacing": [1, 1, 1], "interpolation": "nearest"})
    (one,) = run(runner, plugin, tmp_path, Image(fine, grid, "CT", series_uid="1")).found
    assert one.low == pytest.approx((16, 10, 20), abs=0.01)
    assert one.high == pytest.approx((24, 18, 28), abs=0.01)
    assert one.centre == pytest.approx((19.5, 13.5, 23.5), abs=0.01)


def test_a_picture_has_boxes_of_one_slice(runner: Runner, tmp_path: Path) -> None:
    voxels = np.zeros((1, 40, 32), np.uint8)
    voxels[0, 10:14, 20:24] = 1
    plugin = write_detector(tmp_path, ndim=2)
    (one,) = run(runner, plugin, tmp_path, Image(voxels, Grid((1, 40, 32)), "DX", series_uid="1")).found
    assert (one.low, one.high) == ((0, 10, 20), (1, 14, 24))


def test_nothing_found_is_an_answer_and_a_wrong_number_is_flagged(runner: Runner, tmp_path: Path) -> None:
    labels = [{"name": "Blob", "expected_count": [2, 4]}]
    plugin = write_detector(tmp_path, outputs={"labels": labels})
    image = Image(blobs(OBLIQUE.shape, ()), OBLIQUE, "CT", series_uid="1")
    found = run(runner, plugin, tmp_path, image)
    assert found.found == ()
    assert "Blob was found 0 times, where 2 to 4 should be: check this result." in found.provenance.doubt.flags
    assert plugin.manifest
    assert count_flags(plugin.manifest, np.zeros(3, int)) == ()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (torch.zeros(3), "three tensors"),
        ((torch.zeros(2, 4), torch.zeros(2), torch.zeros(2, dtype=torch.long)), r"shapes \(n, 6\)"),
        ((torch.zeros(2, 6), torch.zeros(3), torch.zeros(2, dtype=torch.long)), r"shapes \(n, 6\)"),
        ((torch.zeros(2, 6), torch.zeros(2), torch.zeros(2)), "whole ones, not torch.float32, torch.float32"),
        ((torch.full((1, 6), torch.nan), torch.ones(1), torch.zeros(1, dtype=torch.long)), "not a number"),
        ((torch.zeros(1, 6), torch.full((1,), 3.0), torch.zeros(1, dtype=torch.long)), "scores in 0 to 1, not 3 to 3"),
        ((torch.zeros(1, 6), torch.ones(1), torch.ones(1, dtype=torch.long)), "declares 1 labels, but found 1 to 1"),
        ((torch.zeros(10_001, 6), torch.ones(10_001), torch.zeros(10_001, dtype=torch.long)), "nobody can read"),
    ],
)
def test_answers_of_another_form_are_refused(tmp_path: Path, answer: object, words: str) -> None:
    manifest = write_detector(tmp_path).manifest
    assert manifest
    with pytest.raises(ContractError, match=words):
        checked(manifest, answer)


BOXES = arrays.arrays(np.int64, st.tuples(st.integers(0, 12), st.just(6)), elements=st.integers(0, 9))


@given(BOXES, st.randoms())
def test_what_is_suppressed_overlaps_a_surer_one_that_stays(numbers: np.ndarray, random: Any) -> None:
    low = numbers[:, :3]
    boxes = torch.from_numpy(np.concatenate([low, low + numbers[:, 3:] + 1], axis=1)).float()
    scores = torch.tensor([random.random() for _ in boxes])
    labels = torch.tensor([random.randrange(2) for _ in boxes], dtype=torch.long)
    kept = suppress(boxes, scores, labels).tolist()
    assert sorted(scores[kept].tolist(), reverse=True) == scores[kept].tolist()

    def same(a: int, b: int) -> bool:
        one, two = boxes[a].numpy(), boxes[b].numpy()
        shared = np.prod(np.clip(np.minimum(one[3:], two[3:]) - np.maximum(one[:3], two[:3]), 0, None))
        sizes = [float(np.prod(box[3:] - box[:3])) for box in (one, two)]
        meets = shared / (sum(sizes) - shared) > 0.3 or shared / min(sizes) > 0.7
        return bool(meets) and bool(labels[a] == labels[b])

    assert not any(same(a, b) for a in kept for b in kept if a != b)
    for gone in set(range(len(boxes))) - set(kept):
        assert any(same(gone, stays) and scores[stays] >= scores[gone] for stays in kept)


def test_a_cancel_is_heard_between_the_boxes_that_stay() -> None:
    apart = torch.arange(100.0)[:, None] * 10 + torch.tensor([0.0, 0, 0, 1, 1, 1])
    looks: list[int] = []

    def check() -> None:
        looks.append(len(looks))
        if len(looks) == 7:
            raise JobCancelled("The run was cancelled.")

    with pytest.raises(JobCancelled):
        suppress(apart, torch.ones(100), torch.zeros(100, dtype=torch.long), check)
    assert len(looks) == 7


@given(st.integers(1, 9), st.integers(1, 9), st.sampled_from(["", "SPL", "RAS", "ILP"]))
def test_a_box_keeps_its_place_in_the_world(start: int, size: int, orientation: str) -> None:
    inputs = Inputs(size=(15, 52, 17), orientation=orientation)
    frame = frame_of(inputs, OBLIQUE)
    box = np.array([[start, start, start, start + size, start + size, start + size]], float)
    (found,) = on_source(box, frame)
    ends = [frame.grid.index_to_world(box[0, part] - 0.5) for part in (slice(0, 3), slice(3, 6))]
    back = np.sort([OBLIQUE.world_to_index(end) for end in ends], axis=0) + 0.5
    np.testing.assert_allclose(found.reshape(2, 3), back, atol=1e-6)


def test_a_detection_knows_its_slices_and_its_size() -> None:
    one = Detection("Nodule", 0.9, (2.5, 3.0, 4.0), (4.0, 6.0, 8.0))
    assert [k for k in range(8) if one.touches(0, k)] == [2, 3]
    assert one.size_mm(OBLIQUE) == pytest.approx((3.75, 2.4, 4.4))
