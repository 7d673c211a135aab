"""Numbers, links, counters and sections."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psygnal import Signal
from PySide6.QtCore import QObject
from PySide6.QtWidgets import QLabel, QToolButton, QWidget
from pytestqt.qtbot import QtBot
from shiboken6 import delete

from medviewer.app.volumes import millilitres
from medviewer.domain.strokes import change
from medviewer.ui.widgets.label_counter import LabelCounter
from medviewer.ui.widgets.links import Links
from medviewer.ui.widgets.numbers import clock, seconds
from medviewer.ui.widgets.section import Section


@pytest.mark.parametrize(
    ("volume", "text"),
    [(0.0, "0 ml"), (3.21, "3.2 ml"), (42.4, "42 ml"), (1420.4, "1 420 ml"), (1234567, "1 234 567 ml")],
)
def test_volumes_have_a_unit_and_grouped_thousands(volume: float, text: str) -> None:
    assert millilitres(volume).replace("\u202f", " ") == text


@pytest.mark.parametrize(("duration", "text"), [(1.44, "1.4 s"), (130, "2:10 min"), (3725, "1:02:05 min")])
def test_durations(duration: float, text: str) -> None:
    assert seconds(duration).replace("\u202f", " ") == text


@given(st.integers(0, 10**6))
def test_clock_can_be_read_back(total: int) -> None:
    value = 0
    for part in clock(total).split(":"):
        value = value * 60 + int(part)
    assert value == total


class Source:
    changed = Signal(int)


class Listener(QObject):
    def __init__(self, source: Source) -> None:
        super().__init__()
        self.links = Links(self)
        self.heard: list[int] = []
        self.links.add(source.changed, self.hear)

    def hear(self, value: int) -> None:
        self.heard.append(value)


def test_a_widget_that_qt_deleted_hears_nothing_more(qtbot: QtBot) -> None:
    source = Source()
    listener = Listener(source)
    source.changed.emit(1)
    delete(listener)
    source.changed.emit(2)
    assert listener.heard == [1]
    assert len(source.changed) == 0


def test_a_widget_that_python_freed_is_not_held(qtbot: QtBot) -> None:
    source = Source()
    listener = Listener(source)
    del listener
    source.changed.emit(1)
    assert len(source.changed) == 0


def test_counts_follow_strokes_along_every_axis(qtbot: QtBot) -> None:
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 4, (9, 7, 5), np.uint8)
    counter = LabelCounter()
    with qtbot.waitSignal(counter.changed):
        counter.start(labels)
    for label in (1, 9, 0, 2):
        where = rng.choice(labels.size, 40, replace=False).astype(np.int64)
        box = change(labels, where, label).apply(labels)
        counter.touch(box)
        with qtbot.waitSignal(counter.changed):
            counter.resume()
        assert [counter.count(k) for k in range(12)] == np.bincount(labels.reshape(-1), minlength=12).tolist()


def test_a_slice_of_more_voxels_than_are_counted_at_once(qtbot: QtBot) -> None:
    labels = np.random.default_rng(4).integers(0, 3, (1, 300, 301), np.uint8)
    labels[0, 299, 300] = 9
    counter = LabelCounter()
    with qtbot.waitSignal(counter.changed):
        counter.start(labels)
    assert [counter.count(k) for k in range(12)] == np.bincount(labels.reshape(-1), minlength=12).tolist()


def test_counter_without_a_map_counts_nothing(qtbot: QtBot) -> None:
    counter = LabelCounter()
    counter.start(np.ones((2, 2, 2), np.uint8))
    counter.start(None)
    qtbot.wait(1)
    assert not counter.complete
    assert counter.count(1) == 0


def test_section_folds_its_content(qtbot: QtBot) -> None:
    window = QWidget()
    section = Section("Saliency", QLabel("inside"), window)
    qtbot.addWidget(window)
    with qtbot.waitSignal(section.toggled):
        section.findChild(QToolButton).click()
    assert section.content.isHidden()
    section.expanded = True
    assert not section.content.isHidden()
