"""The methods against numbers worked out by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from medviewer.errors import InputError
from medviewer.explain import METHODS
from medviewer.explain.methods import find_method, grad_cam, saliency


class Small(nn.Module):
    """Two channels of features and a score that weighs them by 3 and -1."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Conv2d(1, 2, 1, bias=False)
        with torch.no_grad():
            self.features.weight.copy_(torch.tensor([1.0, 2.0]).reshape(2, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        features = self.features(x)
        return (3 * features[:, 0] - features[:, 1]).sum(dim=(1, 2))


def test_grad_cam_is_selvarajus() -> None:
    """The mean gradients are 3 and -1, so the map is 3 * x - 2 * x = x where that is positive."""
    network = Small()
    picture = torch.tensor([[1.0, -2.0], [0.0, 4.0]])[None, None]
    cam = grad_cam(network, network.features, picture)
    torch.testing.assert_close(cam, picture[0, 0].relu())


def test_grad_cam_of_a_deeper_network_matches_its_definition() -> None:
    torch.manual_seed(0)
    head = nn.Sequential(nn.Conv3d(4, 3, 3, padding=1), nn.ReLU(), nn.Conv3d(3, 1, 1))
    body = nn.Sequential(nn.Conv3d(1, 4, 3, padding=1), nn.ReLU())
    volume = torch.randn(1, 1, 5, 6, 7)

    def score(inputs: Tensor) -> Tensor:
        return head(body(inputs)).sum().reshape(1)

    features = body(volume).detach().requires_grad_()
    (gradients,) = torch.autograd.grad(head(features).sum(), features)
    weights = gradients.mean(dim=(2, 3, 4), keepdim=True)
    expected = (weights * features).sum(dim=1).relu()[0]
    torch.testing.assert_close(grad_cam(score, body, volume), expected.detach())


def test_saliency_is_the_absolute_gradient() -> None:
    picture = torch.ones(1, 2, 2, 2)
    weights = torch.tensor([[[1.0, -5.0], [0.0, 2.0]], [[-3.0, 1.0], [0.5, 0.0]]])
    result = saliency(lambda inputs: (inputs * weights).sum().reshape(1), nn.Identity(), picture)
    torch.testing.assert_close(result, torch.tensor([[3.0, 5.0], [0.5, 2.0]]))


def test_unknown_methods_are_refused_by_a_list() -> None:
    assert METHODS == {"gradcam": "Grad-CAM", "saliency": "Saliency"}
    with pytest.raises(InputError, match="no method 'magic'; choose one of gradcam, saliency"):
        find_method("magic")
