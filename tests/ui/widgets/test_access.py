"""Every control can be named by a screen reader, explained by a tool tip and reached by keyboard."""

from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QScrollBar,
    QSlider,
    QWidget,
)
from pytestqt.qtbot import QtBot
from shiboken6 import delete

from medviewer.app.services import Services
from medviewer.ui.widgets.ai_panel import AiPanel
from medviewer.ui.widgets.job_bar import JobBar
from medviewer.ui.widgets.learning_panel import LearningPanel
from medviewer.ui.widgets.message_strip import MessageStrip
from medviewer.ui.widgets.saliency_panel import SaliencyPanel
from medviewer.ui.widgets.segments_panel import SegmentsPanel
from medviewer.ui.widgets.study_browser import StudyBrowser
from tests.ui.widgets.conftest import open_head

PANELS = (AiPanel, JobBar, LearningPanel, MessageStrip, SaliencyPanel, SegmentsPanel, StudyBrowser)
CONTROLS = (QAbstractButton, QAbstractItemView, QComboBox, QLineEdit, QPlainTextEdit, QSlider)


def controls(panel: QWidget) -> list[QWidget]:
    """Controls of our own making; Qt builds some inside others."""
    found = [child for child in panel.findChildren(QWidget) if isinstance(child, CONTROLS)]
    inner = (QComboBox, QAbstractItemView, QLineEdit, QScrollBar)
    return [child for child in found if not isinstance(child.parent(), inner) and not _in_popup(child)]


def _in_popup(child: QWidget) -> bool:
    return isinstance(child.parent(), QWidget) and child.parent().inherits("QComboBoxPrivateContainer")


@pytest.mark.parametrize("kind", PANELS)
def test_every_control_has_a_name_and_a_tool_tip(
    qtbot: QtBot, services: Services, kind: Callable[[Services], QWidget]
) -> None:
    panel = kind(services)
    qtbot.addWidget(panel)
    for control in controls(panel):
        assert control.accessibleName(), control
        if not isinstance(control, QAbstractItemView):
            assert control.toolTip(), control
        assert control.focusPolicy() & Qt.FocusPolicy.TabFocus, control


@pytest.mark.parametrize("kind", PANELS)
def test_a_panel_that_is_gone_leaves_the_session_alone(
    qtbot: QtBot, services: Services, kind: Callable[[Services], QWidget]
) -> None:
    panel = kind(services)
    delete(panel)
    open_head(services)
    services.session.say("Still here.", "ok")
    services.session.queue_revision += 1
    services.session.view.brush_mm = 2.0
    assert services.session.message is not None
