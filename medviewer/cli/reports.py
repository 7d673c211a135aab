"""The commands about reports and key images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medviewer.cli.console import report as tell
from medviewer.cli.console import report_json, table
from medviewer.cli.options import JSON, SOURCE
from medviewer.cli.reading import check_output, opened_services, result_of, scan
from medviewer.cli.studies import STUDY, one_study
from medviewer.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from medviewer.app.services import Services
    from medviewer.domain.report import Report

_OUTPUT = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="The file to write: .pdf, or .dcm for DICOM."),
]
_DOCUMENT = Annotated[bool, typer.Option("--document", help="Of a .dcm: the PDF in DICOM, not a structured report.")]
_WRITE = Annotated[
    list[str] | None,
    typer.Option("--write", metavar="SECTION=TEXT", help="Write in a section of the draft, for example findings=…"),
]
_FINAL = Annotated[bool, typer.Option("--final", help="Make the draft final; it never changes again.")]
_KEYS_OUTPUT = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="A folder for pictures (.png), or a .dcm for a key object."),
]


def report(
    path: SOURCE,
    output: _OUTPUT = None,
    study: STUDY = None,
    write: _WRITE = None,
    final: _FINAL = False,
    document: _DOCUMENT = False,
    as_json: JSON = False,
) -> None:
    """Print or write the report of a study.

    It holds measurements, key images and AI results too. The report is the one that was written in the window; --write
    begins a draft where there is none. A .pdf holds all of it, a .dcm the text as a structured report. Patient data in
    it are printed and written as they are.
    """
    from medviewer.app.commands import report as reports

    if output is not None:
        check_output(output, reports.NAMES)
    with opened_services() as services:
        _open(services, path, study)
        shown = _written(services, write or [])
        if final:
            shown = result_of(services, reports.sign(services))
        if output is not None:
            result_of(services, reports.export(services, output, as_document=document))
            tell(f"Wrote {output}")
        elif as_json:
            report_json(shown.to_json())
        else:
            tell(_as_text(shown))


def key_images(path: SOURCE, output: _KEYS_OUTPUT = None, study: STUDY = None, as_json: JSON = False) -> None:
    """List the key images of a study, or write them.

    They are written as pictures, or as a DICOM key object selection.
    """
    from medviewer.app.commands import key_images as keys

    with opened_services() as services:
        _open(services, path, study)
        session = services.session
        assert session.study is not None  # _open found one
        session.key_images = tuple(services.archive.measurements.key_images_of(session.study.uid))
        if output is not None and output.suffix.lower() == ".dcm":
            check_output(output, (".dcm",))
            result_of(services, keys.save_objects(services, output))
            tell(f"Wrote {output}")
        elif output is not None:
            if not output.is_dir():
                raise InputError(f"Pictures of key images go to a folder, but {output} is none; make it first.")
            for written in result_of(services, keys.save_pictures(services, output)):
                tell(f"Wrote {written}")
        elif as_json:
            report_json([one.to_json() for one in session.key_images])
        else:
            rows = [(one.place, one.note, one.author, one.created) for one in session.key_images]
            tell(table(("SLICE", "NOTE", "BY", "MARKED"), rows) if rows else "This study has no key images.")


def _open(services: Services, path: Path, uid: str | None) -> None:
    """Make the study the open one, as far as reports need it: no voxel is read."""
    found = scan(path)
    services.session.studies = found.studies
    services.session.study = one_study(found, uid)


def _written(services: Services, texts: list[str]) -> Report:
    """The study's report, with the texts in its draft; one is begun where something is written and there is none."""
    from medviewer.app.commands import report as reports

    shown = reports.recall(services)
    if shown is None:
        if not texts:
            raise NotFoundError("This study has no report; write one in the window, or with --write findings=….")
        shown = reports.begin(services)
    for text in texts:
        key, sign, value = text.partition("=")
        known = [section.key for section in shown.sections]
        if not sign or key not in known:
            raise typer.BadParameter(f"{key!r} is no section; there are {', '.join(known)}.", param_hint="--write")
        reports.write(services, key, value)
    return services.session.report or shown


def _as_text(shown: Report) -> str:
    from medviewer.reporting.page import Page, state_line

    lines: list[Any] = [state_line(shown)]
    page = Page.from_json(shown.page) if shown.page else Page()
    lines += [f"{name}: {value}" for name, value in page.header]
    for section in shown.sections:
        if section.text.strip():
            lines += ["", section.title, section.text.strip()]
    return "\n".join(lines)
