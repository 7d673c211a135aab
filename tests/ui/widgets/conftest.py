"""A running program without a window, and studies to put into it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from medviewer.app.services import Services
from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image
from medviewer.domain.study import Patient, Series, Study

Wait = Callable[[Callable[[], bool]], None]


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    """The program over an empty archive."""
    made = Services.open(tmp_path / "home")
    yield made
    made.close()


@pytest.fixture
def wait(qtbot: QtBot, services: Services) -> Wait:
    """Let jobs and timers go on until something holds."""

    def until(holds: Callable[[], bool]) -> None:
        def check() -> bool:
            services.runner.pump()
            return holds()

        qtbot.waitUntil(check, timeout=60_000)

    return until


def head(uid: str = "1.2.3", shape: tuple[int, int, int] = (12, 20, 16)) -> tuple[Series, Image]:
    """A small MR head, bright in the middle, and the series that it is."""
    grid = Grid(shape, (2.0, 1.0, 1.0))
    z, y, x = (np.linspace(-1, 1, n) for n in shape)
    inside = z[:, None, None] ** 2 + y[:, None] ** 2 + x**2 < 0.6
    voxels = (inside * 200).astype(np.uint8)
    series = Series(uid, "MR", "T1 head", grid, (), "dicom", body_part="HEAD")
    return series, Image(voxels, grid, "MR", series_uid=uid)


def open_head(services: Services) -> Image:
    """Make a small head the open image."""
    series, image = head()
    study = Study("1.2", "2020-01-31", "Head MR", Patient("P1", "DOE^JANE"), (series,))
    session = services.session
    session.studies = (study,)
    session.series, session.study = series, study
    session.image = image
    return image
