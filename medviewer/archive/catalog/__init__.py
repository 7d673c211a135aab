"""The catalogue: which studies were opened or imported, where their files are, and where they stand on the worklist."""

from medviewer.archive.catalog.entries import Added, SeriesEntry, State, StudyEntry
from medviewer.archive.catalog.search import Query
from medviewer.archive.catalog.store import Catalog

__all__ = ["Added", "Catalog", "Query", "SeriesEntry", "State", "StudyEntry"]
