"""All seven steps on the demo, in the real window, with mouse and keys."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent, QImage, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from medviewer import formats
from medviewer.app.resources import resource
from medviewer.domain.mask import dice
from medviewer.learning.options import FinetuneOptions
from medviewer.ui.widgets.learning_dialogs import ReasonDialog

from .conftest import Reader

REFERENCE = Path(__file__).parents[1] / "data" / "colin27_brain.nii.gz"
AXIAL, SAGITTAL, CORONAL = 0, 1, 2


@pytest.mark.usefixtures("warm_workers")
def test_the_whole_loop(reader: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _open_by_drop(reader)
    _see(reader)
    _segment(reader)
    _explain(reader)
    _correct_and_save(reader, tmp_path, monkeypatch)
    _learn(reader)
    registry = reader.services.registry
    assert registry.active("brain-extraction").version == "1.0.0"
    assert len(registry.versions("brain-extraction")) == 2  # every version is kept


def test_a_radiograph_opens_large_and_the_right_way_round(reader: Reader) -> None:
    reader.open(resource("demo/chest"))
    image, grid = reader.session.image, reader.window.grid

    assert image is not None
    assert image.inverted  # MONOCHROME1
    assert not image.calibrated
    assert grid.slices[0].isVisible()
    assert not grid.slices[1].isVisible()
    assert not grid.volume.isVisible()
    assert "uncalibrated" in grid.slices[0].overlay.state.corners.bottom_left
    assert grid.slices[0].overlay.state.pixels_per_mm == 0
    rows, columns = image.grid.shape[1:]
    spine, air = _brightness(reader, rows * 0.75, columns * 0.5), _brightness(reader, rows * 0.4, columns * 0.25)
    assert spine > air  # bone is white in a film that is shown the right way


def _open_by_drop(reader: Reader) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(resource("demo")))])
    drop = QDropEvent(
        QPointF(300, 300),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    reader.window.dropEvent(drop)
    reader.wait(lambda: reader.session.image is not None and reader.window.grid.has_picture)
    assert [study.description for study in reader.session.studies]
    assert reader.session.image is not None
    assert reader.session.image.grid.shape == (181, 217, 181)


def _see(reader: Reader) -> None:
    grid, view = reader.window.grid, reader.session.view
    assert all(slice_view.isVisible() for slice_view in grid.slices)
    assert grid.slices[AXIAL].overlay.state.letters == ("R", "L", "A", "P")
    assert grid.slices[SAGITTAL].overlay.state.letters == ("A", "P", "S", "I")
    assert grid.slices[CORONAL].overlay.state.letters == ("R", "L", "S", "I")
    assert _drawn(reader, AXIAL) > 0.2

    reader.choose("tool.crosshair")
    reader.click(AXIAL, 60, 40)
    plane = grid.plane(AXIAL)
    assert plane is not None
    expected = plane.to_index(60, 40, view.cursor[plane.axis])
    assert np.allclose(view.cursor, expected, atol=1)
    for number in (SAGITTAL, CORONAL):
        other = grid.plane(number)
        shown = grid.slices[number].shown
        assert other is not None
        assert shown is not None
        assert shown.k == view.cursor[other.axis]  # the others followed

    before = view.cursor[plane.axis]
    native = grid.slices[AXIAL].canvas.native
    centre = QPointF(native.rect().center())
    turn = QWheelEvent(
        centre,
        native.mapToGlobal(centre),
        QPoint(),
        QPoint(0, -120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(native, turn)
    reader.settle()
    assert abs(view.cursor[plane.axis] - before) == 1

    width = view.window.width
    reader.drag(SAGITTAL, reader.at(SAGITTAL, 90, 60), reader.at(SAGITTAL, 90, 120), Qt.MouseButton.RightButton)
    assert view.window.width > width
    reader.choose("image.window_1")
    assert view.window.width == pytest.approx(width)
    stood = view.cursor
    QTest.mouseDClick(grid.slices[CORONAL].canvas.native, Qt.MouseButton.LeftButton, pos=QPoint(50, 50))
    reader.settle()
    assert (view.layout, view.active) == ("single", CORONAL)
    assert view.cursor == stood  # what enlarges a viewport does not move the crosshair
    assert not grid.slices[AXIAL].isVisible()
    reader.choose("view.mpr")
    assert grid.slices[AXIAL].isVisible()


def _segment(reader: Reader) -> None:
    reader.window.panels["ai"].content.cards["brain-extraction"].run()
    assert reader.session.busy_plugins == {"brain-extraction"}
    reader.wait(lambda: reader.session.mask is not None)
    mask, image = reader.session.mask, reader.session.image
    assert mask is not None
    assert image is not None
    reference = formats.load_segmentation(REFERENCE, image.grid)
    assert dice(mask.labels, reference.labels) >= 0.92
    shown = reader.window.grid.slices[AXIAL].shown
    assert shown is not None
    assert shown.mask is not None
    assert _coloured(reader, AXIAL) > 0.1


def _explain(reader: Reader) -> None:
    reader.choose("ai.explain.brain-extraction")
    reader.wait(lambda: reader.session.heatmap is not None)
    heat, image = reader.session.heatmap, reader.session.image
    assert heat is not None
    assert image is not None
    assert heat.grid.matches(image.grid)
    assert heat.values.max() == pytest.approx(1.0)
    text = _text(reader, AXIAL)
    assert "Mask: Brain extraction 1.0.0" in text
    assert "Grad-CAM of Brain" in text
    reader.choose("view.heat")
    assert not reader.session.view.heat_visible


def _correct_and_save(reader: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session, grid = reader.session, reader.window.grid
    store = session.mask
    assert store is not None
    reader.click(AXIAL, 60, 40)
    model = store.labels.copy()
    reader.choose("tool.eraser")
    session.view.brush_mm = 8
    reader.drag(CORONAL, reader.at(CORONAL, 70, 60), reader.at(CORONAL, 70, 110))
    erased = int((model != store.labels).sum())
    assert erased > 500
    changed = np.argwhere(model != store.labels)[0]
    for number in range(3):  # seen in all planes at once
        plane, shown = grid.plane(number), grid.slices[number].shown
        assert plane is not None
        assert shown is not None
        texture = grid.slices[number].picture.mask.data
        np.testing.assert_array_equal(texture, plane.take(store.labels, shown.k))
    assert store.labels[tuple(changed)] == 0
    reader.choose("edit.undo")
    np.testing.assert_array_equal(store.labels, model)
    reader.choose("edit.redo")
    assert int((model != store.labels).sum()) == erased

    target = tmp_path / "brain.dcm"
    monkeypatch.setattr(reader.window.dialogs, "save_path", lambda *_: target)
    reader.choose("file.save_mask")
    reader.wait(lambda: session.message is not None and session.message.text == "Saved the mask to brain.dcm.")
    checked = subprocess.run(["dciodvfy", str(target)], capture_output=True, text=True, check=False)
    assert "Error" not in checked.stderr, checked.stderr
    image = session.image
    assert image is not None
    np.testing.assert_array_equal(formats.load_segmentation(target, image.grid).labels, store.labels)
    reader.choose("segment.approve")
    reader.wait(lambda: session.message is not None and session.message.text.startswith("Approved"))
    assert len(reader.services.queue.list("brain-extraction")) == 1


def _learn(reader: Reader) -> None:
    panel = reader.window.panels["learning"].content
    reader.choose("queue.show")
    panel.train(FinetuneOptions(max_steps=1))  # as the dialog's Start button does
    reader.wait(lambda: panel._job is not None or len(reader.services.registry.versions("brain-extraction")) > 1)
    reader.wait(lambda: len(reader.services.registry.versions("brain-extraction")) > 1 and panel._job is None, 240)
    registry = reader.services.registry
    assert registry.active("brain-extraction").version == "1.0.0"
    assert "too few to tell" in panel.sentence.text()

    panel.promote()
    (dialog,) = panel.findChildren(ReasonDialog)
    dialog.reason.setText("looked at the masks")
    dialog.promote_button.click()
    reader.settle()
    assert registry.active("brain-extraction").version == "1.0.0-ft.1"
    panel.rollback_button.click()


def _text(reader: Reader, viewport: int) -> str:
    return reader.window.grid.slices[viewport].overlay.state.corners.bottom_left


def _pixels(reader: Reader, viewport: int) -> np.ndarray:
    """What the graphics card drew, (rows, columns, 3)."""
    picture = reader.window.grid.slices[viewport].canvas.native.grabFramebuffer()
    picture = picture.convertToFormat(QImage.Format.Format_RGB888)
    rows, columns = picture.height(), picture.width()
    data = np.frombuffer(picture.constBits(), np.uint8).reshape(rows, picture.bytesPerLine())
    return data[:, : columns * 3].reshape(rows, columns, 3).astype(int)


def _drawn(reader: Reader, viewport: int) -> float:
    return float((_pixels(reader, viewport).max(axis=2) > 30).mean())


def _coloured(reader: Reader, viewport: int) -> float:
    return float((np.ptp(_pixels(reader, viewport), axis=2) > 20).mean())


def _brightness(reader: Reader, row: float, column: float) -> float:
    pixels, at = _pixels(reader, 0), reader.at(0, row, column)
    return float(pixels[at.y() - 3 : at.y() + 4, at.x() - 3 : at.x() + 4].mean())
