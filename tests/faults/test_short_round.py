"""Each injected fault once, in the real window; ``python -m tests.faults.run`` does the long round."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.faults.injected import INJECTED

LOOPS = ("loop_in_python", "loop_in_native_code")
LONG_ROUND_ONLY = ("nothing", "killed", "out_of_memory_in_torch")
"""Much like others here, and each takes seconds."""
SILENCE_S = 15
"""More than a busy machine needs to import torch: it is silent while it does."""
ROOT = Path(__file__).parents[2]


def test_the_window_lives_every_job_ends_with_its_reason_and_nothing_is_left() -> None:
    """In a process of its own: what is left behind is counted, and other tests leave warm workers here."""
    faults = [fault for fault in INJECTED if fault not in (*LOOPS, *LONG_ROUND_ONLY)]
    run = [sys.executable, "-m", "tests.faults.run", "--rounds", "1", "--one-lane", "--flood-gb", "0.2"]
    chosen = ["--silence-s", str(SILENCE_S), "--faults", ",".join(faults), "--beside", ",".join(LOOPS)]
    done = subprocess.run([*run, *chosen], cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(f"\n{fault} " in done.stdout for fault in (*faults, *LOOPS)), done.stdout
