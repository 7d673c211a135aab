"""The registry's rows: reading and changing them inside a transaction that the caller holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from medviewer.archive.tables import ActivationRow, CorrectionRow, ScoreRow, SideRow, VersionRow
from medviewer.domain.provenance import utc_now
from medviewer.errors import NotFoundError, StoreError
from medviewer.learning.gate import CaseScore
from medviewer.learning.queue import Status
from medviewer.learning.split import Side
from medviewer.learning.versions import Activation, VersionState


def find_version(session: Session, plugin_id: str, version: str) -> VersionRow | None:
    """The row of a version, or None."""
    return session.scalar(select(VersionRow).where(VersionRow.plugin_id == plugin_id, VersionRow.version == version))


def get_version(session: Session, plugin_id: str, version: str) -> VersionRow:
    """The row of a version. Raises NotFoundError with the versions that there are."""
    row = find_version(session, plugin_id, version)
    if row is None:
        known = session.scalars(select(VersionRow.version).where(VersionRow.plugin_id == plugin_id))
        raise NotFoundError(f"{plugin_id} has no version {version!r}; it has: {', '.join(known) or 'none'}.")
    return row


def find_active(session: Session, plugin_id: str) -> VersionRow | None:
    """The row of a plugin's active version, or None."""
    return session.scalar(
        select(VersionRow).where(VersionRow.plugin_id == plugin_id, VersionRow.state == VersionState.ACTIVE.value)
    )


def get_active(session: Session, plugin_id: str) -> VersionRow:
    """The row of a plugin's active version. Raises NotFoundError if it has none yet."""
    row = find_active(session, plugin_id)
    if row is None:
        raise NotFoundError(f"{plugin_id} has no model version yet; run the plugin once.")
    return row


def read_history(session: Session, plugin_id: str) -> list[Activation]:
    """Every change of a plugin's active version, oldest first."""
    query = select(ActivationRow).where(ActivationRow.plugin_id == plugin_id).order_by(ActivationRow.number)
    return [Activation(row.version, row.action, row.by, row.reason, row.at) for row in session.scalars(query)]


def read_sides(session: Session, plugin_id: str) -> dict[str, Side]:
    """Sides of a plugin's patients, as far as they were kept."""
    rows = session.scalars(select(SideRow).where(SideRow.plugin_id == plugin_id).order_by(SideRow.patient_key))
    return {row.patient_key: Side(row.side) for row in rows}


def activate(session: Session, row: VersionRow, action: str, by: str, reason: str) -> None:
    """Make a version the active one, retire the former, and write down who did it."""
    former = find_active(session, row.plugin_id)
    if former is not None:
        former.state = VersionState.RETIRED.value
        session.flush()  # first, or two versions would be active for a moment
    row.state = VersionState.ACTIVE.value
    session.add(
        ActivationRow(plugin_id=row.plugin_id, version=row.version, action=action, by=by, reason=reason, at=utc_now())
    )
    session.flush()


def keep_sides(session: Session, plugin_id: str, sides: Mapping[str, Side]) -> None:
    """Keep the sides of new patients. Raises StoreError if a known one would change sides."""
    known = read_sides(session, plugin_id)
    if any(known.get(patient, side) is not side for patient, side in sides.items()):
        raise StoreError("Another run put the patients on other sides of the split meanwhile; fine-tune again.")
    for patient in sides.keys() - known.keys():
        session.add(SideRow(plugin_id=plugin_id, patient_key=patient, side=sides[patient].value))


def keep_scores(session: Session, plugin_id: str, present: str, candidate: str, pairs: Sequence[CaseScore]) -> None:
    """Keep the scores of both versions on each case; later ones of the same case replace them."""
    for pair in pairs:
        for version, score in ((present, pair.present), (candidate, pair.candidate)):
            session.merge(
                ScoreRow(
                    plugin_id=plugin_id,
                    version=version,
                    case_id=pair.case_id,
                    dice=score.dice,
                    hd95_mm=score.hd95_mm,
                )
            )


def mark_used(session: Session, case_ids: Sequence[str], version: str) -> None:
    """Note on cases which version was trained with them."""
    for row in session.scalars(select(CorrectionRow).where(CorrectionRow.id.in_(case_ids))):
        row.used_in = version
        if row.status == Status.WAITING:  # a verdict that was superseded meanwhile stays so
            row.status = Status.USED.value
