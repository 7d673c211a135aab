"""Windows through a network, slab by slab along z."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

from medviewer.inference.windows.blend import window_weights
from medviewer.inference.windows.grid import window_grid
from medviewer.inference.windows.heap import kept_memory
from medviewer.inference.windows.layers import LayerRun
from medviewer.inference.windows.memory import Ladder, Rung, first_batch, out_of_memory, release
from medviewer.inference.windows.passes import Passes, has_half
from medviewer.inference.windows.plan import Network, Plan, Slab, Values
from medviewer.inference.windows.progress import Watch
from medviewer.inference.windows.ring import Ring
from medviewer.plugin_api import RunContext

if TYPE_CHECKING:
    from torch import nn

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
    """

    def __init__(self, network: Network, values: Values, windows: Windows, plan: Plan, context: RunContext) -> None:
        if not plan.flips or (plan.uncertainty and plan.probabilities is None):
            raise ValueError("a plan needs a pass, and probabilities where uncertainty is wanted")
        self.steps: list[str] = []
        self._values = values
        self._plan = plan
        self._context = context
        self._modules = _modules((network, *plan.networks, *plan.modules))
        self._passes = Passes((network, *plan.networks), plan, context, flat=len(windows.roi) == 2)
        batch, said = first_batch(windows.batch, plan.memory_gb, plan.device)
        self.steps += [said] if said else []
        if batch == windows.batch:
            batch = max(batch, _least_batch(plan, self._modules))
        self._ladder = Ladder(windows, batch, plan.device, self.steps, movable=bool(self._modules))
        self._emitted = 0
        self._slabs = self._run()

    def __iter__(self) -> Iterator[Slab]:
        return self._slabs

    def __next__(self) -> Slab:
        return next(self._slabs)

    def close(self) -> None:
        """Give the sweep up: networks go back to where they were."""
        self._slabs.close()

    @property
    def device(self) -> str:
        """Where it runs now: the CPU after the GPU's memory ran out."""
        return self._ladder.device

    def _run(self) -> Generator[Slab, None, None]:
        import torch

        if self._plan.channels_last:
            for module in self._modules:
                _lay_out(module)
        try:
            with kept_memory(torch.device(self._plan.device).type == "cpu"):
                while (yield from self._sweep()) is not None:
                    self._start_over()
        finally:
            if self._ladder.device != self._plan.device:
                self._go_back()

    def _sweep(self) -> Generator[Slab, None, Rung | None]:
        """Slabs from the first unfinished slice on, with the windows and on the device that the ladder says.

        Returns
        -------
        The step down after which another sweep has to go on, None at the end of the volume.
        """
        ladder, values = self._ladder, self._values
        grid = window_grid(values.shape[1:], ladder.windows)
        weights = window_weights(grid.roi, ladder.windows.blend, ladder.device)
        ring = Ring(grid, weights, ladder.blend_device, self._plan.exclusive)
        watch = Watch(self._context, grid.count, fallen=ladder.device != self._plan.device)
        run = LayerRun(values, grid, ring, ladder, self._passes, watch)
        first = self._emitted + grid.before[0]
        for z, following in zip(grid.starts[0], (*grid.starts[0][1:], grid.shape[0]), strict=True):
            if z + grid.roi[0] <= first:
                watch.skip(len(grid.places))
                continue
            rung = run.layer(z)
            if rung is not None:
                return rung
            for slab in ring.finished(z, following, first):
                self._emitted = slab.stop
                yield slab
        return None

    def _start_over(self) -> None:
        """Take the networks to where the ladder says; the sweep that failed is gone, and its memory with it."""
        release(self._plan.device)
        if self._ladder.device != self._plan.device:
            self._move(self._ladder.device)
            release(self._plan.device)

    def _go_back(self) -> None:
        """Take the networks back to where they were; all of them stay if the room there is another program's by now.

        The result that is there already must not be lost for that. Whoever runs them next moves them.
        """
        try:
            self._move(self._plan.device)
        except Exception as error:  # as in LayerRun
            if not out_of_memory(error):
                raise
            self._move(self._ladder.device)

    def _move(self, device: str) -> None:
        for module in self._modules:
            module.to(device)


def predict_slabs(network: Network, values: Values, windows: Windows, plan: Plan, context: RunContext) -> Slabs:
    """Take a volume through a network window by window.

    Windows lie, weigh and blend as in MONAI's ``sliding_window_inference`` (gaussian of an eighth of the window, zeros
    around a volume smaller than a window), so that both give the same scores. But only the slices that windows still
    write on are held, and those that are finished are handed out at once. When memory runs out, the batch is halved,
    then windows are put together outside the GPU, then they get smaller where `Windows.multiple` allows it, then the
    rest runs on the CPU; what was handed out before stays as it is.

    Parameters
    ----------
    network
        On `plan.device`, in evaluation mode. With a `windows.roi` of two numbers it is a 2-D network, which sees every
        slice of the volume by itself. It sees one window as it sees another, wherever they lie: windows of one and the
        same value throughout are asked for once.
    values
        Network input (channels, z, y, x), float32, on the CPU; a picture is (channels, 1, y, x). Slices are asked for
        when the first window needs them, in order of z.
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
    ContractError
        If the network answers with something other than scores of the windows' size.
    PluginError
        If a single window does not fit into memory.
    """
    return Slabs(network, values, windows, plan, context)


def _modules(networks: tuple[Network | nn.Module, ...]) -> tuple[nn.Module, ...]:
    import torch

    return tuple(dict.fromkeys(network for network in networks if isinstance(network, torch.nn.Module)))


def _least_batch(plan: Plan, modules: tuple[nn.Module, ...]) -> int:
    """How many windows at once a network needs to be fast.

    On a CPU torch takes a single small window through its own 3-D convolution, which is slower than oneDNN's
    (``use_mkldnn`` in torch's Convolution.cpp); two windows always get the faster one, and so does bfloat16.
    """
    import torch

    if torch.device(plan.device).type != "cpu" or (plan.amp and has_half(plan.device)):
        return 1
    return 2 if any(isinstance(layer, torch.nn.Conv3d) for module in modules for layer in module.modules()) else 1


def _lay_out(module: nn.Module) -> None:
    """Put the channels of a network's convolutions innermost; the numbers stay the same."""
    import torch

    for parameter in module.parameters():
        if parameter.ndim in (4, 5):
            order = torch.channels_last if parameter.ndim == 4 else torch.channels_last_3d
            parameter.data = parameter.data.contiguous(memory_format=order)
