"""The command about what was measured."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medviewer.cli.console import report, report_json, say, table
from medviewer.cli.options import JSON, SOURCE
from medviewer.cli.reading import check_output, opened_services, result_of, scan
from medviewer.cli.studies import STUDY, one_study

if TYPE_CHECKING:
    from medviewer.app.commands.measured import FollowUp
    from medviewer.app.services import Services
    from medviewer.archive import Kept
    from medviewer.domain.measure.follow_up import Measured
    from medviewer.domain.study import ScanResult

_OUTPUT = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="The file to write: .csv, or .dcm for a DICOM report."),
]
_READ = Annotated[
    Path | None,
    typer.Option("--read", metavar="FILE", help="First take over what a DICOM report (TID 1500) says was measured."),
]
_FOLLOW_UP = Annotated[
    bool, typer.Option("--follow-up", help="Beside the patient's earlier studies, with the sum of RECIST 1.1 targets.")
]


def measured(
    path: SOURCE,
    output: _OUTPUT = None,
    study: STUDY = None,
    follow_up: _FOLLOW_UP = False,
    read: _READ = None,
    as_json: JSON = False,
) -> None:
    """List or write what was measured in a study.

    A table (.csv) or a DICOM structured report (.dcm) is written. Measurements are made in the window and kept in the
    archive; PATH is where the study's images are.
    """
    from medviewer.app.commands.measured import NAMES, compare, follow_up_lines, writer

    if output is not None:
        check_output(output, NAMES)
    scanned = scan(path)
    chosen = one_study(scanned, study)
    with opened_services() as services:
        if read is not None:
            _take_over(services, scanned, read)
        kept = services.archive.measurements.of_studies([chosen.uid])
        if output is not None:
            writer(chosen, kept, output, services.author)()
        compared = compare(services, chosen.uid) if follow_up and output is None else None
    if output is not None:
        report(f"Wrote {output}")
    elif compared is not None and not as_json:
        report("\n".join(follow_up_lines(compared)))
    elif as_json:
        told: dict[str, Any] = {"study": chosen.uid, "measurements": [_as_json(one) for one in kept]}
        if compared is not None:
            told["follow_up"] = _follow_up_json(compared)
        report_json(told)
    else:
        rows = [
            (one.measurement.title, one.measurement.kind, ", ".join(f"{v.name} {v.text}" for v in one.values))
            for one in kept
        ]
        report(table(("NAME", "KIND", "VALUES"), rows) if rows else "Nothing was measured in this study.")


def _take_over(services: Services, scanned: ScanResult, path: Path) -> None:
    from medviewer.app.commands.measured_read import read

    services.session.studies = scanned.studies
    result_of(services, read(services, path))
    if services.session.message is not None:
        say(services.session.message.text)


def _as_json(one: Kept) -> dict[str, Any]:
    return {**one.measurement.to_json(), "values": [asdict(value) for value in one.values]}


def _follow_up_json(compared: FollowUp) -> dict[str, Any]:
    course = compared.course
    return {
        "prior_study": compared.prior.study_uid if compared.prior is not None else None,
        "changes": [
            {
                "label": change.now.measurement.label,
                "now": asdict(change.now.main) if change.now.main is not None else None,
                "prior": asdict(change.prior.main)
                if change.prior is not None and change.prior.main is not None
                else None,
                "percent": change.percent,
                "confirmed": change.confirmed,
            }
            for change in compared.changes
        ],
        "target_sums": [{"date": total.date, "mm": total.mm, "notes": list(total.notes)} for total in course.sums],
        "targets": [
            {"title": row.title, "organ": row.organ, "node": row.node, "mm": list(row.mm)}
            for row in compared.table.rows
        ],
        "target_dates": list(compared.table.dates),
        "responses": list(compared.table.responses),
        "percent_from_baseline": course.from_baseline,
        "percent_from_nadir": course.from_nadir,
        "response_of_targets": course.response,
        "notes": list(course.notes),
    }


def _main_json(one: Measured | None) -> dict[str, Any] | None:
    return asdict(one.main) if one is not None and one.main is not None else None
