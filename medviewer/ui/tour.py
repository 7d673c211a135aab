"""The tour: three steps in the window itself, each of which goes on when it was done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QPoint, QRect, QTimer
from PySide6.QtWidgets import QWidget

from medviewer.app import settings
from medviewer.app.commands import study
from medviewer.ui.widgets.callout import Callout, Line, Note

if TYPE_CHECKING:
    from medviewer.ui.window import MainWindow

_LOOK_MS = 250
"""How often is looked whether something was done, and where its widget is now; only while the tour runs."""

Target = Callable[[], QWidget | None]


@dataclass(frozen=True)
class Task:
    """One thing to do.

    Parameters
    ----------
    text
        What, in a sentence.
    done
        Whether it was done.
    target
        Where: a widget that is seen, or None for the middle of the window.
    """

    text: str
    done: Callable[[], bool]
    target: Target


@dataclass(frozen=True)
class Step:
    """Some tasks under one title."""

    title: str
    tasks: tuple[Task, ...]


class Tour(QObject):
    """Offers itself once, at the first start; then it runs when it is asked for.

    Parameters
    ----------
    window
        The window that it is about.
    """

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window, self._services = window, window.services
        self.callout = Callout(window, self.end)
        self.steps: tuple[Step, ...] = ()
        self.at = -1
        """The step that is shown; -1 while none is."""
        self._ticked: set[int] = set()
        self._offered = False
        self._timer = QTimer(self, interval=_LOOK_MS)
        self._timer.timeout.connect(self.look)
        # bound to self: what is bound here lives as long as the window, which owns both
        self._buttons_offer = (
            ("No, thanks", "Do without; Help > Tour starts it later (Esc)", self.end),
            ("Open the demo and start", "Open the studies that come with medviewer, and go on from there", self.accept),
        )
        self._buttons_step = (
            ("End the tour", "Leave it here; Help > Tour starts it again (Esc)", self.end),
            ("Next", "Go on without doing this", self.next),
        )
        self._buttons_last = (("Close", "The tour is over (Esc)", self.end),)

    @property
    def running(self) -> bool:
        """Whether a note of the tour is to be seen."""
        return self._timer.isActive()

    def offer(self) -> None:
        """Offer the tour to somebody who never saw it, as long as nothing is open."""
        session = self._services.session
        if settings.load(self._services.archive.home).toured or session.image is not None or self._services.loading:
            return
        self._offered = True
        self._timer.start()
        self.look()

    def accept(self) -> None:
        """Open the demo, and begin."""
        self.start()
        self._services.attempt(lambda: study.open_demo(self._services))

    def start(self) -> None:
        """Begin, from the first step."""
        self._offered = False
        self._remember()
        self.steps = _steps(self._window)
        self.at = 0
        self._ticked = set()
        self._timer.start()
        self.look()

    def next(self) -> None:
        """Go on to the next step; after the last comes a word at the end."""
        self.at += 1
        self._ticked = set()
        if self.at < len(self.steps):
            self.steps = (*self.steps[: self.at], *_steps(self._window)[self.at :])  # it counts from how things are now
        self.look()

    def end(self) -> None:
        """Leave it here."""
        self._timer.stop()
        self._offered, self.at = False, -1
        self.callout.close_all()
        self._remember()

    def stop(self) -> None:
        """The window closes: say nothing any more, and remember nothing."""
        self._timer.stop()

    def look(self) -> None:
        """Tick what was done, go on where all was, and stand where the next thing is."""
        if self._offered:
            self._look_offered()
        elif 0 <= self.at < len(self.steps):
            tasks = self.steps[self.at].tasks
            self._ticked |= {k for k, task in enumerate(tasks) if task.done()}
            if len(self._ticked) == len(tasks):
                self.next()
            else:
                self._show_step(tasks)
        elif self.at >= 0:
            self._show_end()

    # -- what is said

    def _look_offered(self) -> None:
        if self._services.session.image is not None or self._services.loading is not None:
            self.end()  # the user went his own way
            return
        text = (
            "The demo has a brain and a chest, with models that segment and classify them. The tour shows in three "
            "steps how to open, look and correct."
        )
        self.callout.say(Note("New here?", text, buttons=self._buttons_offer))
        self.callout.point_at(self._rect(self._window.browser.demo_button))

    def _show_step(self, tasks: tuple[Task, ...]) -> None:
        step = self.steps[self.at]
        lines = tuple(Line(task.text, k in self._ticked) for k, task in enumerate(tasks))
        count = f"Step {self.at + 1} of {len(self.steps)}"
        self.callout.say(Note(step.title, lines=lines, count=count, buttons=self._buttons_step))
        following = next(task for k, task in enumerate(tasks) if k not in self._ticked)
        self.callout.point_at(self._rect(following.target()))

    def _show_end(self) -> None:
        text = (
            "Every command is in the menus and behind Ctrl+Shift+P. A right click shows what can be done at that "
            "place, F1 opens the manual, and Help > Tour this tour."
        )
        self.callout.say(Note("That was the tour", text, buttons=self._buttons_last))
        self.callout.point_at(None)

    def _rect(self, widget: QWidget | None) -> QRect | None:
        """Where a widget is in the window; None where it is not seen."""
        if widget is None or not widget.isVisible() or widget.visibleRegion().isEmpty():
            return None
        return QRect(widget.mapTo(self._window, QPoint(0, 0)), widget.size())

    def _remember(self) -> None:
        home = self._services.archive.home
        self._services.attempt(lambda: settings.change(home, toured=True))


def _steps(window: MainWindow) -> tuple[Step, ...]:
    """The steps, counted from how things are now."""
    return _open(window), _look(window), _correct(window)


def _open(window: MainWindow) -> Step:
    session = window.services.session

    def target() -> QWidget | None:
        return window.browser.demo_button if window.browser.demo_button.isVisible() else window.browser

    return Step(
        "Open a study",
        (
            Task(
                "Open the demo, or drop a folder of your own on the window.",
                lambda: session.image is not None,
                target,
            ),
        ),
    )


def _look(window: MainWindow) -> Step:
    session = window.services.session
    view = session.view
    cursor, grey, panes = view.cursor, view.window, view.hung

    def active() -> QWidget | None:
        return window.grid.slices[view.active] if view.active < len(window.grid.slices) else None

    def windowed() -> bool:
        return view.window != grey or [pane.look for pane in view.hung] != [pane.look for pane in panes]

    def answered() -> bool:
        made = session.mask is not None and bool(session.mask.base.provenance.plugin_id)
        return made or session.classification is not None or session.detections is not None

    def run_button() -> QWidget | None:
        if not window.panels["ai"].isVisible():
            return window.modes
        cards = (card for name, card in sorted(window.panel_area.ai.cards.items()) if card.run_button.isEnabled())
        card = next(cards, None)
        return card.run_button if card is not None else window.panels["ai"]

    scroll = "Turn the wheel over a picture, or press the arrow keys: you scroll."
    if session.image is not None and not session.image.is_volume:
        scroll = "Turn the wheel with Ctrl over the picture: you zoom."
    return Step(
        "Look around, and let a model segment",
        (
            Task(
                scroll,
                lambda: view.cursor != cursor or view.hung != panes or _zoomed(window),
                active,
            ),
            Task("Drag with the right button: brightness and contrast.", windowed, active),
            Task("Press Run at a model. Its answer comes with its version and its doubt.", answered, run_button),
        ),
    )


def _zoomed(window: MainWindow) -> bool:
    image = window.services.session.image
    return image is not None and not image.is_volume and any(not one.fitted for one in window.grid.slices)


def _correct(window: MainWindow) -> Step:
    session = window.services.session
    started = session.mask.done_at if session.mask is not None else 0
    queue = session.queue_revision

    def painted() -> bool:
        return session.mask is not None and session.mask.can_undo and session.mask.done_at > started

    def approve() -> QWidget | None:
        button = window.panel_area.segments.approve_button
        return button if button.isVisible() else window.panels["segments"]

    def brush() -> QWidget | None:
        return window.grid.slices[session.view.active] if session.view.tool == "brush" else window.tools

    return Step(
        "Correct, and let it learn",
        (
            Task(
                "Choose the tab Correct: it has the tools that paint.",
                lambda: session.mode == "correct",
                _modes(window),
            ),
            Task("Press B and paint over a mistake; E erases, Ctrl+Z undoes.", painted, brush),
            Task(
                "Approve: the mask enters the queue that the model learns from.",
                lambda: session.queue_revision > queue,
                approve,
            ),
            Task(
                "Choose the tab Review: the queue and the model's versions.",
                lambda: session.mode == "review",
                _modes(window),
            ),
        ),
    )


def _modes(window: MainWindow) -> Target:
    return lambda: window.modes
