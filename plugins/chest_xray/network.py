"""Xception (Chollet 2017) with a small head, written for torch; its layers keep the names of the published Keras model.

Keras differs from torch in two places that matter: batch normalisation uses an epsilon of 1e-3, and SAME padding at
stride 2 puts the odd pixel at the end.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_EPSILON = 1e-3
_MIDDLE = 728
"""Channels of the middle flow."""


class SeparableConv(nn.Module):
    """A 3x3 convolution within each channel, then a 1x1 across them."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False)
        self.pointwise = nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, y, x) to (n, outputs, y, x)."""
        result: Tensor = self.pointwise(self.depthwise(x))
        return result


class ChestXception(nn.Module):
    """Takes (n, 3, y, x) in -1..1, returns logits (n, 2) of NORMAL and PNEUMONIA. 21.1 million parameters."""

    def __init__(self) -> None:
        super().__init__()
        self._add("block1_conv1", nn.Conv2d(3, 32, 3, stride=2, bias=False), 32)
        self._add("block1_conv2", nn.Conv2d(32, 64, 3, bias=False), 64)
        self._add_entry(2, "", 64, (128, 128))
        self._add_entry(3, "_1", 128, (256, 256))
        self._add_entry(4, "_2", 256, (_MIDDLE, _MIDDLE))
        for block in range(5, 13):
            for number in (1, 2, 3):
                self._add(f"block{block}_sepconv{number}", SeparableConv(_MIDDLE, _MIDDLE), _MIDDLE)
        self._add_entry(13, "_3", _MIDDLE, (_MIDDLE, 1024))
        self._add("block14_sepconv1", SeparableConv(1024, 1536), 1536)
        self._add("block14_sepconv2", SeparableConv(1536, 2048), 2048)
        self.block14_sepconv2_act = nn.ReLU()
        self.dense = nn.Linear(2048, 128)
        self.dense_1 = nn.Linear(128, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (n, 2) of pictures (n, 3, y, x)."""
        x = F.relu(self._layer("block1_conv1", x))
        x = F.relu(self._layer("block1_conv2", x))
        x = self._entry(2, "", x, first_relu=False)
        x = self._entry(3, "_1", x)
        x = self._entry(4, "_2", x)
        for block in range(5, 13):
            kept = x
            for number in (1, 2, 3):
                x = self._layer(f"block{block}_sepconv{number}", F.relu(x))
            x = x + kept
        x = self._entry(13, "_3", x)
        x = F.relu(self._layer("block14_sepconv1", x))
        x = self.block14_sepconv2_act(self._layer("block14_sepconv2", x))
        logits: Tensor = self.dense_1(F.relu(self.dense(x.mean(dim=(2, 3)))))
        return logits

    def _add(self, name: str, layer: nn.Module, channels: int, norm: str = "") -> None:
        self.add_module(name, layer)
        self.add_module(norm or f"{name}_bn", nn.BatchNorm2d(channels, eps=_EPSILON))

    def _add_entry(self, block: int, suffix: str, inputs: int, outputs: tuple[int, int]) -> None:
        self._add(f"block{block}_sepconv1", SeparableConv(inputs, outputs[0]), outputs[0])
        self._add(f"block{block}_sepconv2", SeparableConv(outputs[0], outputs[1]), outputs[1])
        shortcut = nn.Conv2d(inputs, outputs[1], 1, stride=2, bias=False)
        self._add(f"conv2d{suffix}", shortcut, outputs[1], norm=f"batch_normalization{suffix}")

    def _layer(self, name: str, x: Tensor, norm: str = "") -> Tensor:
        result: Tensor = self.get_submodule(norm or f"{name}_bn")(self.get_submodule(name)(x))
        return result

    def _entry(self, block: int, suffix: str, x: Tensor, first_relu: bool = True) -> Tensor:
        kept = self._layer(f"conv2d{suffix}", x, norm=f"batch_normalization{suffix}")
        x = self._layer(f"block{block}_sepconv1", F.relu(x) if first_relu else x)
        x = self._layer(f"block{block}_sepconv2", F.relu(x))
        return _pool(x) + kept


def _pool(x: Tensor) -> Tensor:
    """A 3x3 maximum at stride 2 with TensorFlow's SAME padding: 1 before an odd size, 0 before an even one."""
    before_y, before_x = x.shape[2] % 2, x.shape[3] % 2
    return F.max_pool2d(F.pad(x, (before_x, 1, before_y, 1), value=-torch.inf), kernel_size=3, stride=2)
