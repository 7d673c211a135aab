"""SHA-256 of weights, which may be gigabytes: known from one run of the program to the next."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from pathlib import Path

from medviewer.archive.blobs import write_atomic
from medviewer.errors import StoreError
from medviewer.plugin_api.manifest import file_sha256

FILE = "hashes.json"
_MOST = 1000
"""Files that are remembered; the oldest words go first."""

log = logging.getLogger(__name__)


class FileHashes:
    """Hashes of files, computed once for as long as time, size and place of a file stay the same.

    What is kept saves time and nothing else: a file of them that is lost, damaged or cannot be written only means that
    hashes are computed again, and a child process looks at the weights once more before it loads them. Safe to use from
    several threads; of two programs that write at once the later one's file stays.

    Parameters
    ----------
    file
        JSON; need not exist.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._known: dict[str, tuple[list[int], str]] | None = None

    def knows(self, path: Path) -> bool:
        """Whether the hash of a file is known without reading it. Raises OSError if it is not there."""
        return self._kept(path)[1] is not None

    def sha256(self, path: Path, each: Callable[[int], None] = lambda _: None) -> str:
        """SHA-256 of a file, as lower-case hexadecimal. Raises OSError if it cannot be read.

        Parameters
        ----------
        each
            Called with the bytes that were read so far, where it has to be read; what it raises ends the reading.
        """
        stamp, kept = self._kept(path)
        if kept is not None:
            return kept
        key, sha256 = str(path.absolute()), file_sha256(path, each)
        with self._lock:
            known = self._known = self._read() if self._known is None else self._known
            known.pop(key, None)
            known[key] = (stamp, sha256)
            for oldest in list(known)[:-_MOST]:
                del known[oldest]
            self._write(known)
        return sha256

    def _kept(self, path: Path) -> tuple[list[int], str | None]:
        """What a file looks like from outside, and its hash if that is known of one that looks so."""
        stat = path.stat()
        stamp = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
        with self._lock:
            if self._known is None:
                self._known = self._read()
            found = self._known.get(str(path.absolute()))
        return stamp, found[1] if found is not None and found[0] == stamp else None

    def _read(self) -> dict[str, tuple[list[int], str]]:
        try:
            rows = json.loads(self._file.read_bytes())
            known = {str(key): ([int(part) for part in stamp], str(sha256)) for key, (stamp, sha256) in rows.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, AttributeError):
            log.warning("the hashes of weights that were kept could not be read; they are computed again")
            return {}
        return known

    def _write(self, known: dict[str, tuple[list[int], str]]) -> None:
        text = json.dumps(known).encode()
        try:
            write_atomic(self._file, lambda stream: stream.write(text))
        except StoreError:
            log.warning("the hashes of weights could not be kept; they are computed again next time")
