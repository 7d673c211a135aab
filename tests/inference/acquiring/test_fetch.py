"""Fetched weights appear only when they are complete and fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from medviewer.domain.image import Image
from medviewer.domain.study import Series
from medviewer.errors import ManifestError, PluginError
from medviewer.inference import base_weights, submit_fetch, submit_prediction
from medviewer.jobs import Runner
from tests.inference.tiny_plugins import write_plugin

FETCHED = {"file": "", "fetch": True}
WAIT_S = 120.0


def test_fetch_then_predict(runner: Runner, tmp_path: Path, image: Image, series: Series) -> None:
    plugin = write_plugin(tmp_path, "fetched", weights=FETCHED)
    job = submit_fetch(runner, plugin, tmp_path / "home")
    runner.wait(job, WAIT_S)
    assert job.result() == base_weights(plugin, tmp_path / "home")
    assert [path.name for path in job.result().parent.iterdir()] == ["weights-1.2.3.safetensors"]
    job = submit_prediction(runner, image, series, plugin, job.result(), "1.2.3", device="cpu")
    runner.wait(job, WAIT_S)
    job.result()


@pytest.mark.parametrize(
    ("written", "words"),
    [("raise OSError('no network')", "no network"), ("destination.write_bytes(b'junk')", "safetensors")],
)
def test_what_does_not_arrive_whole_is_not_there(runner: Runner, tmp_path: Path, written: str, words: str) -> None:
    body = f"    def fetch_weights(self, destination, context):\n        {written}\n"
    plugin = write_plugin(tmp_path, "fetched", body, weights=FETCHED)
    job = submit_fetch(runner, plugin, tmp_path / "home")
    runner.wait(job, WAIT_S)
    assert isinstance(job.error, PluginError)
    assert words in str(job.error)
    assert not base_weights(plugin, tmp_path / "home").exists()


def test_weights_that_come_with_the_plugin_are_not_fetched(runner: Runner, tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="nothing to fetch"):
        submit_fetch(runner, write_plugin(tmp_path, "tiny"), tmp_path / "home")
