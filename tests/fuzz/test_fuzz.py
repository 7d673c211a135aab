"""A short run of the fuzzer; the long one is ``python tests/fuzz/run.py``."""

from __future__ import annotations

from tests.fuzz.child import make
from tests.fuzz.run import run
from tests.fuzz.seeds import all_files

MUTANTS = 300


def test_damaged_files_neither_crash_nor_hang_nor_raise() -> None:
    tally = run(seed=20, first=0, count=MUTANTS, jobs=2)
    assert tally.bad == []
    assert tally.total == MUTANTS
    assert tally.ends["series"] > MUTANTS / 10  # damage that nothing survives would test nothing


def test_a_mutant_can_be_made_again() -> None:
    files = all_files()
    assert make(1, 7, files) == make(1, 7, files)
    assert make(1, 7, files) != make(2, 7, files)
    assert len({name for name, _ in files}) == len(files) > 60
