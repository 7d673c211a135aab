"""Windows through a network, slab by slab along z."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from medviewer.inference.windows.blend import window_weights
from medviewer.inference.windows.grid import window_grid
from medviewer.inference.windows.plan import Network, Plan, Slab
from medviewer.plugin_api import RunContext

if TYPE_CHECKING:
    from torch import Tensor

    from medviewer.plugin_api.spec import Windows


class Slabs:
    """The slabs of one sweep, in order of z, non-overlapping, covering the volume; to be gone through once.

    Parameters
    ----------
    network, values, windows, plan, context
        As `predict_slabs` takes them.

    Attributes
    ----------
    steps
        What the sweep did differently to fit into memory, one sentence each, for `Provenance.steps`. Complete after the
        last slab.
    device
        Where it runs now: the CPU after the GPU's memory ran out.
    """

    def __init__(self, network: Network, values: Tensor, windows: Windows, plan: Plan, context: RunContext) -> None:
        self.steps: list[str] = []
        self.device = plan.device
        self._slabs = _slabs(network, values, windows, plan, context)

    def __iter__(self) -> Iterator[Slab]:
        return self._slabs

    def __next__(self) -> Slab:
        return next(self._slabs)


def predict_slabs(network: Network, values: Tensor, windows: Windows, plan: Plan, context: RunContext) -> Slabs:
    """Take a volume through a network window by window.

    Parameters
    ----------
    network
        On `plan.device`, in evaluation mode. With a `windows.roi` of two numbers it is a 2-D network, which sees every
        slice of the volume by itself.
    values
        Network input (channels, z, y, x), float32, on the CPU; a picture is (channels, 1, y, x).
    windows
        Size, overlap, batch and blending. A network that sees its whole input at once is a roi of that size.
    plan
        Where and how thoroughly.
    context
        Cancelled before each batch; told how far the sweep is, 0 to 1, in its own share of the run.

    Returns
    -------
    An iterator of `Slab`, whose `steps` are complete after the last one.

    Raises
    ------
    JobCancelled
        If the run was cancelled.
    InputError
        If the volume is empty.
    """
    return Slabs(network, values, windows, plan, context)


def _slabs(network: Network, values: Tensor, windows: Windows, plan: Plan, context: RunContext) -> Iterator[Slab]:
    import torch

    grid = window_grid(values.shape[1:], windows)
    flat = len(windows.roi) == 2
    weights = window_weights(grid.roi, windows.blend, plan.device)
    padding = [n for pair in zip(reversed(grid.before), reversed(grid.after), strict=True) for n in pair]
    padded = torch.nn.functional.pad(values, padding)
    scores = torch.zeros(0)
    count = torch.zeros(grid.shape, device=plan.device)
    done = 0
    with torch.inference_mode():
        for z in grid.starts[0]:
            for y, x in grid.places:
                context.progress(done / grid.count, f"Window {done + 1} of {grid.count}")
                box = (slice(z, z + grid.roi[0]), slice(y, y + grid.roi[1]), slice(x, x + grid.roi[2]))
                window = padded[(slice(None), *box)][None].to(plan.device)
                output = network(window[:, :, 0])[:, :, None] if flat else network(window)
                if not done:
                    scores = torch.zeros((output.shape[1], *grid.shape), device=plan.device)
                scores[(slice(None), *box)] += output[0] * weights
                count[box] += weights
                done += 1
        scores /= count
    inner = [
        slice(first, extent - last) for first, extent, last in zip(grid.before, grid.shape, grid.after, strict=True)
    ]
    yield Slab(0, values.shape[1], scores[(slice(None), *inner)])
