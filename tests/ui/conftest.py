"""The window over a small volume, without files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from medviewer.app.commands import study
from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image, Rescale, Window
from medviewer.domain.study import Patient, Series, Study
from medviewer.ui.main import Program

GRID = Grid((20, 30, 40), (3.0, 1.5, 1.0), (-20.0, -22.0, 10.0))
SERIES = Series("1.2.826.0.1.9", "CT", "Head", GRID, (), "dicom", frame_of_reference="1.2.826.0.1.8")
STUDY = Study("1.2.826.0.1.7", "2020-03-01", "Trauma", Patient("P", "DOE^JANE", "1960-04-01", "F"), (SERIES,))


def ramp() -> Image:
    """A CT whose values name their voxels: 100 z + y, in HU 1000 lower."""
    z, y, _ = np.indices(GRID.shape, np.int16)
    return Image(100 * z + y, GRID, "CT", Rescale(1.0, -1000.0, "HU"), (Window(0, 2000, "Wide"),))


@pytest.fixture
def program(qtbot: QtBot, tmp_path: Path) -> Iterator[Program]:
    """The real window, with nothing open."""
    made = Program(home=tmp_path / "home")
    qtbot.waitExposed(made.window)
    yield made
    made.close()


@pytest.fixture
def opened(program: Program, qtbot: QtBot) -> Program:
    """The real window, with the ramp open."""
    program.services.session.studies = (STUDY,)
    assert program.window.grid.slices  # they are made now, however long it takes
    study.present(program.services.session, SERIES, ramp())
    qtbot.waitUntil(lambda: program.window.grid.slices[0].shown is not None)
    for _ in range(3):
        program.app.processEvents()
    return program
