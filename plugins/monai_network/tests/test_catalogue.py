"""Every kind of network that can be built by name: one tensor out, features with a place, gradients."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from medviewer.errors import ManifestError, PluginError
from medviewer.plugin_api import Manifest
from medviewer.plugin_api.adapting.catalogue import ARCHITECTURES, architecture, build
from medviewer.plugin_api.adapting.model import NetworkModel

_VOLUME = {"spatial_dims": 3, "in_channels": 1, "out_channels": 2}
_FLAT = {"spatial_dims": 2, "in_channels": 1, "out_channels": 2}
_LEVELS = {"kernel_size": [3, 3, 3], "strides": [1, 2, 2], "upsample_kernel_size": [2, 2], "filters": [4, 4, 8]}

SMALL: dict[str, tuple[dict[str, Any], int]] = {
    "UNet": ({**_VOLUME, "channels": [4, 8, 16], "strides": [2, 2]}, 8),
    "BasicUNet": ({**_VOLUME, "features": [4, 4, 4, 4, 8, 4]}, 32),
    "BasicUNetPlusPlus": ({**_VOLUME, "features": [4, 4, 4, 4, 8, 4], "deep_supervision": True}, 32),
    "AttentionUnet": ({**_VOLUME, "channels": [4, 8], "strides": [2]}, 8),
    "SegResNet": ({**_VOLUME, "init_filters": 8, "blocks_down": [1, 1], "blocks_up": [1]}, 8),
    "SegResNetDS": ({**_VOLUME, "init_filters": 8, "blocks_down": [1, 1], "dsdepth": 2}, 8),
    "SwinUNETR": ({**_FLAT, "feature_size": 12, "depths": [1, 1, 1, 1]}, 64),
    "UNETR": (
        {
            "in_channels": 1,
            "out_channels": 2,
            "img_size": 16,
            "hidden_size": 12,
            "mlp_dim": 16,
            "num_heads": 2,
            "feature_size": 4,
        },
        16,
    ),
    "DynUNet": ({**_VOLUME, **_LEVELS, "deep_supervision": True}, 8),
    "HighResNet": ({**_VOLUME}, 8),
    "FlexibleUNet": (
        {"in_channels": 1, "out_channels": 2, "backbone": "efficientnet-b0", "decoder_channels": [8, 8, 8, 8, 8]},
        32,
    ),
    "MedNeXt": ({**_VOLUME, "init_filters": 4, "blocks_down": [1, 1], "blocks_up": [1, 1], "kernel_size": 3}, 8),
    "ResNet-10": ({"spatial_dims": 2, "n_input_channels": 1, "num_classes": 2}, 64),
    "DenseNet": ({**_FLAT, "block_config": [2, 2], "init_features": 4, "growth_rate": 4}, 32),
    "EfficientNet-B0": ({"spatial_dims": 2, "in_channels": 1, "num_classes": 2}, 32),
    "SEResNet50": ({"spatial_dims": 2, "in_channels": 1, "num_classes": 2}, 64),
    "ViT": (
        {
            "in_channels": 1,
            "img_size": [32, 32],
            "patch_size": 16,
            "hidden_size": 12,
            "mlp_dim": 16,
            "num_layers": 1,
            "num_heads": 2,
            "num_classes": 2,
            "spatial_dims": 2,
        },
        32,
    ),
}


def manifest(name: str, activation: str = "softmax") -> Manifest:
    """A manifest for a network of two outputs."""
    segments = architecture(name).task == "segment"
    labels = ["thing"] if segments and activation == "softmax" else ["one", "two"]
    return Manifest.model_validate(
        {
            "id": "small",
            "name": "Small",
            "version": "1.0.0",
            "description": "Small.",
            "adapter": "monai-network",
            "kinds": ["segment" if segments else "classify"],
            "inputs": {"windows": {"roi": [8, 8, 8]}},
            "outputs": {"activation": activation, "labels": [{"name": label} for label in labels]},
            "weights": {"file": "w.safetensors", "sha256": "0" * 64, "source": "here", "licence": "none"},
        }
    )


@pytest.mark.parametrize("name", SMALL)
def test_a_network_answers_is_explained_and_learns(name: str) -> None:
    arguments, size = SMALL[name]
    plugin = NetworkModel(manifest(name), name, arguments)
    network = plugin.build_network()
    segments = architecture(name).task == "segment"
    dims = arguments.get("spatial_dims", 2 if name == "FlexibleUNet" else 3)
    values = torch.rand(1, 1, *[size] * dims)
    output = network.eval()(values)
    assert output.shape == ((1, 2, *[size] * dims) if segments else (1, 2))
    features = plugin.embed(network, values)
    assert features.ndim == 2
    assert features.shape[1] > 2
    assert plugin.explain_logits(output, 0).shape == output.shape[:1] + output.shape[2:]
    if segments:
        target = torch.zeros(1, 1, *[size] * dims)
        target[..., : size // 2] = 1
        parameters = list(plugin.trainable_parameters(network))
        # trained as the program does, with statistics that stay; what deep supervision adds is not learnt from
        gradients = torch.autograd.grad(plugin.loss(output, target), parameters, allow_unused=True)
        assert sum(float(one.abs().sum()) for one in gradients if one is not None) > 0


@pytest.mark.parametrize("name", ["BasicUNetPlusPlus", "DynUNet", "MedNeXt", "SegResNetDS"])
def test_deep_supervision_answers_one_tensor_while_it_is_trained(name: str) -> None:
    arguments, size = SMALL[name]
    if name == "MedNeXt":
        arguments = {**arguments, "deep_supervision": True}
    network = build(name, arguments).train()
    assert network(torch.rand(2, 1, size, size, size)).shape == (2, 2, size, size, size)


def test_sigmoid_labels_may_overlap() -> None:
    plugin = NetworkModel(manifest("UNet", "sigmoid"), "UNet", SMALL["UNet"][0])
    target = torch.zeros(1, 2, 4, 4, 4)
    target[:, :, :2] = 1
    right = (target - 0.5) * 40
    assert float(plugin.loss(right, target)) < 1e-3
    assert float(plugin.loss(-right, target)) > 1


def test_frozen_modules_do_not_learn() -> None:
    plugin = NetworkModel(manifest("UNet"), "UNet", SMALL["UNet"][0], frozen=["model.0"])
    network = plugin.build_network()
    still = {id(one) for one in network.get_submodule("model.0").parameters()}
    learns = {id(one) for one in plugin.trainable_parameters(network)}
    assert still
    assert not still & learns
    assert still | learns == {id(one) for one in network.parameters()}


def test_weights_are_never_fetched_by_monai() -> None:
    for name, found in ARCHITECTURES.items():
        if found.attribute not in ("ResNet", "DenseNet", "ViT") and found.task == "classify":
            assert found.fixed["pretrained"] is False, name


def test_unknown_names_and_activations_are_told() -> None:
    with pytest.raises(PluginError, match=r"'Nothing' is none that can be built by name; choose one of UNet"):
        architecture("Nothing")
    outputs = manifest("UNet").outputs.model_copy(update={"activation": "own"})
    with pytest.raises(ManifestError, match="should be softmax or sigmoid"):
        NetworkModel(manifest("UNet").model_copy(update={"outputs": outputs}), "UNet", {})
