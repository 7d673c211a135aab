"""A plugin's parameters reach it before each run, whatever is asked of it, and leave nothing for the next one."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medviewer.domain.finding import Classification, Detections
from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image
from medviewer.domain.mask import Segmentation
from medviewer.domain.study import Series
from medviewer.errors import InputError, JobCancelled, PluginError
from medviewer.explain import submit_explanation
from medviewer.inference import base_weights, submit_check, submit_prediction
from medviewer.inference.clicking.clicks import respond
from medviewer.inference.loader import begin_run, load_code, load_plugin
from medviewer.inference.request import PluginRun, image_to_json
from medviewer.jobs import Runner, WorkerRequest
from medviewer.learning.cases import StoredCase, opened, training_pair
from medviewer.plugin_api import Manifest, Prompt, Prompts, RunContext
from medviewer.plugin_api.discovery import DiscoverResult
from tests.inference.click_plugins import write_click_plugin
from tests.inference.tiny_plugins import write_plugin

WAIT_S = 120.0
PARAMS: dict[str, Any] = {"shift": {"type": "number", "minimum": -99, "maximum": 9, "default": -0.5}}
BODY = """
    def configure(self, context):
        self.context = context
        self.shift = np.float32(context.parameters["shift"])

    def normalise(self, values):
        self.context.check()
        return values[None] + self.shift
"""


def _tuned(root: Path, **changes: Any) -> DiscoverResult:
    return write_plugin(root, "tuned", BODY, params=PARAMS, **{"inputs": {"size": [11, 13, 9]}, **changes})


def _answer(
    runner: Runner, image: Image, series: Series, plugin: DiscoverResult, chosen: dict[str, Any]
) -> Segmentation | Classification | Detections:
    weights = base_weights(plugin, plugin.folder)
    job = submit_prediction(runner, image, series, plugin, weights, "1", device="cpu", parameters=chosen)
    runner.wait(job, WAIT_S)
    return job.result()


def test_a_parameter_changes_the_answer_run_by_run(
    runner: Runner, tmp_path: Path, image: Image, series: Series
) -> None:
    """All in one warm process, whose plugin object stays."""
    plugin, everywhere = _tuned(tmp_path), image.voxels.size
    for chosen, found in (({}, 150), ({"shift": 1}, everywhere), ({"shift": -5}, 0), ({}, 150)):
        result = _answer(runner, image, series, plugin, chosen)
        assert isinstance(result, Segmentation)
        assert (result.labels > 0).sum() == found
        assert result.provenance.parameters == {"shift": -0.5, **chosen}


def test_a_classifier_takes_it_too(runner: Runner, tmp_path: Path, image: Image, series: Series) -> None:
    plugin = _tuned(tmp_path, labels=2, kinds=["classify"])
    (plugin.folder / "plugin.py").write_text(
        (plugin.folder / "plugin.py").read_text()
        + "    def class_probabilities(self, output):\n"
        + "        odds = output.mean().sigmoid()\n        return torch.stack([odds, 1 - odds])\n"
    )
    low, high = (_answer(runner, image, series, plugin, {"shift": shift}) for shift in (0, 1))
    assert isinstance(low, Classification)
    assert isinstance(high, Classification)
    assert high.probabilities["Part 1"] > low.probabilities["Part 1"] + 0.1


def test_an_explanation_takes_it_too(runner: Runner, tmp_path: Path, image: Image, series: Series) -> None:
    plugin = _tuned(tmp_path)
    weights = base_weights(plugin, tmp_path)
    for chosen, outside in (({"shift": 1}, True), ({}, False)):
        job = submit_explanation(runner, image, series, plugin, weights, "1", device="cpu", parameters=chosen)
        runner.wait(job, WAIT_S)
        assert job.result().provenance.parameters == {"shift": -0.5, **chosen}
        assert bool(job.result().values[0, 0, 0] > 0) is outside


def test_a_click_takes_it_too(tmp_path: Path) -> None:
    body = (
        "    def configure(self, context):\n        self.level = context.parameters['level']\n\n"
        "    def normalise(self, values):\n        return (values >= self.level).astype(np.float32)[None]\n"
    )
    plugin = write_click_plugin(tmp_path, "tuned_clicks", body)
    text = (plugin.folder / "plugin.yaml").read_text()
    (plugin.folder / "plugin.yaml").write_text(text + "params: {level: {type: integer, default: 2}}\n")
    voxels = np.zeros((12, 20, 24), np.int16)
    voxels[4:8, 4:16, 4:20], voxels[5:7, 8:12, 8:16] = 1, 3
    image = Image(voxels, Grid((12, 20, 24)), "MR")
    for chosen, size in (({}, 64), ({"level": 1}, 768), ({}, 64)):
        run = PluginRun(plugin.folder, plugin.folder / "weights.safetensors", device="cpu", parameters=chosen)
        payload = {
            "run": run.to_json(),
            "image": image_to_json(image),
            "key": "one image",
            "prompts": Prompts((Prompt("point", ((6, 10, 12),)),)).to_json(),
            "start": [0, 0, 0],
        }
        arrays = {"voxels": voxels, "previous": np.zeros((1, 1, 1), bool)}
        reply = respond(WorkerRequest(payload, arrays, tmp_path), RunContext())
        assert reply.arrays["inside"].astype(int).sum() == size


def test_training_takes_it_too(tmp_path: Path, image: Image) -> None:
    plugin = _tuned(tmp_path)
    run = PluginRun(plugin.folder, plugin.folder / "weights.safetensors", device="cpu")
    loaded = load_plugin(run, "cpu")
    case = StoredCase("1", image, (image.voxels > 0).astype(np.uint8))
    values = [
        training_pair(opened(replace(run, parameters=chosen), loaded, case, RunContext()), case.labels)[0]
        for chosen in ({"shift": 2.0}, {})
    ]
    assert float(values[0].min()) == 2
    assert float(values[1].min()) == -0.5


def test_a_method_that_takes_long_stops_when_the_run_is_cancelled(tmp_path: Path, image: Image) -> None:
    loaded = load_plugin(PluginRun(plugin := _tuned(tmp_path).folder, plugin / "weights.safetensors"), "cpu")
    cancelled = threading.Event()
    begin_run(loaded.manifest, loaded.plugin, {}, RunContext(cancelled=cancelled))
    cancelled.set()
    with pytest.raises(JobCancelled):
        loaded.plugin.normalise(np.zeros((3, 3, 3), np.float32))  # type: ignore[attr-defined]


def _begun(root: Path, name: str, body: str, chosen: dict[str, Any]) -> RunContext:
    plugin = write_plugin(root, name, body, params=PARAMS)
    manifest, made = load_code(plugin.folder)
    assert isinstance(manifest, Manifest)
    return begin_run(manifest, made, chosen, RunContext())


def test_what_a_plugin_does_to_its_parameters_stays_with_it(tmp_path: Path) -> None:
    body = "    def configure(self, context):\n        context.parameters.clear()\n"
    assert _begun(tmp_path, "clears", body, {}).parameters == {"shift": -0.5}


def test_a_plugin_may_refuse_and_its_faults_are_told(tmp_path: Path) -> None:
    body = "    def configure(self, context):\n        raise ValueError('no such pair')\n"
    with pytest.raises(PluginError, match=r"failed while taking its parameters \(ValueError: no such pair\)"):
        _begun(tmp_path, "refuses", body, {})
    with pytest.raises(InputError, match="10 is greater than the maximum of 9"):
        _begun(tmp_path, "tuned", BODY, {"shift": 10})


def _rows(runner: Runner, plugin: DiscoverResult) -> dict[str, tuple[bool, str]]:
    job = submit_check(runner, plugin, base_weights(plugin, plugin.folder), device="cpu")
    runner.wait(job, WAIT_S)
    return {row.name: (row.ok, row.text) for row in job.result()}


def test_the_suite_runs_other_values_and_the_defaults_again(runner: Runner, tmp_path: Path) -> None:
    rows = _rows(runner, _tuned(tmp_path))
    assert [name for name, (ok, _) in rows.items() if not ok] == []
    assert rows["parameters"][1] == "Other values of shift get a valid answer, and the defaults get theirs again."


@pytest.mark.parametrize(
    ("name", "body", "params", "words"),
    [
        ("deaf", "", PARAMS, "Expected Tiny to have configure(context)"),
        ("bare", BODY, {**PARAMS, "more": {"type": "number"}}, "but more has none"),
        (
            "sticky",
            BODY.replace("np.float32(", "min(getattr(self, 'shift', np.float32(9)), "),
            PARAMS,
            "replace in configure all that the last run left",
        ),
        (
            "brittle",
            BODY.replace("return values", "assert self.shift < 9\n        return values"),
            PARAMS,
            "failed while normalising the image (AssertionError)",
        ),
    ],
)
def test_the_suite_finds_parameters_that_do_not_work(
    runner: Runner, tmp_path: Path, name: str, body: str, params: dict[str, Any], words: str
) -> None:
    ok, text = _rows(runner, write_plugin(tmp_path, name, body, params=params))["parameters"]
    assert not ok
    assert words in text


def test_a_default_that_its_schema_forbids_is_told(runner: Runner, tmp_path: Path) -> None:
    plugin = write_plugin(tmp_path, "odd", BODY, params={"shift": {"type": "number", "maximum": 1, "default": 3}})
    assert _rows(runner, plugin) == {
        "entry": (False, "The parameter shift of Odd cannot be that: 3 is greater than the maximum of 1; choose "
                         "another value."),
    }  # fmt: skip
