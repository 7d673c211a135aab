"""nnInteractive: the channels through which it sees prompts, after its published description (Isensee et al. 2025).

Its weights are a result folder of nnU-Net with a file about the prompts beside the plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from math import ceil, floor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from medviewer.errors import PluginError
from medviewer.plugin_api import Manifest, Prompt, Prompts
from medviewer.plugin_api.adapting.describe import slug
from medviewer.plugin_api.adapting.parse import parse_mapping, read_mapping
from nnunet.describe import licence_file, settings_of
from nnunet.model import NormalisingModel
from nnunet.network import Recipe
from nnunet.plans import Configuration

_INFO, _LEGACY = "inference_info.json", "inference_session_class.json"
_OFFICIAL = "Dataset225_nnInteractiveV2"
LICENCE = "CC BY-NC-SA 4.0: not for commercial use, and changes under the same licence"
_UNSAID = "not stated in its folder; ask whoever trained it"


@dataclass(frozen=True)
class Channels:
    """Where prompts go in the network's input, counted behind the image.

    Parameters
    ----------
    count
        Channels in all.
    previous
        The mask as it is.
    boxes, flat_boxes, points, scribbles
        The channel of what is looked for, and that of what is not.
    box_kinds
        Whether the network knows boxes on a slice, and boxes with depth.
    radius
        Of a point, in voxels.
    thickness
        Of a scribble, in voxels.
    decay
        By how much a prompt fades with each newer one.
    """

    count: int = 7
    previous: int = 0
    boxes: tuple[int, int] = (1, 2)
    flat_boxes: tuple[int, int] = (1, 2)
    points: tuple[int, int] = (3, 4)
    scribbles: tuple[int, int] = (5, 6)
    box_kinds: tuple[bool, bool] = (True, False)
    radius: int = 4
    thickness: float = 2.0
    decay: float = 0.98


def is_one(folder: Path) -> bool:
    """Whether a result folder says how its network sees prompts."""
    return (folder / _INFO).is_file() or (folder / _LEGACY).is_file()


def read_channels(folder: Path) -> Channels:
    """Read how the network sees prompts.

    Raises
    ------
    PluginError
        If the file is broken or asks for something that this adapter does not know.
    """
    path = folder / _INFO
    if path.is_file():
        return _channels(read_mapping(path), Channels())
    text = (folder / _LEGACY).read_bytes()[:65536]
    if not text.lstrip().startswith(b"{"):
        return Channels(decay=0.9)  # the first release wrote only a class's name
    said = parse_mapping(text, _LEGACY)
    return _channels({key: said[key] for key in said if key != "channel_mapping"}, Channels())


def _channels(said: Mapping[str, Any], usual: Channels) -> Channels:
    if said.get("pad_mode_image", "constant") != "constant":
        raise PluginError(f"{_INFO} asks to pad images by {said['pad_mode_image']}, which this adapter does not know.")
    try:
        mapping, kinds = said.get("channel_mapping") or {}, said.get("supported_interactions") or {}
        count = int(said["interaction_channels"]) + 1 if "interaction_channels" in said else usual.count

        def pair(name: str, default: tuple[int, int]) -> tuple[int, int]:
            first, second = (int(number) % count for number in mapping.get(name, default))
            return first, second

        thickness = said.get("preferred_scribble_thickness", usual.thickness)
        return Channels(
            count=count,
            previous=int(mapping.get("prev_seg", usual.previous)) % count,
            boxes=pair("bbox3d", usual.boxes),
            flat_boxes=pair("bbox2d", usual.flat_boxes),
            points=pair("points", usual.points),
            scribbles=pair("scribble", usual.scribbles),
            box_kinds=(bool(kinds.get("bbox2d", True)), bool(kinds.get("bbox3d", False))),
            radius=min(max(int(said.get("point_radius", usual.radius)), 1), 32),
            thickness=float(max(thickness) if isinstance(thickness, list) else thickness),
            decay=float(said.get("interaction_decay", usual.decay)),
        )
    except (TypeError, ValueError, ZeroDivisionError) as error:
        raise PluginError(f"{_INFO} should say how the network sees prompts, but it is broken.", str(error)) from error


def manifest_of(plan: Configuration, folder: Path, channels: Channels, recipe: Recipe) -> dict[str, Any]:
    """The manifest of an interactive plugin, for `write_plugin`."""
    settings = settings_of(plan, 1, recipe)
    # whatever its plan says, nnInteractive takes mean and standard deviation of what is not 0, and turns nothing
    settings["channels"] = [{"scheme": "ZScoreNormalization", "masked": False, "statistics": None}]
    settings["axes"] = [0, 1, 2]
    settings["prompts"] = {key: list(one) if isinstance(one, tuple) else one for key, one in asdict(channels).items()}
    official = plan.dataset == _OFFICIAL
    return {
        "id": slug(f"nninteractive-{plan.dataset}-{plan.name}"),
        "name": "nnInteractive" if official else f"nnInteractive {plan.dataset.partition('_')[2] or plan.name}",
        "description": "Segments in three dimensions whatever is clicked on. A network trained by nnInteractive.",
        "kinds": ["interactive"],
        "settings": settings,
        "inputs": {
            "ndim": 3,
            "windows": {"roi": list(plan.patch), "multiple": 0},
            "prompts": ["point", "box", "scribble"] if any(channels.box_kinds) else ["point", "scribble"],
        },
        "outputs": {"labels": [{"name": "Object"}], "activation": "softmax"},
        "resources": {"amp": True},
        "weights": {
            "source": f"nnInteractive, {folder.parent.name}/{folder.name}",
            "licence": licence_file(folder) or (LICENCE if official else _UNSAID),
            "intended_use": "Research only, not for diagnosis; see the licence for what else it asks.",
        },
    }


class InteractiveModel(NormalisingModel):
    """An `Interactive` plugin."""

    def __init__(self, manifest: Manifest) -> None:
        super().__init__(manifest)
        said: dict[str, Any] = manifest.settings["prompts"]
        self.channels = _read(said)

    def encode_prompts(self, prompts: Prompts, previous: NDArray[np.bool_], zoom: float) -> NDArray[np.float32]:
        """The mask as it is, and boxes, points and scribbles, which fade with age; shape (channels, z, y, x).

        Seen from further away, nnInteractive widens prompts before it shrinks them: here they are drawn as wide.
        """
        channels = self.channels
        result = np.zeros((channels.count, *previous.shape), np.float32)
        result[channels.previous] = previous
        widened = (_nearest_odd(2 * zoom - 1) - 1) / 2 if zoom > 1 else 0.0
        newest = len(prompts.marks) - 1
        for k, mark in enumerate(prompts.marks):
            strength = channels.decay ** (newest - k)
            target = result[self._pair(mark)[0 if mark.positive else 1]]
            if mark.kind == "box":
                _draw_box(target, mark, strength)
            elif mark.kind == "point":
                _draw_point(target, mark, channels.radius, widened, zoom, strength)
            else:
                _draw_scribble(target, mark, (channels.thickness / 2 + widened) / zoom, strength)
        return result

    def _pair(self, mark: Prompt) -> tuple[int, int]:
        if mark.kind == "box":
            low, high = mark.bounds()
            return self.channels.flat_boxes if (np.rint(low) == np.rint(high)).any() else self.channels.boxes
        return self.channels.points if mark.kind == "point" else self.channels.scribbles


def _draw_box(target: NDArray[np.float32], mark: Prompt, strength: float) -> None:
    low, high = (np.rint(corner).astype(int) for corner in mark.bounds())
    if (high < 0).any() or (low >= target.shape).any():
        return
    target[tuple(slice(max(a, 0), b + 1) for a, b in zip(low, high, strict=True))] = strength


def _draw_point(
    target: NDArray[np.float32], mark: Prompt, radius: int, widened: float, zoom: float, strength: float
) -> None:
    """A ball that is 1 in its middle and fades to its rim, as the distance to what lies outside does."""
    ball = _ball(radius) if zoom == 1 else _far_ball(radius, widened, zoom)
    reach = ball.shape[0] // 2
    start = np.rint(np.array(mark.at[0])).astype(int) - reach
    inner = [slice(max(0, -s), min(n, e - s)) for s, n, e in zip(start, ball.shape, target.shape, strict=True)]
    if any(one.start >= one.stop for one in inner):
        return  # it lies outside of this piece
    outer = tuple(slice(s + one.start, s + one.stop) for s, one in zip(start, inner, strict=True))
    np.maximum(target[outer], ball[tuple(inner)] * np.float32(strength), out=target[outer])


def _ball(radius: int) -> NDArray[np.float32]:
    grid = np.arange(-radius, radius + 1)
    square = grid[:, None, None] ** 2 + grid[None, :, None] ** 2 + grid[None, None, :] ** 2
    distance = ndimage.distance_transform_edt(square <= radius**2)
    return np.asarray(distance / distance.max(), np.float32)


def _far_ball(radius: int, widened: float, zoom: float) -> NDArray[np.float32]:
    reach = max(1, ceil((radius + widened) / zoom))
    grid = np.arange(-reach, reach + 1) * zoom
    away = np.sqrt(grid[:, None, None] ** 2 + grid[None, :, None] ** 2 + grid[None, None, :] ** 2)
    return np.asarray(np.clip(1 - np.maximum(away - widened, 0) / (radius + 1), 0, 1), np.float32)


def _draw_scribble(target: NDArray[np.float32], mark: Prompt, radius: float, strength: float) -> None:
    """Every voxel within `radius` of the line, and those that it goes through."""
    positions = np.array(mark.at)
    steps = [np.linspace(a, b, max(2, 2 * ceil(float(np.abs(b - a).max())))) for a, b in pairwise(positions)]
    line = np.unique(np.rint(np.concatenate([positions, *steps])).astype(int), axis=0)
    reach = max(0, floor(radius))
    offsets = np.argwhere(np.ones((2 * reach + 1,) * 3)) - reach
    offsets = offsets[(offsets**2).sum(axis=1) <= max(radius, 0) ** 2]
    if len(np.unique(np.rint(positions).astype(int), axis=0)) > 1:
        flat = np.ptp(np.rint(positions), axis=0) == 0  # a line on a slice stays on it
        offsets = offsets[(offsets[:, flat] == 0).all(axis=1)]
    voxels = (line[:, None] + offsets[None]).reshape(-1, 3)
    inside = voxels[((voxels >= 0) & (voxels < target.shape)).all(axis=1)]
    place = tuple(inside.T)
    target[place] = np.maximum(target[place], np.float32(strength))


def _nearest_odd(number: float) -> int:
    up, down = ceil(number), floor(number)
    return up if up % 2 else down if down % 2 else round(number) + 1


def _read(said: Mapping[str, Any]) -> Channels:
    """The channels that a manifest's settings hold."""
    values: dict[str, Any] = {key: tuple(one) if isinstance(one, list) else one for key, one in said.items()}
    return Channels(**values)
