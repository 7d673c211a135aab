"""De-identification of DICOM objects by PS3.15 Annex E, and of NIfTI headers; no database, no network."""

from __future__ import annotations

from medviewer.formats.dicom.deidentify.dataset import Cleaned, deidentify
from medviewer.formats.dicom.deidentify.files import Written, deidentify_file
from medviewer.formats.dicom.deidentify.options import Key, Options

__all__ = ["Cleaned", "Key", "Options", "Written", "deidentify", "deidentify_file"]
