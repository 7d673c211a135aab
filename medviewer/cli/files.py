"""Commands about files: what is in them, and from one format to another."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from medviewer.cli.console import report, report_json
from medviewer.cli.options import JSON, OUTPUT, SERIES, SOURCE
from medviewer.cli.reading import IMAGE_NAMES, check_output, read, scan

if TYPE_CHECKING:
    from medviewer.domain.study import Attachment, PhaseAxis, ScanResult, Series


def info(path: SOURCE, as_json: JSON = False) -> None:
    """List studies, series, masks and reports, and how they lie.

    Pixels are not read. Sizes are in the order z, y, x. With --json, world coordinates are DICOM's (LPS, mm):
    world = origin_mm + direction @ (spacing_mm * index), with direction a row-major 3x3 whose columns are the unit
    steps along z, y and x.
    """
    found = scan(path, images=False)
    if as_json:
        report_json(_as_json(found))
        return
    names = _names(found)
    for study in found.studies:
        report("  ".join(part for part in ("Study", study.date, study.description, study.uid) if part))
        for series in study.series:
            report("  ".join(("", series.modality, series.description or "-", series.size_text, names[series.uid])))
            for warning in series.warnings:
                report(f"    Warning: {warning.text}")
        for one in study.attachments:
            told = ("", one.modality or one.kind, one.title, one.date)
            report("  ".join((*(part for k, part in enumerate(told) if part or not k), str(one.file))))
    for warning in found.warnings:
        report(f"Warning: {warning.text}")


def convert(path: SOURCE, output: OUTPUT, series: SERIES = None) -> None:
    """Write a series as NIfTI, MetaImage or NRRD.

    The file's ending chooses: .nii.gz, .nii, .mha or .nrrd. The image stays on its own grid, and
    readers see real units (HU where the file has them).
    """
    from medviewer import formats

    check_output(output, (*IMAGE_NAMES, ".mha", ".nrrd"))
    case = read(path, series)
    formats.save_image(case.image, output)
    report(f"Wrote {output}")


def _names(found: ScanResult) -> dict[str, str]:
    """For each series the shortest name that --series knows it by: its Series Instance UID where no other has it."""
    shared = Counter(series.instance_uid for series in found.series)
    return {s.uid: s.instance_uid if shared[s.instance_uid] == 1 else s.uid for s in found.series}


def _as_json(found: ScanResult) -> dict[str, Any]:
    names = _names(found)
    studies = [
        {
            "uid": study.uid,
            "date": study.date,
            "description": study.description,
            "series": [_series_json(series, names[series.uid]) for series in study.series],
            "attachments": [_attachment_json(attachment) for attachment in study.attachments],
        }
        for study in found.studies
    ]
    return {"studies": studies, "warnings": [warning.text for warning in found.warnings]}


def _phases_json(axis: PhaseAxis | None) -> dict[str, Any] | None:
    if axis is None:
        return None
    return {
        "name": axis.name,
        "count": len(axis),
        "values": list(axis.values),
        "unit": axis.unit,
        "interval_ms": axis.interval_ms,
    }


def _series_json(series: Series, name: str) -> dict[str, Any]:
    grid = series.grid
    return {
        "uid": name,
        "modality": series.modality,
        "description": series.description,
        "shape": list(grid.shape),
        "spacing_mm": list(grid.spacing),
        "origin_mm": list(grid.origin),
        "direction": list(grid.direction),
        "phases": _phases_json(series.phases),
        "warnings": [warning.text for warning in series.warnings],
    }


def _attachment_json(attachment: Attachment) -> dict[str, Any]:
    return {
        "uid": attachment.uid,
        "kind": attachment.kind,
        "modality": attachment.modality,
        "title": attachment.title,
        "date": attachment.date,
        "file": str(attachment.file),
        "of_series": list(attachment.of_series),
    }
