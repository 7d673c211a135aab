"""Segmenting by clicks, the host's side: hand over what the user points at, and put the answer together.

The image goes to the child once and is prepared there once; a click costs what the network takes.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.geometry import Shape
from medviewer.domain.image import Image
from medviewer.domain.provenance import Provenance
from medviewer.domain.study import Series
from medviewer.errors import ManifestError
from medviewer.inference.client import SILENCE_S, checked_manifest, plugin_lane, request_payload
from medviewer.inference.device import gpu_resource
from medviewer.inference.suitability import doubts
from medviewer.plugin_api import Prompts
from medviewer.plugin_api.discovery import DiscoverResult

if TYPE_CHECKING:
    from medviewer.jobs import Job, Runner, WorkerReply

PRIORITY = 10
"""Of a click before other work: a person waits with the hand on the mouse."""
_SERVICE = "medviewer.inference.clicking.clicks"


@dataclass(frozen=True, eq=False)
class Part:
    """A box of voxels on an image's own grid.

    Parameters
    ----------
    start
        Its first voxel (z, y, x).
    inside
        Which of its voxels belong to the structure, bool (z, y, x); outside of the box none is said to.
    """

    start: Shape
    inside: NDArray[np.bool_]

    @property
    def box(self) -> tuple[slice, slice, slice]:
        """Where it lies."""
        z, y, x = (slice(a, a + n) for a, n in zip(self.start, self.inside.shape, strict=True))
        return z, y, x

    @classmethod
    def of_label(cls, labels: NDArray[np.integer], label: int) -> Part:
        """As `of` a label map's voxels of one label, slice by slice: a large map is compared once, within its box."""
        rows: NDArray[np.bool_] = np.zeros(labels.shape[1:], bool)
        here = np.empty_like(rows)
        slices = []
        for z, plane in enumerate(labels):
            np.equal(plane, label, out=here)
            if here.any():
                slices.append(z)
                np.logical_or(rows, here, out=rows)
        if not slices:
            return cls((0, 0, 0), np.zeros((1, 1, 1), bool))
        box = cls.of(rows[None])
        (z, z1), (_, y, x) = (slices[0], slices[-1] + 1), box.start
        _, height, width = box.inside.shape
        return cls((z, y, x), labels[z:z1, y : y + height, x : x + width] == label)

    @classmethod
    def of(cls, mask: NDArray[np.bool_]) -> Part:
        """The smallest box (of at least one voxel) that holds all of a mask."""
        bounds = []
        for axis in range(3):
            found = np.flatnonzero(mask.any(axis=tuple(k for k in range(3) if k != axis)))
            bounds.append((int(found[0]), int(found[-1]) + 1) if found.size else (0, 1))
        (z, z1), (y, y1), (x, x1) = bounds
        return cls((z, y, x), mask[z:z1, y:y1, x:x1])


@dataclass(frozen=True, eq=False)
class Answer:
    """What a plugin made of the prompts.

    Parameters
    ----------
    part
        The box that it looked at, and the structure in it; what lies outside of the box stays as it was.
    provenance
        Which model said so.
    """

    part: Part
    provenance: Provenance


def submit_prompts(
    runner: Runner,
    image: Image,
    series: Series,
    plugin: DiscoverResult,
    weights: Path,
    model_version: str,
    prompts: Prompts,
    previous: Part,
    *,
    device: str = "auto",
    parameters: Mapping[str, Any] | None = None,
) -> Job[Answer]:
    """Ask an interactive plugin what the user points at, before other work that waits.

    Parameters
    ----------
    weights, model_version
        The safetensors file of the version to run, and its name.
    prompts
        Everything pointed at for this structure, in voxel indices of the image.
    previous
        The structure's mask as it is. Its array must not be written into.
    device
        ``auto``, ``cpu`` or ``cuda``.

    Raises
    ------
    UnsuitableImageError, WeightsMissingError, InputError, UntrustedError
        As `submit_prediction` does.
    ManifestError
        If the plugin is broken, or is not interactive.
    """
    manifest = checked_manifest(plugin)
    if "interactive" not in manifest.kinds:
        kinds = ", ".join(manifest.kinds)
        raise ManifestError(f"{manifest.name} should answer clicks, but its kinds are {kinds}; choose another plugin.")
    payload = request_payload(plugin, image, series, weights, model_version, device, parameters)
    payload |= {"key": _key(image), "prompts": prompts.to_json(), "start": list(previous.start)}
    notes = doubts(manifest, image, series)

    def answer(reply: WorkerReply) -> Answer:
        z, y, x = reply.payload["start"]
        made = Provenance.from_json(reply.payload["provenance"])
        return Answer(Part((z, y, x), reply.arrays["inside"]), replace(made, notes=(*notes, *made.notes)))

    return runner.submit_process(
        f"{_SERVICE}:respond",
        payload,
        {"voxels": image.voxels, "previous": previous.inside},
        title=f"{manifest.name}: {'looking around a click' if prompts.marks else 'getting ready for clicks'}",
        lane=plugin_lane(plugin),
        convert=answer,
        silence_s=SILENCE_S,
        resource=gpu_resource(device, manifest),
        priority=PRIORITY,
        fixed=("voxels",),
    )


_numbers = itertools.count(1)
_Place = tuple[int, int, tuple[int, ...], tuple[int, ...]]
_known: dict[_Place, tuple[weakref.ref[NDArray[np.generic]], str]] = {}


def _key(image: Image) -> str:
    """A name for an image's voxels that no other image of this process ever has.

    A phase is a view into the array of all phases, and a new view of it is the same phase: where voxels lie counts.
    """
    voxels, owner = image.voxels, image.voxels
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    place = (id(owner), voxels.__array_interface__["data"][0], voxels.shape, voxels.strides)
    held = _known.get(place)
    if held is None or held[0]() is not owner:
        held = (weakref.ref(owner, lambda _: _known.pop(place, None)), f"image-{next(_numbers)}")
        _known[place] = held
    return held[1]
