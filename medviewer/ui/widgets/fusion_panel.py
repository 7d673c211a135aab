"""What is laid over the open series: which one, how strong, in which window and colours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import QDoubleSpinBox, QFormLayout, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from medviewer.app.colours import COLOUR_MAPS
from medviewer.app.commands import fusion
from medviewer.app.controllers.fusing import follows_phases
from medviewer.app.services import Services
from medviewer.app.state import Fusion
from medviewer.ui.icons import icon
from medviewer.ui.translate import tr
from medviewer.ui.widgets.links import Links
from medviewer.ui.widgets.parts import GAP, MARGIN, combo, explain, label, push, refill, set_text, slider, tool

_FIELD_WIDTH = 84
NOTHING = (
    "Nothing is laid over. Open a PET and a CT of one examination together, show the CT, and fuse it with the PET."
)


class FusionPanel(QWidget):
    """A list to choose from, and while something is laid over, how it is shown.

    Parameters
    ----------
    services
        What is open.
    confirm
        Asks a yes-or-no question.
    """

    def __init__(self, services: Services, confirm: fusion.Confirm, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._services, self._confirm = services, confirm
        self._links = Links(self)
        self.empty = label(NOTHING, "quiet", wrap=True)
        self.offered = combo("The series to lay over", "Series to lay over")
        self.button = push("Fuse", "Lay the chosen series over the open one", self._fuse, primary=True)
        self.offered.setPlaceholderText(tr("Choose a series"))
        self.offered.currentIndexChanged.connect(self._may_fuse)
        self._of = ""
        """The main series that the offer is for."""
        self.name = label(wrap=True)
        self.note = label(role="warning", wrap=True)
        self.opacity = slider(
            0, 100, "How strong it is shown (Alt+] stronger, Alt+[ weaker)", "Opacity of what is laid over"
        )
        self.windows = combo("Its windows (Shift+V for the next)", "Window of what is laid over")
        self.low = self._field("Value that is clear, and all below it")
        self.high = self._field("Value that has the last colour, and all above it")
        self.colours = combo("Its colours (Ctrl+Shift+L for the next)", "Colours of what is laid over")
        self.phase = slider(0, 0, "Which step of its own 4th axis is shown", "Phase of what is laid over")
        self.eye = tool("visible", "Show or hide what is laid over (Shift+Y)", lambda: self._try(fusion.toggle))
        self.swap = tool(
            "swap", "Exchange the two series (Alt+X)", lambda: services.attempt(lambda: fusion.swap(services))
        )
        self.away = tool("delete", "Take away what is laid over (Ctrl+Shift+Y)", lambda: fusion.remove(services))
        self._lay_out()
        self._listen()
        self.refresh()

    def _field(self, tip: str) -> QDoubleSpinBox:
        made = QDoubleSpinBox()
        made.setRange(-1e7, 1e7)
        made.setDecimals(2)
        made.setStepType(QDoubleSpinBox.StepType.AdaptiveDecimalStepType)
        made.setKeyboardTracking(False)
        made.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        made.setMinimumWidth(_FIELD_WIDTH)  # its range is wider than a panel
        made.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        explain(made, tip)
        made.valueChanged.connect(self._typed)
        return made

    def _lay_out(self) -> None:
        box = QVBoxLayout(self)
        box.setContentsMargins(MARGIN, 4, MARGIN, MARGIN)
        box.setSpacing(GAP)
        choose = QHBoxLayout()
        choose.addWidget(self.offered, 1)
        choose.addWidget(self.button)
        box.addWidget(self.empty)
        box.addLayout(choose)
        self.shown = QWidget()
        inner = QVBoxLayout(self.shown)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(GAP)
        head = QHBoxLayout()
        head.setSpacing(2)
        head.addWidget(self.name, 1)
        for button in (self.eye, self.swap, self.away):
            head.addWidget(button)
        limits = QHBoxLayout()
        limits.addWidget(self.low, 1)
        limits.addWidget(label("to"))
        limits.addWidget(self.high, 1)
        self.form = QFormLayout()
        self.form.setVerticalSpacing(GAP)
        for text, part in (("Opacity", self.opacity), ("Window", self.windows), ("Colours", self.colours)):
            self.form.addRow(tr(text), part)
        self.form.insertRow(2, tr("Values"), limits)
        self.form.addRow(tr("Phase"), self.phase)
        inner.addLayout(head)
        inner.addWidget(self.note)
        inner.addLayout(self.form)
        box.addWidget(self.shown)

    def _listen(self) -> None:
        session = self._services.session
        for signal in (session.events.fusion, session.events.studies, session.events.series, session.events.image):
            self._links.add(signal, self.refresh)
        self.opacity.valueChanged.connect(lambda value: fusion.set_opacity(session, value / 100))
        self.windows.activated.connect(self._choose_window)
        self.colours.activated.connect(lambda _: self._try(lambda s: fusion.set_colours(s, self.colours.currentData())))
        self.phase.valueChanged.connect(lambda value: fusion.set_phase(session, value))

    # -- what the session says ------------------------------------------------------------------------------------

    def refresh(self, *_: object) -> None:
        """Show what is laid over, and what may be."""
        session = self._services.session
        laid = session.fusion
        offered = fusion.candidates(session)
        rows: list[tuple[str, object]] = [
            (one.title + ("" if one.fits else "  (not aligned)"), one.series.uid) for one in offered
        ]
        self._offer(offered, rows)
        self.empty.setVisible(laid is None)
        for part in (self.offered, self.button):
            part.setVisible(bool(rows))
        self.shown.setVisible(laid is not None)
        if laid is not None:
            self._show(laid)

    def _offer(self, offered: Sequence[fusion.Candidate], rows: list[tuple[str, object]]) -> None:
        """List them; one of another patient is chosen by the user's hand alone, for the series that is open then."""
        main = self._services.session.series
        before, chosen = self._of, self.offered.currentData()
        self._of = main.uid if main is not None else ""
        refill(self.offered, rows)
        at = self.offered.currentIndex()
        if 0 <= at < len(offered) and offered[at].whose and (self._of != before or offered[at].series.uid != chosen):
            self.offered.setCurrentIndex(-1 if offered[0].whose else 0)
        self._may_fuse()

    def _may_fuse(self, *_: object) -> None:
        self.button.setEnabled(self.offered.currentIndex() >= 0)

    def _show(self, laid: Fusion) -> None:
        unit = laid.image.rescale.unit
        self.name.setText("  ".join(part for part in (laid.series.modality, laid.series.description) if part))
        set_text(self.note, "Another frame of reference: nothing aligned the two." if laid.foreign else "")
        self.eye.setIcon(icon("visible" if laid.visible else "hidden"))
        low, high = laid.window.plain[0].limits
        offered = fusion.presets(self._services.session)
        rows: list[tuple[str, object]] = [(one.name, k) for k, one in enumerate(offered)]
        chosen = next((k for k, one in enumerate(offered) if one.limits == laid.window.limits), -1)
        names: list[tuple[str, object]] = [(one.title, one.id) for one in COLOUR_MAPS]
        parts = (self.opacity, self.windows, self.low, self.high, self.colours, self.phase)
        blockers = [QSignalBlocker(part) for part in parts]
        self.opacity.setValue(round(100 * laid.opacity))
        refill(self.windows, [*rows, ("As set", -1)])
        self.windows.setCurrentIndex(self.windows.findData(chosen))
        refill(self.colours, names)
        self.colours.setCurrentIndex(self.colours.findData(laid.colours))
        for field, value in ((self.low, low), (self.high, high)):
            field.setSuffix(f" {unit}" if unit else "")
            if abs(field.value() - value) > 0.005:
                field.setValue(value)
        own = laid.image.dynamic is not None and not follows_phases(self._services.session, laid)
        self.form.setRowVisible(self.phase, own)
        if own and laid.image.dynamic is not None:
            self.phase.setRange(0, len(laid.image.dynamic.axis) - 1)
            self.phase.setValue(laid.phase)
        for blocker in blockers:
            blocker.unblock()

    # -- what the user wants --------------------------------------------------------------------------------------

    def _try(self, act: Callable[..., None]) -> None:
        self._services.attempt(lambda: act(self._services.session))

    def _fuse(self) -> None:
        uid = self.offered.currentData()
        if isinstance(uid, str):
            self._services.attempt(lambda: fusion.fuse_asking(self._services, uid, self._confirm))

    def _choose_window(self, row: int) -> None:
        number = self.windows.itemData(row)
        offered = fusion.presets(self._services.session)
        if isinstance(number, int) and 0 <= number < len(offered):
            fusion.set_window(self._services.session, replace(offered[number]))

    def _typed(self) -> None:
        session = self._services.session
        low, high = self.low.value(), self.high.value()
        if session.fusion is not None:
            self._services.attempt(lambda: fusion.set_limits(session, low, high))
            self.refresh()
