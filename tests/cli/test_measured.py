"""The command that lists and writes what was measured."""

from __future__ import annotations

import json
from pathlib import Path

from medviewer import formats
from medviewer.archive import Archive
from medviewer.domain.image import Image
from medviewer.domain.measure.measurement import Measurement, new_uid, vector
from medviewer.domain.measure.values import values_of
from tests.cli.conftest import Run, one_sentence


def test_measurements_are_listed_and_written(run: Run, head: Path, image: Image, tmp_path: Path) -> None:
    assert "Nothing was measured" in run("measured", head).out
    study = formats.scan([head]).studies[0]
    points = tuple(vector(point) for point in image.grid.index_to_world([(2, 1, 1), (2, 4, 5)]))
    m = Measurement(new_uid(), "length", points, vector(image.grid.axes[:, 0]), study.series[0].uid, "A", target=True)
    with Archive.open() as archive:
        archive.measurements.save(m, values_of(m, image), study.uid)
    listed = run("measured", head).out
    assert "A     length" in listed
    (told,) = json.loads(run("measured", head, "--json", "--follow-up").out)["measurements"]
    assert told["values"][0]["name"] == "Length"
    assert "Sum of targets" in run("measured", head, "--follow-up").out
    for name in ("m.csv", "m.dcm"):
        assert run("measured", head, "-o", tmp_path / name).code == 0
    (again,) = formats.read_measurements(tmp_path / "m.dcm", study.series)
    assert (again.uid, again.label, again.target) == (m.uid, "A", True)


def test_what_cannot_be_is_one_sentence(run: Run, head: Path, tmp_path: Path) -> None:
    refused = run("measured", head, "--study", "1.2.3")
    assert refused.code == 1
    assert one_sentence(refused.err)
    assert run("measured", head, "-o", tmp_path / "m.txt").code == 2
