"""One layer of windows after the other: those that begin at the same slice."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING

from medviewer.inference.windows.grid import WindowGrid
from medviewer.inference.windows.memory import Ladder, Rung, out_of_memory, release
from medviewer.inference.windows.passes import Passes, ready
from medviewer.inference.windows.plan import Values
from medviewer.inference.windows.progress import Watch
from medviewer.inference.windows.repeats import Repeats, Value
from medviewer.inference.windows.ring import Ring

if TYPE_CHECKING:
    from torch import Tensor

_HALVED = "Windows were put together in half precision: so many classes take too much memory otherwise."

Place = tuple[int, int]
Chunk = list[tuple[Place, "Value | None"]]
"""Windows that go through the network together: where they begin (y, x), and their value if they hold only one."""


@dataclass
class LayerRun:
    """Takes layers of windows through the passes and onto the ring.

    Parameters
    ----------
    values
        Network input (channels, z, y, x) on the CPU.
    grid, ring
        Where windows lie, and where they are added up.
    ladder
        How it runs now; it steps down here.
    passes
        The networks.
    watch
        Who is told.
    """

    values: Values
    grid: WindowGrid
    ring: Ring
    ladder: Ladder
    passes: Passes
    watch: Watch
    _repeats: Repeats = field(default_factory=Repeats)
    _seen: Tensor | None = field(default=None, repr=False)
    """The present layer's input on the device."""

    def layer(self, z: int) -> Rung | None:
        """Take the windows that begin at slice `z` through the network.

        Returns
        -------
        The step down after which another sweep has to go on; None if the layer is done.
        """
        host = self.grid.layer(self.values, z)
        todo = deque(self.grid.places)
        while todo:
            self.watch.tell()
            chunk = self._take(host, z, todo)
            if not chunk or self._done(host, z, chunk):
                continue
            todo.extendleft(place for place, _ in reversed(chunk))
            rung = self._step_down()
            if rung in (Rung.WINDOWS, Rung.DEVICE):
                return rung
        self._seen = None
        return None

    def _take(self, host: Tensor, z: int, todo: deque[Place]) -> Chunk:
        """The next windows that the network has to see; those that it saw before are done on the way."""
        chunk: Chunk = []
        later: list[Place] = []
        at_once = even_batch(len(todo), self.ladder.batch)
        while todo and len(chunk) < at_once:
            place = todo.popleft()
            value = self._repeats.value(_window(host, self.grid, place)) if self.passes.repeatable else None
            answer = None if value is None else self._repeats.find(value)
            if answer is not None:
                self.ring.add(z, [place], *answer)
                self.watch.add(1)
            elif value is not None and any(value == other for _, other in chunk):
                later.append(place)
            else:
                chunk.append((place, value))
        todo.extendleft(reversed(later))
        return chunk

    def _done(self, host: Tensor, z: int, chunk: Chunk) -> bool:
        """Take a chunk through the network and onto the ring; False, and nothing done, if memory ran out."""
        import torch

        device, many = self.ladder.device, self.grid.count > 1
        try:
            with ready(self.passes.plan, device, many):
                if self._seen is None:
                    self._seen = host.to(device)
                windows = torch.stack([_window(self._seen, self.grid, place) for place, _ in chunk])
                scores, expected = self.ring.prepare(*self.passes(windows))
                for number, (_, value) in enumerate(chunk):
                    if value is not None:
                        one = slice(number, number + 1)
                        self._repeats.keep(value, (scores[one], None if expected is None else expected[one]))
        except Exception as error:  # whatever runs the network has its own word for it
            if not out_of_memory(error):
                raise
            return False
        if self.ring.halved and _HALVED not in self.ladder.steps:
            self.ladder.steps.append(_HALVED)
        self.ring.add(z, [place for place, _ in chunk], scores, expected)
        self.watch.add(len(chunk))
        return True

    def _step_down(self) -> Rung:
        """Give back what can be had again, and give something up."""
        self._seen = None
        self._repeats.forget()
        release(self.ladder.device)
        rung = self.ladder.step_down()
        if rung is Rung.BLEND:
            self.ring.move(self.ladder.blend_device)
            release(self.ladder.device)
        return rung


def even_batch(windows: int, most: int) -> int:
    """How many of `windows` go first, so that all of them go in as few batches as `most` allows, of about one size.

    Nine at most four at a time are 3, 3, 3 and not 4, 4, 1: a window by itself is the slowest of all on a CPU (see
    `slabs`), and on a GPU cuDNN looks for the fastest algorithm once a size.
    """
    return ceil(windows / ceil(windows / most))


def _window(layer: Tensor, grid: WindowGrid, place: Place) -> Tensor:
    y, x = place
    return layer[:, :, y : y + grid.roi[1], x : x + grid.roi[2]]
