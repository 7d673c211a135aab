"""The root of the command line: its commands, its help, and the one place where errors become exit codes."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer
from typer.main import get_command

from medviewer import __version__
from medviewer.cli import (
    FAILURE,
    catalog,
    deidentify,
    demo,
    documents,
    files,
    finetune,
    measured,
    models,
    pacs,
    pictures,
    plugins,
    predictions,
    queue,
    reports,
)
from medviewer.cli.console import report, say
from medviewer.errors import MedviewerError

if TYPE_CHECKING:
    from medviewer.app.ports.shell import Screen

_HELP = """Read studies, run AI on them, see its reasons, correct it and teach it.

Research use only; not for diagnosis.

\b
Open the window:
  medviewer                    an empty window
  medviewer PATH...            on folders, files or ZIP archives (DICOM, NIfTI)
  medviewer --demo             on the study that comes with medviewer

Everything that the window does is a command too; a PATH that has a command's name is written ./NAME.
Exit codes: 0 done, 1 failed, 2 wrong usage. Reports go to stdout, all else to stderr.
"""

app = typer.Typer(
    name="medviewer",
    help=_HELP,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,  # plain text reads the same in a terminal, a log and the manual
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 100},
    subcommand_metavar="COMMAND [ARGS]...",
)
app.command("info")(files.info)
app.command("convert")(files.convert)
app.command("deidentify")(deidentify.deidentify)
app.add_typer(pacs.app, name="pacs")
app.command("document")(documents.document)
app.command("measured")(measured.measured)
app.command("report")(reports.report)
app.command("keyimages")(reports.key_images)
app.command("predict")(predictions.predict)
app.command("explain")(predictions.explain)
app.command("screenshot")(pictures.screenshot)
app.add_typer(plugins.app, name="plugin")
app.add_typer(queue.app, name="queue")
app.command("finetune")(finetune.finetune)
app.add_typer(models.app, name="models")
app.add_typer(catalog.app, name="studies")
app.command("demo")(demo.demo)


@dataclass(frozen=True)
class Host:
    """What the program hands to its commands, as the context's object."""

    screen: Callable[[], Screen]


def _show_version(asked: bool) -> None:
    if asked:
        report(f"medviewer {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    demo_study: Annotated[bool, typer.Option("--demo", help="Open the window on the demo study.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="With any command: show the details of an error.")] = False,
) -> None:
    """Take the options that stand before a command; `medviewer.cli.run_window` is what opens the window."""


def run_command(arguments: Sequence[str], screen: Callable[[], Screen]) -> int:
    """Run a command; whatever it raises becomes one sentence on stderr and an exit code."""
    verbose = "--verbose" in arguments
    rest = [argument for argument in arguments if argument != "--verbose"]
    try:
        get_command(app).main(rest, prog_name="medviewer", obj=Host(screen))
    except SystemExit as end:
        return _exit_code(end.code)
    except MedviewerError as error:
        return _failed(str(error), error.details if verbose else "")
    except KeyboardInterrupt:
        return _failed("Stopped before it was done.")
    except Exception as error:
        text = f"medviewer met an error that it did not expect ({type(error).__name__}); report it with --verbose."
        return _failed(text, traceback.format_exc() if verbose else "")
    return 0


def _exit_code(code: object) -> int:
    if code in (None, 0):
        return 0
    if code == 130:  # how the library tells of Ctrl+C
        return _failed("Stopped before it was done.")
    return code if isinstance(code, int) else FAILURE


def _failed(sentence: str, details: str = "") -> int:
    sys.stdout.flush()
    say(sentence)
    if details:
        say(details)
    return FAILURE
