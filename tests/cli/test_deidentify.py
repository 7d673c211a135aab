"""The commands about de-identification and documents, and what info says of attachments."""

from __future__ import annotations

import json
from pathlib import Path

import pydicom
import pytest

from tests.formats.test_documents import content, encapsulated, made_pdf, report, saved

from .conftest import UID, Run, one_sentence


def test_a_study_is_copied_and_the_key_makes_it_the_same_again(head: Path, run: Run, tmp_path: Path) -> None:
    key = tmp_path / "my.key"
    ran = run("deidentify", head, "-o", tmp_path / "a", "--key", key, "--shift-dates")
    assert ran.code == 0
    assert ran.out.startswith("Wrote 6 de-identified files to ")
    assert f"come from the key {key}" in ran.out
    assert run("deidentify", head, "-o", tmp_path / "b", "--key", key, "--shift-dates").code == 0
    names = [sorted(str(f.relative_to(tmp_path / x)) for f in (tmp_path / x).rglob("*.dcm")) for x in "ab"]
    assert names[0] == names[1]
    assert len(names[0]) == 6
    assert not any(UID in name for name in names[0])


def test_the_new_patient_can_be_named(head: Path, run: Run, tmp_path: Path) -> None:
    ran = run(
        "deidentify", head, "-o", tmp_path / "a", "--patient-id", "CASE-7", "--patient-name", "Seven^Case", "--json"
    )
    told = json.loads(ran.out)
    assert (told["written"], told["left_out"], told["others"]) == (6, [], 0)
    dataset = pydicom.dcmread(next((tmp_path / "a").rglob("*.dcm")))
    assert (dataset.PatientID, str(dataset.PatientName)) == ("CASE-7", "Seven^Case")


def test_a_file_that_is_left_out_is_named_and_the_exit_code_is_1(head: Path, run: Run, tmp_path: Path) -> None:
    saved(encapsulated(made_pdf(1)), head / "letter.dcm")
    ran = run("deidentify", head, "-o", tmp_path / "a")
    assert ran.code == 1
    assert "left out 1 file" in ran.out
    assert "Left out letter.dcm: " in ran.err
    assert "encapsulated document" in ran.err


def test_a_folder_inside_the_study_is_refused(head: Path, run: Run) -> None:
    ran = run("deidentify", head, "-o", head / "out")
    assert (ran.code, one_sentence(ran.err)) == (1, True)


def test_a_report_is_printed_or_written(run: Run, tmp_path: Path) -> None:
    path = saved(report(content("TEXT", "Finding", TextValue="Clear.")), tmp_path / "sr.dcm")
    ran = run("document", path)
    assert ran.code == 0
    assert "  Finding: Clear.\n" in ran.out
    assert run("document", path, "--output", tmp_path / "sr.txt").code == 0
    assert "Clear." in (tmp_path / "sr.txt").read_text(encoding="utf-8")
    assert run("document", path, "--output", tmp_path / "sr.pdf").code == 2


def test_a_pdf_is_written_not_printed(run: Run, tmp_path: Path) -> None:
    data = made_pdf(1)
    path = saved(encapsulated(data), tmp_path / "pdf.dcm")
    ran = run("document", path)
    assert (ran.code, ran.out, one_sentence(ran.err)) == (1, "", True)
    assert run("document", path, "-o", tmp_path / "letter.pdf").code == 0
    assert (tmp_path / "letter.pdf").read_bytes() == data


@pytest.mark.parametrize("with_images", [True, False])
def test_info_lists_what_is_no_image(head: Path, run: Run, tmp_path: Path, with_images: bool) -> None:
    folder = head if with_images else tmp_path
    path = saved(report(content("TEXT", "Finding", TextValue="Clear.")), folder / "sr.dcm")
    ran = run("info", folder if with_images else path)
    assert ran.code == 0
    assert f"Chest report  2024-03-01  {path}" in ran.out
    told = json.loads(run("info", folder if with_images else path, "--json").out)
    found = [one for study in told["studies"] for one in study["attachments"]]
    assert [(one["kind"], one["file"]) for one in found] == [("report", str(path))]
