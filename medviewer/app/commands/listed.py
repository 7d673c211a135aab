"""Open what the catalogue lists, and import copies into it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medviewer import formats
from medviewer.app.commands import beside, catalog, fusion, hanging_plan, study
from medviewer.domain.study import Attachment, ScanResult, Series, Study, Warning
from medviewer.errors import NotFoundError, UnreadableError
from medviewer.jobs import Job
from medviewer.plugin_api import RunContext

if TYPE_CHECKING:
    # Loads the database, which commands that only read files do without.
    from medviewer.app.services import Services
    from medviewer.archive.catalog import Added, Catalog


def open_series(services: Services, study_uid: str, series_uid: str = "") -> Job[Any] | None:
    """Show a series of a listed study, or its largest one; its files are scanned first where they were not yet."""
    listed = _in_session(services, study_uid)
    series = _to_open(services, listed, series_uid)
    if series is not None:
        return study.show(services, series)

    def scanned() -> None:
        found = _in_session(services, study_uid)
        wanted = _to_open(services, found, series_uid) or _to_open(services, found, "")
        if wanted is not None:
            study.show(services, wanted)

    return rescan(services, study_uid, scanned)


def open_beside(services: Services, study_uid: str, series_uid: str, number: int | None = None) -> Job[Any] | None:
    """Show a series of a listed study in a viewport, beside what is open; `number` is the viewport's, None for any."""

    def hang() -> Job[Any] | None:
        found = _in_session(services, study_uid)
        series = _series(found, series_uid) if found is not None else None
        if found is None or series is None:
            raise NotFoundError("The series should be in this study, and is not there any more; open the study anew.")
        return beside.hang(services, found, series, number, lambda one: study.show(services, one))

    if _in_session(services, study_uid) is not None:
        return hang()
    return rescan(services, study_uid, hang)


def fuse(services: Services, study_uid: str, series_uid: str, confirm: fusion.Confirm) -> Job[Any] | None:
    """Lay a series of a listed study over the open one; where it does not fit, `confirm` asks a person first."""

    def lay() -> Job[Any] | None:
        return fusion.fuse_asking(services, series_uid, confirm)

    if _in_session(services, study_uid) is not None:
        return lay()
    return rescan(services, study_uid, lay)


def open_attachment(services: Services, study_uid: str, attachment: Attachment) -> None:
    """Open a mask, a report or a document of a listed study; its images are scanned first where they were not yet."""

    def opened() -> None:
        from medviewer.app.commands import attachments  # brings the readers of documents

        attachments.open_attachment(services, attachment)

    if _in_session(services, study_uid) is not None:
        opened()
    else:
        rescan(services, study_uid, opened)


def import_copy(services: Services, paths: Sequence[Path]) -> Job[Added]:
    """Scan files, folders or archives, and copy what they hold into the archive, off the home thread."""
    chosen = [Path(path) for path in paths]

    def work(context: RunContext) -> Added:
        found = formats.scan(chosen, lambda part, text: context.report(0.3 * part, text), context.cancelled)
        if not found.studies:
            raise UnreadableError(found.warnings[0].text if found.warnings else "No image was found to import.")
        return services.archive.catalog.add(
            found, True, lambda part, text: context.report(0.3 + 0.7 * part, f"Copied {text}"), context.cancelled
        )

    def told(added: Added) -> None:
        lost = f" {added.skipped} files could not be read and were left out." if added.skipped else ""
        text = f"Imported {added.files} files of {len(added.uids)} studies; {added.already} were there before.{lost}"
        services.session.say(text, "warning" if lost else "ok")

    title = f"Importing {chosen[0].name}" if len(chosen) == 1 else f"Importing {len(chosen)} items"
    job = services.runner.submit(work, title=title)
    return services.when_done(job, told, lambda: catalog.noted(services))


def scan_of(listed: Catalog, study_uid: str, context: RunContext) -> ScanResult:
    """What a scan of the files of a listed study finds, with the UIDs that the catalogue knows; off the home thread.

    Raises
    ------
    UnreadableError
        If none of its files is where it was.
    """
    files = listed.files_of_study(study_uid)
    there = [path for path in files if path.is_file()]
    if not there:
        raise UnreadableError(
            f"None of the {len(files)} files of this study is where it was; open them from where they are now, "
            "and the list follows."
        )
    found = _as_listed(formats.scan(there, context.report, context.cancelled), listed, study_uid)
    if len(there) == len(files):
        return found
    text = (
        f"{len(files) - len(there)} of the {len(files)} files of this study are no longer where they were; open "
        "them from where they are now, and the list follows."
    )
    return replace(found, warnings=(Warning("missing-files", text), *found.warnings))


def rescan(
    services: Services, study_uid: str, then: Callable[[], object], always: Callable[[], object] | None = None
) -> Job[ScanResult]:
    """Scan the files of a listed study again, and bring it into the session; `always` is called however it ends."""
    listed = services.archive.catalog

    def work(context: RunContext) -> ScanResult:
        hanging_plan.get_ready(services)
        found = scan_of(listed, study_uid, context)
        listed.touch(study_uid)
        return found

    def scanned(found: ScanResult) -> None:
        study.include(services, found)
        then()

    return services.when_done(services.runner.submit(work, title="Opening a listed study"), scanned, always)


def _as_listed(found: ScanResult, listed: Catalog, study_uid: str) -> ScanResult:
    """Give series without a UID of their own the one that the catalogue has: a copy has another path, and so another.

    Masks are found by it.
    """
    known = {frozenset(listed.files_of(entry.uid)): entry.uid for entry in listed.series_of(study_uid)}
    uids = set(known.values())

    def named(series: Series) -> Series:
        return series if series.uid in uids else replace(series, uid=known.get(frozenset(series.files), series.uid))

    if any(one.uid == study_uid for one in found.studies):
        return found
    named_studies = []
    for one in found.studies:
        series = tuple(named(own) for own in one.series)
        same = any(own.uid in uids for own in series)
        named_studies.append(replace(one, uid=study_uid if same else one.uid, series=series))
    return replace(found, studies=_joined(named_studies))


def _joined(studies: list[Study]) -> tuple[Study, ...]:
    """Studies of one UID as one."""
    by_uid: dict[str, Study] = {}
    for one in studies:
        former = by_uid.get(one.uid)
        by_uid[one.uid] = one if former is None else replace(former, series=(*former.series, *one.series))
    return tuple(by_uid.values())


def _in_session(services: Services, study_uid: str) -> Study | None:
    return next((one for one in services.session.studies if one.uid == study_uid), None)


def _to_open(services: Services, listed: Study | None, uid: str) -> Series | None:
    """The series of that UID, or for an empty one that which the study is opened with."""
    if listed is None or not listed.series:
        return None
    return _series(listed, uid) if uid else hanging_plan.first_series(services, listed)


def _series(listed: Study, uid: str) -> Series | None:
    return next((series for series in listed.series if series.uid == uid), None)
