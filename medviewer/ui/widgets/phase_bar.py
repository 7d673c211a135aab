"""The bar of the 4th axis: which time, echo, b-value or frame is shown, and a film of all of them."""

from __future__ import annotations

from PySide6.QtCore import QElapsedTimer, QSignalBlocker, Qt, QTimer
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QSlider, QToolButton, QWidget

from medviewer.app.commands import view
from medviewer.app.controllers.texts import phase_value
from medviewer.app.services import Services
from medviewer.domain.study import PhaseAxis
from medviewer.ui.icons import icon
from medviewer.ui.translate import tr
from medviewer.ui.widgets.links import Links
from medviewer.ui.widgets.parts import combo, refill

_SHORTEST_MS = 10
"""The clock is looked at no more often: screens draw some 60 pictures a second."""


class PhaseBar(QWidget):
    """A slim bar with a play button, a slider and the value; it is hidden where the image has no 4th axis.

    Parameters
    ----------
    services
        What is open.
    """

    def __init__(self, services: Services, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("phaseBar")
        self._services = services
        self._axis: PhaseAxis | None = None
        self._clock = QElapsedTimer()
        self._began, self._drawn = 0, 0
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        self._make_parts()
        self._links = Links(self)
        session = services.session
        self._links.add(session.events.image, self._follow_image)
        self._links.add(session.view.events.phase, self._follow_phase)
        self._links.add(session.view.events.playing, self._follow_playing)
        self._links.add(session.view.events.play_speed, self._follow_way)
        self._links.add(session.view.events.play_mode, self._follow_way)
        self._follow_way()
        self._follow_image()

    def stop(self) -> None:
        """Stop the film."""
        self._services.session.view.playing = False

    def _make_parts(self) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 2, 8, 2)
        row.setSpacing(8)
        self.button = QToolButton()
        self.button.setIcon(icon("play"))
        self.button.setAccessibleName(tr("Play all phases"))
        self.button.clicked.connect(lambda: view.toggle_play(self._services))
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName(tr("Phase"))
        self.slider.valueChanged.connect(self._chosen)
        self.count = QLabel()
        self.count.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.value = QLabel()
        self.value.setProperty("role", "quiet")
        self.name = QLabel()
        self.name.setProperty("role", "quiet")
        self.speed = combo(
            "How many times as fast as it was recorded (Alt+. faster, Alt+, slower)", "Speed of the film"
        )
        self.speed.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        refill(self.speed, [(f"{speed:g}×", speed) for speed in view.SPEEDS])
        self.speed.activated.connect(lambda _: view.set_speed(self._services, float(self.speed.currentData())))
        self.mode = combo("What the film does at its end (Ctrl+.)", "Loop")
        self.mode.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        refill(self.mode, [(text, name) for name, text in view.PLAY_MODES.items()])
        self.mode.activated.connect(lambda _: view.set_play_mode(self._services, self.mode.currentData()))
        for part in (self.button, self.name, self.slider, self.count, self.value):
            row.addWidget(part, 1 if part is self.slider else 0)
        for box in (self.speed, self.mode):
            row.addWidget(box)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    # -- what the session says ------------------------------------------------------------------------------------

    def _follow_image(self, *_: object) -> None:
        image = self._services.session.image
        self._axis = axis = image.dynamic.axis if image is not None and image.dynamic is not None else None
        self.setVisible(axis is not None)
        if axis is None:
            return
        with QSignalBlocker(self.slider):
            self.slider.setRange(0, len(axis) - 1)
        self.name.setText(tr(axis.name.capitalize()))
        self.slider.setToolTip(tr(f"Which {axis.name} is shown (, and .)"))
        # as wide as the widest text, or the slider would grow and shrink while the film runs
        last = len(axis) - 1
        for label, texts in (
            (self.count, [f"{len(axis)} / {len(axis)}"]),
            (
                self.value,
                [phase_value(axis, phase) for phase in {0, last // 2, last, *range(0, last, 1 + last // 200)}],
            ),
        ):
            label.setMinimumWidth(max(label.fontMetrics().horizontalAdvance(text) for text in texts) + 4)
        self.value.setVisible(bool(phase_value(axis, 0)))
        self._follow_phase()
        self._follow_playing()

    def _follow_phase(self, *_: object) -> None:
        if self._axis is None:
            return
        phase = min(self._services.session.view.phase, len(self._axis) - 1)
        with QSignalBlocker(self.slider):
            self.slider.setValue(phase)
        self.count.setText(f"{phase + 1} / {len(self._axis)}")
        self.value.setText(tr(phase_value(self._axis, phase)))
        if self._timer.isActive() and phase != self._drawn:
            self._start(phase)  # somebody chose another one: the film goes on from there

    def _follow_playing(self, *_: object) -> None:
        playing = self._services.session.view.playing and self._axis is not None
        self.button.setIcon(icon("pause" if playing else "play"))
        self.button.setToolTip(tr("Pause (K)" if playing else "Play all phases as a film (K)"))
        if playing and not self._timer.isActive():
            state = self._services.session.view
            if state.play_mode == "once" and state.phase == view.phase_count(self._services) - 1:
                view.set_phase(self._services, 0)  # it was at its end
            self._start(state.phase)
            self._set_clock()
        elif not playing:
            self._timer.stop()

    def _follow_way(self, *_: object) -> None:
        """Show speed and loop; a film that runs goes on from where it is."""
        state = self._services.session.view
        with QSignalBlocker(self.speed), QSignalBlocker(self.mode):
            self.speed.setCurrentIndex(self.speed.findData(state.play_speed))
            self.mode.setCurrentIndex(self.mode.findData(state.play_mode))
        if self._timer.isActive():
            self._start(state.phase)
            self._set_clock()

    def _set_clock(self) -> None:
        self._timer.start(max(_SHORTEST_MS, round(view.play_interval(self._services) / 2)))

    # -- what the user and the clock want -------------------------------------------------------------------------

    def _chosen(self, phase: int) -> None:
        view.set_phase(self._services, phase)

    def _start(self, phase: int) -> None:
        self._began = self._drawn = phase
        self._clock.start()

    def _tick(self) -> None:
        """Show what the clock asks for: by time and not by ticks, so a slow machine drops frames."""
        count = view.phase_count(self._services)
        if not count:
            self.stop()
            return
        interval, mode = view.play_interval(self._services), self._services.session.view.play_mode
        self._drawn = view.phase_at(self._began, self._clock.elapsed(), interval, count, mode)
        view.set_phase(self._services, self._drawn)
        if mode == "once" and self._drawn == count - 1:
            self.stop()
