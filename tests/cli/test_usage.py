"""What is a command, what is for the window, and which exit code each misuse has."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.main import get_command

from medviewer import __version__, cli
from medviewer.cli.main import app
from medviewer.errors import InputError
from tests.cli.conftest import Run

CALLS = [
    [name] if not hasattr(command, "commands") else [name, inner]
    for name, command in get_command(app).commands.items()
    for inner in getattr(command, "commands", [""])
]


def test_every_command_of_the_app_is_known_by_name() -> None:
    assert sorted(cli.COMMANDS) == sorted(get_command(app).commands)


@pytest.mark.parametrize("call", CALLS, ids=" ".join)
def test_every_command_has_a_help_that_says_what_it_does(call: list[str], run: Run) -> None:
    told = run(*call, "--help")
    assert told.code == 0
    assert told.err == ""
    assert told.out.startswith(f"Usage: medviewer {' '.join(call)}")
    assert "Options:" in told.out
    assert len(told.out.splitlines()[2].strip()) > 15


def test_the_main_help_names_every_command_and_the_intended_use(run: Run) -> None:
    told = run("--help")
    assert told.code == 0
    assert "Research use only; not for diagnosis." in told.out
    assert all(f"\n  {name}" in told.out for name in cli.COMMANDS)
    assert "..." not in told.out.partition("Commands:")[2], "a first line that is cut off"


def test_the_version(run: Run) -> None:
    assert run("--version").out == f"medviewer {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["info", "x"], True),
        (["--verbose", "info", "x"], True),
        (["--help"], True),
        (["-h"], True),
        (["--version"], True),
        ([], False),
        (["--demo"], False),
        (["scan.dcm"], False),
        (["./info"], False),
    ],
)
def test_what_is_a_command(arguments: list[str], expected: bool) -> None:
    assert cli.is_command(arguments) is expected


@pytest.mark.parametrize(
    "call",
    [
        ["info"],
        ["info", "--frob", "x"],
        ["convert", "x"],
        ["predict", "x", "--plugin", "brain-extraction", "-o", "x.dcm", "--device", "tpu"],
        ["predict", "x", "--plugin", "brain-extraction", "-o", "x.png"],
        ["convert", "x", "-o", "x.jpg"],
        ["screenshot", "x", "-o", "x.jpg"],
        ["screenshot", "x", "-o", "x.png", "--layout", "cinema"],
        ["models", "promote", "1", "--plugin", "brain-extraction", "--decide"],
        ["finetune", "--plugin", "brain-extraction", "--epochs", "0"],
        ["queue", "add", "x", "--plugin", "y"],
        ["plugin"],
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_with_2_and_points_to_the_help(call: list[str], run: Run) -> None:
    told = run(*call)
    assert told.code == 2
    assert "medviewer" in told.err
    assert "Traceback" not in told.err


class Window:
    """What was asked of the window."""

    def __init__(self) -> None:
        self.asked: list[tuple[list[Path], bool]] = []

    def __call__(self, paths: Sequence[Path], demo: bool) -> int:
        self.asked.append((list(paths), demo))
        return 7


def test_the_window_gets_paths_and_demo(tmp_path: Path) -> None:
    window = Window()
    odd = tmp_path / "-odd"
    odd.mkdir()
    assert cli.run_window([], launch=window) == 7
    assert cli.run_window(["--demo"], launch=window) == 7
    assert cli.run_window([str(tmp_path), "--demo", "--", str(odd)], launch=window) == 7
    assert window.asked == [([], False), ([], True), ([tmp_path, odd], True)]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["predct"], "did you mean: medviewer predict?"),
        (["no-such-thing.dcm"], "no-such-thing.dcm"),
        (["--frob"], "--frob"),
    ],
)
def test_the_window_refuses_what_is_neither_a_path_nor_a_command(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    window = Window()
    assert cli.run_window(arguments, launch=window) == 2
    assert words in capsys.readouterr().err
    assert window.asked == []


def test_details_of_an_error_are_told_with_verbose_only(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise InputError("One sentence.", "the fold")

    monkeypatch.setattr("medviewer.formats.scan", fail)
    assert run("info", "x").err == "One sentence.\n"
    assert run("info", "x", "--verbose").err == "One sentence.\nthe fold\n"
    assert run("--verbose", "info", "x").code == 1


def test_an_error_that_nobody_expected_is_one_sentence_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("medviewer.formats.scan", fail)
    told = run("info", "x")
    assert (told.code, told.err.count("\n")) == (1, 1)
    assert "ZeroDivisionError" in told.err
    assert "Traceback" in run("info", "x", "--verbose").err


def test_ctrl_c_is_a_failure_with_a_sentence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("medviewer.formats.scan", interrupt)
    told = run("info", "x")
    assert (told.code, told.err) == (1, "Stopped before it was done.\n")


def _modules_after(code: str, *forbidden: str) -> str:
    """What of `forbidden` is loaded once a fresh interpreter has run `code`."""
    check = f"import sys\n{code}\nprint(*(name for name in {forbidden!r} if name in sys.modules))"
    ran = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, timeout=120, check=True)
    return ran.stdout.splitlines()[-1]


HEAVY = ("torch", "captum", "monai", "PySide6", "qtpy", "napari", "vispy")


def test_importing_the_app_loads_neither_qt_nor_torch() -> None:
    first = "import sys, medviewer.app.commands.study\nassert 'sqlalchemy' not in sys.modules"
    rest = "import medviewer.app, medviewer.app.services, medviewer.app.commands.predict"
    assert _modules_after(f"{first}\n{rest}", *HEAVY) == ""


def test_commands_on_files_open_no_database(head: Path, tmp_path: Path) -> None:
    calls = (["info", str(head)], ["convert", str(head), "-o", str(tmp_path / "a.nii.gz")], ["--help"])
    code = f"from medviewer.__main__ import main\nassert [main(call) for call in {calls!r}] == [0, 0, 0]\nprint()"
    assert _modules_after(code, "sqlalchemy", *HEAVY) == ""
    assert not Path(os.environ["MEDVIEWER_HOME"]).exists()
