"""Headers that were read a moment ago: what a scan has read, a load need not read again."""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from pathlib import Path

from medviewer.formats.dicom.headers import Header

MOST = 3000
"""Headers that are kept, about 5 kB each; a series has seldom more slices."""

SETTLED_S = 2.0
"""A file that was changed so shortly before it was read may change again without a sign: clocks of disks are coarse."""

_Stamp = tuple[int, int, int]

_lock = threading.Lock()
_kept: OrderedDict[Path, tuple[_Stamp, Header]] = OrderedDict()


def remember(header: Header, status: os.stat_result) -> None:
    """Keep a header for those who read the same file again, if it is unchanged then.

    Parameters
    ----------
    header
        As it was read.
    status
        Of the open file, before it was read.
    """
    if abs(time.time() - status.st_mtime) < SETTLED_S or header.deflated:
        return
    with _lock:
        _kept[header.path] = _stamp(status), header
        _kept.move_to_end(header.path)
        while len(_kept) > MOST:
            _kept.popitem(last=False)


def recall(path: Path, status: os.stat_result) -> Header | None:
    """The header of an open file if it is kept and the file is still the same."""
    with _lock:
        stamp, header = _kept.get(path, (None, None))
    return header if stamp == _stamp(status) else None


def _stamp(status: os.stat_result) -> _Stamp:
    return status.st_mtime_ns, status.st_size, status.st_ino
