"""De-identify everything below some paths, into a folder of its own."""

from __future__ import annotations

import os
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from medviewer.errors import InputError, JobCancelled, MedviewerError, UnreadableError
from medviewer.formats.dicom.deidentify.options import KEY_BYTES, Key, Options
from medviewer.formats.sniff import Kind, sniff
from medviewer.formats.sources import collect
from medviewer.jobs import Job
from medviewer.plugin_api import RunContext

if TYPE_CHECKING:
    # Loads the database, which commands that only read files do without.
    from medviewer.app.ports.shell import DeidentifyChoice
    from medviewer.app.services import Services

KEY_NAME = "deidentify.key"
_NOTHING = "De-identifying needs the files of a study, but none is where it was; open them again."
_COPIED = (Kind.DICOM, Kind.NIFTI)


@dataclass(frozen=True)
class Report:
    """What a de-identification came to.

    Parameters
    ----------
    folder
        Where the copies lie.
    written
        How many there are.
    left_out
        Name of each file that could not be copied, and why.
    others
        How many files are neither DICOM nor NIfTI, or an index (DICOMDIR), and were passed over.
    warnings
        What a person has to look at: sentence and how many files it is about.
    """

    folder: Path
    written: int = 0
    left_out: tuple[tuple[str, str], ...] = ()
    others: int = 0
    warnings: tuple[tuple[str, int], ...] = ()

    @property
    def summary(self) -> str:
        """One sentence."""
        parts = [f"Wrote {_count(self.written, 'de-identified file')} to {self.folder}"]
        if self.left_out:
            parts.append(f"left out {_count(len(self.left_out), 'file')}")
        if self.others:
            parts.append(f"passed over {_count(self.others, 'file')} of other kinds")
        return ", ".join(parts) + "."

    @property
    def details(self) -> str:
        """What to look at and what was left out, one line each."""
        told = [f"{text} ({_count(count, 'file')})" for text, count in self.warnings]
        return "\n".join([*told, *(f"Left out {name}: {why}" for name, why in self.left_out)])


def run(
    paths: Sequence[Path],
    folder: Path,
    options: Options,
    key: Key,
    progress: Callable[[float, str], None] | None = None,
    cancelled: threading.Event | None = None,
) -> Report:
    """Write de-identified copies of every DICOM and NIfTI file below `paths`; the originals are only read.

    Parameters
    ----------
    folder
        Made when missing. Names in it are made of the new UIDs; nothing there is overwritten.

    Raises
    ------
    InputError
        If `folder` lies in one of the paths, or cannot be made, or there is nothing to copy.
    UnreadableError
        If a path does not exist.
    JobCancelled
        If `cancelled` was set; what was written till then stays.
    """

    def stop() -> None:
        if cancelled is not None and cancelled.is_set():
            raise JobCancelled("De-identifying was stopped; the files written till then are whole.")

    check_folder(paths, folder)
    sources = collect([Path(path) for path in paths], None, stop)
    report = Report(folder, left_out=tuple(("an archive", warning.text) for warning in sources.warnings))
    warned: Counter[str] = Counter()
    for k, file in enumerate(sources.files):
        stop()
        if progress is not None:
            progress(k / len(sources.files), f"File {k + 1} of {len(sources.files)}")
        report = _one(report, file, options, key, warned, file in sources.named)
    if not report.written and not report.left_out:
        raise InputError("De-identifying needs DICOM or NIfTI files, but there are none; name a folder that has some.")
    return replace(report, warnings=tuple(warned.most_common()))


def _one(report: Report, file: Path, options: Options, key: Key, warned: Counter[str], named: bool) -> Report:
    from medviewer.formats.dicom.deidentify.files import deidentify_file  # pydicom, once it is needed

    try:
        kind = sniff(file)
        if kind not in _COPIED:
            if named:
                raise InputError("Only DICOM and NIfTI are de-identified, other formats are not; convert it first.")
            return replace(report, others=report.others + 1)
        written = deidentify_file(file, kind, report.folder, options, key)
    except MedviewerError as error:
        return replace(report, left_out=(*report.left_out, (file.name, str(error))))
    except (RecursionError, MemoryError) as error:
        why = f"It is too deep or too large to be read ({type(error).__name__})."
        return replace(report, left_out=(*report.left_out, (file.name, why)))
    if written.path is None:
        return replace(report, others=report.others + 1)
    warned.update(warning.text for warning in written.warnings)
    return replace(report, written=report.written + 1)


def check_folder(paths: Sequence[Path], folder: Path) -> None:
    """Refuse a folder inside what is copied, or one that cannot be made.

    Raises
    ------
    UnreadableError
        If one of the paths does not exist.
    InputError
        If the folder is not to be used.
    """
    target = folder.resolve()
    for path in paths:
        if not path.exists():
            raise UnreadableError(f"{path} does not exist; name a file or folder that does.")
        # Only a folder can have it inside: to resolve thousands of files would be felt in the window.
        if path.is_dir() and ((source := path.resolve()) == target or source in target.parents):
            raise InputError(f"{folder} lies inside {path}, which is copied from; choose a folder outside of it.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InputError(f"The folder {folder} cannot be made ({reason}); choose another one.") from error


def key_from(path: Path) -> Key:
    """The key in a file; a new one is made there, for this user only, where there is none.

    Raises
    ------
    InputError
        If the file cannot be read or made, or holds too little.
    """
    try:
        if not path.exists():
            _make_key(path)
        return Key(path.read_bytes())
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InputError(f"The key file {path} cannot be read or made ({reason}); name another one.") from error


def _make_key(path: Path) -> None:
    """Write a new key that is either whole or not there, and takes the place of none that was made meanwhile."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(secrets.token_bytes(KEY_BYTES))
            stream.flush()
            os.fsync(stream.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:
            return
        except OSError:  # a disk without hard links
            if not path.exists():
                temporary.rename(path)
    finally:
        temporary.unlink(missing_ok=True)


def export(services: Services, files: Sequence[Path], choice: DeidentifyChoice) -> Job[Report]:
    """De-identify files off the home thread, and tell what came of it.

    Raises
    ------
    InputError
        If there are no files. That none is left, or the folder is not to be used, is told when the job ends.
    """
    if not files:
        raise InputError(_NOTHING)

    def work(context: RunContext) -> Report:
        there = [file for file in files if file.is_file()]
        if not there:
            raise InputError(_NOTHING)
        check_folder(there, choice.folder)
        key = key_from(services.archive.home / KEY_NAME) if choice.keep_key else Key.random()
        return run(there, choice.folder, choice.options, key, context.report, context.cancelled)

    def tell(report: Report) -> None:
        level = "warning" if report.left_out or report.warnings else "ok"
        services.session.say(report.summary, level, report.details)

    job = services.runner.submit(work, title="De-identifying a study")
    return services.when_done(job, tell)


def files_of_chosen(services: Services) -> tuple[Path, ...]:
    """Every file, images and attachments, of the study that is chosen in the list, or else of the open one.

    Raises
    ------
    InputError
        If there is neither.
    """
    from medviewer.app.commands import catalog  # brings the database

    uid = catalog.chosen(services)
    if not uid:
        raise InputError("De-identifying needs a study; choose one in the list, or open one.")
    store = services.archive.catalog
    files = list(store.files_of_study(uid))
    listed = {series.uid for series in store.series_of(uid)} | {one.uid for one in store.attachments_of(uid)}
    # what was opened a moment ago may not be listed yet
    for study in services.session.studies:
        if study.uid == uid:
            files += [file for series in study.series if series.uid not in listed for file in series.files]
            files += [attachment.file for attachment in study.attachments if attachment.uid not in listed]
    return tuple(dict.fromkeys(files))


def chosen_in_words(services: Services) -> str:
    """Whose study `files_of_chosen` gives, and which; the user has to see it before it is copied."""
    from medviewer.app.commands import catalog  # brings the database
    from medviewer.app.controllers.texts import person

    uid = catalog.chosen(services)
    study = next((one for one in services.session.studies if one.uid == uid), None) or catalog.entry_of_chosen(services)
    patient = study.patient
    parts = (person(patient.name), patient.id, study.date, study.description)
    return "  ".join(part for part in parts if part) or "A study without a name"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
