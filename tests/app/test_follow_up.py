"""Lesions beside their priors, linked by a person, and measurements read from reports."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from unittest.mock import create_autospec

import pytest

from medviewer import formats
from medviewer.app.actions.measuring import measure_specs
from medviewer.app.commands import measured, measured_read, measuring, undoing
from medviewer.app.commands import study as study_commands
from medviewer.app.ports.shell import Dialogs, Shell
from medviewer.app.services import Services
from medviewer.domain.image import Image
from medviewer.domain.measure.measurement import NO_PRIOR, Measurement
from medviewer.domain.study import ScanResult
from medviewer.errors import InputError, NotFoundError, UnreadableError
from tests.app.conftest import GRID, SERIES, STUDY

FRAME = "1.2.826.0.1.99"
NOW = replace(SERIES, frame_of_reference=FRAME)
BEFORE = replace(SERIES, uid="1.2.826.0.1.61", frame_of_reference=FRAME)
TODAY = replace(STUDY, series=(NOW,))
EARLIER = replace(STUDY, uid="1.2.826.0.1.60", date="2019-12-01", series=(BEFORE,), accession="A0")


def line(start: tuple[int, int, int], end: tuple[int, int, int], label: str = "", **what: object) -> Measurement:
    a, b = GRID.index_to_world([start, end]).tolist()
    return replace(Measurement("", "length", (tuple(a), tuple(b)), (0, 0, 1), "", label), **what)  # type: ignore[arg-type]


@pytest.fixture
def followed(services: Services, image: Image) -> Services:
    """A target of 10 mm without a name in one study, and one of 6 mm at the same place in the next, which is open."""
    services.archive.catalog.add(ScanResult((EARLIER, TODAY)))
    services.session.studies = (EARLIER, TODAY)
    study_commands._present(services, BEFORE, image)
    measuring.add(services, line((1, 5, 0), (1, 0, 0), target=True, node=True, organ="Neck"))
    study_commands._present(services, NOW, image)
    measuring.add(services, line((1, 4, 0), (1, 1, 0)))
    return services


def test_what_lies_near_is_suggested_and_a_person_confirms_it(followed: Services) -> None:
    (change,) = measured.compare(followed).changes
    assert not change.confirmed
    assert change.percent == pytest.approx(-40)
    assert measured.follow_up_lines(measured.compare(followed))[1] == (
        "Length: length 6.0 mm, before 10.0 mm, -40 % (suggested by its place)"
    )
    assert change.prior is not None
    (m,) = followed.session.measurements
    measured.link(followed, m.uid, change.prior.measurement.uid)
    (linked,) = followed.session.measurements
    assert (linked.target, linked.node, linked.organ) == (True, True, "Neck"), "it is what its prior was"
    found = measured.compare(followed)
    assert found.changes[0].confirmed
    assert found.table.dates == ("2019-12-01", "2020-03-01")
    assert found.table.rows[0].mm == (pytest.approx(10), pytest.approx(6))
    assert found.table.responses == (None, "CR"), "a node below 10 mm is no longer sick"
    undoing.undo(followed)
    assert followed.session.measurements == (m,)
    measured.unlink(followed, m.uid)
    (new,) = measured.compare(followed).changes
    assert (new.prior, new.now.measurement.prior) == (None, NO_PRIOR)
    with pytest.raises(NotFoundError, match="no such measurement any more"):
        measured.link(followed, m.uid, "2.25.1")


def test_nothing_is_suggested_where_places_mean_different_things(followed: Services) -> None:
    session = followed.session
    session.studies = (replace(EARLIER, series=(replace(BEFORE, frame_of_reference="1.2.3"),)), TODAY)
    assert measured.compare(followed).changes == ()


def test_an_organ_is_asked_for(followed: Services) -> None:
    dialogs = create_autospec(Dialogs, instance=True)
    dialogs.ask_text.return_value = " Left  lobe "
    specs = {spec.id: spec for spec in measure_specs(followed, dialogs, create_autospec(Shell, instance=True))}
    specs["measure.organ"].run()
    assert followed.session.measurements[0].organ == "Left lobe"


@pytest.fixture
def scanned(services: Services, demo_slices: Path) -> tuple[Services, Path]:
    """A few slices of the demo, open, and a place for a report."""
    found = formats.scan([demo_slices])
    services.session.studies = found.studies
    series = found.series[0]
    study_commands._present(services, series, formats.load(series))
    return services, demo_slices.parent / "sr.dcm"


@pytest.fixture
def demo_slices(tmp_path: Path) -> Path:
    """Five slices of the demo's head in a folder of their own."""
    from shutil import copy

    from medviewer.app.resources import resource

    folder = tmp_path / "slices"
    folder.mkdir()
    for path in sorted(resource("demo/colin27").glob("*"))[80:85]:
        copy(path, folder / path.name)
    return folder


def test_what_was_written_is_read_back_once(scanned: tuple[Services, Path]) -> None:
    services, path = scanned
    session = services.session
    assert session.image is not None
    assert session.series is not None
    a, b = session.image.grid.index_to_world([(2, 60, 60), (2, 60, 90)]).tolist()
    normal = tuple(float(v) for v in session.image.grid.axes[:, 0])
    made = measuring.add(
        services,
        Measurement("", "length", (tuple(a), tuple(b)), (normal[0], normal[1], normal[2]), "", "A", organ="Lung"),
    )
    services.runner.wait(measured.export(services, path), 60)
    services.runner.wait(measured_read.read(services, path), 60)
    assert session.measurements == (made,)
    assert session.message is not None
    assert session.message.text == "Took over 0 measurements. 1 was here already."
    measuring.remove(services, made.uid)
    services.runner.wait(measured_read.read(services, path), 60)
    (back,) = session.measurements
    assert (back.uid, back.label, back.organ, back.series_uid) == (made.uid, "A", "Lung", made.series_uid)
    assert session.measured[back.uid][0].number == pytest.approx(30.0, abs=1e-3)
    undoing.undo(services)
    assert session.measurements == ()
    services.runner.wait(study_commands.open_paths(services, [path]), 60)  # as a file that is dropped
    for job in list(services.runner.jobs):
        services.runner.wait(job, 60)
    assert [m.uid for m in session.measurements] == [made.uid]
    assert session.message.text == "Took over 1 measurement."
    other = next(study_commands.resource("demo/colin27").glob("*"))
    job = measured_read.read(services, other)
    services.runner.wait(job, 60)
    with pytest.raises(UnreadableError, match="no measurements that can be read"):
        job.result()
    session.studies = ()
    with pytest.raises(InputError, match="open them first"):
        measured_read.read(services, path)
