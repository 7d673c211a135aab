"""The tutorial is followed to the letter: its files are written, its commands run, its button is pressed."""

from __future__ import annotations

import contextlib
import io
import re
import runpy
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from medviewer import formats
from medviewer.__main__ import main
from medviewer.app.resources import resource
from medviewer.domain.mask import dice
from medviewer.ui.main import Program

from .conftest import Reader

FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"^\*\*(\S+)\*\*$", re.MULTILINE)
WINDOW = ["medviewer", "case.nii.gz"]


@dataclass
class Step:
    """A file of the page with its content, or commands with what they print."""

    file: str = ""
    content: str = ""
    commands: tuple[str, ...] = ()
    printed: str = ""


def steps(text: str) -> Iterator[Step]:
    """The blocks of the page, in order; what is printed belongs to the commands above it."""
    commands: Step | None = None
    end = 0
    for block in FENCE.finditer(text):
        kind, body = block.groups()
        named = FILE.findall(text[end : block.start()])
        end = block.end()
        if kind == "text":
            assert commands is not None, "a text block that no command printed"
            commands.printed = body
            continue
        if commands is not None:
            yield commands
        commands = Step(commands=tuple(body.splitlines())) if kind == "console" else None
        if commands is None:
            assert len(named) == 1, f"a {kind} block that is no file"
            yield Step(file=named[0], content=body)
    if commands is not None:
        yield commands


def run(command: str) -> str:
    """Run one line of a console block in this process; what it printed."""
    program, *words = shlex.split(command)
    if program == "python":
        return _python(words)
    assert program == "medviewer", command
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(words)
    assert code == 0, err.getvalue()
    return out.getvalue()


def _python(words: list[str]) -> str:
    before, out = sys.argv, io.StringIO()
    try:
        with contextlib.redirect_stdout(out):
            if words[0] == "-m":
                sys.argv = words[1:]
                runpy.run_module(words[1], run_name="__main__")
            else:
                sys.argv = words
                runpy.run_path(words[0], run_name="__main__")
    finally:
        sys.argv = before
    return out.getvalue()


def check_printed(shown: str, printed: str) -> None:
    """What the page shows is what came out, but for … and the last digits of what training makes."""
    assert len(shown.splitlines()) == len(printed.splitlines()), printed
    for expected, line in zip(shown.splitlines(), printed.splitlines(), strict=True):
        parts = re.split(r"(\d+\.\d)(?= ml)", expected)
        fixed = [re.escape(part).replace("…", ".+") for part in parts[::2]]
        found = re.fullmatch(r"(\d+\.\d)".join(fixed), line)
        assert found, f"{expected!r} is shown, {line!r} came out"
        numbers = parts[1::2]
        np.testing.assert_allclose(np.array(found.groups(), float), np.array(numbers, float), rtol=0.3)


@pytest.mark.usefixtures("warm_workers")  # each command is a program
def test_the_tutorial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.chdir(folder)
    pressed = False
    for step in steps((resource("help") / "tutorial-plugin.md").read_text(encoding="utf-8")):
        if step.file:
            (folder / step.file).write_text(step.content, encoding="utf-8")
        elif shlex.split(step.commands[0]) == WINDOW:
            press_the_button(folder, qtbot)
            pressed = True
        else:
            printed = "".join(run(command) for command in step.commands)
            if step.printed:
                check_printed(step.printed, printed)
    assert pressed
    assert overlap(folder, formats.load_segmentation(folder / "found.nii.gz").labels) > 0.8


def press_the_button(folder: Path, qtbot: QtBot) -> None:
    """Open the case as the command line does, and press what the page says."""
    program = Program()
    reader = Reader(program, qtbot)
    try:
        qtbot.waitExposed(program.window)
        reader.open(folder / "case.nii.gz")
        card = reader.window.panels["ai"].content.cards["lesion-finder"]
        assert card.run_button.isEnabled()
        card.run_button.click()
        reader.wait(lambda: reader.session.mask is not None)
        mask = reader.session.mask
        assert mask is not None
        assert [segment.name for segment in mask.segments] == ["Bright lesion", "Dark lesion"]
        assert overlap(folder, mask.labels) > 0.8
    finally:
        program.close()


def overlap(folder: Path, labels: np.ndarray) -> float:
    """The lower Dice of the two lesions."""
    truth = formats.load_segmentation(folder / "truth.nii.gz").labels
    return min(dice(labels == label, truth == label) for label in (1, 2))
