"""Files to domain values and back; no database, no network.

What is listed here is imported when it is first asked for: the processes that decode pixels import single modules of
this room, and would otherwise wait for all of it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medviewer.formats.dicom.documents import read_document
    from medviewer.formats.dicom.key_objects import write_key_objects
    from medviewer.formats.dicom.measurement_read import ReadReport, read_measurements, read_report
    from medviewer.formats.dicom.measurement_report import Measured, write_measurements
    from medviewer.formats.dicom.report_objects import write_pdf_document, write_report
    from medviewer.formats.dicom.resample import from_slices
    from medviewer.formats.dicom.write import write_dicom_series
    from medviewer.formats.images import save_image
    from medviewer.formats.masks import load_heatmap, load_segmentation, save_heatmap, save_segmentation
    from medviewer.formats.measurement_table import save_measurement_table
    from medviewer.formats.reading import load, scan
    from medviewer.formats.sniff import Kind

__all__ = [
    "Kind",
    "Measured",
    "ReadReport",
    "from_slices",
    "load",
    "load_heatmap",
    "load_segmentation",
    "read_document",
    "read_measurements",
    "read_report",
    "save_heatmap",
    "save_image",
    "save_measurement_table",
    "save_segmentation",
    "scan",
    "write_dicom_series",
    "write_key_objects",
    "write_measurements",
    "write_pdf_document",
    "write_report",
]

_HOMES = {
    "Kind": "sniff",
    "Measured": "dicom.measurement_report",
    "ReadReport": "dicom.measurement_read",
    "from_slices": "dicom.resample",
    "load": "reading",
    "load_heatmap": "masks",
    "load_segmentation": "masks",
    "read_document": "dicom.documents",
    "read_measurements": "dicom.measurement_read",
    "read_report": "dicom.measurement_read",
    "save_heatmap": "masks",
    "save_image": "images",
    "save_measurement_table": "measurement_table",
    "save_segmentation": "masks",
    "scan": "reading",
    "write_dicom_series": "dicom.write",
    "write_key_objects": "dicom.key_objects",
    "write_measurements": "dicom.measurement_report",
    "write_pdf_document": "dicom.report_objects",
    "write_report": "dicom.report_objects",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = found
    return found
