"""The mask's panel: what a click changes in the session, the mask and the queue."""

from collections.abc import Callable

import numpy as np
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from medviewer.app.commands import masks, verdicts
from medviewer.app.mask_store import MaskStore
from medviewer.app.services import Services
from medviewer.app.state import Arrival
from medviewer.domain.mask import Segment, Segmentation
from medviewer.domain.provenance import Provenance
from medviewer.ui.widgets.segment_model import EYE, NAME, VOLUME
from medviewer.ui.widgets.segments_panel import SegmentsPanel
from tests.ui.widgets.conftest import open_head

Wait = Callable[[Callable[[], bool]], None]


def adopt_mask(services: Services, lesion: int = 2) -> MaskStore:
    """Open a model's mask with two segments, 8 and 2 voxels of 0.002 ml; the second is not what the model learns."""
    image = open_head(services)
    labels = np.zeros(image.grid.shape, np.uint8)
    labels[4:6, 8:10, 6:8] = 1
    labels[0, 0, :lesion] = 2
    segments = (Segment(1, "Brain"), Segment(2, "Lesion", (230, 159, 0)))
    made = Provenance("brain-extraction", "1.0.0", "1.0.0", author=masks.ALGORITHM)
    masks.replace_with(services, Segmentation(labels, image.grid, segments, made))
    assert services.session.mask is not None
    return services.session.mask


@pytest.fixture
def panel(qtbot: QtBot, services: Services) -> SegmentsPanel:
    made = SegmentsPanel(services)
    made.resize(300, 400)
    qtbot.addWidget(made)
    return made


def volumes(panel: SegmentsPanel) -> list[str]:
    model = panel.model
    return [model.index(k, VOLUME).data().replace("\u202f", " ") for k in range(model.rowCount())]


def test_without_a_study_nothing_can_be_pressed(panel: SegmentsPanel) -> None:
    buttons = (panel.add_button, panel.new_button, panel.approve_button, panel.reject_button, panel.save_button)
    assert not any(button.isEnabled() for button in buttons)
    assert panel.state.text() == "Open a study first."


def test_new_mask_starts_one_segment(panel: SegmentsPanel, services: Services) -> None:
    open_head(services)
    panel.new_button.click()
    assert services.session.mask is not None
    assert panel.model.rowCount() == 1


def test_a_series_that_is_still_read_takes_no_mask(panel: SegmentsPanel, services: Services) -> None:
    image = open_head(services)
    services.session.arrival = Arrival(1, image.grid.shape[0])
    assert not panel.new_button.isEnabled()
    services.session.arrival = None
    assert panel.new_button.isEnabled()


def test_volumes_follow_each_stroke_and_its_undo(panel: SegmentsPanel, services: Services, wait: Wait) -> None:
    store = adopt_mask(services)
    wait(lambda: panel.counter.complete)
    image = services.session.image
    assert image is not None
    big = np.arange(image.voxels.size, dtype=np.int64)[:3000]
    store.paint(big, 2)
    wait(lambda: volumes(panel)[1] == "6.0 ml")
    panel.undo_button.click()
    wait(lambda: volumes(panel) == ["0.0 ml", "0.0 ml"])
    assert panel.redo_button.isEnabled()
    panel.redo_button.click()
    wait(lambda: volumes(panel)[1] == "6.0 ml")


def test_the_eye_hides_and_shows_by_mouse_and_by_space(panel: SegmentsPanel, services: Services, qtbot: QtBot) -> None:
    adopt_mask(services)
    panel.show()
    where = panel.table.visualRect(panel.model.index(1, EYE)).center()
    qtbot.mouseClick(panel.table.viewport(), Qt.MouseButton.LeftButton, pos=where)
    assert services.session.hidden_labels == {2}
    qtbot.keyClick(panel.table, Qt.Key.Key_Space)
    assert services.session.hidden_labels == frozenset()


def test_the_chosen_row_is_the_label_that_is_painted(panel: SegmentsPanel, services: Services) -> None:
    adopt_mask(services)
    assert panel.table.currentIndex().row() == 0
    panel.table.selectRow(1)
    assert services.session.active_label == 2
    services.session.active_label = 1
    assert panel.table.selectionModel().selectedRows()[0].row() == 0


def test_renaming(panel: SegmentsPanel, services: Services) -> None:
    store = adopt_mask(services)
    name = panel.model.index(0, NAME)
    assert not panel.model.setData(name, "Brain")
    assert not panel.model.setData(name, "  ")
    assert not store.dirty
    assert panel.model.setData(name, " Cerebrum ")
    assert [segment.name for segment in store.segments] == ["Cerebrum", "Lesion"]


def test_adding_a_segment_makes_it_the_active_one(panel: SegmentsPanel, services: Services) -> None:
    store = adopt_mask(services)
    panel.add_button.click()
    assert [segment.label for segment in store.segments] == [1, 2, 3]
    assert services.session.active_label == 3


def test_sliders_and_session_follow_each_other(panel: SegmentsPanel, services: Services) -> None:
    look = services.session.view
    panel.brush.setValue(15)
    panel.opacity.setValue(80)
    assert (look.brush_mm, look.mask_opacity) == (7.5, 0.8)
    look.brush_mm, look.mask_opacity, look.mask_visible = 3.0, 0.25, False
    assert (panel.brush.value(), panel.opacity.value()) == (6, 25)
    assert (panel.brush_figure.text(), panel.opacity_figure.text()) == ("3.0 mm", "25%")
    assert not panel.show_button.isChecked()


def test_a_brush_between_two_steps_is_not_rounded_by_being_shown(panel: SegmentsPanel, services: Services) -> None:
    services.session.view.brush_mm = 4.4
    assert services.session.view.brush_mm == 4.4


def test_approve_enters_the_queue_and_says_so(panel: SegmentsPanel, services: Services) -> None:
    store = adopt_mask(services, lesion=0)
    assert panel.state.text() == "Nobody has judged this mask yet."
    panel.approve_requested.connect(lambda: verdicts.approve(services))
    panel.approve_button.click()
    (case,) = services.queue.list()
    assert case.correction.verdict == "approved"
    assert panel.state.text().startswith("Approved ")
    store.paint(np.arange(5, dtype=np.int64), 1)
    assert panel.state.text().startswith("Changed since it was approved.")


def test_reject_asks_the_window_and_shows_the_verdict(panel: SegmentsPanel, services: Services, qtbot: QtBot) -> None:
    adopt_mask(services, lesion=0)
    with qtbot.waitSignal(panel.reject_requested):
        panel.reject_button.click()
    assert services.queue.list() == []
    verdicts.reject(services, "motion")
    (case,) = services.queue.list()
    assert case.correction.verdict == "rejected"
    assert panel.state.text().startswith("Rejected ")


def test_an_empty_mask_is_not_approved_and_the_user_is_told(panel: SegmentsPanel, services: Services) -> None:
    open_head(services)
    panel.new_button.click()
    panel.approve_requested.connect(lambda: services.attempt(lambda: verdicts.approve(services)))
    panel.approve_button.click()
    message = services.session.message
    assert message is not None
    assert message.level == "error"
    assert not services.queue.list()


def test_saving_is_asked_for(panel: SegmentsPanel, services: Services, qtbot: QtBot) -> None:
    adopt_mask(services)
    with qtbot.waitSignal(panel.export_requested):
        panel.save_button.click()


def test_a_mask_that_was_left_is_not_followed_any_more(panel: SegmentsPanel, services: Services) -> None:
    old = adopt_mask(services)
    assert len(old.edited) == 1
    services.session.mask = None
    assert len(old.edited) == len(old.changed) == len(old.segments_changed) == 0
    assert panel.model.rowCount() == 0
    assert not panel.approve_button.isEnabled()


def test_a_mask_that_was_changed_and_kept_after_its_verdict_is_not_shown_as_approved(
    panel: SegmentsPanel, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = adopt_mask(services, lesion=0)
    verdicts.approve(services)
    monkeypatch.setattr(masks, "utc_now", lambda: "2099-01-01T00:00:00+00:00")
    store.paint(np.arange(5, dtype=np.int64), 1)
    masks.keep(services)
    assert panel.state.text() == "Changed since it was approved; judge it again."
