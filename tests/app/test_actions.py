"""Every action: named, reachable, possible only when it is, and never a crash."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import numpy as np
import pytest
from app_model.expressions import parse_expression
from app_model.types import Action

from medviewer import formats
from medviewer.app import context
from medviewer.app.actions import MENUS, SUBMENUS, build
from medviewer.app.commands import masks, study, verdicts
from medviewer.app.modes import MODES
from medviewer.app.ports.shell import Dialogs, Shell
from medviewer.app.services import Services
from medviewer.app.state import TOOLS
from medviewer.domain.image import Image
from medviewer.domain.mask import empty
from tests.app.conftest import SERIES, STUDY
from tests.inference.click_plugins import write_click_plugin

KEYS = {
    "tool.window": "W",
    "tool.pan": "P",
    "tool.zoom": "Z",
    "tool.scroll": "S",
    "tool.crosshair": "C",
    "tool.eraser": "E",
    "tool.brush": "B",
    "tool.fill": "F",
    "tool.swap": "X",
    "segment.smaller": "[",
    "segment.larger": "]",
    "image.invert": "I",
    "view.fit": "=",
    "view.text": "O",
    "view.mask": "M",
    "view.heat": "G",
    "view.next": "Tab",
    "view.slice_up": "Up",
    "view.slice_down": "Down",
    "view.page_up": "PageUp",
    "view.page_down": "PageDown",
    "edit.undo": "Ctrl+Z",
    "edit.redo": "Ctrl+Shift+Z",
    **{f"image.window_{n}": str(n) for n in range(1, 10)},
    "image.window_auto": "0",
}
"""The keys as readers know them from other viewers."""


class Bench:
    """The actions of a program whose dialogs and window are fakes."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.dialogs = create_autospec(Dialogs, instance=True)
        self.shell = create_autospec(Shell, instance=True)
        self.actions: dict[str, Action] = {}
        for action in build(services, self.dialogs, self.shell):
            assert action.id not in self.actions, f"{action.id} is there twice"
            self.actions[action.id] = action

    def run(self, action_id: str) -> object:
        return self.actions[action_id].callback()

    def possible(self, action_id: str) -> bool:
        return self._value(self.actions[action_id].enablement)

    def checked(self, action_id: str) -> bool:
        return self._value(self.actions[action_id].toggled)

    def _value(self, rule: object) -> bool:
        condition = getattr(rule, "condition", rule)
        if condition is None:
            return True
        return bool(parse_expression(str(condition)).eval(context.current(self.services.session)))


@pytest.fixture
def bench(services: Services) -> Bench:
    """With the CT open."""
    return Bench(services)


def test_every_action_has_a_title_a_tooltip_and_a_menu(bench: Bench) -> None:
    assert len(bench.actions) > 50
    for action in bench.actions.values():
        assert action.title.replace("&", "").strip(), action.id
        assert action.tooltip, action.id
        assert [rule.id for rule in action.menus], action.id
        assert {rule.id for rule in action.menus} <= {*MENUS, *SUBMENUS}, action.id
    assert {rule.id for action in bench.actions.values() for rule in action.menus} == {*MENUS, *SUBMENUS}, (
        "no menu is empty"
    )


def keys_of(action: Action) -> list[str]:
    return [str(rule.primary) for rule in action.keybindings or []]


def test_no_two_actions_share_a_key(bench: Bench) -> None:
    used = Counter(key for action in bench.actions.values() for key in keys_of(action))
    assert [key for key, count in used.items() if count > 1] == []


def test_no_menu_opens_by_the_key_of_another_or_of_an_action(bench: Bench) -> None:
    letters = {name: title[title.index("&") + 1].upper() for name, title in MENUS.items()}
    used = Counter(letters.values())
    assert [name for name, letter in letters.items() if used[letter] > 1] == []
    keys = {key: action.id for action in bench.actions.values() for key in keys_of(action)}
    taken = {name: keys[f"Alt+{letter}"] for name, letter in letters.items() if f"Alt+{letter}" in keys}
    assert taken == {}, "Qt runs neither of the two"


def test_keys_are_those_that_readers_know(bench: Bench) -> None:
    assert {action_id: keys_of(bench.actions[action_id]) for action_id in KEYS} == {k: [v] for k, v in KEYS.items()}


def test_every_tool_has_an_action_that_is_checked_while_it_is_chosen(bench: Bench, tmp_path: Path) -> None:
    bench.services.plugins.append(write_click_plugin(tmp_path, "clicks"))  # or the click tool says that there is none
    for tool in TOOLS:
        bench.run(f"tool.{tool}")
        assert [other for other in TOOLS if bench.checked(f"tool.{other}")] == [tool]


def states(launch: Callable[..., Services], services: Services) -> list[Services]:
    """Nothing open, an image open, and an image with a mask that was painted on."""
    painted = launch()
    painted.session.image, painted.session.series = services.session.image, services.session.series
    masks.new(painted).paint(np.array([1, 2]), 1)
    return [launch(), services, painted]


def test_every_rule_can_be_evaluated_in_every_state(launch: Callable[..., Services], services: Services) -> None:
    expected = {
        "file.open_folder": [True, True, True],
        "file.quit": [True, True, True],
        "view.fit": [False, True, True],
        "view.slice_up": [False, True, True],
        "tool.brush": [False, True, True],
        "file.save_mask": [False, False, True],
        "segment.approve": [False, False, True],
        "edit.undo": [False, False, True],
        "edit.redo": [False, False, False],
        "ai.clear_heat": [False, False, False],
    }
    benches = [Bench(state) for state in states(launch, services)]
    for action_id in benches[0].actions:
        got = [bench.possible(action_id) for bench in benches]
        assert got == expected.get(action_id, got), action_id
        for bench in benches:
            bench.checked(action_id)


def test_every_rule_says_why_an_action_is_not_possible(bench: Bench) -> None:
    rules = {str(action.enablement) for action in bench.actions.values() if action.enablement is not None}
    assert sorted(rules - set(context.REASONS)) == [], "say in context.REASONS why; the command palette tells it"


def test_undo_and_redo_by_action(bench: Bench) -> None:
    store = masks.new(bench.services)
    store.paint(np.array([5]), 1)
    bench.run("edit.undo")
    assert not store.labels.any()
    assert (bench.possible("edit.undo"), bench.possible("edit.redo")) == (False, True)
    bench.run("edit.redo")
    assert store.labels.any()


@pytest.mark.parametrize(
    ("action_id", "name"),
    [
        ("view.text", "show_text"),
        ("view.crosshair", "show_crosshair"),
        ("view.mask", "mask_visible"),
        ("view.heat", "heat_visible"),
        ("image.invert", "inverted"),
    ],
)
def test_toggles_toggle_and_say_so(bench: Bench, action_id: str, name: str) -> None:
    for _ in range(2):
        before = getattr(bench.services.session.view, name)
        assert bench.checked(action_id) == before
        bench.run(action_id)
        assert getattr(bench.services.session.view, name) is not before


def test_layouts(bench: Bench) -> None:
    for name, other in (("single", "mpr"), ("mpr", "single")):
        bench.run(f"view.{name}")
        assert bench.checked(f"view.{name}")
        assert not bench.checked(f"view.{other}")


def test_modes(bench: Bench) -> None:
    for name in MODES:
        bench.run(f"mode.{name}")
        assert [other for other in MODES if bench.checked(f"mode.{other}")] == [name]


def test_the_windows_own_actions_reach_the_window(bench: Bench) -> None:
    for action_id, call in [
        ("view.next", "next_viewport"),
        ("view.fit", "fit"),
        ("view.browser", "toggle_browser"),
        ("view.panels", "toggle_panels"),
        ("help.manual", "show_manual"),
        ("help.keys", "show_keys"),
        ("help.about", "show_about"),
        ("image.window_type", "show_window_dialog"),
        ("image.window_list", "show_window_menu"),
        ("edit.palette", "show_palette"),
        ("research.open", "open_napari"),
        ("research.bring_back", "bring_back"),
        ("edit.shortcuts", "show_shortcuts"),
        ("file.quit", "quit"),
    ]:
        bench.run(action_id)
        getattr(bench.shell, call).assert_called_once_with()
    for action_id in ("view.slice_up", "view.slice_down", "view.page_up", "view.page_down"):
        bench.run(action_id)
    assert [call.args for call in bench.shell.step.call_args_list] == [(-1,), (1,), (-10,), (10,)]


def test_an_error_is_a_message(bench: Bench) -> None:
    masks.new(bench.services)
    assert bench.run("segment.approve") is None
    for job in bench.services.runner.jobs:
        bench.services.runner.wait(job, 60)
    message = bench.services.session.message
    assert (message.level, message.text) == ("error", "The mask is empty; paint what belongs to it, or reject it.")


@pytest.mark.parametrize("action_id", ["segment.new", "segment.approve", "segment.reject", "ai.run.brain-extraction"])
def test_with_nothing_open_actions_say_what_is_missing(launch: Callable[..., Services], action_id: str) -> None:
    bench = Bench(launch())
    bench.run(action_id)
    message = bench.services.session.message
    assert message.level == "error"
    assert "open" in message.text or "There is no mask" in message.text


def test_a_dialog_that_is_dismissed_changes_nothing(bench: Bench) -> None:
    bench.dialogs.open_paths.return_value = []
    bench.dialogs.save_path.return_value = None
    bench.dialogs.ask_text.return_value = None
    masks.new(bench.services)
    before = bench.services.session.mask
    for action_id in (
        "file.open_folder",
        "file.open_files",
        "file.load_mask",
        "file.save_mask",
        "file.screenshot",
        "segment.add",
        "segment.reject",
    ):
        bench.run(action_id)
    assert bench.services.session.mask is before
    assert len(before.segments) == 1
    assert bench.services.session.message is None
    assert bench.services.runner.jobs == ()
    bench.shell.screenshot.assert_not_called()


def test_files_go_where_the_dialog_said(bench: Bench, tmp_path: Path) -> None:
    masks.new(bench.services).paint(np.array([5]), 1)
    bench.dialogs.save_path.return_value = tmp_path / "mask.nii.gz"
    bench.run("file.save_mask")
    for job in list(bench.services.runner.jobs):  # it is kept in the archive, too
        bench.services.runner.wait(job, 60)
    assert (tmp_path / "mask.nii.gz").is_file()
    bench.dialogs.open_paths.return_value = [tmp_path / "mask.nii.gz"]
    masks.new(bench.services)
    bench.run("file.load_mask")
    bench.services.runner.wait(bench.services.runner.jobs[0], 60)
    assert bench.services.session.mask.labels.reshape(-1)[5] == 1
    bench.dialogs.save_path.return_value = tmp_path / "view.png"
    bench.run("file.screenshot")
    bench.shell.screenshot.assert_called_once_with(tmp_path / "view.png")


def test_a_mask_is_not_loaded_onto_a_series_that_came_while_its_file_was_chosen(
    bench: Bench, image: Image, tmp_path: Path
) -> None:
    services = bench.services
    other = replace(SERIES, uid="1.2.826.0.1.79")
    services.session.studies = (STUDY, replace(STUDY, uid="1.2.826.0.1.71", series=(other,)))
    file = tmp_path / "mask.nii.gz"
    formats.save_segmentation(empty(image.grid), file, SERIES)

    def choose(_: bool) -> list[Path]:
        study._present(services, other, replace(image))
        return [file]

    bench.dialogs.open_paths.side_effect = choose
    bench.run("file.load_mask")
    assert "Another series was opened" in services.session.message.text
    assert services.session.mask is None
    assert services.runner.jobs == ()


@pytest.mark.parametrize("verdict", ["approve", "reject"])
def test_a_verdict_is_not_on_a_mask_that_came_while_it_was_asked(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, verdict: str
) -> None:
    services = bench.services
    masks.new(services).paint(np.array([5, 6]), 1)
    given: list[object] = []
    learner = services.plugin("brain-extraction").manifest
    monkeypatch.setattr(verdicts, "learner_of", lambda _: learner)
    for name in ("approve_soon", "reject_soon"):
        monkeypatch.setattr(verdicts, name, lambda *_: given.append(services.session.mask))

    def answer(*_: str) -> Any:
        masks.new(services)  # as when a model ends
        return "too large" if verdict == "reject" else True

    bench.dialogs.ask_text.side_effect = bench.dialogs.confirm.side_effect = answer
    bench.run(f"segment.{verdict}")
    assert "nothing was judged" in services.session.message.text
    assert given == []
    bench.dialogs.ask_text.side_effect = bench.dialogs.confirm.side_effect = None
    bench.dialogs.ask_text.return_value, bench.dialogs.confirm.return_value = "", True
    bench.run(f"segment.{verdict}")
    assert given == [services.session.mask]


def test_adding_a_segment_starts_a_mask(bench: Bench) -> None:
    bench.dialogs.ask_text.return_value = "Lesion"
    bench.run("segment.add")
    assert bench.services.session.mask.segments[-1].name == "Lesion"


def test_the_plugins_have_their_actions(bench: Bench) -> None:
    for plugin_id in ("brain-extraction", "chest-xray"):
        assert bench.actions[f"ai.run.{plugin_id}"].title.startswith("Run ")
        assert f"ai.explain.{plugin_id}" in bench.actions
