"""From what a command is given to what it works with: a path to an image, and the program's services."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from medviewer.cli.console import Progress, say
from medviewer.errors import InputError

if TYPE_CHECKING:
    from medviewer.app.services import Services
    from medviewer.domain.image import Image
    from medviewer.domain.study import ScanResult, Series, Study, Warning
    from medviewer.jobs import Job
    from medviewer.plugin_api import Manifest

T = TypeVar("T")

MASK_NAMES = (".dcm", ".nii.gz", ".nii")
IMAGE_NAMES = (".nii.gz", ".nii")


@dataclass(frozen=True)
class Case:
    """One image in memory, with the study and the series that it belongs to."""

    study: Study
    series: Series
    image: Image


def scan(path: Path, *, images: bool = True) -> ScanResult:
    """Everything that can be opened below a path; raises UnreadableError when that is nothing.

    Parameters
    ----------
    images
        Whether there have to be images; reports and masks are enough otherwise.
    """
    from medviewer import formats
    from medviewer.app.commands.study import find_series

    with Progress(f"Opening {path.name}") as progress:
        found = formats.scan([path], progress.show)
    if images or not found.attachments:
        find_series(found)
    return found


def read(path: Path, uid: str | None = None, manifest: Manifest | None = None) -> Case:
    """Load one series below a path; what is wrong with it is said on stderr.

    Parameters
    ----------
    uid
        Which one; by default the first.
    manifest
        Of the plugin that it is for: the default is then the first that suits it by modality and dimensions.
    """
    from medviewer.app.commands.study import find_series

    found = scan(path)
    series = find_series(found, uid)
    if uid is None and len(found.series) > 1:
        series = next((one for one in found.series if manifest is None or _suits(manifest, one)), series)
        name = series.description or series.modality
        say(f"Of {len(found.series)} series this is {name}, {series.uid}; choose another with --series.")
    return load(found, series)


def _suits(manifest: Manifest, series: Series) -> bool:
    """Whether a plugin may want a series; the plugin's own check still follows."""
    inputs = manifest.inputs
    volume = series.grid.shape[0] > 1
    return volume == (inputs.ndim == 3) and (not inputs.modality or series.modality.upper() in inputs.modality)


def load(found: ScanResult, series: Series) -> Case:
    """Load one series of a scan; what is wrong with it is said on stderr."""
    from medviewer import formats

    notes: list[Warning] = []
    with Progress(f"Loading {series.description or series.modality}") as progress:
        image = formats.load(series, progress.show, warn=notes.append)
    series = replace(series, warnings=tuple(dict.fromkeys((*series.warnings, *notes))))
    for warning in series.warnings:
        say(f"Warning: {warning.text}")
    study = next(study for study in found.studies if any(own.uid == series.uid for own in study.series))
    return Case(study, series, image)


@contextmanager
def opened_services(folders: Iterable[Path] = ()) -> Iterator[Services]:
    """The program's services, for as long as a command needs them; `folders` are searched for plugins as well."""
    from medviewer.app.services import Services

    services = Services.open(folders=folders)
    try:
        yield services
    finally:
        services.close()


def result_of(services: Services, job: Job[T], line: Callable[[dict[str, Any]], str] = lambda event: "") -> T:
    """Wait for a job and give its result. Ctrl+C cancels it, and then its own error says so.

    Parameters
    ----------
    line
        Makes a line for stderr of an event of the job; an empty one is not written.
    """
    with Progress(job.title) as progress:

        def tell(event: dict[str, Any]) -> None:
            text = line(event)
            if text:
                progress.say(text)

        job.progressed.connect(progress.show)
        job.event.connect(tell)
        try:
            services.runner.wait(job)
        except KeyboardInterrupt:
            job.cancel()
            services.runner.wait(job)
    return job.result()


def check_output(path: Path, endings: Sequence[str]) -> None:
    """Refuse, before any work is done, a file that cannot be written in the end.

    Raises
    ------
    typer.BadParameter
        If its name has none of these endings.
    InputError
        If its folder does not exist.
    """
    if not path.name.lower().endswith(tuple(endings)):
        raise typer.BadParameter(
            f"the file should end in {' or '.join(endings)}, not be called {path.name}.", param_hint="--output"
        )
    if not path.parent.is_dir():
        raise InputError(f"{path.name} needs a folder to go to, but {path.parent} does not exist; make it first.")


def stem(path: Path) -> str:
    """A file's name without its ending; ``.nii.gz`` counts as one."""
    name = path.name
    return name[: -len(".nii.gz")] if name.lower().endswith(".nii.gz") else path.stem
