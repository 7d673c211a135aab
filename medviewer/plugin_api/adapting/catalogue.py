"""MONAI's networks by name: which may be built, with what, and where their features lie.

A name is looked up in the table below and nowhere else, and arguments are numbers, words and lists of them: a
description that somebody sent can choose among these networks, and can do nothing else.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from medviewer.errors import PluginError

if TYPE_CHECKING:
    from torch import nn

_MOST_ELEMENTS = 2**30
"""Of all parameters and buffers together: twice what the largest network of the table has."""
_MOST_TENSORS = 100_000
_MOST_NODES = 2_000
_MOST_DEPTH = 6
_LONGEST_WORD = 200
_LARGEST_NUMBER = 1_000_000


@dataclass(frozen=True)
class Architecture:
    """One network of the table.

    Parameters
    ----------
    attribute
        Its name in ``monai.networks.nets``.
    task
        ``segment`` or ``classify``.
    features
        Dotted name of the module whose output holds the network's deepest features that still have a place in the
        image: what an explanation looks at, and what is averaged to compare images. ``deepest`` is the innermost
        submodule of a U-Net that MONAI builds inside out.
    fixed
        Arguments that are always these.
    output
        Which of several outputs is the answer: 0 the first, -1 the last.
    """

    attribute: str
    task: str
    features: str
    fixed: Mapping[str, Any] = field(default_factory=dict)
    output: int = 0


_OFFLINE = {"pretrained": False}
"""The weights are in the file: MONAI must not fetch others."""


def _classifiers(names: tuple[str, ...], features: str) -> dict[str, Architecture]:
    return {name: Architecture(name, "classify", features, _OFFLINE) for name in names}


def _efficient(letter: str) -> Architecture:
    fixed = {**_OFFLINE, "model_name": f"efficientnet-{letter}"}
    return Architecture("EfficientNetBN", "classify", "_bn1", fixed)


ARCHITECTURES: dict[str, Architecture] = {
    "UNet": Architecture("UNet", "segment", "deepest"),
    "BasicUNet": Architecture("BasicUNet", "segment", "down_4"),
    "BasicUNetPlusPlus": Architecture("BasicUNetPlusPlus", "segment", "conv_4_0", output=-1),
    "AttentionUnet": Architecture("AttentionUnet", "segment", "deepest"),
    "SegResNet": Architecture("SegResNet", "segment", "down_layers"),
    "SegResNetDS": Architecture("SegResNetDS", "segment", "encoder.layers"),
    "SwinUNETR": Architecture("SwinUNETR", "segment", "encoder10"),
    "UNETR": Architecture("UNETR", "segment", "decoder5"),
    "DynUNet": Architecture("DynUNet", "segment", "bottleneck"),
    "VNet": Architecture("VNet", "segment", "down_tr256"),
    "HighResNet": Architecture("HighResNet", "segment", "blocks"),
    "FlexibleUNet": Architecture("FlexibleUNet", "segment", "decoder.blocks", _OFFLINE),
    "MedNeXt": Architecture("MedNeXt", "segment", "bottleneck"),
    **_classifiers(("resnet10", "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnet200"), "layer4"),
    "ResNet": Architecture("ResNet", "classify", "layer4"),
    **_classifiers(("DenseNet121", "DenseNet169", "DenseNet201", "DenseNet264"), "features"),
    "DenseNet": Architecture("DenseNet", "classify", "features"),
    **_classifiers(("SEResNet50", "SEResNet101", "SEResNet152", "SEResNext50", "SEResNext101", "SENet154"), "layer4"),
    **{f"EfficientNet{letter.upper()}": _efficient(letter) for letter in (f"b{k}" for k in range(9))},
    "EfficientNetBN": Architecture("EfficientNetBN", "classify", "_bn1", _OFFLINE),
    "ViT": Architecture("ViT", "classify", "patch_embedding.patch_embeddings", {"classification": True}),
}

_CHILD = {"down_layers": -1, "encoder.layers": -1, "blocks": -3, "decoder.blocks": 0}
"""Containers, whose features are those of one module inside: the last one that is no head; of FlexibleUNet, whose
encoder answers a list, the first of the decoder, which sees the coarsest of that list."""


def architecture(name: str) -> Architecture:
    """The network of that name; case, hyphens and underscores do not matter (``ResNet-50``).

    Raises
    ------
    PluginError
        If the table has none; the text lists those that it has.
    """
    known = {_plain(key): found for key, found in ARCHITECTURES.items()}
    found = known.get(_plain(name))
    if found is None:
        raise PluginError(
            f"The network {name[:_LONGEST_WORD]!r} is none that can be built by name; choose one of "
            f"{', '.join(ARCHITECTURES)}."
        )
    return found


def build(name: str, arguments: Mapping[str, Any]) -> nn.Module:
    """Build a network of the table, untrained, on the CPU; it answers one tensor whatever MONAI's answers.

    Parameters
    ----------
    arguments
        Keyword arguments of MONAI's class: numbers, words, None, and lists and mappings of them.

    Raises
    ------
    PluginError
        If there is no such network, an argument is something else, MONAI refuses it, or the network would be absurdly
        large.
    """
    from monai.networks import nets

    found = architecture(name)
    check_plain(arguments, f"The arguments of {name}")
    chosen = {**arguments, **found.fixed}
    make: Callable[..., nn.Module] = getattr(nets, found.attribute)
    try:
        with _bounded(name):
            network = make(**chosen)
    except PluginError:
        raise
    except Exception as error:  # MONAI raises whatever the wrong argument happens to trip over
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise PluginError(f"{name} cannot be built from its arguments ({said}); mend them.", repr(error)) from error
    network.register_forward_hook(_FIRST if found.output == 0 else _LAST)
    return network


def feature_layer(network: nn.Module, found: Architecture) -> nn.Module:
    """The module with the deepest features of a network that `build` made."""
    if found.features == "deepest":
        return _deepest(network)
    layer = network.get_submodule(found.features)
    if found.features in _CHILD:
        layer = list(layer.children())[_CHILD[found.features]]
    if found.features == "encoder.layers":
        return layer.get_submodule("blocks")  # SegResNetDS keeps a level's blocks and its downsampling side by side
    return layer


def check_plain(value: object, what: str) -> None:
    """Raise PluginError unless `value` is plain data of a moderate size: what YAML and JSON hold, and no more."""
    for count, (part, depth) in enumerate(_parts(value, 0)):
        if count >= _MOST_NODES or depth > _MOST_DEPTH:
            raise PluginError(f"{what} should be a few numbers and words, but there are far too many; mend them.")
        if isinstance(part, str) and len(part) > _LONGEST_WORD:
            raise PluginError(f"{what} should be a few numbers and words, but one is {len(part)} characters long.")
        if isinstance(part, int | float) and not abs(part) <= _LARGEST_NUMBER:
            raise PluginError(f"{what} should be moderate numbers, but one is {part}; mend it.")
        if not isinstance(part, str | int | float | list | tuple | Mapping | None):
            raise PluginError(f"{what} should be numbers and words, but one is a {type(part).__name__}; mend it.")


def _parts(value: object, depth: int) -> Iterator[tuple[object, int]]:
    yield value, depth
    if depth > _MOST_DEPTH:
        return
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield key, depth
            yield from _parts(item, depth + 1)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _parts(item, depth + 1)


def _plain(name: str) -> str:
    return re.sub(r"[-_ ]", "", name[:_LONGEST_WORD]).casefold()


def _deepest(network: nn.Module) -> nn.Module:
    """The innermost ``submodule`` of MONAI's nested U-Nets: what every skip connection goes around."""
    inner = [module for name, module in network.named_modules() if name.rpartition(".")[2] == "submodule"]
    return inner[-1] if inner else network


class _Pick:
    """A forward hook that takes one tensor of a network's several outputs: the answer at full size."""

    def __init__(self, index: int) -> None:
        self.index = index

    def __call__(self, module: nn.Module, inputs: Any, output: Any) -> Any:
        if isinstance(output, list | tuple):
            return output[self.index]
        if getattr(module, "deep_supervision", False) and module.training and hasattr(module, "skip_layers"):
            return output[:, 0]  # DynUNet stacks its outputs while it is being trained
        return output


_FIRST, _LAST = _Pick(0), _Pick(-1)


@contextmanager
def _bounded(name: str) -> Iterator[None]:
    """Refuse to allocate a network that no machine would hold, before it does."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Bounded(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch annotates no __init_subclass__
        elements = tensors = 0

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            size = args[0] if args and isinstance(args[0], list | tuple) else ()
            if size and all(isinstance(number, int) for number in size):
                self.elements += math.prod(size)
                self.tensors += 1
                if self.elements > _MOST_ELEMENTS or self.tensors > _MOST_TENSORS:
                    raise PluginError(f"{name} would be larger than a billion numbers; check its arguments.")
            return func(*args, **(kwargs or {}))

    with Bounded():  # type: ignore[no-untyped-call]  # nor this class's __init__
        yield
