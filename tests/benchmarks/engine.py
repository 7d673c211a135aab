"""The sliding window against MONAI's, its own share of the time, and the memory that 100 classes take.

    python tests/benchmarks/engine.py [--runs N] [--full] [--json] [--only WORDS] [--shape Z Y X] [--clock wall|cpu]
        [--threads N]

Both sides take the same volume through the same networks with the same weights, windows of 96 at overlap 0.5, gaussian,
and end with a label map on the CPU; a Dice below 0.999 between the two maps stops the script. The networks are
MONAI's UNet and DynUNet of 16, 32, 64 and 128 channels with 2 classes, taught for a moment to find bright balls in
noise, because the classes of an untaught network are decided by rounding. Runs are paired, one after the other, and a
ratio is the median of the pairs' ratios, so that a busy machine troubles both sides alike.

MONAI's scores become labels by torch's argmax, as its AsDiscrete does it, and ours by the app's LabelSink, with its
check for finite scores and its measure of doubt. On a CPU torch's argmax along the channels takes 110 ns a voxel, which
is part of the ratios.

- "everywhere" is a volume of noise: every window has to be looked at.
- "body in air" has one value around an elliptic cylinder, as a clipped CT has; stock MONAI gets it in full.
- "its box" is the same where the host's foreground crop comes first, as it does for a plugin that asks for it. Stock
  MONAI is timed on all of it; the Dice is that of both on the box, because windows that lie elsewhere see other things.
- "half" is bfloat16 on a CPU that computes with it and float16 on CUDA, on our side only.

With a CUDA device everything runs there. Default sizes and cases are for three minutes of a CPU of two cores; --full
runs every case, on 512 x 512 x 300 voxels, and a 384^3 volume from its first to its last window.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from medviewer.domain.geometry import Grid  # noqa: E402 - the script runs without an installed package
from medviewer.domain.mask import dice  # noqa: E402
from medviewer.inference.answering.labels import Labels, LabelSink  # noqa: E402
from medviewer.inference.doubting.doubts import UncertaintyMeter  # noqa: E402
from medviewer.inference.preparing.frame import NetworkFrame  # noqa: E402
from medviewer.inference.windows import Plan, predict_slabs, ring  # noqa: E402
from medviewer.inference.windows.passes import has_half  # noqa: E402
from medviewer.plugin_api import RunContext  # noqa: E402
from medviewer.plugin_api.spec import Windows  # noqa: E402

if TYPE_CHECKING:
    from torch import Tensor, nn

WINDOWS = Windows(roi=(96, 96, 96), overlap=0.5)
CLASSES = 2
SHAPE, FULL = (144, 192, 192), (300, 512, 512)
"""(z, y, x)"""
FASTER = {"cpu": 1.3, "cuda": 1.5}
SHARE = 0.10
PEAK_GB = 8.0
AGREEMENT = 0.999
LESSONS = 120
"""Steps of teaching a network."""

Row = dict[str, object]


def device() -> str:
    """Where everything runs."""
    import torch

    return "cuda:0" if torch.cuda.is_available() else "cpu"


def scene(shape: tuple[int, int, int], air: bool) -> tuple[Tensor, Tensor]:
    """Bright balls in noise (1, z, y, x), and their labels; with `air`, one value around a cylinder."""
    import torch

    rng = torch.Generator().manual_seed(0)
    values = torch.rand((1, *shape), generator=rng) * 0.5
    labels = torch.zeros(shape, dtype=torch.uint8)
    z, y, x = (torch.linspace(-1, 1, size) for size in shape)
    for _ in range(8):
        at = torch.rand(3, generator=rng) * 1.2 - 0.6
        distance = (z - at[0])[:, None, None] ** 2 + (y - at[1])[:, None] ** 2 + (x - at[2]) ** 2
        labels[distance < 0.06] = 1
    values[0] += labels * 0.5
    if air:
        outside = (y[:, None] / 0.5) ** 2 + (x / 0.7) ** 2 > 1
        values[0].masked_fill_(outside, -1.0)
        labels.masked_fill_(outside, 0)
    return values, labels


def volume(shape: tuple[int, int, int], air: bool) -> Tensor:
    """A scene without its labels."""
    return scene(shape, air)[0]


def body_box(values: Tensor) -> tuple[slice, slice]:
    """Rows and columns of the body: the host's foreground crop."""
    inside = (values[0] > -1).any(dim=0)
    y, x = inside.any(dim=1).nonzero().flatten(), inside.any(dim=0).nonzero().flatten()
    return slice(int(y[0]), int(y[-1]) + 1), slice(int(x[0]), int(x[-1]) + 1)


@cache
def network(name: str, classes: int = CLASSES) -> nn.Module:
    """A network that was taught for a moment."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of MONAI's, at import
        from monai.networks.nets import DynUNet, UNet
    torch.manual_seed(0)
    filters = (16, 32, 64, 128)
    # 100 channels through two more convolutions are ten times the work, and no other memory
    residual = 2 if classes == CLASSES else 0
    made: nn.Module = (
        UNet(3, 1, classes, filters, (2, 2, 2), num_res_units=residual)
        if name == "UNet"
        else DynUNet(3, 1, classes, [3] * 4, [1, 2, 2, 2], [2, 2, 2], filters=filters)
    )
    if classes == CLASSES:
        teach(made)
    return made.eval().to(device())


def teach(net: nn.Module) -> None:
    """Show it bright balls, in noise and in a body with air around it."""
    import torch

    optimizer = torch.optim.Adam(net.parameters(), 3e-3)
    scenes = [scene((96, 96, 96), air=air) for air in (False, True)]
    rng = np.random.default_rng(0)
    for step in range(LESSONS):
        whole, truth = scenes[step % 2]
        z, y, x = rng.integers(0, 64, 3)
        part = (slice(z, z + 32), slice(y, y + 32), slice(x, x + 32))
        loss = torch.nn.functional.cross_entropy(net(whole[(slice(None), *part)][None]), truth[part][None].long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def stock(net: nn.Module, values: Tensor, batch: int) -> NDArray[np.uint8]:
    """MONAI's way to a label map."""
    import torch
    from monai.inferers import sliding_window_inference

    with torch.inference_mode():
        scores = sliding_window_inference(
            values[None].to(device()), WINDOWS.roi, batch, net, overlap=WINDOWS.overlap, mode="gaussian"
        )
        return np.asarray(scores[0].argmax(dim=0).to(torch.uint8).cpu().numpy())


def ours(
    net: Callable[[Tensor], Tensor], values: Tensor, batch: int, modules: tuple[nn.Module, ...] = (), **plan: Any
) -> Labels:
    """Our way to a label map, with all that the app does to scores on the way."""
    windows, context = WINDOWS.model_copy(update={"batch": batch}), RunContext(device())
    z, y, x = values.shape[1:]
    sink = LabelSink(
        NetworkFrame(Grid((z, y, x)), (z, y, x)), CLASSES - 1, background=True, threshold=0.5, context=context
    )
    meter = UncertaintyMeter(background=True)
    for slab in predict_slabs(net, values, windows, Plan(device(), modules=modules, **plan), context):
        if not np.isfinite([float(limit) for limit in slab.scores.aminmax()]).all():
            raise SystemExit("The network should give finite scores, but some are not a number.")
        meter.add(slab.scores, None, probabilities=False)
        sink.add(slab.start, slab.scores)
    return sink.labels


@dataclass
class Clock:
    """Seconds of work: of the wall, or of this process, which other programs on the machine trouble less."""

    cpu: bool = False

    def __call__(self, run: Callable[[], object]) -> float:
        """How long one run takes."""
        now = time.process_time if self.cpu else time.perf_counter
        start = now()
        run()
        _wait()
        return now() - start


def _wait() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


@contextmanager
def timed(net: nn.Module, clock: Clock) -> Iterator[tuple[Callable[[Tensor], Tensor], list[float]]]:
    """The network as a function that notes how long each call takes."""
    spent: list[float] = []

    def run(windows: Tensor) -> Tensor:
        out: list[Tensor] = []
        _wait()
        spent.append(clock(lambda: out.append(net(windows))))
        return out[0]

    yield run, spent


def share_rows(runs: int, shape: tuple[int, int, int], clock: Clock) -> list[Row]:
    """How much of a sweep is not the network."""
    values, net, shares = volume(shape, air=False), network("UNet"), []
    for _ in range(runs + 1):
        with timed(net, clock) as (run, spent):
            whole = clock(lambda run=run: ours(run, values, 1, (net,)))  # type: ignore[misc]
        shares.append((whole - sum(spent)) / sum(spent))
    share = statistics.median(shares[1:])
    return [_row("harness over the network's own time, UNet", share, SHARE, share <= SHARE, "of it")]


@dataclass(frozen=True)
class Case:
    """One comparison: what stock MONAI gets, and what our side gets of it."""

    title: str
    network: str
    full: Tensor
    seen: Tensor
    batch: int
    amp: bool = False
    brief: bool = False
    """Whether it is run where nothing else was asked for."""


def race_rows(runs: int, shape: tuple[int, int, int], clock: Clock, only: str, every: bool) -> Iterator[Row]:
    """Ours against stock MONAI; without `every` and `only`, those that a CPU of two cores does in three minutes."""
    target = FASTER[device().partition(":")[0]]
    noise, body = volume(shape, air=False), volume(shape, air=True)
    crop = body[(slice(None), slice(None), *body_box(body))]
    cases: list[Case] = []
    for name in ("UNet", "DynUNet"):
        light = name == "UNet"
        cases += [Case(f"{name}, everywhere, 1 at once", name, noise, noise, 1, brief=light)]
        cases += [Case(f"{name}, everywhere, 4 at once", name, noise, noise, 4, brief=light)]
        if has_half(device()):
            cases += [Case(f"{name}, everywhere, 4 at once, half", name, noise, noise, 4, amp=True, brief=light)]
        cases += [Case(f"{name}, body in air, 4 at once", name, body, body, 4, brief=light)]
        cases += [Case(f"{name}, body in air, its box, 4 at once", name, body, crop, 4, brief=light)]
    # seven times the work a window: few of them
    few = noise[:, :96, :144, :144]
    cases += [Case("DynUNet, everywhere, 4 windows, 4 at once", "DynUNet", few, few, 4, brief=True)]
    return (
        _race(runs, clock, target, case)
        for case in cases
        if (every or only or case.brief)
        and set(only.replace(",", "").split()) <= set(case.title.replace(",", "").split())
    )


def _race(runs: int, clock: Clock, target: float, case: Case) -> Row:
    net, boxed = network(case.network), case.seen.shape != case.full.shape

    def theirs() -> NDArray[np.uint8]:
        return stock(net, case.full, case.batch)

    def mine() -> Labels:
        return ours(net, case.seen, case.batch, (net,), amp=case.amp)

    # a crop moves the windows, and what a window makes of its rim is not what is compared here
    expected, found = (stock(net, case.seen, case.batch) if boxed else theirs()), mine()
    agreement = min(dice(found == label, expected == label) for label in range(CLASSES))
    if agreement < AGREEMENT:
        raise SystemExit(
            f"Both ways should give the same labels, but the lowest Dice of {case.title} is {agreement:.4f}."
        )
    pairs = [(clock(theirs), clock(mine)) for _ in range(runs)]
    ratio = statistics.median(stock_s / ours_s for stock_s, ours_s in pairs)
    row = _row(f"against stock MONAI: {case.title}", ratio, target, ratio >= target, "times as fast")
    seconds = {"ours": statistics.median(b for _, b in pairs), "baseline": statistics.median(a for a, _ in pairs)}
    return {**row, **{key: round(value, 2) for key, value in seconds.items()}, "dice": round(agreement, 5)}


def half_rows(shape: tuple[int, int, int]) -> list[Row]:
    """What sums in half precision change, where there is room for both."""
    net, values = network("UNet"), volume(shape, air=False)
    single, limit = ours(net, values, 2), ring.HALF_ABOVE
    ring.HALF_ABOVE = 0
    try:
        halved = ours(net, values, 2)
    finally:
        ring.HALF_ABOVE = limit
    agreement = min(dice(halved == label, single == label) for label in range(CLASSES))
    return [_row("sums in float16 against float32, UNet", agreement, AGREEMENT, agreement >= AGREEMENT, "lowest Dice")]


def peak_row(full: bool) -> Row:
    """The memory of 100 classes at 384^3, in a process of its own."""
    command = [sys.executable, __file__, "--peak", *(["--full"] if full else [])]
    peak = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])
    extent = "the whole volume" if full else "the first layer of windows"
    return _row(f"100 classes, 384^3, UNet, peak over {extent}", peak, PEAK_GB, peak <= PEAK_GB, "GB")


def peak(full: bool) -> float:
    """What this process needs more while 100 classes are found, in GB: of the GPU, or of the CPU's memory."""
    import torch

    net, values = network("UNet", 100), torch.rand((1, 384, 384, 384))
    # what is held depends on the windows' size, not on how many there are
    windows = WINDOWS if full else WINDOWS.model_copy(update={"overlap": 0.0})
    before = psutil.Process().memory_info().rss
    for slab in predict_slabs(net, values, windows, Plan(device(), modules=(net,)), RunContext(device())):
        slab.scores.argmax(dim=0)
        if not full:
            break
    if device() != "cpu":
        return torch.cuda.max_memory_allocated() / 1e9
    import resource  # not on Windows

    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before) / 1e9


def _row(name: str, value: float, target: float, holds: bool, unit: str) -> Row:
    where = "CUDA" if device() != "cpu" else "CPU"
    return {
        "name": f"{name}, {where}",
        "value": round(value, 4 if "Dice" in unit else 3),
        "target": target,
        "unit": unit,
        "holds": holds,
    }


def _line(row: Row) -> str:
    verdict = "holds" if row["holds"] else "missed"
    extra = f" ({row['ours']} s against {row['baseline']} s, lowest Dice {row['dice']})" if "dice" in row else ""
    return f"{row['name']}: {row['value']} {row['unit']}{extra}, target {row['target']}: {verdict}\n"


def main() -> None:
    """Print the table, or its JSON."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=2, help="pairs of runs (default 2)")
    parser.add_argument("--full", action="store_true", help="512 x 512 x 300, and all windows of 384^3")
    parser.add_argument("--shape", type=int, nargs=3, help="another size (z y x) of the compared volume")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--only", default="", help="words of the comparisons to run, such as 'UNet, 4 at'")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="what is timed (default wall)")
    parser.add_argument("--threads", type=int, default=0, help="torch threads of both sides (default torch's own)")
    parser.add_argument("--peak", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    if chosen.peak:
        sys.stdout.write(f"{peak(chosen.full)}\n")
        return
    z, y, x = chosen.shape or (FULL if chosen.full else SHAPE)
    shape, clock, rows = (z, y, x), Clock(chosen.clock == "cpu"), []
    for group in (
        lambda: race_rows(chosen.runs, shape, clock, chosen.only, chosen.full),
        lambda: [] if chosen.only else share_rows(chosen.runs, shape, clock),
        lambda: [] if chosen.only else half_rows(shape),
        lambda: [] if chosen.only else [peak_row(chosen.full)],
    ):
        for row in group():
            rows.append(row)
            if not chosen.json:
                sys.stdout.write(_line(row))
                sys.stdout.flush()
    if chosen.json:
        sys.stdout.write(json.dumps({"rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
