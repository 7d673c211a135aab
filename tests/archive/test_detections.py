"""What a detector found comes back from the archive as it was."""

from __future__ import annotations

from pathlib import Path

from medviewer.archive import Archive
from medviewer.domain.doubt import Doubt
from medviewer.domain.finding import Detection, Detections
from medviewer.domain.geometry import Grid
from medviewer.domain.provenance import Provenance

GRID = Grid((30, 26, 34), (2.5, 0.8, 1.1), (-30.0, 12.0, 70.0), (0.0, 0.6, 0.8, 0.0, -0.8, 0.6, 1.0, 0.0, 0.0))


def test_detections_are_kept_newest_first(tmp_path: Path) -> None:
    made = Provenance("blobs", "1.0.0", "1.0.0", doubt=Doubt(flags=("Too many.",)))
    first = Detections((Detection("Nodule", 0.75, (1.5, 2.0, 3.0), (4.0, 5.25, 6.0)),), GRID, made, "1.2.3")
    none = Detections((), GRID, made, "1.2.3")
    archive = Archive.open(tmp_path)
    archive.results.save_detections(first)
    archive.results.save_detections(none)
    assert archive.results.detections_for("1.2.3") == [none, first]
    assert archive.results.detections_for("1.2.4") == []
    assert archive.results.classifications_for("1.2.3") == []
    archive.close()
