"""What may be laid over the open series, as a menu that is filled when it is opened."""

from __future__ import annotations

from PySide6.QtWidgets import QMenu, QWidget

from medviewer.app.commands import fusion
from medviewer.app.services import Services
from medviewer.ui.translate import tr


class FuseMenu(QMenu):
    """The series that fit first; then those of another frame of reference, then other patients': these are asked about.

    Parameters
    ----------
    services
        What is open.
    confirm
        Asks a yes-or-no question.
    """

    def __init__(self, services: Services, confirm: fusion.Confirm, parent: QWidget | None = None) -> None:
        super().__init__(tr("Fuse with"), parent)
        self._services, self._confirm = services, confirm
        self.setToolTipsVisible(True)

    def fill(self) -> None:
        """List what is offered now."""
        self.clear()
        offered = fusion.candidates(self._services.session)
        own = [one for one in offered if not one.whose]
        fitting = [one for one in own if one.fits]
        self._head("Same frame of reference" if fitting else "No opened series shares its frame of reference")
        for one in fitting:
            self._add(one)
        others = [one for one in own if not one.fits]
        if others:
            self.addSeparator()
            self._head("Another frame of reference: not aligned")
        for one in others:
            self._add(one)
        before = None
        for one in (one for one in offered if one.whose):
            if not (before is not None and one.study.patient.same_as(before)):
                self.addSeparator()
                self._head(f"Another patient: {one.whose}".replace("&", "&&"))
            self._add(one)
            before = one.study.patient

    def _head(self, text: str) -> None:
        self.addAction(tr(text)).setEnabled(False)

    def _add(self, one: fusion.Candidate) -> None:
        services, uid = self._services, one.series.uid
        action = self.addAction(one.title.replace("&", "&&"))
        action.setToolTip(tr(one.series.grid.describe()))
        laid = services.session.fusion
        action.setCheckable(True)
        action.setChecked(laid is not None and laid.series.uid == uid)
        action.triggered.connect(lambda *_: services.attempt(lambda: fusion.fuse_asking(services, uid, self._confirm)))
