"""An archive with a queue and a registry, synthetic patients, and one warm child process for the whole folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from medviewer.archive import Archive
from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image, Rescale
from medviewer.domain.mask import Correction, Segment, Segmentation
from medviewer.domain.provenance import Provenance
from medviewer.domain.study import Series
from medviewer.jobs import Runner
from medviewer.learning.queue import CorrectionQueue
from medviewer.learning.registry import ModelRegistry
from medviewer.plugin_api.discovery import DiscoverResult, discover, find

SHAPE = (14, 18, 20)
GRID = Grid(SHAPE, (2.0, 1.5, 1.25), (-12.0, 4.0, 30.0), (0, 0, 1, 0, 1, 0, 1, 0, 0))


@dataclass(frozen=True)
class Case:
    """One synthetic series and its true mask."""

    image: Image
    series: Series
    truth: Segmentation


def make_case(number: int, plugin_id: str = "tiny", version: str = "1.0.0") -> Case:
    """A noisy volume with a bright ball, made anew for each number."""
    chance = np.random.default_rng(number)
    centre = np.array(SHAPE) / 2 + chance.uniform(-2, 2, 3)
    distance = np.sqrt(sum((axis - c) ** 2 for axis, c in zip(np.indices(SHAPE), centre, strict=True)))
    ball = distance < chance.uniform(4, 6)
    voxels = (chance.normal(0, 20, SHAPE) + 100 * ball + 1000).astype(np.int16)
    uid = f"1.2.{number}"
    image = Image(voxels, GRID, "MR", Rescale(1.0, -1000.0), series_uid=uid)
    series = Series(uid, "MR", "a description", GRID, (Path("scan.dcm"),), "dicom", body_part="HEAD")
    truth = Segmentation(
        ball.astype(np.uint8), GRID, (Segment(1, "Ball"),), Provenance(plugin_id, "1.0.0", version), uid
    )
    return Case(image, series, truth)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with Archive.open(tmp_path / "home") as opened:
        yield opened


@pytest.fixture
def queue(archive: Archive) -> CorrectionQueue:
    return CorrectionQueue(archive)


@pytest.fixture
def registry(archive: Archive) -> ModelRegistry:
    return ModelRegistry(archive)


@pytest.fixture
def approve(queue: CorrectionQueue) -> Callable[[int, str], Correction]:
    """Queue an approved case of that number, of that patient."""

    def add(number: int, patient: str) -> Correction:
        case = make_case(number)
        return queue.add(case.image, case.series, patient, case.truth, None, "approved", "ann")

    return add


@pytest.fixture(scope="session")
def plugin() -> DiscoverResult:
    return find("tiny", discover([Path(__file__).parent / "tiny_plugin"]))


@pytest.fixture(scope="session")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    made = Runner(tmp_path_factory.mktemp("runner"))
    yield made
    made.shutdown()
