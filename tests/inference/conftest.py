"""A runner, and a small oblique image that a network can be asked about."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image
from medviewer.domain.study import Series
from medviewer.jobs import Runner

OBLIQUE = Grid((11, 13, 9), (2.5, 0.8, 1.1), (-30.0, 12.0, 70.0), (0.0, 0.6, 0.8, 0.0, -0.8, 0.6, 1.0, 0.0, 0.0))


@pytest.fixture(scope="session")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """One runner for the whole session, so that workers that are warm stay warm."""
    made = Runner(tmp_path_factory.mktemp("scratch"))
    yield made
    made.shutdown()


@pytest.fixture(autouse=True)
def one_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all the small plugins share one worker: a process each would import torch each."""
    monkeypatch.setattr("medviewer.inference.client.plugin_lane", lambda plugin: "tests")
    monkeypatch.setattr("medviewer.inference.check.plugin_lane", lambda plugin: "tests")
    monkeypatch.setattr("medviewer.inference.acquiring.fetch.plugin_lane", lambda plugin: "tests")


@pytest.fixture
def image() -> Image:
    """An MR of zeros with a box of threes, on an oblique, anisotropic grid."""
    voxels = np.zeros(OBLIQUE.shape, np.int16)
    voxels[3:8, 4:10, 2:7] = 3
    return Image(voxels, OBLIQUE, "MR", series_uid="1.2.3")


@pytest.fixture
def series(image: Image) -> Series:
    """The series of that image."""
    return Series("1.2.3", "MR", "T1", image.grid, (Path("a.dcm"),), "dicom", body_part="HEAD")
