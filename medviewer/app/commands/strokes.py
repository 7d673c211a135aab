"""The crash journal of one series, as the mask that is being worked on needs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from medviewer.domain.geometry import Shape

if TYPE_CHECKING:
    # Loads the database, which commands that only read files do without.
    from medviewer.archive import Archive, Journal, JournalHeader


class StrokeJournal:
    """A journal that begins with the first stroke, and anew with the first one after each save.

    Parameters
    ----------
    journal
        The archive's journal of the series.
    header
        The mask that the strokes start from.
    """

    def __init__(self, journal: Journal, header: JournalHeader) -> None:
        self._journal = journal
        self._header = header
        self._begun = False

    def append(self, record: bytes, *, sync: bool = True) -> None:
        """Write one record so that it survives a crash. Raises StoreError if the disk does not take it."""
        self.ready()
        self._journal.append(record, sync)

    def ready(self) -> None:
        """Begin, if it has not begun. Raises StoreError if another window writes it, or the disk does not take it."""
        if not self._begun:
            self._journal.begin(self._header)
            self._begun = True

    def clear(self) -> None:
        """Forget all records: the mask is saved."""
        self._journal.clear()
        self._begun = False

    def rest(self) -> None:
        """Let another window have the series: nothing was painted that is not saved."""
        if self._begun:
            self.clear()

    def close(self) -> None:
        """Stop writing; the records stay for the next session."""
        self._journal.close()
        self._begun = False

    def resume(self) -> None:
        """Go on behind the records that a crash left. Raises StoreError if another window is writing them."""
        self._journal.resume()
        self._begun = True

    def restart(self, records: Sequence[bytes]) -> None:
        """Set aside what the journal holds, and begin anew with the first part of it, which is in the mask again.

        Raises StoreError if another window is writing it, or the disk does not take it.
        """
        self._journal.begin(self._header)
        self._begun = True
        for record in records:
            self._journal.append(record)

    def rebase(self, mask_id: str) -> None:
        """The next strokes start from this saved mask."""
        self._header = replace(self._header, base_mask=mask_id)


def stroke_journal(archive: Archive, series_uid: str, shape: Shape, base_mask: str) -> StrokeJournal:
    """The journal for strokes on a saved mask of a series, or on an empty one where `base_mask` is empty."""
    from medviewer.archive import JournalHeader

    return StrokeJournal(archive.journal_for(series_uid), JournalHeader(series_uid, shape, base_mask))


def set_aside(archive: Archive, series_uid: str) -> str:
    """Keep strokes that cannot be brought back in a file of their own; returns a sentence about it, or nothing.

    Raises StoreError if another window is writing them, or the disk does not take it.
    """
    journal = archive.journal_for(series_uid)
    try:
        kept = journal.set_aside()
    finally:
        journal.close()
    if kept is None:
        return ""
    return f"Strokes that were not saved before medviewer ended could not be brought back; {kept.name} keeps them."


def left_strokes(archive: Archive, series_uid: str) -> tuple[JournalHeader | None, list[bytes]]:
    """What a session that ended badly left in the journal of a series: its header and its records."""
    from medviewer.archive.journal import read, read_header

    path = archive.journal_for(series_uid).path
    return read_header(path), read(path)
