"""Files to domain values and back; no database, no network."""

from __future__ import annotations

from medviewer.formats.dicom.write import write_dicom_series
from medviewer.formats.images import save_image
from medviewer.formats.masks import load_heatmap, load_segmentation, save_heatmap, save_segmentation
from medviewer.formats.reading import load, scan
from medviewer.formats.sniff import Kind

__all__ = [
    "Kind",
    "load",
    "load_heatmap",
    "load_segmentation",
    "save_heatmap",
    "save_image",
    "save_segmentation",
    "scan",
    "write_dicom_series",
]
