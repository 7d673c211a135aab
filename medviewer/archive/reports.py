"""Saved reports: drafts that change, and final versions that never do, which the database itself sees to."""

from __future__ import annotations

from sqlalchemy import func, select, update

from medviewer.archive.database import BUSY_S, Database
from medviewer.archive.tables import ReportRow
from medviewer.domain.report import Report
from medviewer.errors import InputError


class ReportStore:
    """The reports of an archive, by study.

    Parameters
    ----------
    database
        The archive's open database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_study(self, study_uid: str) -> list[Report]:
        """All versions of a study's report, the first one first."""
        query = select(ReportRow).where(ReportRow.study_uid == study_uid).order_by(ReportRow.version)
        with self._database.read() as session:
            return [Report.from_json(row.content) for row in session.scalars(query)]

    def begin(self, report: Report) -> Report:
        """Keep a new version after all others of its study; returns it with its number.

        Raises
        ------
        InputError
            If the study has a draft already: there is one at a time.
        StoreError
            If it cannot be kept.
        """
        mine = ReportRow.study_uid == report.study_uid
        with self._database.write() as session:
            drafts = session.scalar(select(func.count()).where(mine, ReportRow.state == "draft"))
            if drafts:
                raise InputError("The study has a draft already; finish that one, then begin another.")
            last = session.scalar(select(func.max(ReportRow.version)).where(mine)) or 0
            made = Report.from_json({**report.to_json(), "version": last + 1})
            session.add(
                ReportRow(
                    uid=made.uid,
                    study_uid=made.study_uid,
                    version=made.version,
                    state=made.state,
                    content=made.to_json(),
                    pdf=None,
                )
            )
        return made

    def save(self, report: Report, wait_s: float = BUSY_S, pdf: bytes | None = None) -> None:
        """Keep a draft as it is now, or make it final with its PDF; it is on the disk when this returns.

        Raises
        ------
        InputError
            If it is final already, or there is none of its UID.
        StoreError
            If it cannot be kept.
        """
        values = {"state": report.state, "content": report.to_json(), "pdf": pdf}
        where = (ReportRow.uid == report.uid, ReportRow.state == "draft")
        with self._database.write(wait_s) as session:
            changed = session.execute(update(ReportRow).where(*where).values(**values).returning(ReportRow.number))
            if changed.first() is None:
                raise InputError("This report is final and stays as it is; write an addendum or a new version.")

    def discard(self, uid: str) -> None:
        """Forget a draft; one that is not there is no error. Raises StoreError if it is final or the disk refuses."""
        with self._database.write() as session:
            row = session.scalar(select(ReportRow).where(ReportRow.uid == uid))
            if row is not None:
                session.delete(row)

    def pdf_of(self, uid: str) -> bytes | None:
        """The PDF of a final report, as it was made then; None for a draft."""
        with self._database.read() as session:
            return session.scalar(select(ReportRow.pdf).where(ReportRow.uid == uid))
