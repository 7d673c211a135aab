"""The dialog about plugins, the form of a run, results with their doubt, and the run on many."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QComboBox, QLineEdit, QSpinBox
from pytestqt.qtbot import QtBot

from medviewer.app.commands import plugins
from medviewer.app.run_choice import RunChoice
from medviewer.app.services import Services
from medviewer.domain.doubt import Doubt
from medviewer.domain.finding import Classification
from medviewer.domain.provenance import Provenance
from medviewer.ui.widgets.ai_panel import AiPanel
from medviewer.ui.widgets.batch_dialog import BatchDialog, show_batch
from medviewer.ui.widgets.params_form import ParamsForm
from medviewer.ui.widgets.plain_table import PlainTable
from medviewer.ui.widgets.plugin_result import PluginResult
from medviewer.ui.widgets.plugins_dialog import PluginsDialog, show_plugins
from medviewer.ui.widgets.run_options import RunOptions
from medviewer.ui.widgets.trust_dialog import TrustDialog
from tests.inference.tiny_plugins import write_plugin
from tests.ui.widgets.conftest import open_head

Wait = Callable[[Callable[[], bool]], None]


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A plugin that leaves a file behind when any of its code runs."""
    folder = write_plugin(tmp_path / "made", "stranger").folder
    armed = f"open({str(tmp_path / 'canary')!r}, 'w').close()\n"
    for name in ("__init__.py", "plugin.py"):
        (folder / name).write_text(armed + (folder / name).read_text())
    return folder


@pytest.fixture
def dialog(qtbot: QtBot, services: Services, wait: Wait) -> PluginsDialog:
    made = PluginsDialog(services)
    qtbot.addWidget(made)
    wait(lambda: len(made.table.rows) > 1)
    return made


def row(dialog: PluginsDialog, name: str) -> tuple[str, ...]:
    return next((row.cells for row in dialog.table.rows if row.cells[0] == name), ())


def choose(dialog: PluginsDialog, name: str) -> None:
    dialog.table.choose(next(row.key for row in dialog.table.rows if row.cells[0] == name))


def asked(dialog: PluginsDialog) -> TrustDialog:
    return next(one for one in dialog.findChildren(TrustDialog) if one.isVisible())


def test_what_comes_with_medviewer_is_listed_with_its_adapters(dialog: PluginsDialog) -> None:
    assert row(dialog, "Brain extraction")[3:] == ("comes with medviewer", "here")
    assert "adapter" in {one.cells[2] for one in dialog.table.rows}
    choose(dialog, "Brain extraction")
    assert "Licence: MIT" in dialog.what.text()
    assert dialog.check_button.isEnabled()
    assert not dialog.remove_button.isEnabled()
    assert not dialog.trust_button.isEnabled()


def test_a_broken_plugin_shows_its_error(dialog: PluginsDialog, services: Services, wait: Wait) -> None:
    folder = services.archive.home / "plugins" / "bad"
    folder.mkdir(parents=True)
    (folder / "plugin.yaml").write_text("id: [")
    services.refresh()
    wait(lambda: row(dialog, "bad") != ())
    choose(dialog, "bad")
    assert "is not valid YAML" in dialog.error.text()
    assert not dialog.check_button.isEnabled()
    assert dialog.remove_button.isEnabled()


def test_install_asks_twice_and_runs_nothing(
    dialog: PluginsDialog, services: Services, wait: Wait, package: Path, tmp_path: Path
) -> None:
    dialog.install(package)
    wait(lambda: any(one.isVisible() for one in dialog.findChildren(TrustDialog)))
    question = asked(dialog)
    assert question.cancel_button.isDefault()
    assert not question.trust.isChecked()
    question.accept_button.click()
    wait(lambda: row(dialog, "Stranger") != ())
    assert row(dialog, "Stranger")[3] == "not trusted"
    choose(dialog, "Stranger")
    assert not dialog.check_button.isEnabled()
    assert not (tmp_path / "canary").exists()

    dialog.trust_button.click()
    asked(dialog).accept_button.click()
    wait(lambda: row(dialog, "Stranger")[3] == "trusted")
    code = services.plugin("stranger").folder / "plugin.py"
    code.write_text(code.read_text() + "# other\n")
    services.refresh()
    wait(lambda: row(dialog, "Stranger")[3] == "changed since it was trusted")
    choose(dialog, "Stranger")
    assert dialog.trust_button.isEnabled()
    dialog.distrust_button.click()
    wait(lambda: row(dialog, "Stranger")[3] == "not trusted")
    dialog.switch_button.click()
    wait(lambda: row(dialog, "Stranger")[3] == "switched off")
    dialog.remove_button.click()
    asked(dialog).accept_button.click()
    wait(lambda: row(dialog, "Stranger") == ())
    assert not (tmp_path / "canary").exists()


def test_a_refusal_is_said_in_the_dialog(dialog: PluginsDialog, wait: Wait, package: Path) -> None:
    (package / "link").symlink_to("/etc/passwd")
    dialog.install(package)
    wait(lambda: "a link or device" in dialog.status.text())
    assert dialog.status.property("role") == "error"


def test_the_dialog_is_there_once(qtbot: QtBot, services: Services, dialog: PluginsDialog) -> None:
    panel = AiPanel(services)
    qtbot.addWidget(panel)
    first = show_plugins(services, panel)
    assert show_plugins(services, panel) is first
    first.close()


def test_cards_follow_what_is_installed_trusted_and_switched(
    qtbot: QtBot, services: Services, package: Path, wait: Wait
) -> None:
    panel = AiPanel(services)
    qtbot.addWidget(panel)
    open_head(services)
    write_plugin(services.archive.home / "plugins", "local")
    services.refresh()
    card = panel.cards["local"]
    assert not card.trust_button.isHidden()
    assert card.run_button.isHidden()
    assert "nobody has trusted" in card.reason.text()
    trusting = plugins.trust(services, "local", plugins.fingerprint(services.plugin("local").folder))
    wait(lambda: trusting.done)
    assert panel.cards["local"].trust_button.isHidden()
    assert not panel.cards["local"].run_button.isHidden()
    plugins.switch(services, "local", on=False)
    assert "local" not in panel.cards


# -- the form of a run

PARAMS: dict[str, Any] = {
    "threshold": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.5, "title": "From", "description": "Why"},
    "steps": {"type": "integer", "minimum": 1, "maximum": 9, "default": 2},
    "mode": {"enum": ["fast", "slow"], "default": "fast"},
    "fill": {"type": "boolean", "default": True},
    "name": {"type": "string", "maxLength": 3},
    "box": {"type": "array", "items": {"type": "integer"}},
}


def test_a_form_from_a_json_schema(qtbot: QtBot) -> None:
    form = ParamsForm(PARAMS)
    qtbot.addWidget(form)
    assert form.values() == {}
    assert (form.fields["threshold"].toolTip(), form.fields["threshold"].accessibleName()) == ("Why", "From")
    chosen = {"threshold": 0.25, "steps": 3, "mode": "slow", "fill": False, "name": "ab"}
    form.show_values(chosen)
    assert form.values() == chosen
    steps, mode, name, box = (form.fields[key] for key in ("steps", "mode", "name", "box"))
    assert isinstance(steps, QSpinBox)
    assert isinstance(mode, QComboBox)
    assert isinstance(name, QLineEdit)
    assert isinstance(box, QLineEdit)
    steps.setValue(99)
    assert form.values()["steps"] == 9
    qtbot.keyClicks(box, "[1, 2]")
    assert form.values()["box"] == [1, 2]
    assert form.fault.isHidden()
    qtbot.keyClicks(name, "cd")
    assert "too long" in form.fault.text()


def test_a_number_that_is_smaller_than_a_field_shows_by_itself_stays_what_it_is(qtbot: QtBot) -> None:
    rate = {"type": "number", "minimum": 0, "maximum": 1}
    form = ParamsForm({"rate": {**rate, "default": 2e-6}, "third": {**rate, "default": 1 / 3}})
    qtbot.addWidget(form)
    assert form.values() == {}
    form.show_values({"rate": 4e-6})
    assert form.values() == {"rate": 4e-6}


def test_of_those_without_a_default_only_what_was_chosen_is_sent(qtbot: QtBot) -> None:
    kinds = ({"type": "integer"}, {"type": "number"}, {"type": "boolean"}, {"enum": ["a", "b"]}, {"type": "string"})
    form = ParamsForm({"known": {"type": "integer", "default": 1}} | {f"p{k}": kind for k, kind in enumerate(kinds)})
    qtbot.addWidget(form)
    known, whole, listed = (form.fields[name] for name in ("known", "p0", "p3"))
    assert isinstance(known, QSpinBox)
    assert isinstance(whole, QSpinBox)
    assert isinstance(listed, QComboBox)
    known.setValue(2)
    assert form.values() == {"known": 2}
    whole.setValue(3)
    whole.setValue(0)
    listed.setCurrentIndex(listed.findData("a"))
    assert form.values() == {"known": 2, "p0": 0, "p3": "a"}
    listed.setCurrentIndex(0)
    assert form.values() == {"known": 2, "p0": 0}
    form.show_values({"p2": False})
    assert form.values() == {"p2": False}
    form.show_values({})
    assert form.values() == {}


def test_of_two_looks_at_the_plugins_the_later_counts_and_a_closed_window_waits_for_none(
    qtbot: QtBot, services: Services, wait: Wait
) -> None:
    dialog = PluginsDialog(services)
    qtbot.addWidget(dialog)
    first = dialog._look
    dialog.refresh()
    second = dialog._look
    assert first is not None
    assert second is not None
    assert len(first.finished) == 0
    wait(lambda: second.done and bool(dialog.table.rows))
    dialog.refresh()
    third = dialog._look
    assert third is not None
    dialog._look_links.cut()  # as when it is destroyed
    assert len(third.finished) == 0
    wait(lambda: third.done)


def test_what_is_chosen_is_kept_for_the_session(qtbot: QtBot, services: Services) -> None:
    open_head(services)
    manifest = services.plugin("brain-extraction").manifest
    assert manifest is not None
    form = RunOptions(services, manifest)
    qtbot.addWidget(form)
    form.tta.setCurrentIndex(1)
    form.samples.setValue(4)
    form.uncertainty.setChecked(True)
    form.device.setCurrentIndex(1)
    kept = services.choices["brain-extraction"]
    assert kept == RunChoice(device="cpu", tta="fast", samples=4, uncertainty=True)
    again = RunOptions(services, manifest)
    qtbot.addWidget(again)
    assert again.choice == kept
    again.reset()
    assert services.choices == {}
    assert again.choice == RunChoice()


def test_a_series_is_chosen_for_each_further_channel(qtbot: QtBot, services: Services, tmp_path: Path) -> None:
    open_head(services)
    inputs = {"modality": ["MR"], "ndim": 3, "size": [8, 6, 4], "channels": ["T1", "FLAIR"]}
    manifest = write_plugin(tmp_path, "two", inputs=inputs).manifest
    assert manifest is not None
    form = RunOptions(services, manifest)
    qtbot.addWidget(form)
    assert list(form.channels) == ["FLAIR"]
    form.channels["FLAIR"].setCurrentIndex(1)
    assert services.choices["two"].channels == {"FLAIR": "1.2.3"}


# -- results and their doubt


def test_doubt_stands_beside_every_result(qtbot: QtBot) -> None:
    shown = PluginResult()
    qtbot.addWidget(shown)
    made = Provenance("p", "1.0.0", "1.0.0", device="cpu", notes=("A note.",))
    shown.show_volumes(["Brain 1 ml"], made, "1 s", ("A note.",))
    assert shown.doubt.text() == "Doubt not measured"
    assert shown.notes.text() == "A note.", "once"
    doubtful = replace(made, doubt=Doubt(0.123, 1.84, ("Too far.",)), steps=("Batch of 1.",))
    shown.show_volumes(["Brain 1 ml"], doubtful, "1 s", ())
    assert shown.doubt.text() == "Uncertainty 12 %, 1.8× beyond the training set"
    assert shown.doubt.property("role") == "warning"
    assert shown.notes.text() == "Too far. A note."
    assert not shown.flagged.isHidden()
    assert not shown.details.isHidden()
    assert shown.how.text() == "Batch of 1."


def test_no_answer_is_said_above_greyed_bars(qtbot: QtBot) -> None:
    shown = PluginResult()
    qtbot.addWidget(shown)
    made = Provenance("p", "1.0.0", "1.0.0", doubt=Doubt(0.9, None, ("No answer: 0.55 is below 0.7.",)))
    found = Classification({"A": 0.55, "B": 0.45}, made, abstained=True)
    shown.show_classes(found, "", ())
    assert shown.answer.text() == "No answer. 0.55 is below 0.7."
    assert not shown.bars.isEnabled()
    assert shown.flagged.isHidden(), "it is said once"
    shown.show_classes(replace(found, abstained=False), "", ())
    assert shown.answer.isHidden()
    assert shown.bars.isEnabled()


# -- on many


@pytest.mark.usefixtures("warm_workers")
def test_all_in_the_worklist_a_row_a_case(
    qtbot: QtBot, services: Services, wait: Wait, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medviewer.app.commands import study
    from medviewer.app.resources import resource

    job = study.open_paths(services, [resource("demo")], show_first=False)
    wait(lambda: job.done and services.archive.catalog.page(batch_query(), 1)[1] == 2 and not services.runner.jobs)
    dialog = show_batch(services)
    qtbot.addWidget(dialog)
    assert isinstance(dialog, BatchDialog)
    assert dialog.count.text().startswith("2 studies")
    services.choices["brain-extraction"] = RunChoice(device="cpu")
    fill = PlainTable.fill
    filled: list[int] = []
    monkeypatch.setattr(PlainTable, "fill", lambda table, rows: (filled.append(len(rows)), fill(table, rows)))
    dialog.run()
    assert not dialog.run_button.isEnabled()
    dialog.close()  # the run goes on, and so does the table
    wait(lambda: dialog._running is not None)
    running = dialog._running
    assert running is not None
    assert [job.title for job in services.runner.jobs if "studies" in job.title] == ["Brain extraction on 2 studies"]
    wait(lambda: running.done and not services.runner.jobs)
    assert services.session.message is not None
    assert services.session.message.text == "Brain extraction on 2 studies: 1 done, 1 refused, 0 failed."
    assert [row.cells[2] for row in dialog.table.rows] == [row.status for row in running.rows]
    assert not any(filled), "a row is added, and the others are left as they are"
    assert sorted(one.status for one in running.rows) == ["done", "refused"]
    (refused,) = (row for row in dialog.table.rows if row.cells[2] == "refused")
    assert refused.cells[3] == ""
    assert {row.cells[0] for row in dialog.table.rows} == {"Colin27, Demo", "Chest, Demo"}
    assert refused.cells[6], "the reason stands among the notes"
    assert dialog.status.text() == "1 done, 1 refused, 0 failed."
    (done,) = (one for one in running.rows if one.status == "done")
    wait(lambda: bool(services.archive.masks.masks_for(done.series_uid)))
    dialog.write(tmp_path / "cases.json")
    assert len(json.loads((tmp_path / "cases.json").read_text())) == 2
    assert "Colin27" not in (tmp_path / "cases.json").read_text(), "names stay in the window"
    dialog.close()


def batch_query() -> Any:
    from medviewer.archive.catalog import Query

    return Query()
