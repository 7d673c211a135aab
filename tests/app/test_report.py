"""The report of a study: kept with every letter, final for good, written as PDF and DICOM, and read back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from medviewer import formats
from medviewer.app.commands import key_images, measuring, report
from medviewer.app.commands import study as study_commands
from medviewer.app.resources import resource
from medviewer.app.services import Services
from medviewer.archive import Archive
from medviewer.archive.database import FILE_NAME, Database
from medviewer.domain.doubt import Doubt
from medviewer.domain.finding import Classification
from medviewer.domain.measure.measurement import Measurement
from medviewer.domain.provenance import Provenance
from medviewer.domain.report import RESEARCH_USE, Report
from medviewer.domain.study import Patient
from medviewer.errors import InputError, StoreError
from medviewer.jobs import Job
from medviewer.reporting import templates
from medviewer.reporting.page import Page
from tests.app.conftest import GRID, SERIES, STUDY
from tests.formats.test_key_objects import dciodvfy


def done(services: Services, job: Job) -> object:  # type: ignore[type-arg]
    services.runner.wait(job, 60)
    return job.result()


def words(pdf: bytes) -> list[str]:
    """The text of each page."""
    import pypdfium2

    document = pypdfium2.PdfDocument(pdf)
    told = [page.get_textpage().get_text_range() for page in document]
    document.close()
    return told


def settle(services: Services) -> None:
    services.report_saves.flush()
    for job in list(services.runner.jobs):
        services.runner.wait(job, 60)


@pytest.fixture
def filled(services: Services) -> Services:
    """A study with a measurement, a key image and a model's answer, and a report of it."""
    session = services.session
    services.archive.catalog.add(formats_scan())
    a, b = GRID.index_to_world([(1, 1, 1), (1, 4, 1)]).tolist()
    measuring.add(services, Measurement("", "length", (tuple(a), tuple(b)), (0, 0, 1), "", "Hilum left", target=True))
    session.view.cursor = (1, 1, 1)
    key_images.mark(services, note="Läsion am Hilus")
    made = Provenance("demo.chest", "1.0", "2.1.0", doubt=Doubt(0.12, 1.8, ("Unlike the training set.",)))
    services.archive.results.save_classification(
        Classification({"normal": 0.2, "nodule": 0.8}, made, SERIES.uid, ("A demonstration.",))
    )
    session.plugin_names = {"demo.chest": "Chest demo"}
    report.begin(services)
    settle(services)
    return services


def formats_scan() -> object:
    from medviewer.domain.study import ScanResult

    return ScanResult((STUDY,))


def test_a_template_is_chosen_by_modality_and_a_broken_one_says_so(services: Services, tmp_path: Path) -> None:
    found = templates.load(resource("presets/report.yaml"))
    assert templates.choose(found, frozenset({"MG"})).title == "Mammography"
    assert templates.choose(found, frozenset({"CT", "SR"})).title == "Report"
    own = services.archive.home / report.TEMPLATES
    own.write_text("- {modality: [CT], title: Trauma CT, sections: [{key: findings, title: Findings, text: Head.}]}")
    made = report.begin(services)
    assert [(one.key, one.text) for one in made.sections] == [("findings", "Head.")]
    for broken in ("x: [", "- {title: A}", "[]", "- {title: A, sections: [{key: a, title: A}, {key: a, title: B}]}"):
        own.write_text(broken)
        with pytest.raises(InputError, match=r"report\.yaml"):
            templates.load(own)


def test_every_letter_is_kept_without_asking(filled: Services) -> None:
    for k in range(1, 30):
        report.write(filled, "findings", "No bleeding, no fracture anywhere."[:k])
    settle(filled)
    with Archive.open(filled.archive.home) as other:
        (kept,) = other.reports.of_study(STUDY.uid)
    assert kept.text_of("findings") == "No bleeding, no fracture anyw"
    assert filled.session.report == kept
    assert not filled.report_saves.pending
    report.leave(filled)
    assert filled.session.report is None
    assert report.begin(filled) == kept


CHILD = """
import os, sys
from pathlib import Path
from medviewer.app.commands import report, study
from medviewer.app.services import Services
from tests.app.conftest import SERIES, STUDY, GRID
from medviewer.domain.image import Image
import numpy as np
services = Services.open(Path(sys.argv[1]))
services.session.studies = (STUDY,)
study._present(services, SERIES, Image(np.zeros(GRID.shape, np.int16), GRID, "CT"))
report.begin(services)
typed = ""
for letter in "Fracture of the left orbital floor with herniation.":
    typed += letter
    report.write(services, "findings", typed)
    while services.report_saves.pending:
        services.runner.pump()
    print(len(typed), flush=True)
sys.stdin.read()
"""


def test_what_was_typed_outlives_a_killed_program(tmp_path: Path) -> None:
    root = str(Path(__file__).parents[2])
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path / "archive")],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
        cwd=root,
        env={**os.environ, "PYTHONPATH": root},
    )
    assert child.stdout is not None
    assert child.stdin is not None
    seen = 0
    while seen < 30:  # killed in the middle of the sentence
        line = child.stdout.readline()
        assert line, "the child ended by itself"
        seen = int(line)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    child.stdin.close()
    with Archive.open(tmp_path / "archive") as archive:
        (kept,) = archive.reports.of_study(STUDY.uid)
    assert len(kept.text_of("findings")) >= seen
    assert "Fracture of the left orbital floor with herniation.".startswith(kept.text_of("findings"))


def test_a_final_report_stays_whatever_is_asked(filled: Services) -> None:
    with pytest.raises(InputError, match="needs text"):
        report.sign(filled)
    report.write(filled, "findings", "Normal.")
    with pytest.raises(InputError, match="a draft still"):
        report.add(filled)
    final = done(filled, report.sign(filled))
    assert isinstance(final, Report)
    assert filled.session.report == final
    store = filled.archive.reports
    assert final.is_final
    assert store.pdf_of(final.uid) is not None
    with pytest.raises(InputError, match="is final and stays"):
        report.write(filled, "findings", "Not normal.")
    with pytest.raises(InputError, match="is final and stays"):
        store.save(replace(final, state="draft"))
    with pytest.raises(StoreError):
        store.discard(final.uid)
    with Database(filled.archive.home / FILE_NAME) as database, pytest.raises(StoreError), database.write() as session:
        session.execute(text("UPDATE reports SET content = '{}'"))
    assert store.of_study(STUDY.uid) == [final]
    measuring.remove(filled, filled.session.measurements[0].uid)
    filled.runner.wait(report.page(filled, lambda page: seen.append(page)) if (seen := []) == [] else None, 60)
    assert seen[0].measured.rows[0][0] == "Hilum left (target)", "the page is as it was when it was signed"


def test_the_report_of_one_study_is_never_that_of_another(filled: Services) -> None:
    session = filled.session
    other = replace(
        STUDY, uid="1.2.826.0.1.71", patient=Patient("Q", "ROE^JOHN"), series=(replace(SERIES, uid="1.2.826.0.1.79"),)
    )
    session.studies = (STUDY, other)
    report.write(filled, "findings", "Of the first.")
    signing = report.sign(filled)
    study_commands._present(filled, other.series[0], session.image)
    done(filled, signing)
    assert (session.report, session.report_versions) == (None, ())
    with pytest.raises(InputError, match="There is no report"):
        report.write(filled, "findings", "Of the second.")
    with pytest.raises(InputError):
        report.add(filled)
    assert report.begin(filled).study_uid == other.uid
    report.write(filled, "findings", "Of the second.")
    study_commands._present(filled, SERIES, session.image)
    assert report.begin(filled).text_of("findings") == "Of the first."
    settle(filled)
    assert [one.text_of("findings") for one in filled.archive.reports.of_study(other.uid)] == ["Of the second."]
    study_commands.close(filled)
    assert session.report is None


def test_another_study_that_was_read_meanwhile_waits_until_a_report_is_on_the_disk(filled: Services) -> None:
    session = filled.session
    other = replace(STUDY, uid="1.2.826.0.1.71", series=(replace(SERIES, uid="1.2.826.0.1.79"),))
    session.studies = (STUDY, other)
    running, image = threading.Event(), session.image
    read = filled.runner.submit(lambda _: running.set(), title="Loading")
    filled.when_done(read, lambda _: study_commands._present(filled, other.series[0], image))
    assert running.wait(60)
    filled.runner._threads.join(60)  # it is over, and nobody has pumped
    report.write(filled, "findings", "Normal.")
    known = report.recall(filled)
    assert session.study == STUDY
    assert known is not None
    assert (known.study_uid, known.text_of("findings")) == (STUDY.uid, "Normal.")
    filled.runner.wait(read, 60)
    assert session.study == other


def test_what_could_not_be_kept_at_first_goes_with_its_study_once_it_is(
    filled: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, store = filled.session, filled.archive.reports
    other = replace(STUDY, uid="1.2.826.0.1.71", series=(replace(SERIES, uid="1.2.826.0.1.79"),))
    session.studies = (STUDY, other)

    def full(*_: object) -> None:
        raise StoreError("The disk should take the report, but is full; make room.")

    with monkeypatch.context() as without_room:
        without_room.setattr(store, "save", full)
        report.write(filled, "findings", "Of the first.")
        for job in list(filled.runner.jobs):
            filled.runner.wait(job, 60)
        study_commands._present(filled, other.series[0], session.image)
        assert session.report is not None, "what cannot be kept stays"
        with pytest.raises(InputError, match="of another study than the open one"):
            report.write(filled, "findings", "Of the second.")
        study_commands._present(filled, STUDY.series[0], session.image)
    filled.report_saves.flush()
    assert session.report_saved == ""
    study_commands._present(filled, other.series[0], session.image)
    assert session.report is None
    assert report.begin(filled).study_uid == other.uid
    assert [one.text_of("findings") for one in store.of_study(STUDY.uid)] == ["Of the first."]


def test_nothing_is_written_in_a_draft_that_is_being_made_final(filled: Services) -> None:
    report.write(filled, "findings", "Normal.")
    job = report.sign(filled)
    for change in (
        lambda: report.write(filled, "findings", "Normal. No fracture."),
        lambda: report.leave_out(filled, "measured", True),
        lambda: report.sign(filled),
        lambda: report.discard(filled),
    ):
        with pytest.raises(InputError, match="being made final"):
            change()
    final = done(filled, job)
    assert filled.session.report == final
    assert [one.text_of("findings") for one in filled.archive.reports.of_study(STUDY.uid)] == ["Normal."]


def test_a_draft_that_could_not_be_made_final_is_written_in_again(
    filled: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    report.write(filled, "findings", "Normal.")

    def full(*_: object) -> bytes:
        raise StoreError("The disk should take the report, but is full; make room.")

    monkeypatch.setattr(report, "make_pdf", full)
    with pytest.raises(StoreError):
        done(filled, report.sign(filled))
    report.write(filled, "findings", "Normal. No fracture.")
    settle(filled)
    assert [one.text_of("findings") for one in filled.archive.reports.of_study(STUDY.uid)] == ["Normal. No fracture."]


def test_an_addendum_follows_and_a_new_version_begins_with_the_text(filled: Services, tmp_path: Path) -> None:
    report.write(filled, "findings", "First reading.")
    done(filled, report.sign(filled))
    added = report.add(filled)
    assert (added.version, added.kind) == (2, "addendum")
    report.write(filled, "findings", "Seen again: a nodule.")
    done(filled, report.sign(filled))
    pages = words(filled.archive.reports.pdf_of(added.uid) or b"")
    assert "Seen again: a nodule." in pages[0]
    assert any("First reading." in page for page in pages[1:])
    third = report.renew(filled)
    assert (third.version, third.kind, third.text_of("findings")) == (3, "report", "First reading.")
    report.discard(filled)
    assert [one.version for one in filled.session.report_versions] == [1, 2]
    assert report.choose_version(filled, 1).text_of("findings") == "First reading."
    with pytest.raises(InputError, match="have a version 9"):
        report.choose_version(filled, 9)


def test_the_pdf_has_all_of_it_and_says_on_every_page_what_it_is_for(filled: Services, tmp_path: Path) -> None:
    study = replace(STUDY, patient=Patient("ID-17", "Müller-Łąka^Ελένη^Юлия", "1960-03-02", "F"))
    filled.session.studies, filled.session.study = (study,), study
    report.write(filled, "findings", "Line one.\nLine two <b>& more</b>\n\n" + "Ein langer Befund. " * 400)
    report.write(filled, "impression", "所見なし 이상 없음")
    path = tmp_path / "report.pdf"
    done(filled, report.export(filled, path))
    pages = words(path.read_bytes())
    assert len(pages) > 1
    assert all(RESEARCH_USE in page for page in pages)
    assert all(f"{k} / {len(pages)}" in page for k, page in enumerate(pages, start=1))
    whole = "\n".join(pages)
    for wanted in (
        "Müller-Łąka, Ελένη Юлия",
        "ID-17",
        "59 y",
        "Line two <b>& more</b>",
        "DRAFT, not final",
        "Hilum left (target)",
        "6.0 mm",
        "Chest demo, model 2.1.0",
        "normal 20 %, nodule 80 %",
        "uncertainty 12 %",
        "Unlike the training set.",
        "A demonstration.",
        "Läsion am Hilus",
        "Sum of diameters",
    ):
        assert wanted in whole, wanted
    assert path.read_bytes().count(b"/FontFile2") >= 2, "the fonts are in the file"
    report.leave_out(filled, "answers", True)
    report.leave_out(filled, filled.session.key_images[0].uid, True)
    done(filled, report.export(filled, path))
    less = "\n".join(words(path.read_bytes()))
    assert "Chest demo" not in less
    assert "Läsion am Hilus" not in less


@pytest.fixture
def on_files(services: Services, tmp_path: Path) -> Services:
    """A report of one slice of the demo, with patient data of its own."""
    found = formats.scan([sorted(resource("demo/colin27").glob("*"))[90]])
    services.session.studies = found.studies
    series = found.series[0]
    study_commands._present(services, series, formats.load(series))
    report.begin(services)
    report.write(services, "indication", "Headache since März.")
    report.write(services, "findings", "No bleeding.\nNo mass.")
    report.write(services, "impression", "Normal head.")
    return services


def test_it_is_dicom_that_is_valid_and_reads_back(on_files: Services, tmp_path: Path) -> None:
    sr, pdf = tmp_path / "report.dcm", tmp_path / "document.dcm"
    done(on_files, report.export(on_files, sr))
    assert dciodvfy(sr, "EnhancedSR") == []
    told = formats.read_document(sr)
    for wanted in (
        "Indications for Procedure",
        "Headache since März.",
        "Findings",
        "No mass.",
        "Normal head.",
        "partial",
    ):
        assert wanted in told.text, wanted
    (attachment,) = formats.scan([sr]).attachments
    series = on_files.session.series
    assert series is not None
    assert attachment.of_series == (series.instance_uid,)
    done(on_files, report.sign(on_files))
    done(on_files, report.export(on_files, pdf, as_document=True))
    assert dciodvfy(pdf, "EncapsulatedPDF") == []
    document = formats.read_document(pdf)
    assert document.title == "Report"
    assert "Normal head." in "".join(words(document.pdf))
    report_uid = on_files.session.report
    assert report_uid is not None
    assert document.pdf == on_files.archive.reports.pdf_of(report_uid.uid), "the final PDF itself"
    with pytest.raises(InputError, match=r"saved as \.pdf or \.dcm"):
        report.export(on_files, tmp_path / "report.doc")


def test_a_study_without_dicom_files_has_reports_too(services: Services, tmp_path: Path) -> None:
    services.session.studies = (replace(STUDY, series=(replace(SERIES, reader="nifti"),)),)
    services.session.study = services.session.studies[0]
    report.begin(services)
    report.write(services, "findings", "Seen.")
    for name, as_document, kind in (("a.dcm", False, "EnhancedSR"), ("b.dcm", True, "EncapsulatedPDF")):
        done(services, report.export(services, tmp_path / name, as_document=as_document))
        assert dciodvfy(tmp_path / name, kind) == []
        assert formats.read_document(tmp_path / name).patient == "Muster Eva  ID-17"


def test_a_page_comes_back_as_it_was(filled: Services) -> None:
    import json

    seen: list[Page] = []
    filled.runner.wait(report.page(filled, seen.append), 60)
    assert Page.from_json(json.loads(json.dumps(seen[0].to_json()))) == seen[0]


def test_nothing_open_has_no_report(services: Services) -> None:
    services.session.study = None
    with pytest.raises(InputError, match="open one first"):
        report.begin(services)
    with pytest.raises(InputError, match="open the report of a study first"):
        report.write(services, "findings", "x")
