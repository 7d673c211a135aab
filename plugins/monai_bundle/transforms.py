"""MONAI's transforms as fields of a manifest: the host does what they would do."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from monai_bundle.config import Component, Expression, expressions, last_name

_ABOVE = re.compile(r"\$\s*lambda\s+(\w+)\s*:\s*\1\s*>=?\s*(-?\d+(?:\.\d+)?)\s*")
"""A foreground as bundles write it: above a number."""
_MODES = {"bilinear": "linear", "trilinear": "linear", "nearest": "nearest", "bicubic": "cubic", "3": "cubic"}


class NotTaken(Exception):
    """A transform, or its arguments, that no field of a manifest stands for."""


@dataclass
class Preparation:
    """What a list of transforms comes to.

    Parameters
    ----------
    inputs, intensity
        Fields of the manifest's `inputs` and of its `intensity`.
    left
        Transforms that only their own code can do, in their order.
    notes
        What has to be read beside the results.
    images
        The keys that were loaded from files.
    """

    inputs: dict[str, Any] = field(default_factory=dict)
    intensity: dict[str, Any] = field(default_factory=dict)
    left: list[Component] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    images: tuple[str, ...] = ()
    stage: int = 0

    def step(self, stage: int) -> None:
        """Take an intensity step, if the host's order of steps allows it after the others."""
        if stage <= self.stage or self.left:
            raise NotTaken
        self.stage = stage


Arguments = Mapping[str, Any]
Handler = Callable[[Preparation, Arguments], None]


def read_preparation(transforms: Iterable[Component]) -> Preparation:
    """What the transforms before the network come to."""
    made = Preparation()
    for transform in transforms:
        handler = _BEFORE.get(_name(transform))
        try:
            if handler is None or transform.odd:
                raise NotTaken
            handler(made, transform.arguments)
        except (
            NotTaken,
            TypeError,
            ArithmeticError,
            ValueError,
            KeyError,
            IndexError,
        ):  # arguments of another form than MONAI's
            made.left.append(transform)
    return made


def read_answers(transforms: Iterable[Component]) -> tuple[dict[str, Any], list[str]]:
    """Fields of the manifest's `outputs` that the transforms after the network come to, and notes."""
    outputs: dict[str, Any] = {}
    notes = []
    for transform in transforms:
        name, arguments = _name(transform), transform.arguments
        if name == "activations":
            chosen = [key for key in ("softmax", "sigmoid") if arguments.get(key) is True]
            outputs |= {"activation": chosen[0]} if chosen else {}
        elif name == "asdiscrete":
            threshold = arguments.get("threshold")
            if arguments.get("argmax") is True:
                outputs.setdefault("activation", "softmax")
            elif isinstance(threshold, float) and 0 < threshold < 1:
                outputs["threshold"] = threshold
        elif name not in _AFTER:
            notes.append(f"The bundle's step {last_name(transform.target) or 'of code'} after the network is not done.")
    return outputs, notes


def _name(transform: Component) -> str:
    """A transform's name without what marks the kind for dictionaries, in lower case; empty for another's."""
    package, _, name = transform.target.rpartition(".")
    if package and not package.startswith("monai.transforms"):
        return ""
    for ending in ("Dict", "d", "D"):
        if name.endswith(ending) and name[: -len(ending)].lower() in _KNOWN:
            return name[: -len(ending)].lower()
    return name.lower()


def _load(made: Preparation, arguments: Arguments) -> None:
    keys = arguments.get("keys", ())
    made.images = tuple([keys] if isinstance(keys, str) else map(str, keys))


def _nothing(made: Preparation, arguments: Arguments) -> None:
    """The host's images are that way already, or it does the same."""


def _orientation(made: Preparation, arguments: Arguments) -> None:
    made.inputs["orientation"] = str(_data(arguments["axcodes"]))


def _spacing(made: Preparation, arguments: Arguments) -> None:
    pixdim = _data(arguments["pixdim"])
    numbers = [pixdim] * 3 if isinstance(pixdim, int | float) else list(pixdim)
    made.inputs["spacing"] = [max(0.0, float(number)) for number in numbers]
    mode = arguments.get("mode", "bilinear")
    mode = mode[0] if isinstance(mode, list) and mode else mode
    made.inputs["interpolation"] = _MODES.get(str(mode).lower(), "linear")


def _resize(made: Preparation, arguments: Arguments) -> None:
    size = _data(arguments["spatial_size"])
    if arguments.get("size_mode", "all") != "all" or not all(int(number) > 0 for number in size):
        raise NotTaken
    made.inputs["size"] = [int(number) for number in size]


def _range(made: Preparation, arguments: Arguments) -> None:
    low, high = float(_data(arguments["a_min"])), float(_data(arguments["a_max"]))
    given = arguments.get("b_min") is not None and arguments.get("b_max") is not None
    start, stop = (float(_data(arguments["b_min"])), float(_data(arguments["b_max"]))) if given else (0.0, 1.0)
    if not (low < high and start < stop):
        raise NotTaken
    if arguments.get("clip") is True:
        made.step(2)
        made.intensity |= {"clip": [low, high], "scale": [start, stop]}
        return
    made.step(4)
    width = (high - low) / (stop - start)
    made.intensity |= {"mean": [low - start * width], "std": [width]}


def _scale(made: Preparation, arguments: Arguments) -> None:
    start, stop = _data(arguments.get("minv", 0.0)), _data(arguments.get("maxv", 1.0))
    if start is None or stop is None or "factor" in arguments or arguments.get("channel_wise"):
        raise NotTaken
    made.step(2)
    made.intensity["scale"] = [float(start), float(stop)]


def _percentiles(made: Preparation, arguments: Arguments) -> None:
    if arguments.get("clip") is not True or arguments.get("relative") is True:
        raise NotTaken
    limits = [float(_data(arguments[key])) for key in ("lower", "upper", "b_min", "b_max")]
    made.step(2)
    made.intensity |= {"clip_percentiles": limits[:2], "scale": limits[2:]}


def _clip(made: Preparation, arguments: Arguments) -> None:
    if arguments.get("sharpness_factor") is not None:
        raise NotTaken
    limits = [float(_data(arguments["lower"])), float(_data(arguments["upper"]))]
    made.step(1)
    made.intensity["clip_percentiles"] = limits


def _normalise(made: Preparation, arguments: Arguments) -> None:
    mean, std = _data(arguments.get("subtrahend")), _data(arguments.get("divisor"))
    if mean is None and std is None:
        made.step(3)
        made.intensity["normalise"] = "zscore-nonzero" if arguments.get("nonzero") is True else "zscore"
        return
    if mean is None or std is None or arguments.get("nonzero") is True:
        raise NotTaken
    made.step(4)
    one = isinstance(mean, int | float)
    made.intensity |= {"mean": [mean] if one else list(mean), "std": [std] if one else list(std)}


def _foreground(made: Preparation, arguments: Arguments) -> None:
    """Where to look; a limit in scaled values is moved back to the image's own."""
    chosen = arguments.get("select_fn")
    found = _ABOVE.fullmatch(chosen.text) if isinstance(chosen, Expression) else None
    if (chosen is not None and found is None) or made.stage > 2 or made.left:
        made.notes.append("The bundle's crop to the foreground is not done; the whole image is looked at.")
        return
    limit = float(found[2]) if found else 0.0
    if "scale" in made.intensity and "clip" in made.intensity:
        (low, high), (start, stop) = made.intensity["clip"], made.intensity["scale"]
        limit = low + (limit - start) * (high - low) / (stop - start)
    elif made.stage:
        return
    made.inputs["foreground"] = limit


def _concatenate(made: Preparation, arguments: Arguments) -> None:
    keys = arguments["keys"]
    if not isinstance(keys, list) or tuple(keys) != made.images:
        raise NotTaken
    made.inputs["channels"] = [str(key) for key in keys]


def _data(value: Any) -> Any:
    """A value without expressions. Raises NotTaken for one that has some."""
    if any(True for _ in expressions(value, strict=True)):
        raise NotTaken
    return value


_BEFORE: dict[str, Handler] = {
    "loadimage": _load,
    "orientation": _orientation,
    "spacing": _spacing,
    "resize": _resize,
    "scaleintensityrange": _range,
    "scaleintensity": _scale,
    "scaleintensityrangepercentiles": _percentiles,
    "clipintensitypercentiles": _clip,
    "normalizeintensity": _normalise,
    "cropforeground": _foreground,
    "concatitems": _concatenate,
    **dict.fromkeys(
        (
            "ensurechannelfirst",
            "addchannel",
            "aschannelfirst",
            "ensuretype",
            "totensor",
            "casttotype",
            "todevice",
            "identity",
            "divisiblepad",
            "spatialpad",
            "deleteitems",
            "selectitems",
        ),
        _nothing,
    ),
}
_AFTER = frozenset({"activations", "asdiscrete", "invert", "saveimage", "saveclassification", "ensuretype", "todevice"})
_KNOWN = frozenset(_BEFORE) | _AFTER
