"""Segmenting by clicks, the host's side: hand over what the user points at, and put the answer together.

The image goes to the child once and is prepared there once; a click costs what the network takes.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.image import Image
from medviewer.domain.provenance import Provenance
from medviewer.domain.study import Series
from medviewer.errors import ManifestError
from medviewer.inference.clicking.part import Answer, Part
from medviewer.inference.client import SILENCE_S, checked_manifest, plugin_lane, request_payload
from medviewer.inference.device import gpu_resource
from medviewer.inference.suitability import doubts
from medviewer.plugin_api import Prompts
from medviewer.plugin_api.discovery import DiscoverResult

if TYPE_CHECKING:
    from medviewer.jobs import Job, Runner, WorkerReply

__all__ = ["PRIORITY", "Answer", "Part", "submit_prompts"]

PRIORITY = 10
"""Of a click before other work: a person waits with the hand on the mouse."""
_SERVICE = "medviewer.inference.clicking.clicks"


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
