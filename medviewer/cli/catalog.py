"""Commands about the catalogue: the studies that were opened or imported, and where they stand."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medviewer.cli.console import Progress, report, report_json, say, table
from medviewer.cli.options import JSON, SOURCE
from medviewer.cli.reading import opened_services, scan

if TYPE_CHECKING:
    from medviewer.archive.catalog import StudyEntry


class State(StrEnum):
    """Where a study stands on the worklist."""

    NEW = "new"
    READ = "read"
    TO_CORRECT = "to-correct"
    APPROVED = "approved"


STUDY = Annotated[str, typer.Argument(metavar="UID", help="Study Instance UID; `medviewer studies list` shows them.")]

app = typer.Typer(help="The list of studies: look, add, mark, tag, remove.", no_args_is_help=True)


@app.command("list")
def list_studies(
    search: Annotated[
        str, typer.Option("--search", metavar="TEXT", help="Beginnings of words: name, ID, date, description ...")
    ] = "",
    modality: Annotated[str, typer.Option("--modality", metavar="NAME", help="Only with a series of this one.")] = "",
    state: Annotated[State | None, typer.Option("--state", help="Only those that stand there.")] = None,
    tag: Annotated[str, typer.Option("--tag", metavar="TAG", help="Only those with this tag.")] = "",
    since: Annotated[str, typer.Option("--from", metavar="DATE", help="Of this day, month or year on.")] = "",
    until: Annotated[str, typer.Option("--until", metavar="DATE", help="Until this day, month or year.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 200,
    as_json: JSON = False,
) -> None:
    """List studies by patient, the one that was opened last first. Names of patients are in the report."""
    from medviewer.archive.catalog import Query

    query = Query(search, modality.upper(), state.value if state else "", tag, since, until)
    with opened_services() as services:
        entries, count = services.archive.catalog.page(query, limit)
    if as_json:
        report_json({"count": count, "studies": [_as_json(entry) for entry in entries]})
        return
    rows = [_row(entry) for entry in entries]
    nothing = "No study is like that; all of them: medviewer studies list"
    if not query.narrowed:
        nothing = "No study is listed; open one, or: medviewer studies add PATH"
    header = ("DATE", "MODALITY", "STATE", "PATIENT", "ID", "DESCRIPTION", "IMAGES", "TAGS", "UID")
    report(table(header, rows) if rows else nothing)
    if count > len(entries):
        say(f"These are {len(entries)} of {count}; --limit shows more.")


@app.command("add")
def add(
    path: SOURCE,
    copy: Annotated[bool, typer.Option("--copy", help="Copy the files into the archive, byte for byte.")] = False,
    as_json: JSON = False,
) -> None:
    """List the studies below a path. Files stay where they are, unless --copy; those of a ZIP are always copied."""
    found = scan(path)
    with opened_services() as services, Progress(f"Adding {path.name}") as progress:
        added = services.archive.catalog.add(found, copy, progress.show)
    for warning in found.warnings:
        say(f"Warning: {warning.text}")
    if added.skipped:
        say(f"Warning: {added.skipped} files could not be read and were left out.")
    if as_json:
        fields = ("studies", "series", "files", "already", "skipped")
        report_json({**{name: getattr(added, name) for name in fields}, "uids": list(added.uids)})
        return
    report(
        f"New: {added.studies} studies, {added.series} series, {added.files} files; "
        f"{added.already} files were listed before"
    )


@app.command("remove")
def remove(
    uid: STUDY,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before files are deleted.")] = False,
) -> None:
    """Forget a study. Only files in medviewer's own folder are deleted: copied, unpacked, retrieved. Masks stay."""
    with opened_services() as services:
        entry = services.archive.catalog.get(uid)
        if entry.copied and not yes:
            typer.confirm(
                "Its files in medviewer's folder (copied, unpacked or retrieved) are deleted. Go on?",
                abort=True,
                err=True,
            )
        services.archive.catalog.remove(uid)
    report(f"Removed {uid}")


@app.command("mark")
def mark(
    uid: STUDY, state: Annotated[State, typer.Argument(metavar="STATE", help="new, read, to-correct or approved.")]
) -> None:
    """Say where a study stands on the worklist."""
    with opened_services() as services:
        services.archive.catalog.set_state(uid, state.value)
    report(f"Marked {uid} as {state.value}")


@app.command("tag")
def tag(
    uid: STUDY,
    word: Annotated[str, typer.Argument(metavar="TAG", help="Any words.")],
    off: Annotated[bool, typer.Option("--off", help="Take the tag off instead.")] = False,
) -> None:
    """Give a study a tag, or take it off."""
    with opened_services() as services:
        catalog = services.archive.catalog
        (catalog.untag if off else catalog.tag)(uid, word)
        tags = catalog.get(uid).tags
    report(f"Tags of {uid}: {', '.join(tags) or '-'}")


def _row(entry: StudyEntry) -> tuple[str, ...]:
    return (
        entry.date or "-",
        " ".join(entry.modalities) or "-",
        entry.state.label,
        entry.patient.name or "-",
        entry.patient.id or "-",
        entry.description or "-",
        str(entry.images),
        ", ".join(entry.tags) or "-",
        entry.uid,
    )


def _as_json(entry: StudyEntry) -> dict[str, Any]:
    patient = entry.patient
    return {
        "uid": entry.uid,
        "patient": {"id": patient.id, "name": patient.name, "birth_date": patient.birth_date, "sex": patient.sex},
        "date": entry.date,
        "description": entry.description,
        "accession": entry.accession,
        "modalities": list(entry.modalities),
        "images": entry.images,
        "state": entry.state.value,
        "tags": list(entry.tags),
        "copied": entry.copied,
    }
