"""Arrays that many jobs look at, written once: an image that one plugin after the other runs on.

Files and not shared memory: the system keeps them in its cache, where a volume of 157 MB was written three times as
fast as into ``/dev/shm``, they need no room in memory when it runs short, and what a killed program leaves is removed
at the next start like all the rest of its folder.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import weakref
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# What may lie on the disk for jobs to come; the array that was used longest ago goes first.
KEPT_BYTES = 2 * 2**30

Key = tuple[int, str, tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True)
class _Kept:
    path: Path
    size: int
    owner: weakref.ref[NDArray[Any]]


class KeptArrays:
    """Files of arrays that do not change, as long as the arrays live.

    A job gets a hard link: its file stays, whatever becomes of the kept one, and goes with its folder. Where the disk
    knows no hard links, nothing is kept.

    Parameters
    ----------
    folder
        Where they lie.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()
        self._count = 0
        # Of arrays that are gone; put from a weak reference's callback, which may come at any moment in any thread.
        self._gone: queue.SimpleQueue[tuple[Key, weakref.ref[NDArray[Any]]] | None] = queue.SimpleQueue()
        self._janitor: threading.Thread | None = None

    def link(self, array: NDArray[Any], path: Path) -> bool:
        """Let `path` be the file of an array that was kept before; False if it was not."""
        key, owner = _key(array), _owner(array)
        with self._lock:
            found = self._kept.get(key)
            # The same place in memory may be another array's by now.
            if found is None or found.owner() is not owner:
                return False
            self._kept.move_to_end(key)
            try:
                path.hardlink_to(found.path)
            except OSError:
                return False
            return True

    def keep(self, array: NDArray[Any], path: Path) -> None:
        """Keep the file that was just written of an array, for the next job that needs it."""
        key = _key(array)
        owner = weakref.ref(_owner(array), lambda reference: self._gone.put((key, reference)))
        with self._lock:
            self._count += 1
            kept = _Kept(self._folder / f"kept-{self._count:06}.npy", array.nbytes, owner)
            try:
                kept.path.hardlink_to(path)
            except OSError:
                return
            self._drop(key)
            self._kept[key] = kept
            while len(self._kept) > 1 and sum(each.size for each in self._kept.values()) > KEPT_BYTES:
                self._drop(next(iter(self._kept)))
            if self._janitor is None:
                self._janitor = threading.Thread(target=self._clean, name="medviewer-kept-arrays", daemon=True)
                self._janitor.start()

    def stage(self, array: NDArray[Any]) -> None:
        """Write an array before a job needs it.

        Raises
        ------
        OSError
            If there is no room; nothing is left then.
        """
        with self._lock:
            found = self._kept.get(_key(array))
            if found is not None and found.owner() is _owner(array):
                return
            self._count += 1
            path = self._folder / f"staged-{self._count:06}.npy"
        try:
            np.save(path, array, allow_pickle=False)
            self.keep(array, path)
        finally:
            path.unlink(missing_ok=True)

    def close(self) -> None:
        """End the thread that removes files; the rest goes with the folder."""
        self._gone.put(None)
        if self._janitor:
            self._janitor.join()

    def _clean(self) -> None:
        while (gone := self._gone.get()) is not None:
            key, owner = gone
            with self._lock:
                if key in self._kept and self._kept[key].owner is owner:
                    self._drop(key)

    def _drop(self, key: Key) -> None:
        kept = self._kept.pop(key, None)
        if kept:
            with contextlib.suppress(OSError):  # mapped on Windows: it goes with the folder
                kept.path.unlink(missing_ok=True)


def _key(array: NDArray[Any]) -> Key:
    return array.__array_interface__["data"][0], array.dtype.str, array.shape, array.strides


def _owner(array: NDArray[Any]) -> NDArray[Any]:
    """The array whose life is that of the memory: views come and go."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array
