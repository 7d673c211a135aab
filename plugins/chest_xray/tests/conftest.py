"""The weights, fetched once as a user fetches them, and the pictures of the published package."""

from __future__ import annotations

import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from medviewer.inference import submit_fetch
from medviewer.inference.acquiring.packages import fetch_package
from medviewer.jobs import Runner
from medviewer.plugin_api import RunContext
from medviewer.plugin_api.discovery import DiscoverResult


@pytest.fixture(scope="session")
def weights(runner: Runner, chest: DiscoverResult, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The weights, through the child process."""
    job = submit_fetch(runner, chest, tmp_path_factory.mktemp("home"))
    runner.wait(job, 600)
    return job.result()


@pytest.fixture(scope="session")
def wheel(chest: DiscoverResult, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published package as pip brings it."""
    assert chest.manifest is not None
    named, sha256 = chest.manifest.weights.package, chest.manifest.weights.sha256
    return fetch_package(named, sha256, tmp_path_factory.mktemp("wheel"), RunContext(cancelled=threading.Event()))


@pytest.fixture(scope="session")
def pictures(wheel: Path) -> dict[str, np.ndarray]:
    """Its 16 children's radiographs, grey values 0 to 255, by file name."""
    with zipfile.ZipFile(wheel) as package:
        names = [name for name in package.namelist() if name.endswith(".jpeg")]
        return {Path(name).name: np.asarray(Pillow.open(package.open(name)).convert("L")) for name in names}
