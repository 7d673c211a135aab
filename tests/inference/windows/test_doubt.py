"""Doubt is entropy of the mean, and what passes disagree about."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from medviewer.inference.windows.doubt import doubts, entropies
from medviewer.plugin_api.spec import Windows
from tests.inference.windows.sweeps import maps, network, start, volume


def softmax(scores: Tensor) -> Tensor:
    return scores.softmax(dim=1)


def test_entropy_is_1_where_nothing_is_known_and_0_where_all_is() -> None:
    even = torch.full((1, 4, 1, 1, 1), 0.25)
    sure = torch.tensor([0.0, 1.0, 0.0, 0.0]).reshape(1, 4, 1, 1, 1)
    assert entropies(even, exclusive=True).item() == pytest.approx(1)
    assert entropies(sure, exclusive=True).item() == 0
    assert entropies(torch.full((1, 1, 1, 1, 1), 0.5), exclusive=True).item() == pytest.approx(1)
    assert entropies(torch.full((1, 2, 1, 1, 1), 0.5), exclusive=False).flatten().tolist() == pytest.approx([1, 1])


def test_of_separate_answers_the_most_doubtful_counts() -> None:
    mean = torch.tensor([0.5, 1.0]).reshape(2, 1, 1, 1)
    entropy, mutual = doubts(mean, torch.zeros(2, 1, 1, 1), exclusive=False)
    assert (entropy.item(), mutual.item()) == pytest.approx((1, 1))


def test_sure_passes_that_disagree_are_mutual_information() -> None:
    def first(x: Tensor) -> Tensor:
        return torch.cat([x * 0 + 50, x * 0 - 50], dim=1)

    def second(x: Tensor) -> Tensor:
        return -first(x)

    windows, values = Windows(roi=(4, 4, 4)), volume(1, 6, 7, 8)
    plan = {"uncertainty": True, "probabilities": softmax}
    scores, entropy, mutual = maps(start(first, values, windows, networks=(second,), **plan))
    torch.testing.assert_close(scores, torch.full_like(scores, 0.5))
    torch.testing.assert_close(entropy, torch.ones(6, 7, 8))
    torch.testing.assert_close(mutual, torch.ones(6, 7, 8))
    _, entropy, mutual = maps(start(first, values, windows, networks=(first,), **plan))
    assert max(entropy.max(), mutual.max()) < 1e-6


def test_one_pass_of_windows_without_overlap_has_no_mutual_information() -> None:
    values = volume(1, 8, 8, 8)
    windows = Windows(roi=(4, 4, 4), overlap=0, blend="constant")
    net = network(classes=3)
    scores, entropy, mutual = maps(start(net, values, windows, uncertainty=True, probabilities=softmax))
    torch.testing.assert_close(scores.sum(dim=0), torch.ones(8, 8, 8))
    torch.testing.assert_close(entropy, entropies(scores[None], exclusive=True)[0, 0])
    assert mutual.abs().max() < 1e-5
    assert 0 < entropy.min() <= entropy.max() <= 1


def test_dropout_shows_in_mutual_information() -> None:
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Dropout(0.5), network(classes=2)).train()
    plan = {"uncertainty": True, "probabilities": softmax, "samples": 4}
    _, _, mutual = maps(start(net, volume(1, 6, 6, 6), Windows(roi=(6, 6, 6), overlap=0), **plan))
    assert mutual.mean() > 1e-4


def test_a_2d_network_and_separate_answers() -> None:
    net, values = network(classes=2, flat=True), volume(1, 3, 9, 8)
    windows = Windows(roi=(6, 6), batch=2)
    plan = {"uncertainty": True, "probabilities": torch.sigmoid, "exclusive": False, "flips": ((), (2,))}
    scores, entropy, mutual = maps(start(net, values, windows, **plan))
    assert scores.shape == (2, 3, 9, 8)
    torch.testing.assert_close(entropy, entropies(scores[None], exclusive=False)[0].amax(dim=0))
    assert (mutual <= entropy + 1e-6).all()
