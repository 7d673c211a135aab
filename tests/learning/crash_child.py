"""Queues one case, says its id and waits to be killed."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from conftest import make_case

from medviewer.archive import Archive
from medviewer.learning.queue import CorrectionQueue

if __name__ == "__main__":
    case = make_case(1)
    queue = CorrectionQueue(Archive.open(Path(sys.argv[1])))
    correction = queue.add(case.image, case.series, "P1", case.truth, None, "approved", "ann")
    sys.stdout.write(f"{correction.id}\n")
    sys.stdout.flush()
    signal.sigwait([signal.SIGTERM])
