"""What is done with the next turn of the event loop."""

from __future__ import annotations

import gc
import weakref

from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from medviewer.ui.soon import soon


class Plain:
    """An object that Qt does not know."""

    def __init__(self, told: list[str]) -> None:
        self._told = told

    def tell(self) -> None:
        self._told.append("told")


def test_what_nobody_else_holds_is_there_when_it_is_called_and_gone_afterwards(qtbot: QtBot) -> None:
    told: list[str] = []
    context, made = QObject(), Plain(told)
    alive = weakref.ref(made)
    soon(context, made.tell)
    del made
    gc.collect()
    assert alive() is not None
    qtbot.waitUntil(lambda: told == ["told"])
    gc.collect()
    assert alive() is None


def test_nothing_is_called_once_its_context_is_gone(qtbot: QtBot) -> None:
    told: list[str] = []
    context = QObject()
    soon(context, Plain(told).tell)
    del context
    other = QObject()
    soon(other, lambda: told.append("later"))
    qtbot.waitUntil(lambda: "later" in told)
    assert told == ["later"]
