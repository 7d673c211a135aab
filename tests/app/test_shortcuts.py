"""Keys that the user chose: one action for each key, kept, and given back."""

from __future__ import annotations

from pathlib import Path

import pytest

from medviewer.app import settings
from medviewer.app.fuzzy import score
from medviewer.app.shortcuts import Shortcuts
from medviewer.errors import InputError

DEFAULTS = {"tool.brush": "B", "tool.zoom": "Z", "tool.pan": "P", "ai.plugins": ""}


def made(home: Path) -> Shortcuts:
    keys = Shortcuts(home)
    keys.offer(DEFAULTS)
    return keys


def test_a_new_key_holds_and_is_kept(tmp_path: Path) -> None:
    keys = made(tmp_path)
    keys.assign("ai.plugins", "Ctrl+Alt+K")
    keys.assign("tool.pan", "")
    for again in (keys, made(tmp_path)):
        assert (again.key_of("ai.plugins"), again.key_of("tool.pan")) == ("Ctrl+Alt+K", "")
        assert [name for name in DEFAULTS if again.is_changed(name)] == ["tool.pan", "ai.plugins"]
    assert settings.load(tmp_path).keys == {"ai.plugins": "Ctrl+Alt+K", "tool.pan": ""}


def test_a_key_of_another_has_to_be_taken_and_comes_back(tmp_path: Path) -> None:
    keys = made(tmp_path)
    with pytest.raises(InputError, match=r"The key B is that of tool\.brush"):
        keys.assign("tool.zoom", "B")
    assert keys.key_of("tool.zoom") == "Z"
    keys.assign("tool.zoom", "B", take=True)
    assert [keys.key_of(name) for name in DEFAULTS] == ["", "B", "P", ""]
    assert keys.holder("B") == "tool.zoom"
    with pytest.raises(InputError):
        keys.reset("tool.brush")
    keys.reset("tool.zoom")
    assert [keys.key_of(name) for name in DEFAULTS] == ["B", "Z", "P", ""]


def test_a_chosen_key_can_be_taken_too(tmp_path: Path) -> None:
    keys = made(tmp_path)
    keys.assign("ai.plugins", "K")
    keys.assign("tool.pan", "K", take=True)
    assert (keys.key_of("ai.plugins"), keys.key_of("tool.pan"), keys.holder("P")) == ("", "K", "")
    keys.reset_all()
    assert [keys.key_of(name) for name in DEFAULTS] == list(DEFAULTS.values())
    assert settings.load(tmp_path).keys == {}


def test_two_actions_never_share_a_key_when_a_plugin_comes(tmp_path: Path) -> None:
    keys = made(tmp_path)
    keys.assign("tool.pan", "Ctrl+3")
    keys.offer({**DEFAULTS, "ai.run.tiny": "Ctrl+3"})
    assert (keys.key_of("tool.pan"), keys.key_of("ai.run.tiny")) == ("Ctrl+3", "")


@pytest.mark.parametrize("key", ["Ö", "Ctrl+Nonsense", "A B"])
def test_a_key_that_nobody_knows_is_refused_and_left_out(tmp_path: Path, key: str) -> None:
    with pytest.raises(InputError, match="not one that medviewer knows"):
        made(tmp_path).assign("tool.pan", key)
    settings.save(tmp_path, settings.Settings(keys={"tool.pan": key, "tool.zoom": "Y"}))
    keys = made(tmp_path)
    assert (keys.key_of("tool.pan"), keys.key_of("tool.zoom")) == ("P", "Y")


def test_only_actions_of_the_menus_get_keys(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not to nothing"):
        made(tmp_path).assign("nothing", "K")


@pytest.mark.parametrize(
    ("query", "better", "worse"),
    [
        ("brain", "Run Brain extraction", "Run on abrain"),
        ("rbe", "Run Brain extraction", "Verbena"),
        ("un st", "Undo stroke", "Run studies"),
        ("zoom", "Zoom", "Zero or one of many"),
        ("WL", "Window/level", "Crawl"),
    ],
)
def test_letters_that_begin_words_or_follow_each_other_count_more(query: str, better: str, worse: str) -> None:
    assert score(query, better) > score(query, worse)


def test_every_word_has_to_be_found() -> None:
    assert score("undo brain", "Undo stroke") == 0
    assert score("xyz", "Undo stroke") == 0
    assert score("fit", "Find study") == 0
    assert score("", "Undo stroke") == 0
