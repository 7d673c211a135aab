"""How far a sweep is, in words."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from medviewer.inference.windows import progress
from medviewer.inference.windows.progress import Watch, time_left
from medviewer.plugin_api import RunContext
from medviewer.plugin_api.spec import Windows
from tests.inference.windows.sweeps import joined, network, start, volume


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "0:01"), (40, "0:40"), (75.5, "1:16"), (3700, "1:01:40"), (0, "0:00")]
)
def test_time_left(seconds: float, words: str) -> None:
    assert time_left(seconds) == words


def test_time_left_on_the_cpu_is_rough() -> None:
    assert time_left(130, rough=True) == "about 3 min"


def test_time_left_is_said_after_the_first_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    now, said = [100.0], []
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: now[0]))
    context = replace(RunContext(), report=lambda fraction, words: said.append((round(fraction, 2), words)))
    watch = Watch(context, 10, _began=100.0)
    watch.tell()
    watch.add(2)
    watch.tell()  # a moment later: nobody could read it
    now[0] += 8
    watch.tell()
    fallen = Watch(context, 10, fallen=True, _began=100.0)
    fallen.skip(5)
    fallen.add(1)
    fallen.tell()
    assert said == [
        (0.0, "Window 1 of 10"),
        (0.2, "Window 3 of 10, 0:32 left"),
        (0.6, "Window 7 of 10 on the CPU, about 1 min left"),
    ]


def test_a_sweep_tells_of_its_windows() -> None:
    said = []
    context = replace(RunContext(), report=lambda fraction, words: said.append(words))
    joined(start(network(), volume(1, 8, 8, 8), Windows(roi=(4, 4, 4)), context))
    assert said[0] == "Window 1 of 27"
