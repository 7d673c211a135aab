"""``medviewer predict --table``: a plugin on many series, a row a case."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from medviewer.cli.console import Progress, report, report_json, say
from medviewer.errors import InputError, JobCancelled

if TYPE_CHECKING:
    from medviewer.app.commands.batch import Batch
    from medviewer.app.commands.batch_places import Place
    from medviewer.app.run_choice import RunChoice
    from medviewer.app.services import Services


@dataclass(frozen=True)
class Asked:
    """What is to be run on, and where it goes."""

    paths: tuple[Path, ...]
    listed: Path | None
    table: Path
    folder: Path
    again: bool
    names: bool


def predict_many(services: Services, plugin: str, asked: Asked, choice: RunChoice, as_json: bool) -> None:
    """Run on everything that was asked for, and tell how it went. Ctrl+C leaves a table that can be gone on with.

    Raises
    ------
    InputError
        If a case failed; the table says why.
    """
    from medviewer.app.case_table import CaseTable
    from medviewer.app.commands import batch, batch_results

    places = _places(asked)
    manifest = services.plugin(plugin).manifest
    assert manifest is not None
    table = CaseTable(asked.table, batch_results.columns_of(manifest), people=asked.names)
    keep = batch_results.keep_in_folder(_made(asked.folder), manifest.kinds)
    running = batch.Batch(
        services, plugin, places, keep, table=table, choice=choice, again=asked.again, people=asked.names
    )
    _wait(services, running.start())
    if running.error is not None:
        raise running.error
    counts = Counter(row.status for row in running.rows)
    told = {
        "done": counts["done"],
        "refused": counts["refused"],
        "failed": counts["failed"],
        "skipped": running.skipped,
    }
    _tell(asked, told, as_json)
    if running.cancelled:
        raise JobCancelled("Stopped before every case was run; the same command goes on from here.")
    if counts["failed"]:
        raise InputError(f"{counts['failed']} cases failed; {asked.table.name} says why, and they run again next time.")


def _tell(asked: Asked, told: dict[str, int], as_json: bool) -> None:
    data: dict[str, Any] = {"table": str(asked.table), "output": str(asked.folder), **told}
    if as_json:
        report_json(data)
    else:
        report(", ".join(f"{count} {word}" for word, count in told.items()))
        report(f"Wrote {asked.table}")


def _places(asked: Asked) -> list[Place]:
    from medviewer.app.commands import batch_places

    if asked.table.suffix.lower() not in (".csv", ".json"):
        raise typer.BadParameter(f"a table ends in .csv or .json, not as {asked.table.name}.", param_hint="--table")
    if not asked.paths and asked.listed is None:
        raise typer.BadParameter("name a PATH, or a list with --list.", param_hint="PATH")
    if not asked.table.parent.is_dir():
        raise InputError(f"{asked.table.name} needs a folder to go to, but {asked.table.parent} does not exist.")
    listed = batch_places.listed_as_places(asked.listed) if asked.listed is not None else []
    return [*batch_places.paths_as_places(asked.paths), *listed]


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"The results need the folder {folder}, which cannot be made ({error.strerror}).") from error
    return folder


def _wait(services: Services, running: Batch) -> None:
    from medviewer.app.durations import left_text

    told = 0
    with Progress(f"{running.manifest.name} on many") as progress:
        while running.job is not None:
            try:
                job = running.job
                job.progressed.connect(lambda *_: progress.show(running.fraction, left_text(running.left_s)))
                services.runner.wait(job)
            except KeyboardInterrupt:
                running.cancel()
            for row in running.rows[told:]:
                reason = f": {row.reason}" if row.reason else ""
                progress.say(f"{row.series_uid}  {row.status}{reason}")
            told = len(running.rows)
    if not running.done:
        say("The run ended before its time.")
