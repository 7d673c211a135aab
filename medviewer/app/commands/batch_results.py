"""What becomes of what a batch finds: files, results in the archive, rows of a table."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medviewer import formats
from medviewer.app.case_table import CaseRow
from medviewer.app.commands import detections, predict
from medviewer.domain.finding import Classification, Detections
from medviewer.domain.mask import Segmentation
from medviewer.domain.study import Series
from medviewer.formats.atomic import replacing
from medviewer.plugin_api import Manifest

if TYPE_CHECKING:
    from medviewer.app.services import Services

Keep = Callable[[Series, predict.Prediction], str]
"""Keeps a result; returns the file that it is in, or nothing."""


_UNITS = {"segment": "_ml", "classify": "", "detect": "_count"}
"""What a column of the table holds for each label, after its name; the first kind that a plugin has counts."""


def keep_in_folder(folder: Path, kinds: Sequence[str]) -> Keep:
    """Write masks as DICOM SEG (NIfTI, where the series is no DICOM), and other answers as JSON, named by series."""

    def keep(series: Series, result: predict.Prediction) -> str:
        stem = re.sub(r"[^A-Za-z0-9.-]+", "_", series.uid)
        if isinstance(result, Segmentation):
            path = folder / f"{stem}{'.dcm' if series.reader == 'dicom' else '.nii.gz'}"
            formats.save_segmentation(result, path, series)
        else:
            path = folder / f"{stem}.json"
            answer: dict[str, Any] = (
                {"detections": detections.to_json(result)}
                if isinstance(result, Detections)
                else {"probabilities": result.probabilities, "abstained": result.abstained}
            )
            data = {
                "series_uid": series.uid,
                **answer,
                "intended_use": "Research use only; not for diagnosis.",
                "provenance": result.provenance.to_json(),
            }
            with replacing(path) as temporary:
                temporary.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
        return path.name

    return keep


def keep_in_archive(services: Services) -> Keep:
    """Keep results with their series: they are there when it is opened, and at once when it is open."""

    def keep(series: Series, result: predict.Prediction) -> str:
        # of a series with phases the one it is read with, its first, was looked at
        phase = None if series.phases is None else 0
        predict.keep(services, series, result, phase, over_work=False)
        return ""

    return keep


def columns_of(manifest: Manifest) -> list[str]:
    """The columns of a table of that plugin's answers: a volume, a probability or a count for each label."""
    unit = next((unit for kind, unit in _UNITS.items() if kind in manifest.kinds), "")
    return [f"{spec.name}{unit}" for spec in manifest.outputs.labels]


def filled(services: Services, row: CaseRow, result: predict.Prediction, columns: Sequence[str]) -> CaseRow:
    """A row with what a plugin found."""
    made = result.provenance
    if isinstance(result, Classification):
        values, abstained = dict(result.probabilities), result.abstained
    elif isinstance(result, Detections):
        values, abstained = dict.fromkeys(columns, 0.0), False
        for one in result.found:
            values[f"{one.label}_count"] += 1
    else:
        count, voxel_ml = partial(services.masks_ahead.count, result.labels), result.grid.voxel_ml
        values, abstained = {f"{one.name}_ml": count(one.label) * voxel_ml for one in result.segments}, False
    return replace(
        row,
        status="done",
        model_version=made.model_version,
        values=values,
        uncertainty=made.doubt.uncertainty,
        distance=made.doubt.distance,
        flags=tuple(dict.fromkeys((*made.doubt.flags, *made.notes))),
        abstained=abstained,
        device=made.device,
    )
