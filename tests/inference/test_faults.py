"""Each way a plugin can fail gives one clear sentence, and the next plugin runs as if nothing had been."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from medviewer.domain.image import Image
from medviewer.domain.study import Series
from medviewer.errors import JobCancelled, JobTimeout, ManifestError, PluginError, WorkerDied
from medviewer.inference import base_weights, submit_check, submit_prediction
from medviewer.jobs import Runner
from tests.inference.tiny_plugins import FAULTS, write_plugin

WAIT_S = 120.0


def _is_one_sentence(text: str) -> bool:
    return text.endswith(".") and "\n" not in text and len(text) < 400


def test_every_fault_gives_one_sentence(runner: Runner, tmp_path: Path, image: Image, series: Series) -> None:
    for name, fault in FAULTS.items():
        plugin = write_plugin(tmp_path, name, fault.body)
        job = submit_prediction(runner, image, series, plugin, base_weights(plugin, tmp_path), "1.2.3", device="cpu")
        # One lane for all: a worker that died has to come back by itself.
        runner.wait(job, WAIT_S)
        assert isinstance(job.error, PluginError | WorkerDied), name
        assert _is_one_sentence(str(job.error)), str(job.error)
        for word in fault.words:
            assert word in str(job.error), f"{name}: {word!r} is not in {str(job.error)!r}"
    healthy = write_plugin(tmp_path, "healthy")
    job = submit_prediction(runner, image, series, healthy, base_weights(healthy, tmp_path), "1.2.3", device="cpu")
    runner.wait(job, WAIT_S)
    assert job.result() is not None


def test_a_plugin_that_hangs_is_ended(runner: Runner, tmp_path: Path, image: Image, series: Series) -> None:
    body = "    def normalise(self, values):\n        time.sleep(1000)\n"
    plugin = write_plugin(tmp_path, "hangs", body)
    job = submit_prediction(runner, image, series, plugin, base_weights(plugin, tmp_path), "1", device="cpu")
    job.progressed.connect(lambda fraction, message: job.cancel() if fraction > 0 else None)
    runner.wait(job, WAIT_S)
    assert isinstance(job.error, JobCancelled)


def test_a_plugin_that_falls_silent_times_out(
    runner: Runner, tmp_path: Path, image: Image, series: Series, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medviewer.inference.client.SILENCE_S", 3.0)
    body = "    def normalise(self, values):\n        time.sleep(1000)\n"
    plugin = write_plugin(tmp_path, "silent", body)
    job = submit_prediction(runner, image, series, plugin, base_weights(plugin, tmp_path), "1", device="cpu")
    runner.wait(job, WAIT_S)
    assert isinstance(job.error, JobTimeout)
    assert _is_one_sentence(str(job.error))


def test_a_broken_manifest_is_refused_before_a_job(
    runner: Runner, tmp_path: Path, image: Image, series: Series
) -> None:
    plugin = write_plugin(tmp_path, "broken", api=99)
    with pytest.raises(ManifestError, match="plugin API 1, not 99"):
        submit_prediction(runner, image, series, plugin, tmp_path / "weights.safetensors", "1")


def test_an_entry_that_is_not_there(runner: Runner, tmp_path: Path) -> None:
    plugin = write_plugin(tmp_path, "elsewhere", entry="elsewhere.plugin:Missing")
    job = submit_check(runner, plugin, base_weights(plugin, tmp_path), device="cpu")
    runner.wait(job, WAIT_S)
    (row,) = job.result()
    assert (row.name, row.ok) == ("entry", False)
    assert "has no Missing" in row.text


def test_weights_that_were_changed_are_refused(runner: Runner, tmp_path: Path, image: Image, series: Series) -> None:
    plugin = write_plugin(tmp_path, "changed")
    weights = base_weights(plugin, tmp_path)
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    job = submit_prediction(runner, image, series, plugin, weights, "1", device="cpu")
    runner.wait(job, WAIT_S)
    assert "not the file that the manifest names" in str(job.error)


def test_a_pickle_is_not_read(runner: Runner, tmp_path: Path, image: Image, series: Series) -> None:
    marker = tmp_path / "ran"
    weights = tmp_path / "weights.pt"
    weights.write_bytes(b"cos\nmkdir\n(S'" + os.fsencode(marker) + b"'\ntR.")
    plugin = write_plugin(tmp_path, "pickled")
    job = submit_prediction(runner, image, series, plugin, weights, "1", device="cpu")
    runner.wait(job, WAIT_S)
    assert "safetensors" in str(job.error)
    assert not marker.exists()
