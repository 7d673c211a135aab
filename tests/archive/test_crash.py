"""What was acknowledged is there after ``kill -9``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import medviewer
from medviewer.archive import Archive
from medviewer.archive import journal as journals

CHILD = Path(__file__).with_name("crash_child.py")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(medviewer.__file__).parents[1])}


def killed(what: str, home: Path) -> str:
    command = [sys.executable, CHILD, what, home]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as child:
        assert child.stdout is not None
        acknowledged = child.stdout.readline().strip()
        child.kill()
    assert acknowledged
    return acknowledged


def test_strokes_outlive_the_process(tmp_path: Path) -> None:
    killed("journal", tmp_path)
    with Archive.open(tmp_path) as archive:
        [(header, journal)] = archive.abandoned_journals()
        assert (header.series_uid, header.shape) == ("1.2.3", (4, 5, 6))
        strokes = [f"stroke {k}".encode() * 100 for k in range(20)]
        assert journals.read(journal.path) == strokes
        with journal:
            journal.resume()
            journal.append(b"one more")
            assert archive.abandoned_journals() == []
        assert journals.read(journal.path) == [*strokes, b"one more"]


def test_a_saved_mask_outlives_the_process(tmp_path: Path) -> None:
    mask_id = killed("mask", tmp_path)
    with Archive.open(tmp_path) as archive:
        assert (archive.masks.load_mask(mask_id).labels == 3).all()
