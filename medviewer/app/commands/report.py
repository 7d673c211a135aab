"""The report of the open study: begun from a template, kept with every letter, made final, added to, and written."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from medviewer import formats
from medviewer.app.commands.report_page import gatherer
from medviewer.app.resources import resource
from medviewer.domain.measure.follow_up import Others
from medviewer.domain.measure.measurement import new_uid
from medviewer.domain.provenance import utc_now
from medviewer.domain.report import Report
from medviewer.errors import InputError
from medviewer.formats.atomic import replacing
from medviewer.jobs import Job
from medviewer.reporting import templates
from medviewer.reporting.content import content_of
from medviewer.reporting.page import Page
from medviewer.reporting.pdf import make_pdf

if TYPE_CHECKING:
    # They load the database, which commands that only read files do without.
    from medviewer.app.services import Services
    from medviewer.domain.study import Study

NAMES = (".pdf", ".dcm")
"""Endings of what a report is written to: a PDF, or DICOM."""

TEMPLATES = "report.yaml"

NOTHING_WRITTEN = "A report needs text to be final; write something first."


def recall(services: Services) -> Report | None:
    """Open the report of the open study if there is one; nothing is begun. Raises as `begin` does."""
    study = services.session.study
    leave(services)
    if study is None:
        return None
    versions = services.archive.reports.of_study(study.uid)
    services.session.report_versions = tuple(versions)
    services.session.report = versions[-1] if versions else None
    return services.session.report


def begin(services: Services) -> Report:
    """Open the report of the open study: its draft, else its last final version, else a new draft.

    Raises
    ------
    InputError
        If no study is open, or the templates cannot be read.
    StoreError
        If a new one cannot be kept.
    """
    session, study = services.session, opened(services)
    if session.report is not None and session.report.study_uid == study.uid:
        return session.report
    known = recall(services)
    if known is not None:
        return known
    sections = template_of(services, study).begin()
    return _begin(services, Report(new_uid(), study.uid, 0, sections))


def leave(services: Services) -> None:
    """Another study is opened, or none: what was written is on the disk. Raises StoreError if it cannot be kept."""
    services.report_saves.flush()
    services.session.report, services.session.report_versions = None, ()


def choose_version(services: Services, version: int) -> Report:
    """Look at another version of the report. Raises InputError if there is none of that number."""
    session = services.session
    services.report_saves.flush()
    study = opened(services)
    session.report_versions = tuple(services.archive.reports.of_study(study.uid))
    for one in session.report_versions:
        if one.version == version:
            session.report = one
            return one
    raise InputError(f"The report should have a version {version}, but it has not; choose another.")


def write(services: Services, key: str, text: str) -> None:
    """Write in a section of the draft; it is on its way to the disk when this returns.

    Raises
    ------
    InputError
        If no report is open, or it is final.
    """
    report = _draft(services)
    if report.text_of(key) != text:
        _change(services, report.written(key, text))


def leave_out(services: Services, name: str, out: bool) -> None:
    """Leave a part of the page (a name of `reporting.page.PARTS`) or a key image (its UID) out, or have it in again."""
    report = _draft(services)
    others = tuple(one for one in report.left_out if one != name)
    _change(services, replace(report, left_out=(*others, name) if out else others))


def judge(services: Services, others: Others, new_lesions: bool) -> None:
    """Say how the lesions went that are no targets, and whether there are new ones."""
    _change(services, replace(_draft(services), others=others, new_lesions=new_lesions))


def check_signable(services: Services) -> Report:
    """The draft that can be made final. Raises InputError if no report is open, it is final, or nothing was written."""
    report = _draft(services)
    if report.is_empty:
        raise InputError(NOTHING_WRITTEN)
    return report


def sign(services: Services) -> Job[Report]:
    """Make the draft final: text, page and PDF stay as they are now. The job's answer is the final report.

    Until then nothing can be written in it, for that would be in no version.

    Raises
    ------
    InputError
        If no report is open, it is final or on its way there, or nothing was written.
    StoreError
        If what was written last cannot be kept.
    """
    session, report = services.session, check_signable(services)
    services.report_saves.flush()
    made = replace(report, state="final", signed=utc_now(), author=services.author or report.author)
    gather, store, measurements = _gatherer(services, made), services.archive.reports, services.archive.measurements

    def work() -> Report:
        page = gather()
        final = replace(made, page=json.loads(json.dumps(page.to_json())))  # as it comes back
        pictures = {key.uid: png for key in page.keys if (png := measurements.key_picture(key.uid)) is not None}
        store.save(final, pdf=make_pdf(final, page, pictures, _before(services, final)))
        return final

    def done(final: Report) -> None:
        if session.report is not None and session.report.uid == final.uid:
            session.report_versions = tuple(store.of_study(final.study_uid))
            session.report = final
        session.say("The report is final. An addendum or a new version can follow it.", "ok")

    def over() -> None:
        if session.report_signing == made.uid:
            session.report_signing = ""

    job = services.runner.submit(lambda _: work(), title="Making the report final", must_finish=True)
    session.report_signing = made.uid
    return services.when_done(job, done, over)


def add(services: Services) -> Report:
    """Begin an addendum to the final report. Raises InputError if the last version is a draft, or there is none."""
    _final(services)
    made = Report(new_uid(), opened(services).uid, 0, templates.ADDENDUM, kind="addendum", left_out=_ALL)
    return _begin(services, made)


def renew(services: Services) -> Report:
    """Begin a new version with the text of the last whole report. Raises as `add` does."""
    final = _final(services)
    whole = next((one for one in reversed(services.session.report_versions) if one.kind == "report"), final)
    made = Report(
        new_uid(),
        whole.study_uid,
        0,
        whole.sections,
        left_out=whole.left_out,
        others=whole.others,
        new_lesions=whole.new_lesions,
    )
    return _begin(services, made)


def discard(services: Services) -> None:
    """Throw the draft away; the final versions before it stay. Raises InputError if it is final."""
    report, session = _draft(services), services.session
    services.report_saves.flush()
    services.archive.reports.discard(report.uid)
    versions = services.archive.reports.of_study(report.study_uid)
    session.report_versions, session.report = tuple(versions), versions[-1] if versions else None


def page(services: Services, then: Callable[[Page], None]) -> Job[Page]:
    """Collect what stands beside the text of the open report, off the home thread."""
    report = _opened_report(services)
    gather = _gatherer(services, report)
    return services.when_done(services.runner.submit(lambda _: gather(), title=""), then)


def export(services: Services, path: Path, *, as_document: bool = False) -> Job[None]:
    """Write the open report by the name's ending, off the home thread.

    Parameters
    ----------
    path
        ``.pdf``; or ``.dcm`` for a DICOM structured report, or an encapsulated PDF.
    as_document
        Whether a ``.dcm`` is to be the PDF in DICOM.

    Raises
    ------
    InputError
        If no report is open, or the ending is another.
    """
    report = _opened_report(services)
    if not report.is_final:
        services.report_saves.flush()
    work = writer(services, _study_of(services, report), report, path, as_document=as_document)
    job = services.runner.submit(lambda _: work(), title=f"Saving {path.name}", must_finish=True)
    return services.when_done(job, lambda _: services.session.say(f"Saved the report to {path.name}.", "ok"))


def writer(
    services: Services, study: Study, report: Report, path: Path, *, as_document: bool = False
) -> Callable[[], None]:
    """Check what is to be written; what comes back writes it, on any thread. Raises as `export` does."""
    ending = path.suffix.lower()
    if ending not in NAMES:
        raise InputError(f"A report is saved as {' or '.join(NAMES)}, not as {path.name}; choose such a name.")
    gather = _gatherer(services, report, study)
    if ending == ".dcm" and not as_document:
        return lambda: formats.write_report(content_of(report, gather()), study, path, report.author, report.is_final)
    store, measurements = services.archive.reports, services.archive.measurements

    def pdf() -> bytes:
        kept = store.pdf_of(report.uid) if report.is_final else None
        if kept is not None:
            return kept
        found = gather()
        pictures = {key.uid: png for key in found.keys if (png := measurements.key_picture(key.uid)) is not None}
        return make_pdf(report, found, pictures, _before(services, report))

    def work() -> None:
        content = pdf()
        if as_document:
            formats.write_pdf_document(content, study, path, _title(services, study), report.is_final)
            return
        with replacing(path) as temporary:
            temporary.write_bytes(content)

    return work


def opened(services: Services) -> Study:
    """The open study. Raises InputError if there is none."""
    study = services.session.study
    if study is None:
        raise InputError("A report belongs to a study; open one first.")
    return study


def _study_of(services: Services, report: Report) -> Study:
    """The study that a report is of: the open one, or one that is listed."""
    session = services.session
    known = (session.study, *session.studies)
    found = next((study for study in known if study is not None and study.uid == report.study_uid), None)
    if found is None:
        raise InputError("The study of this report is not listed any more; open its folder, then save.")
    return found


def template_of(services: Services, study: Study) -> templates.Template:
    """The template for a study: of the user's own file where there is one. Raises InputError if it cannot be read."""
    own = services.archive.home / TEMPLATES
    found = templates.load(own if own.is_file() else resource(f"presets/{TEMPLATES}"))
    return templates.choose(found, frozenset(series.modality.upper() for series in study.series))


_ALL = ("answers", "measured", "changes", "targets", "keys")


def _title(services: Services, study: Study) -> str:
    return template_of(services, study).title


def _gatherer(services: Services, report: Report, study: Study | None = None) -> Callable[[], Page]:
    """The page of a report: of a final one as it was, of a draft as it is now."""
    if report.page:
        kept = Page.from_json(report.page)
        return lambda: kept
    about = study if study is not None else _study_of(services, report)
    return gatherer(services, about, report, _title(services, about))


def _before(services: Services, report: Report) -> list[bytes]:
    """PDFs of the final versions that an addendum is read together with, the newest first."""
    if report.kind != "addendum":
        return []
    found = []
    for one in reversed(services.archive.reports.of_study(report.study_uid)):
        if one.version < report.version and one.is_final:
            pdf = services.archive.reports.pdf_of(one.uid)
            if pdf is not None:
                found.append(pdf)
            break  # an addendum's own PDF has those before it
    return found


def _begin(services: Services, report: Report) -> Report:
    now = utc_now()
    made = services.archive.reports.begin(replace(report, author=services.author, created=now, changed=now))
    session = services.session
    session.report_versions = (*session.report_versions, made)
    session.report = made
    return made


def _change(services: Services, report: Report) -> None:
    changed = replace(report, changed=utc_now(), author=services.author or report.author)
    session = services.session
    session.report = changed
    session.report_versions = tuple(changed if one.uid == changed.uid else one for one in session.report_versions)
    services.report_saves.put(changed)


def _opened_report(services: Services) -> Report:
    report = services.session.report
    if report is None:
        raise InputError("There is no report; open the report of a study first.")
    return report


def _draft(services: Services) -> Report:
    report, study = _opened_report(services), services.session.study
    if study is None or study.uid != report.study_uid:  # it could not be kept, and stays open until it can be
        raise InputError("This report is of another study than the open one; open that study to write in it.")
    if report.is_final:
        raise InputError("This report is final and stays as it is; write an addendum or a new version.")
    if report.uid == services.session.report_signing:
        raise InputError("This report is just being made final; write an addendum or a new version after that.")
    return report


def _final(services: Services) -> Report:
    versions = services.session.report_versions
    if not versions or not versions[-1].is_final:
        raise InputError("There is a draft still; make it final, or throw it away, before another version begins.")
    return versions[-1]
