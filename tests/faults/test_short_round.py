"""Each injected fault once, in the real window; ``python -m tests.faults.run`` does the long round."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from medviewer.plugin_api.discovery import DiscoverResult
from medviewer.ui.main import Program
from tests.faults.injected import FLOOD_VARIABLE, INJECTED, write_injected
from tests.faults.rounds import Rounds, silence, write_image
from tests.faults.watch import LoopWatch

LOOPS = ("loop_in_python", "loop_in_native_code")
LONG_ROUND_ONLY = ("nothing", "killed", "out_of_memory_in_torch")
"""Much like others here, and each takes seconds."""
SILENCE_S = 15.0
"""More than a busy machine needs to import torch: it is silent while it does."""


def lane(plugin: DiscoverResult) -> str:
    """One worker for all but the loops, which wait beside them until they are given up."""
    return plugin.id if plugin.id.startswith("loop") else "tests"


@pytest.fixture
def rounds(qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rounds]:
    monkeypatch.setenv("MEDVIEWER_PLUGINS", str(tmp_path / "plugins"))
    monkeypatch.setenv(FLOOD_VARIABLE, "200")
    monkeypatch.setattr("medviewer.inference.client.plugin_lane", lane)
    write_injected(tmp_path / "plugins")
    program = Program(home=tmp_path / "home")
    qtbot.waitExposed(program.window)
    watch = LoopWatch()
    yield Rounds(program, write_image(tmp_path / "image.nii.gz"), watch)
    watch.close()
    program.close()


def test_the_window_lives_every_job_ends_with_its_reason_and_nothing_is_left(rounds: Rounds) -> None:
    with silence(SILENCE_S):
        loops = {fault: rounds.start_beside(fault) for fault in LOOPS}
    rows = [rounds.go(fault, 1) for fault in INJECTED if fault not in (*LOOPS, *LONG_ROUND_ONLY)]
    assert [(row.fault, row.wrong, row.left) for row in rows if not row.fine] == []
    for fault, job in loops.items():
        assert rounds.wrong(fault, rounds.ended(job)) == "", fault
    assert not any(rounds.left())
