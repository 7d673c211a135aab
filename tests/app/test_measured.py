"""Measurements written to files and beside earlier studies, and key images."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from unittest.mock import create_autospec

import pytest

from medviewer.app.actions.measuring import measure_specs
from medviewer.app.commands import measured, measuring
from medviewer.app.commands import study as study_commands
from medviewer.app.ports.shell import Dialogs, Shell
from medviewer.app.services import Services
from medviewer.domain.image import Image
from medviewer.domain.measure.measurement import Measurement
from medviewer.domain.study import ScanResult
from medviewer.errors import InputError, NotFoundError
from tests.app.conftest import GRID, SERIES, STUDY

EARLIER = replace(
    STUDY, uid="1.2.826.0.1.60", date="2019-12-01", series=(replace(SERIES, uid="1.2.826.0.1.61"),), accession="A0"
)
OTHERS = replace(EARLIER, uid="1.2.826.0.1.50", patient=replace(STUDY.patient, id="ID-18"), series=())


def line(end: tuple[int, int, int], label: str) -> Measurement:
    a, b = GRID.index_to_world([(1, 0, 0), end]).tolist()
    return Measurement("", "length", (tuple(a), tuple(b)), (0, 0, 1), "", label, target=True)


@pytest.fixture
def followed(services: Services, image: Image) -> Services:
    """A patient whose target measured 10 mm in one study and 6 mm in the next, which is open."""
    services.archive.catalog.add(ScanResult((EARLIER, STUDY, OTHERS)))
    services.session.studies = (EARLIER, STUDY)
    study_commands._present(services, EARLIER.series[0], image)
    measuring.add(services, line((1, 5, 0), "Target 1"))  # 5 rows of 2 mm
    study_commands._present(services, SERIES, image)
    measuring.add(services, line((1, 3, 0), "target 1"))
    return services


def test_the_prior_is_of_the_same_patient_and_the_sum_is_told(followed: Services) -> None:
    found = measured.compare(followed)
    assert found.prior is not None
    assert (found.prior.study_uid, found.prior.date) == (EARLIER.uid, "2019-12-01")
    assert [change.percent for change in found.changes] == [pytest.approx(-40)]
    assert measured.follow_up_lines(found) == [
        "Prior: 2019-12-01",
        "target 1: length 6.0 mm, before 10.0 mm, -40 %",
        "Sum of targets 2019-12-01: 10.0 mm",
        "Sum of targets 2020-03-01: 6.0 mm",
        "Since the first study: -40 %",
        "Since the smallest sum: -40 %",
        "Targets by RECIST 1.1: partial response (PR)",
    ]
    first = measured.compare(followed, EARLIER.uid)
    assert first.prior is None
    assert first.course.response is None


def test_a_table_has_a_row_for_each_value_and_no_formula(followed: Services, tmp_path: Path) -> None:
    spot = replace(line((1, 3, 0), "=1+1"), kind="point", points=((1, 2, 3),), text="here")
    measuring.add(followed, spot)
    target = tmp_path / "measurements.csv"
    followed.runner.wait(measured.export(followed, target), 60)
    with target.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["label"], row["kind"], row["value"], row["number"], row["unit"]) for row in rows] == [
        ("target 1", "Length", "Length", "6", "mm"),
        ("'=1+1", "Point", "", "", ""),
    ]
    assert (rows[0]["target"], rows[0]["author"], rows[1]["x_mm"]) == ("yes", "reader", "1.000")


def test_what_cannot_be_written_is_refused_at_once(services: Services, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no measurements to save"):
        measured.export(services, tmp_path / "a.csv")
    measuring.add(services, line((1, 3, 0), "A"))
    with pytest.raises(InputError, match=r"saved as \.csv or \.dcm"):
        measured.export(services, tmp_path / "a.txt")
    services.session.study = replace(STUDY, series=())
    with pytest.raises(NotFoundError, match="needs the images"):
        measured.export(services, tmp_path / "a.dcm")
    assert list(tmp_path.glob("a.*")) == []


def test_a_menu_makes_targets_and_saves(services: Services, tmp_path: Path) -> None:
    dialogs, target = create_autospec(Dialogs, instance=True), tmp_path / "m.csv"
    dialogs.save_path.return_value = target
    specs = {spec.id: spec for spec in measure_specs(services, dialogs, create_autospec(Shell, instance=True))}
    made = measuring.add(services, replace(line((1, 3, 0), "A"), target=False))
    seen = []
    for action in ("measure.node", "measure.target", "measure.target"):
        specs[action].run()
        m = measuring.found(services.session, made.uid)
        seen.append((m.target, m.node))
    assert seen == [(True, True), (True, False), (False, False)]
    specs["measure.save"].run()
    services.runner.wait(services.runner.jobs[-1], 60)
    assert target.exists()
