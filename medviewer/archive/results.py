"""Saved classifications, detections and heat maps."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import select

from medviewer.archive.blobs import SUFFIX, ReadAhead, write_array
from medviewer.archive.codec import grid_from_json, grid_to_json
from medviewer.archive.database import Database
from medviewer.archive.tables import ResultRow
from medviewer.domain.finding import Classification, Corner, Detection, Detections
from medviewer.domain.heatmap import DOUBT, Heatmap
from medviewer.domain.provenance import Provenance
from medviewer.errors import NotFoundError

_FOLDER = "heatmaps"
_CLASSIFICATION = "classification"
_HEATMAP = "heatmap"
_DETECTIONS = "detections"


@dataclass(frozen=True)
class HeatmapRecord:
    """What is known of a saved heat map before its voxels are read; fields as in `Heatmap`."""

    id: str
    series_uid: str
    method: str
    target: str
    provenance: Provenance

    @property
    def is_doubt(self) -> bool:
        """Whether it shows a model's doubt, and not its reasons."""
        return self.method in DOUBT


class ResultStore:
    """The classifications, detections and heat maps of an archive, by series.

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

    def save_classification(self, result: Classification) -> str:
        """Keep a classification under its series and return its id. Raises StoreError if it cannot be kept."""
        content = {
            "probabilities": dict(result.probabilities),
            "notes": list(result.notes),
            "abstained": result.abstained,
        }
        return self._add(result.series_uid, _CLASSIFICATION, content, result.provenance)

    def classifications_for(self, series_uid: str) -> list[Classification]:
        """The classifications of a series, newest first."""
        return [
            Classification(
                row.content["probabilities"],
                Provenance.from_json(row.provenance),
                row.series_uid,
                tuple(row.content["notes"]),
                row.content.get("abstained", False),  # those from before there was any have none
            )
            for row in self._rows(series_uid, _CLASSIFICATION)
        ]

    def save_detections(self, result: Detections) -> str:
        """Keep what was found in a series and return its id. Raises StoreError if it cannot be kept."""
        found = [[one.label, one.score, list(one.low), list(one.high)] for one in result.found]
        content = {"grid": grid_to_json(result.grid), "found": found}
        return self._add(result.series_uid, _DETECTIONS, content, result.provenance)

    def detections_for(self, series_uid: str) -> list[Detections]:
        """What was found in a series, newest first."""
        return [
            Detections(
                tuple(Detection(label, score, _corner(low), _corner(high)) for label, score, low, high in found),
                grid_from_json(row.content["grid"]),
                Provenance.from_json(row.provenance),
                row.series_uid,
            )
            for row in self._rows(series_uid, _DETECTIONS)
            for found in (row.content["found"],)
        ]

    def save_heatmap(self, heatmap: Heatmap) -> str:
        """Keep a heat map under its series and return its id. Raises StoreError if it cannot be kept."""
        blob = f"{_FOLDER}/{uuid4().hex}{SUFFIX}"
        write_array(self._home / blob, heatmap.values)
        content = {"grid": grid_to_json(heatmap.grid), "method": heatmap.method, "target": heatmap.target}
        return self._add(heatmap.series_uid, _HEATMAP, content, heatmap.provenance, blob)

    def heatmaps_for(self, series_uid: str) -> list[HeatmapRecord]:
        """What is saved for a series, newest first."""
        return [
            HeatmapRecord(
                row.id,
                row.series_uid,
                row.content["method"],
                row.content["target"],
                Provenance.from_json(row.provenance),
            )
            for row in self._rows(series_uid, _HEATMAP)
        ]

    def read_ahead(self, heatmap_id: str) -> None:
        """Read the values that `load_heatmap` will be asked for in a moment; any thread may call it."""
        row = self._heatmap_row(heatmap_id)
        if row is not None and row.blob is not None:
            self._read_ahead.fetch(self._home / row.blob)

    def load_heatmap(self, heatmap_id: str) -> Heatmap:
        """Read a saved heat map.

        Raises
        ------
        NotFoundError
            If there is none of that id.
        StoreError
            If its file is missing or damaged.
        """
        row = self._heatmap_row(heatmap_id)
        if row is None or row.blob is None:
            raise NotFoundError(f"The archive has no heat map {heatmap_id!r}; list those of the series to see its ids.")
        return Heatmap(
            self._read_ahead.take(self._home / row.blob),
            grid_from_json(row.content["grid"]),
            row.content["method"],
            row.content["target"],
            Provenance.from_json(row.provenance),
            row.series_uid,
        )

    def _add(
        self, series_uid: str, kind: str, content: dict[str, Any], provenance: Provenance, blob: str | None = None
    ) -> str:
        row = ResultRow(
            id=uuid4().hex,
            series_uid=series_uid,
            kind=kind,
            blob=blob,
            content=content,
            provenance=provenance.to_json(),
        )
        with self._database.write() as session:
            session.add(row)
        return row.id

    def _heatmap_row(self, heatmap_id: str) -> ResultRow | None:
        query = select(ResultRow).where(ResultRow.id == heatmap_id, ResultRow.kind == _HEATMAP)
        with self._database.read() as session:
            row: ResultRow | None = session.scalar(query)
            return row

    def _rows(self, series_uid: str, kind: str) -> list[ResultRow]:
        query = select(ResultRow).where(ResultRow.series_uid == series_uid, ResultRow.kind == kind)
        with self._database.read() as session:
            return list(session.scalars(query.order_by(ResultRow.number.desc())))


def _corner(numbers: list[float]) -> Corner:
    z, y, x = numbers
    return z, y, x
