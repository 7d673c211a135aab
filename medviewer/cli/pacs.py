"""Commands about the hospital's archive: set it up, search it, retrieve from it, send to it."""

from __future__ import annotations

import sys
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medviewer.cli.console import report, report_json, say, table
from medviewer.cli.options import JSON
from medviewer.cli.reading import opened_services, result_of
from medviewer.errors import InputError, RemoteError

if TYPE_CHECKING:
    from medviewer.archive.remote import Node, Outcome

app = typer.Typer(help="The hospital's archive: search, retrieve, send.", no_args_is_help=True)

_NODE = Annotated[str, typer.Argument(metavar="NAME", help="The archive; `medviewer pacs list` shows them.")]
_FLAGS = {
    "name": "NAME",
    "ae_title": "--aet",
    "own_ae_title": "--own-aet",
    "retrieve_by": "--retrieve",
    "ca_file": "--ca",
    "cert_file": "--cert",
    "key_file": "--key",
    "secret": "--secret-stdin",
    "auth": "--secret-stdin",
}
"""Options whose names differ from the fields of a node."""


class By(StrEnum):
    """How a DIMSE archive sends."""

    GET = "get"
    MOVE = "move"


@app.command("list")
def list_nodes(as_json: JSON = False) -> None:
    """List the archives that are set up; passwords and tokens are not shown."""
    with opened_services() as services:
        from medviewer.app.commands import pacs

        nodes = [_as_json(node) for node in pacs.book(services).nodes()]
    if as_json:
        report_json({"nodes": nodes})
        return
    rows = [(n["name"], n["kind"], n["where"], "yes" if n["encrypted"] else "no") for n in nodes]
    nothing = "No archive is set up yet; see: medviewer pacs add --help"
    report(table(("NAME", "KIND", "WHERE", "ENCRYPTED"), rows) if rows else nothing)


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What you call it.")],
    host: Annotated[str, typer.Option("--host", metavar="HOST", help="Its host name or IP address (DIMSE).")] = "",
    port: Annotated[int, typer.Option("--port", metavar="N", help="Its port (DIMSE).")] = 104,
    aet: Annotated[str, typer.Option("--aet", metavar="TITLE", help="Its AE title (DIMSE).")] = "",
    own_aet: Annotated[
        str, typer.Option("--own-aet", metavar="TITLE", help="Our AE title, as it knows us.")
    ] = "MEDVIEWER",
    retrieve_by: Annotated[By, typer.Option("--retrieve", help="C-GET, or C-MOVE with our receiver.")] = By.GET,
    receiver_host: Annotated[
        str, typer.Option("--receiver-host", metavar="HOST", help="Address that our receiver listens on for C-MOVE.")
    ] = "",
    receiver_port: Annotated[int, typer.Option("--receiver-port", metavar="N", help="And its port.")] = 11112,
    tls: Annotated[bool, typer.Option("--tls", help="Encrypt the connection (DIMSE).")] = False,
    no_verify: Annotated[bool, typer.Option("--no-verify", help="Do not check its certificate.")] = False,
    ca: Annotated[str, typer.Option("--ca", metavar="FILE", help="Authorities to check it by (PEM).")] = "",
    cert: Annotated[str, typer.Option("--cert", metavar="FILE", help="Our certificate (PEM).")] = "",
    key: Annotated[str, typer.Option("--key", metavar="FILE", help="The key of our certificate (PEM).")] = "",
    url: Annotated[str, typer.Option("--url", metavar="URL", help="Its DICOMweb address, in place of a host.")] = "",
    user: Annotated[str, typer.Option("--user", metavar="USER", help="Log in by password (DICOMweb).")] = "",
    secret_stdin: Annotated[
        bool,
        typer.Option("--secret-stdin", help="Read the password, or a token without --user, from standard input."),
    ] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Take the place of the one of that name.")] = False,
) -> None:
    """Set up an archive: by host, port and AE title (DIMSE), or by address (DICOMweb)."""
    from medviewer.archive.remote import make_node

    auth = "basic" if user else "bearer" if secret_stdin else "none"
    values: dict[str, Any] = {
        "name": name,
        "kind": "dicomweb" if url else "dimse",
        "host": host,
        "port": port,
        "ae_title": aet,
        "own_ae_title": own_aet,
        "retrieve_by": retrieve_by.value,
        "receiver_host": receiver_host,
        "receiver_port": receiver_port,
        "tls": tls,
        "verify": not no_verify,
        "ca_file": ca,
        "cert_file": cert,
        "key_file": key,
        "url": url,
        "auth": auth if url else "none",
        "user": user,
        # never an argument: other users of the machine can see those
        "secret": sys.stdin.readline().rstrip("\r\n") if secret_stdin else "",
    }
    node, problems = make_node(values)
    if node is None:
        field, problem = next(iter(problems.items()))
        raise typer.BadParameter(problem, param_hint=_FLAGS.get(field, f"--{field.replace('_', '-')}"))
    with opened_services() as services:
        from medviewer.app.commands import pacs

        known = {one.name for one in pacs.book(services).nodes()}
        pacs.book(services).save(node, replacing=name if replace and name in known else "")
    report(f"{node.name} is set up: {node.where}")
    if node.kind == "dicomweb" and node.auth != "none" and not node.is_encrypted:
        say("Warning: the log-in goes over the network as it is; use an address with https.")


@app.command("remove")
def remove(name: _NODE) -> None:
    """Forget an archive; what was retrieved from it stays."""
    with opened_services() as services:
        from medviewer.app.commands import pacs

        pacs.book(services).remove(name)
    report(f"{name} is forgotten")


@app.command("test")
def ping(name: _NODE, as_json: JSON = False) -> None:
    """Ask an archive whether it is there and talks to us (C-ECHO, or a search over DICOMweb)."""
    with opened_services() as services:
        from medviewer.app.commands import pacs

        seconds = result_of(services, pacs.ping(services, pacs.book(services).get(name)))
    if as_json:
        report_json({"name": name, "seconds": seconds})
        return
    report(f"{name} answers within {seconds * 1000:.0f} ms")


@app.command("query")
def query(
    node: _NODE,
    name: Annotated[str, typer.Option("--name", help="The patient's name or its begin; * and ? are wildcards.")] = "",
    patient_id: Annotated[str, typer.Option("--id", help="The patient's ID.")] = "",
    accession: Annotated[str, typer.Option("--accession", help="The accession number.")] = "",
    date_from: Annotated[str, typer.Option("--from", metavar="DATE", help="First date, like 2020-01-31.")] = "",
    date_to: Annotated[str, typer.Option("--to", metavar="DATE", help="Last date.")] = "",
    modality: Annotated[str, typer.Option("--modality", help="CT, MR ...")] = "",
    description: Annotated[str, typer.Option("--description", help="A part of the study's description.")] = "",
    study: Annotated[str, typer.Option("--study", metavar="UID", help="List the series of this study.")] = "",
    as_json: JSON = False,
) -> None:
    """Search an archive for studies, newest first, or list the series of one. The report names patients."""
    from medviewer.archive.remote import MOST_STUDIES, Query

    asked = Query(name, patient_id, accession, date_from, date_to, modality, description)
    with opened_services() as services:
        from medviewer.app.commands import pacs

        chosen = pacs.book(services).get(node)
        if study:
            series = [asdict(one) for one in result_of(services, pacs.series(services, chosen, study))]
            _report_series(series, as_json)
            return
        studies = [asdict(one) for one in result_of(services, pacs.query(services, chosen, asked))]
    if as_json:
        report_json({"studies": studies})
    else:
        header = ("PATIENT", "ID", "DATE", "MODALITY", "DESCRIPTION", "SERIES", "IMAGES", "STUDY")
        rows = [
            (
                s["patient_name"],
                s["patient_id"],
                s["date"],
                "+".join(s["modalities"]),
                s["description"],
                _number(s["series_count"]),
                _number(s["instance_count"]),
                s["study_uid"],
            )
            for s in studies
        ]
        report(table(header, rows) if rows else "No study of the archive is like that; widen the search.")
    if len(studies) >= MOST_STUDIES:
        say(f"These are the first {MOST_STUDIES}; narrow the search to see the others.")


@app.command("retrieve")
def retrieve(
    node: _NODE,
    studies: Annotated[list[str], typer.Argument(metavar="UID...", help="Study Instance UIDs; query shows them.")],
    series: Annotated[
        list[str] | None,
        typer.Option("--series", metavar="UID", help="Only this series of a single study; repeatable."),
    ] = None,
    as_json: JSON = False,
) -> None:
    """Retrieve studies into medviewer's folder; what is there already is not asked for again."""
    from medviewer.archive.remote import Wanted

    if series and len(studies) != 1:
        raise typer.BadParameter("series are of one study; name that one only.", param_hint="--series")
    with opened_services() as services:
        from medviewer.app.commands import pacs

        wanted = [Wanted(uid, tuple(series or ())) for uid in studies]
        outcomes = result_of(services, pacs.retrieve(services, pacs.book(services).get(node), wanted).job)
        for job in services.runner.jobs:  # what arrived is listed for the window
            services.runner.wait(job)
    _report_outcomes(outcomes, as_json)


@app.command("send")
def send(
    node: _NODE,
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="DICOM files, or folders of them.")],
    as_json: JSON = False,
) -> None:
    """Send DICOM files to an archive as they are: images, a SEG, a report."""
    files = [file for path in paths for file in _dicom_files(path)]
    with opened_services() as services:
        from medviewer.app.commands import pacs

        sent = result_of(services, pacs.send_files(services, pacs.book(services).get(node), files))
    if as_json:
        report_json({"sent": sent})
        return
    report(f"Sent {sent} files to {node}")


def _dicom_files(path: Path) -> list[Path]:
    """The file, or the DICOM files below a folder; a DICOMDIR lists files and is none itself."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise InputError(f"{path.name} should be a file or a folder, but is not there; check the path.")
    found = [file for file in sorted(path.rglob("*")) if file.is_file() and file.name != "DICOMDIR" and _is_dicom(file)]
    if not found:
        raise InputError(f"{path.name} should hold DICOM files, but none is there; choose another folder.")
    return found


def _is_dicom(file: Path) -> bool:
    with file.open("rb") as stream:
        stream.seek(128)
        return stream.read(4) == b"DICM"


def _report_outcomes(outcomes: list[Outcome], as_json: bool) -> None:
    if as_json:
        rows = [{**asdict(o), "folder": str(o.folder), "complete": o.complete} for o in outcomes]
        report_json({"studies": rows})
    else:
        for outcome in outcomes:
            report(f"{outcome.present} of {outcome.total} images of {outcome.study_uid} are in {outcome.folder}")
    problem = next((outcome.problem for outcome in outcomes if not outcome.complete), None)
    if problem is not None:
        raise RemoteError(f"Not everything came; retrieve again for the rest. {problem}")


def _report_series(series: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        report_json({"series": series})
        return
    header = ("NUMBER", "MODALITY", "DESCRIPTION", "IMAGES", "SERIES")
    rows = [
        (_number(s["number"]), s["modality"], s["description"], _number(s["instance_count"]), s["series_uid"])
        for s in series
    ]
    report(table(header, rows) if rows else "The archive has no series of that study; search again.")


def _number(value: int | None) -> str:
    return "-" if value is None else str(value)


def _as_json(node: Node) -> dict[str, Any]:
    data: dict[str, Any] = node.model_dump(exclude={"secret"})
    return {**data, "where": node.where, "encrypted": node.is_encrypted}
