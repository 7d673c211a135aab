"""Where the series of a batch come from: paths, lists of paths, studies of the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from medviewer import formats
from medviewer.domain.study import ScanResult
from medviewer.errors import InputError
from medviewer.plugin_api import RunContext

if TYPE_CHECKING:
    from medviewer.app.services import Services
    from medviewer.archive.catalog import Query


@dataclass(frozen=True)
class Place:
    """Where series come from.

    Parameters
    ----------
    title
        What the user reads; never a patient's name.
    scan
        Finds them, off the home thread.
    only
        UIDs of the series that are meant; empty for all of them.
    """

    title: str
    scan: Callable[[RunContext], ScanResult]
    only: frozenset[str] = frozenset()


def paths_as_places(paths: Sequence[Path]) -> list[Place]:
    """Folders, files and archives that are scanned."""

    def place(path: Path, number: int) -> Place:
        def scan(context: RunContext) -> ScanResult:
            return formats.scan([path], context.report, context.cancelled)

        return Place(f"Path {number} of {len(paths)}", scan)

    return [place(path, number) for number, path in enumerate(paths, 1)]


def listed_as_places(file: Path) -> list[Place]:
    """Paths out of a text file: one a line, a tab and the UID of a series behind it where one of them is meant.

    Empty lines and those that begin with # are passed by; paths are taken from the file's own folder.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file.name} should be a list of paths, one a line, but cannot be read.") from error
    wanted = [line.partition("\t") for line in lines if line.strip() and not line.startswith("#")]
    places = paths_as_places([file.parent / path.strip() for path, _, _ in wanted])
    return [
        replace(place, title=f"Line {number}", only=frozenset({uid.strip()} if uid.strip() else ()))
        for number, (place, (_, _, uid)) in enumerate(zip(places, wanted, strict=True), 1)
    ]


def studies_as_places(services: Services, query: Query, most: int = 100_000) -> list[Place]:
    """The studies of the catalogue that match."""
    from medviewer.app.commands.listed import scan_of

    listed = services.archive.catalog

    def place(uid: str, number: int) -> Place:
        return Place(f"Study {number}", lambda context: scan_of(listed, uid, context))

    entries, _ = listed.page(query, most)
    return [place(entry.uid, number) for number, entry in enumerate(entries, 1)]
