"""nnU-Net's two U-Nets, after their published description, under the names of tensors that its checkpoints use.

Isensee et al. 2021 (plain) and 2024 (residual encoder, whose blocks follow ResNet-D, He et al. 2019). A checkpoint
names each convolution twice and the encoder once more inside the decoder; `canonical` keeps one name of each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from medviewer.errors import PluginError

_LAYERS: dict[str, type[nn.Module]] = {
    layer.__name__: layer
    for layer in (
        nn.Conv2d,
        nn.Conv3d,
        nn.InstanceNorm2d,
        nn.InstanceNorm3d,
        nn.BatchNorm2d,
        nn.BatchNorm3d,
        nn.Dropout,
        nn.Dropout2d,
        nn.Dropout3d,
        nn.LeakyReLU,
        nn.ReLU,
        nn.GELU,
        nn.ELU,
        nn.SiLU,
    )
}
"""What a plan may name; nothing else of torch is looked up."""
_POOLS: dict[int, type[nn.Module]] = {2: nn.AvgPool2d, 3: nn.AvgPool3d}
_TRANSPOSED: dict[int, type[nn.Module]] = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
_KNOWN = frozenset(
    {
        "n_stages",
        "features_per_stage",
        "conv_op",
        "kernel_sizes",
        "strides",
        "n_conv_per_stage",
        "n_blocks_per_stage",
        "n_conv_per_stage_decoder",
        "conv_bias",
        "norm_op",
        "norm_op_kwargs",
        "dropout_op",
        "dropout_op_kwargs",
        "nonlin",
        "nonlin_kwargs",
        "nonlin_first",
        "deep_supervision",
        "stem_channels",
    }
)
_MOST_STAGES, _MOST_FEATURES, _MOST_BLOCKS = 12, 4096, 64

Size = tuple[int, ...]


class Recipe:
    """The arguments of a U-Net as a plan gives them, checked.

    Raises
    ------
    PluginError
        If one is missing, unknown or absurd.
    """

    def __init__(self, arguments: Mapping[str, Any], inputs: int, outputs: int) -> None:
        unknown = sorted(name for name in set(arguments) - _KNOWN if arguments[name] is not None)
        if unknown:
            raise PluginError(
                f"The plan's network has {unknown[0]}, which this adapter does not know; tell its author."
            )
        self.inputs, self.outputs = inputs, outputs
        try:
            self.conv = self._layer(arguments["conv_op"])
            self.dims = {nn.Conv2d: 2, nn.Conv3d: 3}[self.conv]  # type: ignore[index]  # any other is a KeyError
            self.stages = _within(int(arguments["n_stages"]), 2, _MOST_STAGES)
            self.features = self._each(arguments["features_per_stage"], self.stages, _MOST_FEATURES)
            self.kernels = self._sizes(arguments["kernel_sizes"])
            self.strides = self._sizes(arguments["strides"])
            depth = (
                arguments["n_blocks_per_stage"] if "n_blocks_per_stage" in arguments else arguments["n_conv_per_stage"]
            )
            self.depth = self._each(depth, self.stages, _MOST_BLOCKS)
            self.decoder = self._each(arguments["n_conv_per_stage_decoder"], self.stages - 1, _MOST_BLOCKS)
            self.bias = bool(arguments.get("conv_bias", False))
            self.stem = int(arguments.get("stem_channels") or self.features[0])
            self.nonlin_first = bool(arguments.get("nonlin_first", False))
            self.norm = self._made("norm_op", arguments)
            self.dropout = self._made("dropout_op", arguments)
            self.nonlin = self._made("nonlin", arguments)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            said = f"{type(error).__name__}: {error}"
            raise PluginError("The plan should describe a network of nnU-Net, but does not.", said) from error

    @staticmethod
    def _layer(name: str) -> type[nn.Module]:
        return _LAYERS[str(name).rpartition(".")[2]]

    def _made(self, name: str, arguments: Mapping[str, Any]) -> tuple[type[nn.Module], dict[str, Any]] | None:
        if arguments.get(name) is None:
            return None
        given = dict(arguments.get(f"{name}_kwargs") or {})
        if not all(isinstance(value, int | float) for value in given.values()):
            raise ValueError(f"{name}_kwargs should be numbers")
        return self._layer(arguments[name]), given

    def _each(self, value: int | Sequence[int], count: int, most: int) -> tuple[int, ...]:
        values = [value] * count if isinstance(value, int) else [int(one) for one in value]
        if len(values) != count:
            raise ValueError(f"{count} numbers expected, not {len(values)}")
        return tuple(_within(one, 1, most) for one in values)

    def _sizes(self, value: int | Sequence[int | Sequence[int]]) -> tuple[Size, ...]:
        values = [value] * self.stages if isinstance(value, int) else list(value)
        sizes = [(one,) * self.dims if isinstance(one, int) else tuple(int(n) for n in one) for one in values]
        if len(sizes) != self.stages or any(
            len(one) != self.dims or not 1 <= min(one) <= max(one) <= 15 for one in sizes
        ):
            raise ValueError(f"{self.stages} sizes of {self.dims} axes expected")
        return tuple(sizes)

    @property
    def total_stride(self) -> Size:
        """By how much the deepest features are smaller, for each axis."""
        product = [1] * self.dims
        for stride in self.strides:
            product = [a * b for a, b in zip(product, stride, strict=True)]
        return tuple(product)


def _within(value: int, low: int, high: int) -> int:
    if not low <= value <= high:
        raise ValueError(f"{value} lies outside {low} to {high}")
    return value


class Unit(nn.Module):
    """A convolution, and what follows it: dropout, normalisation, nonlinearity."""

    def __init__(
        self, recipe: Recipe, inputs: int, outputs: int, kernel: Size, stride: Size, *, last: bool = False, bias: bool
    ) -> None:
        super().__init__()
        self.conv = recipe.conv(inputs, outputs, kernel, stride, [(k - 1) // 2 for k in kernel], bias=bias)
        self._order = ["conv"]
        if recipe.dropout is not None and not last:
            self.dropout = recipe.dropout[0](**recipe.dropout[1])
            self._order.append("dropout")
        if recipe.norm is not None:
            self.norm = recipe.norm[0](outputs, **recipe.norm[1])
            self._order.append("norm")
        if recipe.nonlin is not None and not last:
            self.nonlin = recipe.nonlin[0](**recipe.nonlin[1])
            self._order.append("nonlin")
            if recipe.nonlin_first and recipe.norm is not None:
                self._order[-2:] = ["nonlin", "norm"]

    def forward(self, values: Tensor) -> Tensor:
        """Run them in their order."""
        for name in self._order:
            values = self.get_submodule(name)(values)
        return values


class Stack(nn.Module):
    """Several units, of which the first may be strided."""

    def __init__(self, recipe: Recipe, inputs: int, outputs: int, kernel: Size, stride: Size, count: int) -> None:
        super().__init__()
        ones = (1,) * recipe.dims
        self.convs = nn.Sequential(
            *(
                Unit(recipe, outputs if k else inputs, outputs, kernel, ones if k else stride, bias=recipe.bias)
                for k in range(count)
            )
        )

    def forward(self, values: Tensor) -> Tensor:
        """Run them one after the other."""
        return cast(Tensor, self.convs(values))


class Block(nn.Module):
    """ResNet-D's basic block: the shortcut is averaged where the block is strided, and projected where it widens."""

    def __init__(self, recipe: Recipe, inputs: int, outputs: int, kernel: Size, stride: Size) -> None:
        super().__init__()
        ones = (1,) * recipe.dims
        self.conv1 = Unit(recipe, inputs, outputs, kernel, stride, bias=recipe.bias)
        self.conv2 = Unit(recipe, outputs, outputs, kernel, ones, last=True, bias=recipe.bias)
        self.nonlin2 = recipe.nonlin[0](**recipe.nonlin[1]) if recipe.nonlin else nn.Identity()
        shortcut: list[nn.Module] = []
        if any(step != 1 for step in stride):
            shortcut.append(_POOLS[recipe.dims](stride, stride))
        if inputs != outputs:
            shortcut.append(Unit(recipe, inputs, outputs, ones, ones, last=True, bias=False))
        self.skip = nn.Sequential(*shortcut)

    def forward(self, values: Tensor) -> Tensor:
        """Add the shortcut to what two convolutions make."""
        return cast(Tensor, self.nonlin2(self.conv2(self.conv1(values)) + self.skip(values)))


class Blocks(nn.Module):
    """Several blocks, of which the first may be strided."""

    def __init__(self, recipe: Recipe, inputs: int, outputs: int, kernel: Size, stride: Size, count: int) -> None:
        super().__init__()
        ones = (1,) * recipe.dims
        self.blocks = nn.Sequential(
            *(Block(recipe, outputs if k else inputs, outputs, kernel, ones if k else stride) for k in range(count))
        )

    def forward(self, values: Tensor) -> Tensor:
        """Run them one after the other."""
        return cast(Tensor, self.blocks(values))


class Encoder(nn.Module):
    """From the image to ever coarser features; answers those of every stage."""

    def __init__(self, recipe: Recipe, residual: bool) -> None:
        super().__init__()
        inputs = recipe.inputs
        self.stem: nn.Module | None = None
        if residual:
            self.stem = Stack(recipe, inputs, recipe.stem, recipe.kernels[0], (1,) * recipe.dims, 1)
            inputs = recipe.stem
        stages: list[nn.Module] = []
        for outputs, kernel, stride, count in zip(
            recipe.features, recipe.kernels, recipe.strides, recipe.depth, strict=True
        ):
            # a plain stage is wrapped once more in the checkpoints' names
            stages.append(
                Blocks(recipe, inputs, outputs, kernel, stride, count)
                if residual
                else nn.Sequential(Stack(recipe, inputs, outputs, kernel, stride, count))
            )
            inputs = outputs
        self.stages = nn.Sequential(*stages)

    def forward(self, values: Tensor) -> list[Tensor]:
        """Features of every stage, finest first."""
        features = []
        if self.stem is not None:
            values = self.stem(values)
        for stage in self.stages:
            values = stage(values)
            features.append(values)
        return features


class Decoder(nn.Module):
    """From the coarsest features back to the image's size.

    The answers at coarser sizes, by which nnU-Net trains, are there for their names and are not computed.
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        stages, transposed, answers = [], [], []
        for k, count in enumerate(recipe.decoder, start=1):
            below, here, stride = recipe.features[-k], recipe.features[-k - 1], recipe.strides[-k]
            transposed.append(_TRANSPOSED[recipe.dims](below, here, stride, stride, bias=recipe.bias))
            stages.append(Stack(recipe, 2 * here, here, recipe.kernels[-k - 1], (1,) * recipe.dims, count))
            answers.append(recipe.conv(here, recipe.outputs, 1, 1, 0, bias=True))
        self.stages, self.transpconvs = nn.ModuleList(stages), nn.ModuleList(transposed)
        self.seg_layers = nn.ModuleList(answers)

    def forward(self, features: list[Tensor]) -> Tensor:
        """Scores of every voxel."""
        values = features[-1]
        for k, (up, stage) in enumerate(zip(self.transpconvs, self.stages, strict=True)):
            values = stage(torch.cat((up(values), features[-k - 2]), dim=1))
        return cast(Tensor, self.seg_layers[-1](values))


class UNet(nn.Module):
    """PlainConvUNet, or with `residual` ResidualEncoderUNet."""

    def __init__(self, recipe: Recipe, residual: bool) -> None:
        super().__init__()
        self.encoder = Encoder(recipe, residual)
        self.decoder = Decoder(recipe)

    def forward(self, values: Tensor) -> Tensor:
        """Scores (n, outputs, ...) of an image (n, inputs, ...) whose sizes are multiples of the total stride."""
        return cast(Tensor, self.decoder(self.encoder(values)))


class Folds(nn.Module):
    """The networks of several folds, whose scores are averaged; between axes as the image has them and as they had.

    Parameters
    ----------
    networks
        One for each fold.
    axes
        nnU-Net's ``transpose_forward``: for each axis of the networks, the image's axis.
    flat
        Whether the networks see single slices, across the first of their axes.
    """

    def __init__(self, networks: Iterable[nn.Module], axes: Sequence[int], flat: bool) -> None:
        super().__init__()
        self.folds = nn.ModuleList(networks)
        self._axes = tuple(axes)
        self._back = tuple(sorted(range(len(self._axes)), key=lambda k: self._axes[k]))
        self._flat = flat

    def forward(self, values: Tensor) -> Tensor:
        """Scores (n, K, z, y, x) of windows (n, channels, z, y, x), or of pictures with one axis less."""
        turned = values.permute(0, 1, *(axis + 2 for axis in self._axes))
        slices = turned.shape[2]
        if self._flat:
            turned = turned.transpose(1, 2).flatten(0, 1)
        scores = self.folds[0](turned)
        for fold in self.folds[1:]:
            scores = scores + fold(turned)
        scores = scores / len(self.folds)
        if self._flat:
            scores = scores.unflatten(0, (-1, slices)).transpose(1, 2)
        return cast(Tensor, scores.permute(0, 1, *(axis + 2 for axis in self._back)))


def canonical(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A checkpoint's tensors under one name each, without the prefixes of wrappers."""
    kept = {}
    for name, tensor in state.items():
        plain = name.removeprefix("_orig_mod.").removeprefix("module.").removeprefix("_orig_mod.")
        if ".all_modules." not in plain and not plain.startswith("decoder.encoder."):
            kept[plain] = tensor
    return kept
