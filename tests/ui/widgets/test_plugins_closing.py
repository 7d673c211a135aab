"""The dialog about plugins closes: what it prepared goes, what the user agreed to goes on, what is at work stays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot
from shiboken6 import isValid

from medviewer.app.services import Services
from medviewer.errors import JobCancelled, NotFoundError
from medviewer.ui.widgets.plugins_dialog import PluginsDialog
from medviewer.ui.widgets.trust_dialog import TrustDialog
from tests.inference.tiny_plugins import write_plugin

Wait = Callable[[Callable[[], bool]], None]


@pytest.fixture
def dialog(qtbot: QtBot, services: Services, wait: Wait) -> Iterator[PluginsDialog]:
    made = PluginsDialog(services)
    made.show()
    wait(lambda: len(made.table.rows) > 1)
    yield made
    if isValid(made):  # closing deletes it
        made.close()


def question(dialog: PluginsDialog, wait: Wait) -> TrustDialog:
    wait(lambda: any(one.isVisible() for one in dialog.findChildren(TrustDialog)))
    return next(one for one in dialog.findChildren(TrustDialog) if one.isVisible())


def installed(services: Services) -> list[Path]:
    return list((services.archive.home / "plugins").iterdir())


def test_what_is_being_prepared_is_stopped_and_removed(
    dialog: PluginsDialog, services: Services, wait: Wait, tmp_path: Path
) -> None:
    dialog.install(write_plugin(tmp_path, "stranger").folder)
    job = dialog._job
    assert job is not None
    dialog.close()
    wait(lambda: not services.runner.jobs)
    assert isinstance(job.error, JobCancelled)
    assert installed(services) == []


def test_an_open_question_is_answered_with_no(
    dialog: PluginsDialog, services: Services, wait: Wait, tmp_path: Path
) -> None:
    dialog.install(write_plugin(tmp_path, "stranger").folder)
    question(dialog, wait)
    assert len(installed(services)) == 1
    dialog.close()
    wait(lambda: not services.runner.jobs)
    assert installed(services) == []


def test_what_was_agreed_to_goes_on(dialog: PluginsDialog, services: Services, wait: Wait, tmp_path: Path) -> None:
    dialog.install(write_plugin(tmp_path, "stranger").folder)
    question(dialog, wait).accept_button.click()
    dialog.close()
    wait(lambda: not services.runner.jobs)
    assert services.plugin("stranger").manifest is not None
    assert services.session.message is None


def test_a_plugin_at_work_cannot_be_removed(dialog: PluginsDialog, services: Services, wait: Wait) -> None:
    write_plugin(services.archive.home / "plugins", "local")
    services.refresh()
    wait(lambda: any(row.cells[0] == "Local" for row in dialog.table.rows))
    dialog.table.choose(next(row.key for row in dialog.table.rows if row.cells[0] == "Local"))
    assert dialog.remove_button.isEnabled()
    services.session.busy_plugins = frozenset({"local"})
    assert not dialog.remove_button.isEnabled()
    services.session.busy_plugins = frozenset()
    assert dialog.remove_button.isEnabled()
    dialog.remove()
    services.session.busy_plugins = frozenset({"local"})
    question(dialog, wait).accept_button.click()
    assert "is at work; wait for it or stop it" in dialog.status.text()
    services.session.busy_plugins = frozenset()
    dialog.remove()
    question(dialog, wait).accept_button.click()
    wait(lambda: not any(row.cells[0] == "Local" for row in dialog.table.rows))
    with pytest.raises(NotFoundError):
        services.plugin("local")
