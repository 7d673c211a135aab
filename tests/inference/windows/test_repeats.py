"""Windows of one value are asked for once, and nothing else changes."""

from __future__ import annotations

import torch
from torch import Tensor

from medviewer.inference.windows.repeats import Repeats
from medviewer.plugin_api.spec import Windows
from tests.inference.windows.sweeps import joined, network, start, volume


def in_air() -> Tensor:
    """A body of noise in the corner of a volume of one value."""
    values = torch.full((2, 15, 15, 15), -1.0)
    values[:, 1:4, 3:7, :3] = volume(2, 3, 4, 3)
    return values


def test_the_result_is_the_same_with_far_fewer_windows() -> None:
    windows, values, seen = Windows(roi=(6, 6, 6), batch=3), in_air(), []
    net = network(2)
    net.register_forward_pre_hook(lambda module, arguments: seen.append(len(arguments[0])))
    ours = joined(start(net, values, windows))
    few = sum(seen)
    seen.clear()
    plain = joined(start(net, values, windows, samples=1))  # repetitions are asked for one by one
    torch.testing.assert_close(ours, plain)
    assert few < sum(seen) / 4


def test_only_one_value_in_every_channel_is_a_repeat() -> None:
    repeats = Repeats()
    window = torch.zeros(2, 5, 5, 5)
    window[1] = 3
    assert repeats.value(window) == (0, 3)
    window[1, 2, 3, 1] = 4
    assert repeats.value(window) is None


def test_what_is_remembered_is_bounded() -> None:
    repeats = Repeats()
    large = torch.zeros(1).expand(2**27)
    repeats.keep((0.0,), (large[:1], None))
    repeats.keep((1.0,), (large, None))
    assert repeats.find((0.0,)) is not None
    assert repeats.find((1.0,)) is None
    repeats.forget()
    assert repeats.find((0.0,)) is None
