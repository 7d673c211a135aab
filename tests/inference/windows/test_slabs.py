"""Slabs put together are what MONAI's sliding window gives, whatever the shape."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.inferers import sliding_window_inference
from torch import Tensor, nn

from medviewer.errors import ContractError, JobCancelled
from medviewer.inference.windows import Plan, ring
from medviewer.plugin_api import RunContext
from medviewer.plugin_api.spec import Windows
from tests.inference.windows.sweeps import joined, network, start, volume


def stock(net: nn.Module, values: Tensor, windows: Windows) -> Tensor:
    """MONAI's answer (K, z, y, x)."""
    with torch.inference_mode():
        return sliding_window_inference(values[None], windows.roi, 1, net, overlap=windows.overlap, mode=windows.blend)[
            0
        ]


@settings(max_examples=30)
@given(
    shape=st.tuples(*[st.integers(1, 19)] * 3),
    roi=st.tuples(*[st.integers(2, 9)] * 3),
    overlap=st.sampled_from([0, 0.25, 0.5, 0.625]),
    batch=st.integers(1, 5),
    channels=st.integers(1, 3),
    blend=st.sampled_from(["gaussian", "constant"]),
)
def test_scores_are_those_of_monai(
    shape: tuple[int, ...], roi: tuple[int, ...], overlap: float, batch: int, channels: int, blend: str
) -> None:
    windows = Windows(roi=roi, overlap=overlap, batch=batch, blend=blend)
    net, values = network(channels, 3), volume(channels, *shape)
    ours = joined(start(net, values, windows))
    torch.testing.assert_close(ours, stock(net, values, windows), rtol=1e-4, atol=1e-5)


@settings(max_examples=15)
@given(
    shape=st.tuples(st.integers(1, 4), st.integers(1, 19), st.integers(1, 19)),
    roi=st.tuples(*[st.integers(2, 9)] * 2),
    overlap=st.sampled_from([0, 0.5, 0.625]),
)
def test_a_2d_network_sees_slice_by_slice(shape: tuple[int, ...], roi: tuple[int, ...], overlap: float) -> None:
    windows = Windows(roi=roi, overlap=overlap, batch=3)
    net, values = network(2, 3, flat=True), volume(2, *shape)
    ours = joined(start(net, values, windows))
    theirs = torch.stack([stock(net, values[:, z], windows) for z in range(shape[0])], dim=1)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_a_network_that_sees_everything_at_once_takes_the_same_road() -> None:
    net, values = network(), volume(1, 6, 7, 5)
    ours = joined(start(net, values, Windows(roi=(6, 7, 5), overlap=0, blend="constant")))
    with torch.inference_mode():
        assert torch.equal(ours, net(values[None])[0])


@pytest.mark.parametrize("plan", [{"channels_last": True}, {"amp": True}])
def test_layout_and_half_precision_change_only_rounding(plan: dict[str, bool]) -> None:
    windows, values = Windows(roi=(8, 8, 8), batch=2), volume(1, 12, 13, 14)
    ours = joined(start(network(), values, windows, **plan))
    tolerance = 5e-2 if "amp" in plan else 1e-4
    torch.testing.assert_close(ours, stock(network(), values, windows), rtol=tolerance, atol=tolerance)


def test_sums_in_half_precision_change_only_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ring, "HALF_ABOVE", 0)
    windows, values = Windows(roi=(8, 8, 8), batch=2), volume(1, 20, 13, 14)
    slabs = start(network(classes=4), values, windows)
    torch.testing.assert_close(joined(slabs), stock(network(classes=4), values, windows), rtol=5e-3, atol=5e-3)
    assert slabs.steps == [
        "Windows were put together in half precision: so many classes take too much memory otherwise."
    ]


def test_slabs_are_thin_enough_to_work_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ring, "_SLAB_BYTES", 4 * 2 * 13 * 14 * 3)
    windows, values = Windows(roi=(8, 8, 8)), volume(1, 20, 13, 14)
    assert {slab.stop - slab.start for slab in start(network(), values, windows)} <= {1, 2, 3}
    torch.testing.assert_close(joined(start(network(), values, windows)), stock(network(), values, windows))


def test_only_unfinished_slices_are_held() -> None:
    """100 classes of 384^3 in windows of 96, at an eighth of the size: what is held follows from that."""
    windows, values = Windows(roi=(12, 12, 12), batch=1), volume(1, 48, 48, 48)
    held = []

    class Wide(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.expand(-1, 100, -1, -1, -1)

    slabs = start(Wide(), values, windows)
    for slab in slabs:
        storage = slab.scores.untyped_storage().nbytes()
        held.append(storage)
        assert slab.stop - slab.start <= 12
    per_slice = 4 * 100 * 48 * 48
    assert set(held) == {12 * per_slice}
    # at full size in float32 the sums are 5.7 GB, which is more than is taken in one piece: they are halved to 2.8 GB
    full = 4 * 100 * 96 * 384 * 384
    assert full > ring.HALF_ABOVE
    assert full / 2 + 4 * 100 * 96**3 * 4 < 8e9 - 2e9  # with four windows of scores, and 2 GB left for the network


def test_slabs_can_be_written_on() -> None:
    """They leave inference mode: whoever takes them may work in place."""
    for slab in start(network(), volume(1, 9, 8, 8), Windows(roi=(4, 4, 4))):
        assert not torch.is_inference_mode_enabled()
        slab.scores.add_(1)


def test_passes_are_averaged() -> None:
    first, second = network(classes=2), network(classes=2, seed=1)
    windows, values = Windows(roi=(6, 6, 6), batch=2), volume(1, 9, 10, 11)
    flips = ((), (0,), (1, 2))

    class Mean(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            seen = [(net, [axis + 2 for axis in flip]) for net in (first, second) for flip in flips]
            return torch.stack([net(x.flip(axes)).flip(axes) for net, axes in seen]).mean(dim=0)

    ours = joined(start(first, values, windows, flips=flips, networks=(second,)))
    torch.testing.assert_close(ours, stock(Mean(), values, windows), rtol=1e-4, atol=1e-5)


def test_mirrors_of_a_2d_network_are_in_its_plane() -> None:
    net, values = network(flat=True), volume(1, 1, 10, 11)
    windows = Windows(roi=(10, 11), overlap=0, blend="constant")
    ours = joined(start(net, values, windows, flips=((2,),)))
    with torch.inference_mode():
        assert torch.equal(ours[:, 0], net(values[:, 0][None].flip(-1)).flip(-1)[0])


def test_a_small_window_never_goes_alone_where_torch_would_be_slow() -> None:
    seen = []
    net = network()
    net.register_forward_pre_hook(lambda module, arguments: seen.append(len(arguments[0])))
    joined(start(net, volume(1, 8, 8, 24), Windows(roi=(8, 8, 8), overlap=0, batch=1)))
    assert seen == [2, 1]


def test_windows_of_a_layer_go_in_batches_of_one_size() -> None:
    seen = []
    net = network()
    net.register_forward_pre_hook(lambda module, arguments: seen.append(len(arguments[0])))
    windows, values = Windows(roi=(8, 8, 8), batch=4), volume(1, 8, 16, 16)
    torch.testing.assert_close(joined(start(net, values, windows)), stock(network(), values, windows))
    assert seen == [3, 3, 3]


def test_cancelled_before_the_next_batch() -> None:
    cancelled, seen = threading.Event(), []

    def net(windows: Tensor) -> Tensor:
        seen.append(len(windows))
        cancelled.set()
        return windows

    slabs = start(net, volume(1, 16, 16, 16), Windows(roi=(4, 4, 4)), replace(RunContext(), cancelled=cancelled))
    with pytest.raises(JobCancelled):
        next(slabs)
    assert seen == [1]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda x: x.numpy(), "not a ndarray"),
        (lambda x: x[..., 1:], "not shape"),
        (lambda x: x[:1], "not shape"),
        (lambda x: (x > 0).long(), r"not torch\.int64"),
    ],
)
def test_an_answer_of_another_size_is_said(answer: object, words: str) -> None:
    with pytest.raises(ContractError, match=words):
        next(start(answer, volume(1, 4, 4, 8), Windows(roi=(4, 4, 4), batch=2)))


def test_a_plan_without_a_pass_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="needs a pass"):
        start(network(), volume(1, 4, 4, 4), Windows(roi=(4, 4, 4)), flips=())
    with pytest.raises(ValueError, match="probabilities"):
        start(network(), volume(1, 4, 4, 4), Windows(roi=(4, 4, 4)), uncertainty=True)
    assert Plan().flips == ((),)
