"""Saved segmentations, every version of them."""

from __future__ import annotations

import logging
import threading
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from numpy.typing import NDArray
from sqlalchemy import select, update

from medviewer.archive.blobs import SUFFIX, ReadAhead, write_array
from medviewer.archive.codec import grid_from_json, grid_to_json, segments_from_json, segments_to_json
from medviewer.archive.database import Database
from medviewer.archive.tables import MaskRow
from medviewer.domain.geometry import Grid
from medviewer.domain.mask import Segment, Segmentation
from medviewer.domain.provenance import Provenance
from medviewer.errors import NotFoundError, StoreError

_FOLDER = "masks"

_log = logging.getLogger("medviewer.archive")


@dataclass(frozen=True)
class MaskRecord:
    """What is known of a saved segmentation before its voxels are read.

    Parameters
    ----------
    id
        Its identifier in the archive.
    series_uid
        The series that it labels.
    grid, segments, provenance
        As in `Segmentation`.
    """

    id: str
    series_uid: str
    grid: Grid
    segments: tuple[Segment, ...]
    provenance: Provenance


class MaskStore:
    """The segmentations of an archive, by series.

    Parameters
    ----------
    home
        The archive's folder.
    database
        Its open database.
    ahead
        What was read before it is asked for.
    """

    def __init__(self, home: Path, database: Database, ahead: ReadAhead) -> None:
        self._home = home
        self._database = database
        self._read_ahead = ahead
        self._lock = threading.Lock()
        self._ahead: dict[int, str] = {}

    def write_ahead(self, labels: NDArray[Any]) -> None:
        """Write the file of labels that will be saved in a moment, so that `save_mask` only has to add its row.

        Any thread may call it: a large mask takes a second to pack, which the home thread must not wait for. Nobody may
        write into the labels until they are saved. The file goes with the labels if they never are. A disk that does
        not take it is not told here but by `save_mask`, which tries again.

        Parameters
        ----------
        labels
            The very array of the `Segmentation` that will be saved.
        """
        mask_id = uuid4().hex
        try:
            write_array(self._file(mask_id), labels)
        except StoreError as error:
            _log.info("A mask was not written ahead: %s", error)
            return
        with self._lock:
            self._ahead[id(labels)] = mask_id
        weakref.finalize(labels, self._forget, id(labels))

    def _forget(self, key: int) -> None:
        mask_id = self._claim(key)
        if mask_id:
            self._file(mask_id).unlink(missing_ok=True)

    def _claim(self, key: int) -> str:
        """Id of what was written ahead of an array, for the one who asks first; empty if nothing was."""
        with self._lock:
            return self._ahead.pop(key, "")

    def _file(self, mask_id: str) -> Path:
        return self._home / _blob(mask_id)

    def save_mask(self, series_uid: str, segmentation: Segmentation, *, below: str = "") -> str:
        """Keep a segmentation as the newest of a series; older ones stay.

        Parameters
        ----------
        below
            Id of a mask that is to stay newer than this one, as the one that comes back with the series.

        Returns
        -------
        Its id. It is on disk when this returns.

        Raises
        ------
        StoreError
            If the disk or the database does not take it; nothing is kept then.
        """
        mask_id = self._claim(id(segmentation.labels))
        if not mask_id:
            mask_id = uuid4().hex
            write_array(self._file(mask_id), segmentation.labels)
        row = MaskRow(
            id=mask_id,
            series_uid=series_uid,
            blob=_blob(mask_id),
            grid=grid_to_json(segmentation.grid),
            segments=segments_to_json(segmentation.segments),
            provenance=segmentation.provenance.to_json(),
        )
        with self._database.write() as session:
            session.add(row)
            if below:
                session.flush()  # gives it its number
                session.execute(update(MaskRow).where(MaskRow.id == below).values(number=row.number + 1))
        return mask_id

    def read_ahead(self, mask_id: str) -> NDArray[Any] | None:
        """Read the labels that `load_mask` will be asked for in a moment; any thread may call it.

        Returns
        -------
        The very array that the segmentation will have; None where it cannot be read, which `load_mask` tells.
        """
        return self._read_ahead.fetch(self._file(mask_id))

    def load_mask(self, mask_id: str) -> Segmentation:
        """Read a saved segmentation.

        Raises
        ------
        NotFoundError
            If there is none of that id.
        StoreError
            If its file is missing or damaged.
        """
        with self._database.read() as session:
            row = session.scalar(select(MaskRow).where(MaskRow.id == mask_id))
        if row is None:
            raise NotFoundError(f"The archive has no mask {mask_id!r}; list the masks of the series to see its ids.")
        record = _record(row)
        return Segmentation(
            self._read_ahead.take(self._home / row.blob),
            record.grid,
            record.segments,
            record.provenance,
            record.series_uid,
        )

    def masks_for(self, *series_uids: str) -> list[MaskRecord]:
        """What is saved for a series, or for any of several, newest first."""
        query = select(MaskRow).where(MaskRow.series_uid.in_(series_uids)).order_by(MaskRow.number.desc())
        with self._database.read() as session:
            return [_record(row) for row in session.scalars(query)]


def _blob(mask_id: str) -> str:
    return f"{_FOLDER}/{mask_id}{SUFFIX}"


def _record(row: MaskRow) -> MaskRecord:
    return MaskRecord(
        row.id,
        row.series_uid,
        grid_from_json(row.grid),
        segments_from_json(row.segments),
        Provenance.from_json(row.provenance),
    )
