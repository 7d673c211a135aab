"""The queue of corrections: what people said about a plugin's masks, kept so that it can train the next version.

A case carries its voxels, so it outlives files that are moved. It names neither the patient nor the files: patients
are told apart by a keyed hash.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from medviewer.archive import Archive
from medviewer.archive.blobs import SUFFIX, array_sha256, read_array, write_array
from medviewer.archive.codec import segments_from_json, segments_to_json
from medviewer.archive.tables import CorrectionRow
from medviewer.domain.image import Image
from medviewer.domain.mask import Correction, Segmentation, dice
from medviewer.domain.provenance import Provenance, utc_now
from medviewer.domain.study import Series
from medviewer.errors import GridMismatchError, NotFoundError, StoreError
from medviewer.inference.request import image_from_json, image_to_json, input_hash

Verdict = Literal["approved", "rejected"]


class Status(StrEnum):
    """Where a case stands."""

    WAITING = "waiting"  # approved, and in no version yet
    USED = "used"  # approved, and at least one version was trained with it; the next one is too
    REJECTED = "rejected"  # a person said no; never trained on
    SUPERSEDED = "superseded"  # a later verdict on the same series counts instead; kept, but not used


@dataclass(frozen=True)
class QueueCase:
    """One case of the queue.

    Parameters
    ----------
    correction
        The verdict.
    status
        Where it stands.
    used_in
        The last version that was trained with it; empty while there is none.
    note
        What the author wrote.
    modality, body_part
        As the series says.
    shape
        Shape (z, y, x) of its image; None for a rejected one, of which only the verdict is kept.
    """

    correction: Correction
    status: Status
    used_in: str
    note: str
    modality: str
    body_part: str
    shape: tuple[int, int, int] | None

    @property
    def id(self) -> str:
        """Its identifier."""
        return self.correction.id


class CorrectionQueue:
    """The fine-tuning queue of an archive. Safe to use from several threads and processes.

    Parameters
    ----------
    archive
        Where it is kept.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    @property
    def archive(self) -> Archive:
        """Where it is kept."""
        return self._archive

    def add(
        self,
        image: Image,
        series: Series,
        patient_id: str,
        corrected: Segmentation,
        model_mask: Segmentation | None,
        verdict: Verdict,
        author: str,
        note: str = "",
        *,
        study_uid: str = "",
        plugin_id: str = "",
    ) -> Correction:
        """Take a person's verdict on a mask. It is on disk when this returns.

        The same verdict on the same mask again changes nothing; another one on the same series and plugin supersedes
        the former.

        Parameters
        ----------
        patient_id, study_uid
            Patient ID, or where there is none the study's UID; only a keyed hash of it is kept.
        corrected
            The mask that was judged, on the image's grid.
        model_mask
            What the model gave before it was corrected; None when the mask was drawn by hand.
        plugin_id
            The plugin that this case is for; by default the one in the masks' provenance.

        Raises
        ------
        GridMismatchError
            If the mask does not lie on the image's grid.
        StoreError
            If no plugin is named, the verdict is unknown, or it cannot be kept.
        """
        if not corrected.grid.matches(image.grid):
            raise GridMismatchError(
                f"A correction needs a mask on the image's grid ({image.grid.describe()}), but it lies on "
                f"{corrected.grid.describe()}; open the mask on its own series."
            )
        if verdict not in ("approved", "rejected"):
            raise StoreError(f"A verdict is approved or rejected, not {verdict!r}; choose one of them.")
        made = _maker(plugin_id, model_mask, corrected)
        row = CorrectionRow(
            id=uuid4().hex[:12],
            series_uid=series.uid,
            patient_key=self._archive.patient_key(patient_id, study_uid or series.uid),
            plugin_id=made.plugin_id,
            model_version=made.model_version,
            verdict=verdict,
            status=(Status.WAITING if verdict == "approved" else Status.REJECTED).value,
            author=author,
            created=utc_now(),
            note=note,
            dice_before=_dice_before(corrected, model_mask),
            modality=series.modality,
            body_part=series.body_part,
            mask_sha256=array_sha256(corrected.labels),
            segments=segments_to_json(corrected.segments),
        )
        if same := self._same(row):
            return _correction(same)
        if verdict == "approved":
            self._keep_voxels(row, image, corrected.labels)
        return _correction(self._insert(row))

    def list(self, plugin_id: str | None = None, status: Status | str | None = None) -> Sequence[QueueCase]:
        """The cases, oldest first, of one plugin and one status where these are given.

        Raises
        ------
        StoreError
            If the status is unknown.
        """
        wanted: list[ColumnElement[bool]] = []
        if plugin_id is not None:
            wanted.append(CorrectionRow.plugin_id == plugin_id)
        if status is not None:
            wanted.append(CorrectionRow.status == _status(status).value)
        with self._archive.reading() as session:
            rows = session.scalars(select(CorrectionRow).where(*wanted).order_by(CorrectionRow.number))
            return [_case(row) for row in rows]

    def judged(self, series_uid: str) -> bool:
        """Whether a person gave a verdict on a mask of that series, whatever it was."""
        query = select(CorrectionRow.id).where(CorrectionRow.series_uid == series_uid).limit(1)
        with self._archive.reading() as session:
            return session.scalar(query) is not None

    def get(self, case_id: str) -> QueueCase:
        """One case, by its id or by the beginning of it if that is unique.

        Raises
        ------
        NotFoundError
            If there is none, or several begin so.
        """
        return _case(self._row(case_id))

    def cases_for_training(self, plugin_id: str) -> Sequence[QueueCase]:
        """Approved cases that no later verdict superseded, oldest first; used ones are among them."""
        good = (Status.WAITING, Status.USED)
        return [case for case in self.list(plugin_id) if case.status in good]

    def load_case(self, case_id: str) -> tuple[Image, Segmentation]:
        """Image and approved mask of a case, from the archive's own copy.

        Raises
        ------
        NotFoundError
            If there is no such case.
        StoreError
            If it was rejected, so that nothing was kept, or its files are damaged.
        """
        row = self._row(case_id)
        if row.image is None or row.image_blob is None or row.mask_blob is None:
            raise StoreError(f"Case {row.id} was rejected, so no image was kept with it; open the series itself.")
        image = image_from_json(row.image, read_array(self._archive.home / row.image_blob))
        labels = read_array(self._archive.home / row.mask_blob)
        made = Provenance(row.plugin_id, "", row.model_version, author=row.author, created=row.created)
        return image, Segmentation(labels, image.grid, segments_from_json(row.segments), made, row.series_uid)

    def case_files(self, case_id: str) -> dict[str, Any]:
        """What a child process needs to read a case by itself: its id, image description and files, JSON-ready.

        Raises
        ------
        NotFoundError
            If there is no such case.
        """
        row = self._row(case_id)
        home = self._archive.home.absolute()
        return {
            "id": row.id,
            "image": row.image,
            "image_blob": str(home / (row.image_blob or "")),
            "mask_blob": str(home / (row.mask_blob or "")),
        }

    def _keep_voxels(self, row: CorrectionRow, image: Image, labels: NDArray[Any]) -> None:
        """Write the files first: a row never names a file that is not there."""
        # Named by content, so that a second verdict on the same series writes the image only once.
        row.image_blob = f"images/{input_hash(image)}{SUFFIX}"
        if not (self._archive.home / row.image_blob).is_file():
            write_array(self._archive.home / row.image_blob, image.voxels)
        row.mask_blob = f"masks/{uuid4().hex}{SUFFIX}"
        write_array(self._archive.home / row.mask_blob, labels)
        row.image = image_to_json(image)

    def _same(self, row: CorrectionRow) -> CorrectionRow | None:
        with self._archive.reading() as session:
            current = _current(session, row)
            fields = ("verdict", "model_version", "mask_sha256", "author", "note", "segments", "patient_key")
            same = current is not None and all(getattr(current, name) == getattr(row, name) for name in fields)
            return current if same else None

    def _insert(self, row: CorrectionRow) -> CorrectionRow:
        with self._archive.session() as session:
            former = _current(session, row)
            if former is not None:
                former.status = Status.SUPERSEDED.value
                session.flush()  # first, or two verdicts would be current for a moment
            session.add(row)
        return row

    def _row(self, case_id: str) -> CorrectionRow:
        query = select(CorrectionRow).where(CorrectionRow.id.startswith(case_id, autoescape=True)).limit(2)
        with self._archive.reading() as session:
            rows = session.scalars(query).all() if case_id else []
        if len(rows) != 1:
            what = "several cases that begin with" if rows else "no case"
            raise NotFoundError(f"The queue has {what} {case_id!r}; list the queue to see the ids.")
        return rows[0]


def _current(session: Session, row: CorrectionRow) -> CorrectionRow | None:
    return session.scalar(
        select(CorrectionRow).where(
            CorrectionRow.series_uid == row.series_uid,
            CorrectionRow.plugin_id == row.plugin_id,
            CorrectionRow.status != Status.SUPERSEDED.value,
        )
    )


def _maker(plugin_id: str, model_mask: Segmentation | None, corrected: Segmentation) -> Provenance:
    """The model that the case is for: the named plugin, else the maker of the model's mask, else of the corrected."""
    made = corrected.provenance if model_mask is None else model_mask.provenance
    if not made.plugin_id:
        made = corrected.provenance
    if plugin_id and made.plugin_id != plugin_id:
        return Provenance(plugin_id)
    if not made.plugin_id:
        raise StoreError("A correction needs the plugin that it teaches, and the mask names none; run a plugin first.")
    return made


def _dice_before(corrected: Segmentation, model_mask: Segmentation | None) -> float | None:
    """Mean Dice over the labels of either mask, so that a voxel moved from one label to another counts."""
    if model_mask is None:
        return None
    before = model_mask.labels
    if before.shape != corrected.labels.shape:
        raise GridMismatchError(
            f"The model's mask has shape {before.shape} and the corrected one {corrected.labels.shape}; "
            "they should be of one series."
        )
    labels = (set(np.unique(before).tolist()) | set(np.unique(corrected.labels).tolist())) - {0}
    return float(np.mean([dice(before == k, corrected.labels == k) for k in labels])) if labels else 1.0


def _status(value: Status | str) -> Status:
    try:
        return Status(value)
    except ValueError as error:
        names = ", ".join(Status)
        raise StoreError(f"A status is one of {names}, not {value!r}; choose one of them.") from error


def _correction(row: CorrectionRow) -> Correction:
    return Correction(
        row.id,
        row.series_uid,
        row.patient_key,
        row.plugin_id,
        row.model_version,
        row.verdict,
        row.author,
        row.created,
        row.dice_before,
    )


def _case(row: CorrectionRow) -> QueueCase:
    shape = None
    if row.image is not None:
        z, y, x = row.image["grid"]["shape"]
        shape = (z, y, x)
    return QueueCase(
        _correction(row), Status(row.status), row.used_in or "", row.note, row.modality, row.body_part, shape
    )
