"""How often a run looks for a cancel, and how much memory it takes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from torch import nn

_SAMPLE_S = 0.005


class Watch(threading.Event):
    """A cancel event that notes how long a run goes without looking at it.

    Time is the CPU time of the thread that runs, which a busy machine does not stretch.

    Parameters
    ----------
    cancel_at
        The look at which it cancels; 0 never does.
    """

    def __init__(self, cancel_at: int = 0) -> None:
        super().__init__()
        self.looks = 0
        self.longest_layer_s = 0.0
        self.longest_other_s = 0.0
        """The longest time without a look, beside that of the one layer which may run in between."""
        self._cancel_at = cancel_at
        self._thread = threading.get_ident()
        self._since = time.thread_time()
        self._layers: list[float] = []

    def is_set(self) -> bool:
        """Whether the run is to stop; notes that it was asked."""
        if threading.get_ident() == self._thread:
            self.note()
            self.looks += 1
            if self.looks == self._cancel_at:
                self.set()
        return super().is_set()

    def note(self) -> None:
        """Take down the time since the last look."""
        now = time.thread_time()
        layer = self._layers[0] if len(self._layers) == 1 else 0.0  # two in a row are one look too few
        self.longest_layer_s = max(self.longest_layer_s, layer)
        self.longest_other_s = max(self.longest_other_s, now - self._since - layer)
        self._since, self._layers = now, []

    @contextmanager
    def over(self, network: nn.Module) -> Iterator[None]:
        """Tell the time of the network's layers, inside which nobody can look, from the rest."""
        begun: list[float] = []

        def before(module: Any, arguments: Any) -> None:
            begun.append(time.thread_time())

        def after(module: Any, arguments: Any, output: Any) -> None:
            self._layers.append(time.thread_time() - begun.pop())

        layers = [module for module in network.modules() if not any(module.children())]
        handles = [layer.register_forward_pre_hook(before) for layer in layers]
        handles += [layer.register_forward_hook(after) for layer in layers]
        try:
            yield
        finally:
            self.note()
            for handle in handles:
                handle.remove()


class Memory:
    """The most memory that this process held while it was watched.

    Attributes
    ----------
    base, peak
        Bytes before, and at most since.
    """

    def __init__(self) -> None:
        self._process = psutil.Process()
        self.base = self.peak = self._now()

    @property
    def growth(self) -> int:
        """Bytes that came on top of what was held before."""
        return self.peak - self.base

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Look every few milliseconds, from a thread of its own."""
        done = threading.Event()
        self.peak = max(self.peak, self._now())

        def look() -> None:
            while not done.wait(_SAMPLE_S):
                self.peak = max(self.peak, self._now())

        thread = threading.Thread(target=look, name="memory", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _now(self) -> int:
        return int(self._process.memory_info().rss)
