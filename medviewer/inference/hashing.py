"""The hash of what a run looked at, worked out beside the run, since it takes as long as reading the image."""

from __future__ import annotations

import hashlib
from concurrent.futures import Future, ThreadPoolExecutor

from medviewer.domain.image import Image
from medviewer.inference.request import input_digest
from medviewer.plugin_api import RunContext


class InputHash:
    """SHA-256 of the input images, in a thread of its own once it was started; a run that ends before it, ends it.

    Parameters
    ----------
    images
        One image, or one a channel.
    context
        The run's.
    """

    def __init__(self, images: tuple[Image, ...], context: RunContext) -> None:
        self._images = images
        self._context = context
        self._future: Future[str] | None = None

    def start(self) -> InputHash:
        """Begin, if it did not begin before."""
        if self._future is not None:
            return self
        pool = ThreadPoolExecutor(1, "medviewer-hash")
        self._future = pool.submit(self._work)
        pool.shutdown(wait=False)
        return self

    def result(self) -> str:
        """Lower-case hexadecimal: `input_hash` of a single image, and SHA-256 of those texts for several.

        Raises
        ------
        JobCancelled
            If the run was cancelled before it was done.
        """
        found = self._work() if self._future is None else self._future.result()
        self._context.check()
        return found

    def _work(self) -> str:
        hashes = [input_digest(image, self._context.cancelled.is_set) for image in self._images]
        return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()
