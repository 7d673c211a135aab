"""On a screen with scaling, pixels of the screen are used, and a click is where it was made."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

_CHILD = """
import sys
from pathlib import Path
import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from medviewer.app.commands import panes, study
from medviewer.ui.main import Program
from tests.ui.conftest import SERIES, STUDY, ramp

program = Program(home=Path(sys.argv[1]))
session, window = program.services.session, program.window
window.tour.end()
window.resize(1280, 800)
session.studies = (STUDY,)
study.present(session, SERIES, ramp())
session.view.show_text = session.view.show_crosshair = False
QTest.qWait(300)
window.grid.settle()
QTest.qWait(100)
ratio, slices = window.devicePixelRatioF(), window.grid.slices[0]
native = slices.canvas.native
picture = native.grabFramebuffer()
assert picture.width() == int(native.width() * ratio), (picture.width(), native.width(), ratio)
place = slices.to_pixel(7, 31).toPoint()
QTest.mouseClick(native, Qt.MouseButton.LeftButton, pos=place)
assert session.view.cursor[1:] == (7, 31), session.view.cursor
low, high = slices.shown.limits
for row in range(2, 28, 5):
    at = slices.to_pixel(row, 20) * ratio
    wanted = 255 * (slices.picture.image.data[row, 20] - low) / (high - low)
    found = picture.pixelColor(round(at.x()), round(at.y())).red()
    assert abs(found - wanted) < 4, (row, found, wanted)
swatch = window.tools.actions()[0].icon().pixmap(20, 20)
assert swatch.width() == round(20 * ratio), "icons are drawn in the screen's pixels"
program.close()
print("ratio", ratio)
"""


@pytest.mark.parametrize("factor", ["1.5", "2"])
def test_a_click_and_a_picture_are_where_they_belong(tmp_path: Path, factor: str) -> None:
    environment = {**os.environ, "QT_SCALE_FACTOR": factor, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, str(tmp_path / "home")],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert f"ratio {float(factor)}" in done.stdout
