"""What is told of a failure."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from medviewer.jobs.failure import MAX_LINE, with_log


def test_a_flood_without_line_breaks_is_broken_into_lines() -> None:
    told = with_log("Traceback\n\n  in forward", "x" * 65536)
    assert max(map(len, told.split("\n"))) == MAX_LINE
    assert told.startswith("Traceback\n\n  in forward\n\nLast output of the worker process:\nxxx")
    assert told.count("x") == 65536


@given(st.text(st.sampled_from("ab \n"), max_size=60).map(lambda text: text.replace("b", "b" * 300)))
def test_nothing_of_a_log_is_lost_and_short_lines_stay(log: str) -> None:
    told = with_log("", log)
    assert told.replace("\n", "").endswith(log.replace("\n", ""))
    assert all(line in told.split("\n") for line in log.split("\n") if 0 < len(line) <= MAX_LINE)
