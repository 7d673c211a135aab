"""Out of memory costs time, never the result; what was given up is said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from medviewer.errors import PluginError
from medviewer.inference.windows import Plan, Slabs, memory
from medviewer.inference.windows.memory import Ladder, Rung, first_batch, out_of_memory
from medviewer.plugin_api import RunContext
from medviewer.plugin_api.spec import Windows
from tests.inference.windows.sweeps import joined, network, start, volume


class Tight(nn.Module):
    """A network for which more voxels at once than `room` are too many, from call number `since` on."""

    def __init__(self, inner: nn.Module, room: int, error: Callable[[], Exception], since: int = 0) -> None:
        super().__init__()
        self.inner, self.room, self.error, self.since, self.calls = inner, room, error, since, 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        if x.numel() > self.room and self.calls > self.since:
            raise self.error()
        return self.inner(x)


def cuda_error() -> Exception:
    return torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")


def mapped() -> Exception:
    """What the host makes of what a plugin raises."""
    try:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:121] . DefaultCPUAllocator: can't allocate memory")
    except RuntimeError as error:
        wrapped = PluginError("Tiny failed while running its network.")
        wrapped.__cause__ = error
        return wrapped


@pytest.mark.parametrize("error", [cuda_error, MemoryError, mapped, lambda: RuntimeError("not enough memory")])
def test_a_smaller_batch_gives_the_same_result(error: Callable[[], Exception]) -> None:
    windows, values = Windows(roi=(6, 6, 6), batch=5), volume(1, 13, 14, 15)
    slabs = start(Tight(network(), 2 * 6**3, error), values, windows)
    torch.testing.assert_close(joined(slabs), joined(start(network(), values, windows)))
    assert slabs.steps == ["The memory of the computer ran out: 2 windows went through the network at once."]


def test_memory_that_runs_out_on_the_way_leaves_finished_slabs_as_they_are() -> None:
    windows, values = Windows(roi=(6, 6, 6), batch=4), volume(1, 30, 14, 15)
    tight = Tight(network(), 6**3, cuda_error, since=10)
    slabs = start(tight, values, windows)
    torch.testing.assert_close(joined(slabs), joined(start(network(), values, windows)))
    assert [step.partition(": ")[2] for step in slabs.steps] == [
        "2 windows went through the network at once.",
        "one window went through the network at once.",
    ]


class Point(nn.Module):
    """A network that looks at each voxel by itself: the size of its windows changes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor([1.0, -2.0]).reshape(2, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


@pytest.mark.parametrize("since", [0, 7, 40])
def test_smaller_windows_where_the_manifest_allows_them(since: int) -> None:
    windows, values = Windows(roi=(8, 12, 8), batch=1, multiple=4), volume(1, 40, 20, 17)
    slabs = start(Tight(Point(), 4 * 8 * 4, cuda_error, since), values, windows)
    torch.testing.assert_close(joined(slabs), torch.cat([values, -2 * values]))
    assert slabs.steps == ["The memory of the computer ran out: windows of 4 × 8 × 4 voxels were used."]


def test_smaller_windows_are_the_sweep_with_those_windows_from_there_on() -> None:
    windows, values = Windows(roi=(8, 8, 8), batch=1, multiple=4), volume(1, 40, 17, 16)
    tight = Tight(network(), 4**3, cuda_error, since=30)
    slabs = start(tight, values, windows)
    found, stops = [], []
    for slab in slabs:
        found.append(slab.scores.clone())
        stops.append((slab.stop, bool(slabs.steps)))
    turned = max(stop for stop, stepped in stops if not stepped)
    assert 0 < turned < 40
    ours = torch.cat(found, dim=1)
    large = joined(start(network(), values, windows))
    small = joined(start(network(), values, windows.model_copy(update={"roi": (4, 4, 4)})))
    torch.testing.assert_close(ours[:, :turned], large[:, :turned])
    torch.testing.assert_close(ours[:, turned:], small[:, turned:])


def test_nothing_left_to_give_up_is_one_sentence() -> None:
    slabs = start(Tight(network(), 0, cuda_error), volume(1, 8, 8, 8), Windows(roi=(8, 8, 8), batch=1))
    with pytest.raises(PluginError, match=r"single window of 8 × 8 × 8 voxels should fit .* close other programs"):
        next(slabs)


def test_what_is_no_lack_of_memory_is_raised() -> None:
    slabs = start(
        Tight(network(), 0, lambda: ZeroDivisionError("no")), volume(1, 8, 8, 8), Windows(roi=(8, 8, 8), batch=2)
    )
    with pytest.raises(ZeroDivisionError):
        next(slabs)
    assert slabs.steps == []


def test_the_whole_ladder_of_a_gpu() -> None:
    ladder = Ladder(Windows(roi=(16, 8, 8), batch=4, multiple=8), 4, "cuda:0", [])
    rungs = [ladder.step_down() for _ in range(5)]
    assert rungs == [Rung.BATCH, Rung.BATCH, Rung.BLEND, Rung.WINDOWS, Rung.DEVICE]
    assert (ladder.device, ladder.blend_device, ladder.windows.roi) == ("cpu", "cpu", (16, 8, 8))
    assert [step.partition(": ")[2] for step in ladder.steps] == [
        "2 windows went through the network at once.",
        "one window went through the network at once.",
        "windows were put together in the computer's memory.",
        "windows of 8 × 8 × 8 voxels were used.",
        "the rest ran on the CPU.",
    ]
    assert all(step.startswith("The memory of the GPU ran out") for step in ladder.steps)
    assert ladder.step_down() is Rung.WINDOWS
    with pytest.raises(PluginError, match="memory of the computer ran out"):
        ladder.step_down()


def test_a_network_that_cannot_be_moved_stays_on_the_gpu() -> None:
    ladder = Ladder(Windows(roi=(8, 8, 8)), 1, "cuda:0", [], movable=False)
    assert ladder.step_down() is Rung.BLEND
    with pytest.raises(PluginError, match="memory of the GPU ran out"):
        ladder.step_down()


def test_less_free_memory_begins_with_a_smaller_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_gb", lambda device: 3.0)
    assert first_batch(8, 8.0, "cpu") == (
        2,
        "Only 3.0 GB of memory were free: 2 windows went through the network at once.",
    )
    assert first_batch(8, 3.0, "cpu") == (8, "")
    assert first_batch(8, 0, "cpu") == (8, "")
    assert first_batch(1, 100.0, "cpu") == (1, "")


def test_free_memory_is_known_here() -> None:
    assert 0 < memory.free_gb("cpu") < 1e5


def test_other_errors_are_not_taken_for_a_lack_of_memory() -> None:
    assert not out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert out_of_memory(RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"))


class Visiting(Tight):
    """A network that knows where it lies, and runs out of memory on anything but the CPU."""

    def __init__(self, inner: nn.Module, since: int) -> None:
        super().__init__(inner, 0, cuda_error, since)
        self.places = [FIRST]

    def to(self, *arguments: Any, **keywords: Any) -> Visiting:
        self.places.append(str(arguments[0]))
        return super().to(*arguments, **keywords)

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x) if self.places[-1] == "cpu" else super().forward(x)


FIRST = "cpu:0"
"""A device by another name than the CPU's: what is done on the way from a GPU to the CPU is done here, too."""


@pytest.mark.parametrize("since", [0, 4])
def test_the_rest_runs_on_the_cpu(since: int) -> None:
    windows, values = Windows(roi=(6, 6, 6), batch=2), volume(1, 15, 8, 9)
    said: list[str] = []
    context = replace(RunContext(), report=lambda fraction, words: said.append(words))
    tight = Visiting(network(), since)
    slabs = start(tight, values, windows, context, device=FIRST)
    torch.testing.assert_close(joined(slabs), joined(start(network(), values, windows)))
    assert [step.partition(": ")[2] for step in slabs.steps] == [
        "one window went through the network at once.",
        "windows were put together in the computer's memory.",
        "the rest ran on the CPU.",
    ]
    assert slabs.device == "cpu"
    assert tight.places == [FIRST, "cpu", FIRST]  # networks are kept for the next run, where it expects them
    assert "on the CPU" in said[-1]


def test_a_network_inside_a_function_is_moved_where_the_plan_names_it() -> None:
    tight = Visiting(network(), 0)
    slabs = start(lambda x: tight(x), volume(1, 8, 8, 8), Windows(roi=(6, 6, 6)), device=FIRST, modules=(tight,))
    joined(slabs)
    assert slabs.device == "cpu"
    assert tight.places == [FIRST, "cpu", FIRST]


def test_networks_are_put_back_when_the_sweep_is_given_up() -> None:
    tight = Visiting(network(), 0)
    slabs = start(tight, volume(1, 20, 8, 8), Windows(roi=(6, 6, 6)), device=FIRST)
    next(slabs)
    slabs.close()
    assert tight.places == [FIRST, "cpu", FIRST]


class Homeless(Point):
    """A network for which the GPU has no room any more."""

    def __init__(self) -> None:
        super().__init__()
        self.moves: list[str] = []

    def to(self, device: str) -> Homeless:  # type: ignore[override]
        self.moves.append(device)
        if device != "cpu":
            raise cuda_error()
        return self


def test_a_result_is_not_lost_because_the_network_cannot_go_back() -> None:
    network = Homeless()
    slabs = Slabs(network, volume(1, 8, 8, 8), Windows(roi=(8, 8, 8)), Plan(device="cuda:0"), RunContext())
    slabs._ladder = Ladder(Windows(roi=(8, 8, 8)), 1, "cpu", [])
    slabs._go_back()
    assert network.moves == ["cuda:0", "cpu"], "all of it is in one place"
