"""Reports and documents that come to a study that is listed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from medviewer.archive import Archive
from medviewer.domain.geometry import Grid
from medviewer.domain.study import Attachment, Patient, ScanResult, Series, Study


def test_a_report_that_comes_alone_does_not_rename_the_study(archive: Archive, tmp_path: Path) -> None:
    image, report = tmp_path / "image.dcm", tmp_path / "report.dcm"
    image.write_bytes(b"an image")
    report.write_bytes(b"a report")
    series = Series("1.2.3", "CT", "Axial", Grid((1, 4, 5)), (image,), "dicom")
    study = Study("1.2", "2024-05-06", "CT Head", Patient("MV-1", "DOE^JANE", "1970-01-02", "F"), (series,))
    archive.catalog.add(ScanResult((study,)))
    attached = Attachment("1.2.9", "report", "Findings", report, "SR")
    told = Patient("MV-1", "Doe^Jane", "", "O")  # as report writers spell it
    archive.catalog.add(ScanResult((Study("1.2", "2024-05-07", "Report", told, attachments=(attached,)),)))
    [entry] = archive.catalog.search()
    assert (entry.date, entry.description, entry.patient) == (study.date, study.description, study.patient)
    assert archive.catalog.attachments_of("1.2") == [attached]
    archive.catalog.add(ScanResult((replace(study, description="CT Head, corrected"),)))
    assert [one.description for one in archive.catalog.search()] == ["CT Head, corrected"]
