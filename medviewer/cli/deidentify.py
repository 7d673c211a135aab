"""The command that copies studies without their patients' data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medviewer.cli.console import Progress, report, report_json, say
from medviewer.cli.options import JSON, SOURCE

_FOLDER = Annotated[
    Path,
    typer.Option("--output", "-o", metavar="DIR", help="The folder for the copies; made when missing, outside PATH."),
]
_KEY = Annotated[
    Path | None,
    typer.Option(
        "--key",
        metavar="FILE",
        help="A key kept in this file, made when missing: the same key gives the same UIDs, pseudonyms and date "
        "shifts. By default a new one is used and forgotten.",
    ),
]


def deidentify(
    path: SOURCE,
    output: _FOLDER,
    key: _KEY = None,
    retain_uids: Annotated[bool, typer.Option("--retain-uids", help="Keep all UIDs.")] = False,
    shift_dates: Annotated[
        bool, typer.Option("--shift-dates", help="Move a patient's dates by the same days instead of removing them.")
    ] = False,
    clean_descriptors: Annotated[
        bool, typer.Option("--clean-descriptors", help="Keep descriptions, without the patient's data in them.")
    ] = False,
    clean_content: Annotated[
        bool, typer.Option("--clean-content", help="Keep the sentences of reports, without the patient's data in them.")
    ] = False,
    retain_patient: Annotated[bool, typer.Option("--retain-patient", help="Keep sex, age, size and weight.")] = False,
    retain_device: Annotated[bool, typer.Option("--retain-device", help="Keep what names the machine.")] = False,
    retain_institution: Annotated[
        bool, typer.Option("--retain-institution", help="Keep what names the institution.")
    ] = False,
    patient_id: Annotated[str, typer.Option("--patient-id", metavar="TEXT", help="The new Patient ID.")] = "",
    patient_name: Annotated[str, typer.Option("--patient-name", metavar="TEXT", help="The new patient name.")] = "",
    as_json: JSON = False,
) -> None:
    """Copy DICOM and NIfTI without what identifies the patient.

    DICOM PS3.15 Annex E, basic profile, with the options chosen. Pixels are not changed: words that are burned into
    them stay, and you are told where that is likely. Exit code 1 if a file had to be left out.
    """
    from medviewer.app.commands.deidentify import key_from, run
    from medviewer.formats.dicom.deidentify.options import Key, Options

    options = Options(
        retain_uids=retain_uids,
        shift_dates=shift_dates,
        clean_descriptors=clean_descriptors,
        clean_content=clean_content,
        retain_patient=retain_patient,
        retain_device=retain_device,
        retain_institution=retain_institution,
        patient_id=patient_id,
        patient_name=patient_name,
    )
    with Progress("De-identifying") as progress:
        made = run([path], output, options, key_from(key) if key is not None else Key.random(), progress.show)
    if as_json:
        report_json(
            {
                "folder": str(made.folder),
                "written": made.written,
                "left_out": [{"file": name, "reason": why} for name, why in made.left_out],
                "others": made.others,
                "warnings": [{"text": text, "files": count} for text, count in made.warnings],
            }
        )
    else:
        report(made.summary)
        report("UIDs, pseudonyms and dates come from " + (f"the key {key}." if key else "a key that is not kept."))
    for line in made.details.splitlines():
        say(line)
    if made.left_out:
        raise typer.Exit(1)
