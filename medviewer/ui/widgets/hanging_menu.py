"""View > Hanging > Hanging protocols, and what of them is in use."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QMenu, QToolButton, QWidget

from medviewer.app.commands import hanging_choice
from medviewer.app.hanging import library
from medviewer.app.hanging.in_use import Hanging, is_own
from medviewer.app.hanging.protocol import Protocol
from medviewer.app.services import Services
from medviewer.ui.translate import tr
from medviewer.ui.widgets.palette import Entry
from medviewer.ui.widgets.parts import explain

_COMMANDS = ("hang.next", "hang.again", "hang.prior", "hang.save", "hang.own", "hang.automatic")


class HangingMenu(QMenu):
    """Every hanging protocol, the user's first; those that the open study cannot be hung by are greyed, and say why.

    Parameters
    ----------
    services
        Its session says what is open, and is changed.
    commands
        The window's actions, of which those about hanging stand here too.
    """

    def __init__(self, services: Services, commands: Mapping[str, QAction], parent: QWidget | None = None) -> None:
        super().__init__(tr("&Hanging protocols"), parent)
        self._services, self._commands = services, commands
        self.setToolTipsVisible(True)
        self.menuAction().setStatusTip(tr("What hangs where, by the kind of study"))
        self.aboutToShow.connect(self.fill)

    def fill(self) -> None:
        """List what there is now."""
        self.clear()
        offered = hanging_choice.offered(self._services)
        group = QActionGroup(self)
        broken = [row for row in library.own_rows(self._services.archive.home) if row.protocol is None]
        if broken or any(one.own for one, _ in offered):
            self._head("Yours")
        for one, reason in offered:
            if one.own:
                self._add(one, reason, group)
        for row in broken:
            action = self.addAction(f"{row.name}  {tr('cannot be read')}".replace("&", "&&"))
            action.setEnabled(False)
            action.setToolTip(f"{row.path.name}, {row.error}")
        self._head("With medviewer")
        for one, reason in sorted((pair for pair in offered if not pair[0].own), key=lambda pair: bool(pair[1])):
            self._add(one, reason, group)
        self.addSeparator()
        for name in _COMMANDS:
            self.addAction(self._commands[name])

    def entries(self) -> list[tuple[Entry, QAction]]:
        """What the palette offers: an entry for each, with the action that hangs by it."""
        self.fill()
        return [
            (
                Entry(
                    action.objectName(),
                    f"{tr('Hang')}: {action.data()}",
                    tr("View"),
                    action.statusTip(),
                    "",
                    "" if action.isEnabled() else action.toolTip(),
                    action.isChecked(),
                ),
                action,
            )
            for action in self.actions()
            if action.objectName().startswith("hang.use.")
        ]

    def _head(self, text: str) -> None:
        self.addSeparator()
        self.addAction(tr(text)).setEnabled(False)

    def _add(self, protocol: Protocol, reason: str, group: QActionGroup) -> None:
        name = _name(protocol)
        action = self.addAction(name.replace("&", "&&"))
        action.setObjectName(f"hang.use.{'own.' if protocol.own else ''}{protocol.id}")
        action.setData(name)
        action.setCheckable(True)
        now = self._services.session.hanging
        action.setChecked(now is not None and now.protocol == protocol and not is_own(self._services.session))
        action.setEnabled(not reason)
        tip = f"{len(protocol.steps)} steps" if len(protocol.steps) > 1 else "Lay out the open study so"
        action.setToolTip(tr(reason or tip))
        action.setStatusTip(tr("Hang the open study by this protocol"))
        group.addAction(action)
        services = self._services
        action.triggered.connect(lambda _=False: services.attempt(lambda: hanging_choice.use(services, protocol)))


class HangingButton(QToolButton):
    """In the status bar: by what the open study was hung; why, when it is pointed at; and the others, when pressed.

    Parameters
    ----------
    services
        Its session is followed.
    menu
        The other protocols.
    """

    def __init__(self, services: Services, menu: HangingMenu, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = services.session
        self.setObjectName("hangingButton")
        self.setAutoRaise(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.setMenu(menu)
        self._session.events.hanging.connect(self._show)
        self._session.events.image.connect(self._show)
        self._session.view.events.panes.connect(self._show)
        self._session.view.events.layout.connect(self._show)
        self._show()

    def _show(self, *_: object) -> None:
        session = self._session
        hanging = session.hanging if session.image is not None else None
        self.setVisible(hanging is not None)
        if hanging is not None:
            title, why = _told(hanging, is_own(session))
            self.setText(title)
            explain(self, why, title)


def _told(hanging: Hanging, own: bool) -> tuple[str, str]:
    """What is in use, and why, in few words."""
    if own:
        return tr("Your layout"), tr("You laid out the viewports yourself; they stay so for this study.")
    if hanging.protocol is None:
        return tr("Usual layout"), tr(hanging.why)
    title, steps = _name(hanging.protocol), hanging.protocol.steps
    if len(steps) > 1:
        step = steps[hanging.step].name
        title += f"  {hanging.step + 1} / {len(steps)}" + (
            f": {step if hanging.protocol.own else tr(step)}" if step else ""
        )
    return title, f"{title}. {tr(hanging.why)} {tr('Press for the others.')}"


def _name(protocol: Protocol) -> str:
    """What it is called: those of medviewer in the language of the window, the user's as they are."""
    return protocol.name if protocol.own else tr(protocol.name)
