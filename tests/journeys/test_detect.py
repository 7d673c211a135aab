"""A detector in the real window: its boxes are drawn, listed and jumped to, and come back with the series."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from medviewer.app.commands import detections, study
from medviewer.domain.finding import Detections
from medviewer.ui.main import Program
from medviewer.ui.widgets.plugin_card import PluginCard
from tests.inference.tiny_detector import write_detector

from .conftest import Reader

PLACES = ((4, 6, 8), (20, 30, 12), (28, 10, 34))
"""Lower corners of the blobs (z, y, x)."""


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A volume with three bright cubes, the last one a little darker."""
    voxels = np.zeros((48, 44, 36), np.int16)
    for number, (z, y, x) in enumerate(PLACES):
        voxels[x : x + 4, y : y + 4, z : z + 4] = 100 if number < 2 else 96
    path = tmp_path / "blobs.nii.gz"
    nib.save(nib.Nifti1Image(voxels, np.diag([-1.0, -1.0, 2.0, 1.0])), path)  # type: ignore[no-untyped-call]
    return path


@pytest.mark.usefixtures("warm_workers")
def test_finds_are_drawn_listed_jumped_to_and_kept(
    qtbot: QtBot, tmp_path: Path, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = [{"name": "Blob", "expected_count": [0, 2]}]
    intensity = {"clip": [0, 100], "scale": [0, 1]}
    write_detector(tmp_path / "plugins", inputs={"intensity": intensity}, outputs={"labels": labels})
    monkeypatch.setenv("MEDVIEWER_PLUGINS", str(tmp_path / "plugins"))
    program = Program(home=tmp_path / "home")
    qtbot.waitExposed(program.window)
    reader = Reader(program, qtbot)
    reader.open(image)
    card = next(card for card in program.window.findChildren(PluginCard) if card.plugin.id == "blobs")
    card.run_button.click()
    reader.wait(lambda: reader.session.detections is not None)
    found = reader.session.detections
    assert isinstance(found, Detections)
    assert [tuple(round(edge) for edge in one.low) for one in found.found] == list(PLACES)
    assert reader.session.message is not None
    assert "Found 3 × Blob" in reader.session.message.text
    assert "found 3 times, where 0 to 2 should be" in reader.session.message.text
    assert [row.cells[0] for row in card.finds.table.rows] == ["1  Blob", "2  Blob", "3  Blob"]
    assert card.finds.table.rows[0].cells[3] == "1.00"

    card.finds.table.selectRow(1)
    reader.settle()
    assert reader.session.view.cursor == (22, 32, 14)
    assert reader.session.chosen_detection == 1
    axial = program.window.grid.slices[0]
    assert axial.shown is not None
    (box,) = axial.overlay.state.boxes
    assert (box.text, box.chosen) == ("2  Blob 1.00", True)
    middle, (left, top, right, bottom) = axial.to_pixel(*axial.shown.plane.to_screen(found.found[1].centre)), box.edges
    assert ((left + right) / 2, (top + bottom) / 2) == pytest.approx((middle.x(), middle.y()), abs=0.1)

    detections.step(reader.services, 1)
    reader.settle()
    assert card.finds.table.chosen == "2"
    assert reader.session.view.cursor == (30, 12, 36)

    series = reader.session.series
    assert series is not None
    study.show(reader.services, series)
    reader.wait(lambda: reader.session.image is not None and reader.session.detections is not None)
    again = reader.session.detections
    assert again is not None
    assert again.found == found.found
    program.close()
