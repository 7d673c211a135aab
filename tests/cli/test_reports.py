"""The commands that write reports and key images."""

from __future__ import annotations

import json
from pathlib import Path

from medviewer import formats
from medviewer.archive import Archive
from medviewer.domain.image import Image
from medviewer.domain.measure.key_image import KeyImage
from medviewer.domain.measure.measurement import Measurement, new_uid, vector
from medviewer.domain.measure.values import values_of
from tests.cli.conftest import Run, one_sentence


def test_a_report_is_written_made_final_and_saved(run: Run, head: Path, tmp_path: Path) -> None:
    refused = run("report", head)
    assert refused.code == 1
    assert one_sentence(refused.err)
    assert run("report", head, "--write", "nowhere=x").code == 2
    assert "No bleeding." in run("report", head, "--write", "findings=No bleeding.").out
    for arguments, kind in (((), "report"), (("--document",), "pdf")):
        target = tmp_path / f"{kind}.dcm"
        assert run("report", head, "-o", target, *arguments).out == f"Wrote {target}\n"
        assert formats.read_document(target).kind == kind
    final = run("report", head, "--final", "-o", tmp_path / "r.pdf")
    assert final.code == 0, final.err
    first = (tmp_path / "r.pdf").read_bytes()
    assert first.startswith(b"%PDF-")
    assert run("report", head, "-o", tmp_path / "r.pdf").code == 0
    assert (tmp_path / "r.pdf").read_bytes() == first, "a final report is always the same"
    told = json.loads(run("report", head, "--json").out)
    assert (told["state"], told["version"]) == ("final", 1)
    changed = run("report", head, "--write", "findings=Other.")
    assert changed.code == 1
    assert one_sentence(changed.err)


def test_key_images_are_listed_and_written(run: Run, head: Path, tmp_path: Path) -> None:
    assert "no key images" in run("keyimages", head).out
    study = formats.scan([head]).studies[0]
    key = KeyImage(new_uid(), study.series[0].uid, 0, 2, (2, 0, 0), 40, 400, note="cyst", plane="Axial")
    with Archive.open() as archive:
        archive.measurements.save_key_image(key, study.uid, png=b"png")
    assert "Ax 3   cyst" in run("keyimages", head).out
    assert json.loads(run("keyimages", head, "--json").out)[0]["uid"] == key.uid
    assert run("keyimages", head, "-o", tmp_path / "ko.dcm").code == 0
    assert "Of Interest" in formats.read_document(tmp_path / "ko.dcm").text
    assert run("keyimages", head, "-o", tmp_path).code == 0
    assert (tmp_path / "key-image-01-ax-3.png").read_bytes() == b"png"
    refused = run("keyimages", head, "-o", tmp_path / "none")
    assert refused.code == 1
    assert one_sentence(refused.err)


def test_measurements_are_read_from_a_report(run: Run, head: Path, image: Image, tmp_path: Path) -> None:
    study = formats.scan([head]).studies[0]
    points = tuple(vector(point) for point in image.grid.index_to_world([(2, 1, 1), (2, 4, 5)]))
    m = Measurement(new_uid(), "length", points, vector(image.grid.axes[:, 0]), study.series[0].uid, "A")
    formats.write_measurements([formats.Measured(m, values_of(m, image), study.series[0])], tmp_path / "sr.dcm")
    told = run("measured", head, "--read", tmp_path / "sr.dcm")
    assert "A     length" in told.out
    assert "Took over 1 measurement." in told.err
    assert "1 was here already." in run("measured", head, "--read", tmp_path / "sr.dcm").err
