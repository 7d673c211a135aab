"""The command that reads reports and documents."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medviewer.cli.console import report
from medviewer.cli.reading import check_output
from medviewer.errors import InputError

_FILE = Annotated[Path, typer.Argument(metavar="PATH", help="A DICOM structured report, PDF or CDA.")]
_OUTPUT = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="The file to write: .pdf for a PDF, .txt for what is text."),
]


def document(path: _FILE, output: _OUTPUT = None) -> None:
    """Print a report as text, or write a PDF to a file.

    A PDF needs --output. Patient data in the document are printed and written as they are.
    """
    from medviewer.formats import read_document
    from medviewer.formats.atomic import replacing

    found = read_document(path)
    if output is None:
        if found.pdf:
            raise InputError(f"{path.name} holds a PDF, which is no text; name a file for it with --output.")
        report(found.text)
        return
    check_output(output, (".pdf",) if found.pdf else (".txt",))
    content = found.pdf or found.text.encode("utf-8")
    with replacing(output) as temporary:
        temporary.write_bytes(content)
    report(f"Wrote {output}")
