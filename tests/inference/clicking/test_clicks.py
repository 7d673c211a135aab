"""Segmenting by clicks: what is found around a click comes back onto the image's grid, whatever the network's is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image
from medviewer.domain.mask import dice
from medviewer.domain.study import Series
from medviewer.errors import ContractError, JobCancelled, ManifestError
from medviewer.inference.clicking import interactive
from medviewer.inference.clicking.interactive import Answer, Part, submit_prompts
from medviewer.inference.preparing.frame import frame_of
from medviewer.inference.preparing.pieces import Piece, linear, mask_to_frame, to_source
from medviewer.jobs import Job, Runner, WorkerRequest
from medviewer.jobs.job import Outcome
from medviewer.jobs.state import FinishReason
from medviewer.jobs.worker import resolve
from medviewer.plugin_api import Prompt, Prompts, RunContext
from medviewer.plugin_api.discovery import DiscoverResult
from medviewer.plugin_api.spec import Inputs, Windows
from tests.inference.click_plugins import write_click_plugin
from tests.inference.tiny_plugins import write_plugin

SHAPE, SPACING = (30, 40, 48), (2.0, 1.0, 1.25)
NOTHING = Part((0, 0, 0), np.zeros((1, 1, 1), bool))
OBLIQUE = (0.0, 0.6, 0.8, 0.0, -0.8, 0.6, 1.0, 0.0, 0.0)


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    made = Runner(tmp_path_factory.mktemp("scratch"))
    yield made
    made.shutdown()


def ellipsoid(centre: tuple[float, ...], radii: tuple[float, ...]) -> NDArray[np.bool_]:
    index = np.indices(SHAPE, float)
    terms = [((axis - c) / r) ** 2 for axis, c, r in zip(index, centre, radii, strict=True)]
    inside: NDArray[np.bool_] = np.sum(terms, axis=0) < 1
    return inside


SMALL, TWIN = ellipsoid((14, 15, 14), (4, 6, 5)), ellipsoid((14, 15, 34), (4, 6, 5))
LARGE = ellipsoid((15, 20, 24), (11, 16, 19))


class Here:
    """Stands for a runner: the child's work is done in this process, which takes no time to start."""

    def submit_process(
        self, entry: str, payload: dict[str, Any], arrays: dict[str, Any], *, convert: Any, **_: object
    ) -> Job[Answer]:
        reply = resolve(entry)(WorkerRequest(json.loads(json.dumps(payload)), arrays, Path()), RunContext())
        job: Job[Answer] = Job("Clicks", lambda _: None)
        job._begin()
        job._finish(Outcome(FinishReason.DONE, convert(reply)))
        return job


def asked(
    runner: Runner | Here, plugin: DiscoverResult, truth: NDArray[np.bool_], marks: tuple[Prompt, ...], previous: Part
) -> Job[Answer]:
    """Click into an oblique image that is 1 inside the truth and 0 elsewhere."""
    grid = Grid(SHAPE, SPACING, (5.0, -3.0, 8.0), OBLIQUE)
    image, series = Image(truth.astype(np.int16), grid, modality="MR"), Series("1.2", "MR", "", grid, (), "nifti")
    weights = plugin.folder / "weights.safetensors"
    door = cast(Runner, runner)
    return submit_prompts(door, image, series, plugin, weights, "1.0.0", Prompts(marks), previous, device="cpu")


def after(answer: Answer, previous: Part = NOTHING) -> NDArray[np.bool_]:
    """The mask as it is then."""
    mask = np.zeros(SHAPE, bool)
    mask[previous.box] = previous.inside
    mask[answer.part.box] = answer.part.inside
    return mask


def ask(
    plugin: DiscoverResult, truth: NDArray[np.bool_], marks: tuple[Prompt, ...], previous: Part = NOTHING
) -> tuple[NDArray[np.bool_], Answer]:
    answer = asked(Here(), plugin, truth, marks, previous).result()
    return after(answer, previous), answer


def point(*at: float, positive: bool = True) -> Prompt:
    z, y, x = at
    return Prompt("point", ((z, y, x),), positive)


@pytest.mark.parametrize(
    ("name", "inputs", "close"),
    [
        ("own_axes", {}, 1.0),
        ("turned", {"orientation": "RAS"}, 1.0),
        ("finer", {"orientation": "SPL", "spacing": [1.0, 0.8, 0.9]}, 0.93),
    ],
)
def test_a_click_finds_what_is_under_it(tmp_path: Path, name: str, inputs: dict[str, object], close: float) -> None:
    plugin = write_click_plugin(tmp_path, name, **inputs)
    mask, answer = ask(plugin, SMALL | TWIN, (point(14, 15, 14),))
    assert dice(mask, SMALL) >= close
    assert not (mask & TWIN).any()
    assert answer.provenance.plugin_id == plugin.id
    assert answer.provenance.model_version == "1.0.0"
    assert len(answer.provenance.input_hash) == 64
    again, _ = ask(plugin, SMALL | TWIN, (point(14, 15, 14),))  # by the image that is ready by now
    assert np.array_equal(again, mask)


def test_a_structure_larger_than_the_piece_is_seen_from_further_away(tmp_path: Path) -> None:
    plugin = write_click_plugin(tmp_path, "far")
    mask, answer = ask(plugin, LARGE, (point(15, 20, 24),))
    assert dice(mask, LARGE) > 0.9
    assert all(size > roi for size, roi in zip(answer.part.inside.shape, (12, 20, 24), strict=True))


def test_the_mask_so_far_and_what_does_not_belong_reach_the_network(tmp_path: Path) -> None:
    plugin = write_click_plugin(tmp_path, "corrected")
    both = Part.of(SMALL | TWIN)
    mask, _ = ask(plugin, SMALL | TWIN, (point(14, 15, 34, positive=False),), both)
    assert np.array_equal(mask, SMALL)
    added, _ = ask(plugin, SMALL | TWIN, (point(14, 15, 34),), Part.of(SMALL))
    assert np.array_equal(added, SMALL | TWIN)


def test_a_box_is_seen_whole(tmp_path: Path) -> None:
    plugin = write_click_plugin(tmp_path, "boxes", windows={"roi": [12, 16, 16]})
    mask, _ = ask(plugin, LARGE, (Prompt("box", ((15, 6, 8), (15, 34, 40))),))
    assert dice(mask, LARGE) > 0.85


def test_without_a_prompt_only_the_image_is_made_ready(tmp_path: Path) -> None:
    mask, answer = ask(write_click_plugin(tmp_path, "ready"), SMALL, ())
    assert not mask.any()
    assert answer.part.inside.shape == (1, 1, 1)


def test_a_click_that_another_takes_over_stops(runner: Runner, tmp_path: Path) -> None:
    plugin = write_click_plugin(tmp_path, "child")
    first = asked(runner, plugin, SMALL, (point(1, 1, 1),), NOTHING)
    second = asked(runner, plugin, SMALL, (point(1, 1, 1), point(14, 15, 14)), NOTHING)
    first.cancel()
    runner.wait(second, 60)
    assert isinstance(first.error, JobCancelled)
    assert np.array_equal(after(second.result()), SMALL)


def test_channels_of_another_shape_are_the_plugins_mistake(tmp_path: Path) -> None:
    wrong = (
        "    def encode_prompts(self, prompts, previous, zoom):\n        return np.zeros((3, 2, 2, 2), np.float32)\n"
    )
    with pytest.raises(ContractError, match=r"float32 channels of \(12, 20, 24\), not \(3, 2, 2, 2\)"):
        ask(write_click_plugin(tmp_path, "wrong", wrong), SMALL, (point(14, 15, 14),))


def test_a_plugin_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="should answer clicks, but its kinds are segment"):
        ask(write_plugin(tmp_path, "segments"), SMALL, (point(14, 15, 14),))


sizes = st.integers(1, 9)
shapes = st.tuples(sizes, sizes, sizes)


@given(shapes, st.tuples(*[st.integers(-6, 12)] * 3), shapes)
def test_a_near_piece_shows_the_volume_and_zeros_beyond_it(
    bounds: tuple[int, int, int], centre: tuple[int, int, int], size: tuple[int, int, int]
) -> None:
    import torch

    values = torch.arange(1, 1 + int(np.prod(bounds))).reshape(1, *bounds).float()
    piece = Piece.around(centre, size, 1.0, flat=False)
    found = piece.cut(values)[0].numpy()
    mask = piece.cut_mask(values[0].numpy() > 0)
    for index in np.ndindex(*size):
        place = tuple(i + s for i, s in zip(index, piece.start, strict=True))
        inside = all(0 <= p < b for p, b in zip(place, bounds, strict=True))
        assert found[index] == (float(values[0][place]) if inside else 0)
        assert mask[index] == inside
    assert np.allclose(piece.index(np.array([centre], float)), np.array(centre) - np.array(piece.start))


@given(
    st.sampled_from(["", "RAS", "SPL", "LPI", "AIR"]),
    shapes,
    st.data(),
)
def test_a_mask_goes_to_the_networks_axes_and_back(
    orientation: str, shape: tuple[int, int, int], data: st.DataObject
) -> None:
    inputs = Inputs(orientation=orientation, windows=Windows(roi=(4, 4, 4)))
    frame = frame_of(inputs, Grid(shape, SPACING, direction=OBLIQUE))
    mask = np.random.default_rng(data.draw(st.integers(0, 99))).random(shape) < 0.5
    turned = mask_to_frame((0, 0, 0), mask, frame)
    low = [data.draw(st.integers(0, n - 1)) for n in frame.shape]
    high = [data.draw(st.integers(a + 1, n)) for a, n in zip(low, frame.shape, strict=True)]
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    start, found = to_source((low[0], low[1], low[2]), turned[box].astype(np.float32), frame)
    place = tuple(slice(a, a + n) for a, n in zip(start, found.shape, strict=True))
    assert np.array_equal(found > 0.5, mask[place])


@given(shapes)
def test_interpolating_at_the_voxels_changes_nothing(shape: tuple[int, int, int]) -> None:
    values = np.random.default_rng(0).random(shape, np.float32)
    assert np.allclose(linear(values, [np.arange(n, dtype=float) for n in shape]), values)


@given(st.integers(0, 2**32 - 1), st.floats(0, 0.2))
def test_a_label_is_found_slice_by_slice_as_in_the_whole_map(seed: int, share: float) -> None:
    labels = (np.random.default_rng(seed).random((4, 5, 6)) < share).astype(np.uint8) * 3
    found, wanted = Part.of_label(labels, 3), Part.of(labels == 3)
    assert found.start == wanted.start
    np.testing.assert_array_equal(found.inside, wanted.inside)


def test_a_phase_has_one_name_however_often_it_is_cut_out_of_all_phases() -> None:
    phases = np.zeros((3, *SHAPE), np.int16)
    names = [interactive._key(Image(phases[k], Grid(SHAPE, SPACING))) for k in (0, 1, 0, 1, 2)]
    assert names[:2] == names[2:4]
    assert len(set(names)) == 3
    assert interactive._key(Image(phases.copy()[0], Grid(SHAPE, SPACING))) not in names
