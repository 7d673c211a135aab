"""The real window, as `medviewer --demo` opens it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from medviewer.app.services import Services
from medviewer.app.state import Session
from medviewer.ui.main import Program
from medviewer.ui.window import MainWindow
from tests.patience import PatientBot


@pytest.fixture
def qtbot(qapp: QApplication, request: pytest.FixtureRequest) -> QtBot:
    """pytest-qt's, with patience."""
    return PatientBot(request)


class Reader:
    """Somebody at the window: looks, clicks, drags, and waits for what comes."""

    def __init__(self, program: Program, qtbot: QtBot) -> None:
        self.program, self.qtbot = program, qtbot

    @property
    def window(self) -> MainWindow:
        return self.program.window

    @property
    def services(self) -> Services:
        return self.program.services

    @property
    def session(self) -> Session:
        return self.program.services.session

    def wait(self, holds: Callable[[], object], seconds: int = 120) -> None:
        """Let the window live until something holds; an error message ends the wait."""

        def check() -> bool:
            message = self.session.message
            assert message is None or message.level != "error", message
            return bool(holds())

        self.qtbot.waitUntil(check, timeout=seconds * 1000)
        self.settle()

    def settle(self) -> None:
        """Let the viewports catch up with the session."""
        for _ in range(3):
            self.program.app.processEvents()

    def choose(self, command: str) -> None:
        """Choose an action of the menus, as its key or button does."""
        action = self.window.commands[command]
        self.window.update_context()
        assert action.isEnabled(), f"{command} cannot be chosen now"
        action.trigger()
        self.settle()

    def at(self, viewport: int, row: float, column: float) -> QPoint:
        """The pixel of a viewport that shows a row and column."""
        return self.window.grid.slices[viewport].to_pixel(row, column).toPoint()

    def drag(
        self,
        viewport: int,
        start: QPoint,
        end: QPoint,
        button: Qt.MouseButton = Qt.MouseButton.LeftButton,
    ) -> None:
        """Drag on a viewport in ten moves."""
        native = self.window.grid.slices[viewport].canvas.native
        QTest.mousePress(native, button, pos=start)
        for k in range(1, 11):
            QTest.mouseMove(native, start + (end - start) * k / 10)
            self.program.app.processEvents()
        QTest.mouseRelease(native, button, pos=end)
        self.settle()

    def click(self, viewport: int, row: float, column: float) -> None:
        """Click on a row and column."""
        native = self.window.grid.slices[viewport].canvas.native
        QTest.mouseClick(native, Qt.MouseButton.LeftButton, pos=self.at(viewport, row, column))
        self.settle()

    def open(self, *paths: Path, series: str = "") -> None:
        """Drop paths on the window, and wait for the series whose description starts so."""
        from medviewer.app.commands import study

        study.open_paths(self.services, list(paths))
        self.wait(lambda: self.session.image is not None and self.window.grid.has_picture)
        if series:
            self.show(series)

    def show(self, description: str) -> None:
        """Pick a series in the list of studies."""
        from medviewer.app.commands import study

        wanted = next(
            one for found in self.session.studies for one in found.series if one.description.startswith(description)
        )
        study.show(self.services, wanted)
        self.wait(lambda: self.session.series is not None and self.session.series.uid == wanted.uid)


@pytest.fixture
def reader(qtbot: QtBot, tmp_path: Path) -> Iterator[Reader]:
    """Somebody at an empty window."""
    program = Program(home=tmp_path / "home")
    qtbot.waitExposed(program.window)
    yield Reader(program, qtbot)
    program.close()
