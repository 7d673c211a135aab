"""Files to domain values and back; no database, no network."""

from __future__ import annotations

from medviewer.formats.reading import load, scan
from medviewer.formats.sniff import Kind

__all__ = ["Kind", "load", "scan"]
