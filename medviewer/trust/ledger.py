"""Which plugin the user trusts, as it was when they said so, and when they took that back."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from medviewer.errors import StoreError

FILE = "trusted.jsonl"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrustEntry:
    """One word of the user about one plugin.

    Parameters
    ----------
    id
        The plugin's.
    fingerprint
        What its folder hashed to when it was trusted; empty when trust was taken back.
    author
        The user's name on this machine.
    time
        UTC, ISO 8601.
    """

    id: str
    fingerprint: str
    author: str = ""
    time: str = ""


class TrustLedger:
    """A file to which every word about a plugin is added; the last one counts, the former ones stay to be read.

    Lines are added and never rewritten, so that two programs that write at once lose nothing. What cannot be read
    trusts nothing.

    Parameters
    ----------
    file
        JSON, a line an entry; need not exist.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    @classmethod
    def open(cls, home: Path) -> TrustLedger:
        """The ledger of the folder that medviewer keeps its data in."""
        return cls(home / FILE)

    def trusted(self, plugin_id: str) -> str:
        """The fingerprint under which a plugin is trusted now; empty when it is not."""
        entry = self.entries().get(plugin_id)
        return entry.fingerprint if entry is not None else ""

    def entries(self) -> dict[str, TrustEntry]:
        """The last word about every plugin that one was said about, by id."""
        return {entry.id: entry for entry in self.history()}

    def history(self) -> list[TrustEntry]:
        """Everything that was said, oldest first."""
        try:
            lines = self._file.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        except OSError as error:
            # Nothing is trusted then, which is the safe side, and the program still starts.
            log.warning("the ledger of trusted plugins could not be read (%s)", type(error).__name__)
            return []
        return [entry for entry in map(_entry, lines) if entry is not None]

    def trust(self, plugin_id: str, fingerprint: str, author: str = "") -> None:
        """Let a plugin's code run as long as its folder hashes to that.

        Raises
        ------
        StoreError
            If it could not be written down; then it is not trusted.
        """
        self._add(TrustEntry(plugin_id, fingerprint, author, _now()))

    def revoke(self, plugin_id: str, author: str = "") -> None:
        """Let a plugin's code run no more; nothing happens when it was not trusted.

        Raises
        ------
        StoreError
            If that could not be written down.
        """
        if self.trusted(plugin_id):
            self._add(TrustEntry(plugin_id, "", author, _now()))

    def _add(self, entry: TrustEntry) -> None:
        # The newline comes first as well: a line that a crash tore must not take this one with it.
        line = f"\n{json.dumps(asdict(entry))}\n".encode()
        try:
            handle = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                written = os.write(handle, line)
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as error:
            raise _not_kept(error.strerror or type(error).__name__) from error
        if written != len(line):
            raise _not_kept("the disk is full")


def _not_kept(reason: str) -> StoreError:
    return StoreError(
        f"Whom you trust should be kept in medviewer's folder, which could not be written ({reason}); make room or "
        "check its permissions, and say it again."
    )


def _entry(line: bytes) -> TrustEntry | None:
    """The entry of a line; None for an empty or torn one."""
    try:
        data = json.loads(line)
        entry = TrustEntry(data["id"], data["fingerprint"], data.get("author", ""), data.get("time", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        if line.strip():
            log.warning("a line of the ledger of trusted plugins could not be read and is passed by")
        return None
    return entry if all(isinstance(value, str) for value in asdict(entry).values()) else None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
