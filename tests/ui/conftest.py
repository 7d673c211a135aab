"""The window over a small volume, without files."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtWidgets import QApplication, QDialog
from pytestqt.qtbot import QtBot

from medviewer.app.commands import study
from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image, Rescale, Window
from medviewer.domain.study import Patient, Series, Study
from medviewer.ui.main import Program
from tests.patience import PatientBot

GRID = Grid((20, 30, 40), (3.0, 1.5, 1.0), (-20.0, -22.0, 10.0))
SERIES = Series("1.2.826.0.1.9", "CT", "Head", GRID, (), "dicom", frame_of_reference="1.2.826.0.1.8")
STUDY = Study("1.2.826.0.1.7", "2020-03-01", "Trauma", Patient("P", "DOE^JANE", "1960-04-01", "F"), (SERIES,))


def ramp() -> Image:
    """A CT whose values name their voxels: 100 z + y, in HU 1000 lower."""
    z, y, _ = np.indices(GRID.shape, np.int16)
    return Image(100 * z + y, GRID, "CT", Rescale(1.0, -1000.0, "HU"), (Window(0, 2000, "Wide"),))


@pytest.fixture
def qtbot(qapp: QApplication, request: pytest.FixtureRequest) -> QtBot:
    """pytest-qt's, with patience."""
    return PatientBot(request)


@pytest.fixture
def program(qtbot: QtBot, tmp_path: Path) -> Iterator[Program]:
    """The real window, with nothing open."""
    made = Program(home=tmp_path / "home")
    qtbot.waitExposed(made.window)
    yield made
    made.close()


def open_ramp(program: Program, qtbot: QtBot) -> None:
    """Show the ramp in all viewports."""
    program.services.session.studies = (STUDY,)
    assert program.window.grid.slices  # they are made now, however long it takes
    study.present(program.services.session, SERIES, ramp())
    qtbot.waitUntil(lambda: program.window.grid.slices[0].shown is not None)
    for _ in range(3):
        program.app.processEvents()


@pytest.fixture
def opened(program: Program, qtbot: QtBot) -> Program:
    """The real window, with the ramp open."""
    open_ramp(program, qtbot)
    return program


_OF_THE_PROGRAM = frozenset(
    ("view", "live_values", "plugin_names", "own_windows", "line_places", "solid_looks", "hang_automatic")
)
"""What a session gets from its program and keeps."""


def as_at_first(state: object, but: Collection[str] = ()) -> None:
    """Give the fields of a session or view the values that a new one has."""
    new = type(state)()
    for one in fields(state):  # type: ignore[arg-type]  # both are dataclasses
        if one.name not in but and getattr(state, one.name) != getattr(new, one.name):
            setattr(state, one.name, getattr(new, one.name))


@pytest.fixture(scope="module")
def one_window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """One window for the tests of a file: making its viewports takes seconds of a processor."""
    made = Program(home=tmp_path_factory.mktemp("home"))
    made.window.tour.end()
    made.services.session.studies = (STUDY,)
    study.present(made.services.session, SERIES, ramp())
    made.window.grid.settle()
    while made.window.grid.prepare_next():  # what napari makes with the first picture stays as long as the window
        pass
    for _ in range(3):
        made.app.processEvents()
    yield made
    made.close()


@pytest.fixture
def opened_again(one_window: Program, qtbot: QtBot) -> Program:
    """The same as `opened`, in one window for all tests of a file: all that a test left in it is taken back."""
    services, session = one_window.services, one_window.services.session
    study.close(services)
    while services.runner.jobs:
        services.runner.wait(services.runner.jobs[0])
    for dialog in one_window.window.findChildren(QDialog):
        dialog.close()
    as_at_first(session, _OF_THE_PROGRAM)
    as_at_first(session.view)
    open_ramp(one_window, qtbot)
    return one_window
