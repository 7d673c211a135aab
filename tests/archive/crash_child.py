"""Programs that acknowledge one thing and wait to be killed."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import BinaryIO

import numpy as np

from medviewer import formats
from medviewer.archive import Archive, JournalHeader
from medviewer.archive.catalog import copies
from medviewer.domain.geometry import Grid
from medviewer.domain.mask import Segment, Segmentation


def journal(archive: Archive) -> str:
    """Append 20 strokes, the last one only half."""
    stream = archive.journal_for("1.2.3")
    stream.begin(JournalHeader("1.2.3", (4, 5, 6)))
    for k in range(20):
        stream.append(f"stroke {k}".encode() * 100, sync=k % 2 == 0)
    with stream.path.open("ab") as torn:
        torn.write(b"\x40\x00\x00\x00torn")
    return "20"


def mask(archive: Archive) -> str:
    """Save a mask."""
    grid = Grid((4, 5, 6))
    return archive.masks.save_mask("1.2.3", Segmentation(np.full((4, 5, 6), 3, np.uint8), grid, (Segment(3, "C"),)))


def import_(archive: Archive) -> str:
    """Copy the study in the folder of the third argument, and stop in the middle of a file of its third series."""
    found = formats.scan([Path(sys.argv[3])])
    copied = 0

    def wait_in_the_third(stream: BinaryIO) -> bytes:
        nonlocal copied
        part = stream.read(100)
        copied += not part  # a file's end
        if copied == 2 * 5 + 2:
            sys.stdout.write(f"{len(archive.catalog.series_of(found.studies[0].uid))}\n")
            sys.stdout.flush()
            signal.sigwait([signal.SIGTERM])
        return part

    copies._read = wait_in_the_third
    archive.catalog.add(found, copy=True)
    return "done"


if __name__ == "__main__":
    acknowledged = {"journal": journal, "mask": mask, "import": import_}[sys.argv[1]](Archive.open(Path(sys.argv[2])))
    sys.stdout.write(f"{acknowledged}\n")
    sys.stdout.flush()
    signal.sigwait([signal.SIGTERM])
