"""Segmenting by clicks, in the child process: look at a piece around the newest prompt, from further away if need be.

A structure that reaches the edge of the piece is looked at again from further away, and then its edges are looked at
once more from near, as nnInteractive does it (Isensee et al. 2025).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.geometry import Shape
from medviewer.errors import ContractError
from medviewer.inference.answering.activation import activated
from medviewer.inference.hashing import InputHash
from medviewer.inference.loader import begin_run, device_of, load_plugin, plugin_step
from medviewer.inference.pipeline import NetworkInput, OpenedRun, called, layers_checked, network_batch, prepared
from medviewer.inference.preparing.frame import window_size
from medviewer.inference.preparing.pieces import Floats, Piece, mask_to_frame, to_source
from medviewer.inference.request import PluginRun, image_from_json
from medviewer.jobs import WorkerReply, WorkerRequest
from medviewer.plugin_api import Interactive, Prompts, RunContext

if TYPE_CHECKING:
    from torch import Tensor

_FURTHEST = 4.0
"""How many times as wide a piece may become."""
_STEP = 1.5
_MARGIN = 1 / 3
"""Of a piece: what it shows around a box or a scribble."""
_CHANGED, _SOME = 0.04, 0.003
"""Parts of a piece's face: when as many voxels of it change, or some that are a fifth of the structure there, it grows.

nnInteractive counts 1500 and 100 voxels of a face of 192 x 192.
"""
_MOST_PIECES = 64
"""Pieces in which edges are looked at once more."""


@dataclass
class _Ready:
    """A prepared image, which stays for the next click.

    Parameters
    ----------
    key
        Of the image, the plugin and its weights.
    found
        The image as the network wants it.
    hash
        Of the image; empty until somebody has waited for it.
    """

    key: tuple[str, ...]
    found: NetworkInput
    hash: str = ""


_ready: list[_Ready] = []
"""The image that was looked at last; one fills memory enough."""


def respond(request: WorkerRequest, context: RunContext) -> WorkerReply:
    """Answer prompts: array ``inside`` of the box that was looked at, its ``start``, and the ``provenance``.

    Without a prompt only the network and the image are made ready.
    """
    opened = _open(request, context)
    ready, hashing = _prepare(request, opened)
    prompts = Prompts.from_json(request.payload["prompts"]).moved(ready.found.frame.network_index)
    start: Shape = (0, 0, 0)
    inside: NDArray[np.bool_] = np.zeros((1, 1, 1), bool)
    if prompts.marks:
        z, y, x = request.payload["start"]
        previous = mask_to_frame((z, y, x), request.arrays["previous"], ready.found.frame)
        first, probabilities = _Search(opened, ready.found.values, prompts, previous).run()
        start, found = to_source(first, probabilities, ready.found.frame)
        inside = found >= opened.loaded.manifest.outputs.threshold
    if hashing is not None:
        ready.hash = hashing.result()
    made = replace(opened, hashing=_Known(ready.hash)).provenance(*ready.found.notes)
    opened.context.progress(1.0, "Done")
    return WorkerReply({"start": list(start), "provenance": made.to_json()}, {"inside": inside})


class _Known(InputHash):
    """The hash of an image that was worked out before."""

    def __init__(self, known: str) -> None:
        self._known = known

    def result(self) -> str:
        """The hash."""
        return self._known


def _open(request: WorkerRequest, context: RunContext) -> OpenedRun:
    run = PluginRun.from_json(request.payload["run"])
    context.progress(0.0, "Loading the plugin")
    device = device_of(run)
    loaded = load_plugin(run, device)
    manifest = loaded.manifest
    # a user points where the user likes: nothing is cut away
    whole = manifest.model_copy(update={"inputs": manifest.inputs.model_copy(update={"foreground": None})})
    image = image_from_json(request.payload["image"], request.arrays["voxels"])
    context = begin_run(manifest, loaded.plugin, run.parameters, replace(context, device=device))
    return OpenedRun(run, replace(loaded, manifest=whole), image, context)


def _prepare(request: WorkerRequest, opened: OpenedRun) -> tuple[_Ready, InputHash | None]:
    """The prepared image, and the work on its hash where nobody has waited for that yet."""
    run = opened.run
    key = (request.payload["key"], str(run.folder), str(run.weights), repr(sorted(opened.context.parameters.items())))
    ready = next((one for one in _ready if one.key == key), None)
    hashing = None if ready and ready.hash else InputHash((opened.image,), opened.context).start()
    if ready is None:
        _ready.clear()  # before the next one takes its place in memory
        ready = _Ready(key, prepared(opened))
        _ready.append(ready)
    return ready, hashing


class _Search:
    """One answer to prompts, all on the network's grid.

    Parameters
    ----------
    values
        The prepared image (channels, z, y, x).
    prompts
        In voxel indices of the network's grid.
    previous
        The structure's mask as it is, (z, y, x).
    """

    def __init__(self, opened: OpenedRun, values: Tensor, prompts: Prompts, previous: NDArray[np.bool_]) -> None:
        self._opened, self._values, self._prompts = opened, values, prompts
        self._mask = previous
        inputs = opened.loaded.manifest.inputs
        self._flat = inputs.ndim == 2
        self._roi = window_size(inputs)
        self._threshold = opened.loaded.manifest.outputs.threshold

    def run(self) -> tuple[Shape, Floats]:
        """The first voxel of the box that was looked at, and the probabilities in it."""
        centre, zoom = self._first_look()
        while True:
            piece = Piece.around(centre, self._roi, zoom, flat=self._flat)
            answer = self._look(piece)
            if zoom >= _FURTHEST or not self._leaves(piece, answer):
                break
            zoom = min(_FURTHEST, zoom * _STEP)
        return self._refined(piece, answer, centre) if zoom > 1 else self._clipped(piece, answer)

    def _first_look(self) -> tuple[NDArray[np.float64], float]:
        """Where the newest prompt lies, and from how far away all of it is seen."""
        low, high = self._prompts.marks[-1].bounds()
        if self._prompts.marks[-1].kind == "point":
            return low, 1.0
        roi = np.array(self._roi)
        wanted = (high - low + 1 + np.floor(roi * _MARGIN)) / roi
        return (low + high) / 2, float(np.clip(wanted[1 if self._flat else 0 :].max(), 1, _FURTHEST))

    def _look(self, piece: Piece) -> Floats:
        """The probability of each voxel of a piece."""
        import torch

        opened, manifest = self._opened, self._opened.loaded.manifest
        opened.context.check()
        previous = piece.cut_mask(self._mask)
        with plugin_step(opened.name, "reading the prompts"):
            plugin = cast(Interactive, opened.loaded.plugin)
            channels = plugin.encode_prompts(self._prompts.moved(piece.index), previous, piece.zoom)
        shape = getattr(channels, "shape", ())
        if (
            getattr(channels, "dtype", None) != np.float32
            or shape[1:] != piece.shape
            or not np.isfinite(channels).all()
        ):
            raise ContractError(
                f"{manifest.name} should turn prompts into finite float32 channels of {piece.shape}, not {shape}; tell "
                "its author."
            )
        seen = torch.cat([piece.cut(self._values), torch.from_numpy(channels)])
        torch.manual_seed(opened.context.seed)
        with torch.inference_mode(), layers_checked(opened, 0.1, 0.9), self._half():
            output = called(opened, opened.loaded.network, network_batch(opened, seen))
        answer = activated(opened, output.float(), piece.shape)
        return np.asarray(answer[0].cpu().numpy(), np.float32)

    def _half(self) -> AbstractContextManager[object]:
        import torch

        loaded = self._opened.loaded
        if loaded.manifest.resources.amp and loaded.device.startswith("cuda"):
            return torch.autocast("cuda", dtype=torch.float16)
        return nullcontext()

    def _leaves(self, piece: Piece, answer: Floats) -> bool:
        """Whether what the answer changes reaches a face of the piece that lies inside the image."""
        found, before = answer >= self._threshold, piece.cut_mask(self._mask)
        bounds = zip(piece.start, piece.extent, self._values.shape[1:], strict=True)
        for axis, (start, extent, size) in enumerate(bounds):
            if axis == 0 and self._flat:
                continue
            ends = [0] * (start > 0) + [-1] * (start + extent < size)
            if any(_changes(found.take([end], axis), before.take([end], axis)) for end in ends):
                return True
        return False

    def _clipped(self, piece: Piece, answer: Floats) -> tuple[Shape, Floats]:
        grid, own = piece.inner(self._mask.shape)
        return _starts(grid), answer[own]

    def _refined(self, piece: Piece, answer: Floats, centre: NDArray[np.float64]) -> tuple[Shape, Floats]:
        """Look from near at what the far look changed; what it saw elsewhere is not kept."""
        grid, own = piece.inner(self._mask.shape)
        before = self._mask
        coarse = piece.full(answer)[own] >= self._threshold
        changed = np.zeros_like(before)
        changed[grid] = coarse != before[grid]
        self._mask = before.copy()
        self._mask[grid] = coarse  # what the near looks see as the mask so far
        result = before.astype(np.float32)
        touched: list[tuple[slice, ...]] = []
        for near in self._pieces(changed, centre):
            closer = self._look(near)
            place, part = near.inner(before.shape)
            result[place] = closer[part]
            self._mask[place] = closer[part] >= self._threshold
            touched.append(place)
        union = tuple(slice(min(s[k].start for s in touched), max(s[k].stop for s in touched)) for k in range(3))
        return _starts(union), result[union]

    def _pieces(self, changed: NDArray[np.bool_], centre: NDArray[np.float64]) -> Iterator[Piece]:
        """Near pieces that cover what changed, the one around the prompt last, which has the last word."""
        found = [np.flatnonzero(changed.any(axis=tuple(a for a in range(3) if a != k))) for k in range(3)]
        count = 0
        if all(one.size for one in found):
            steps = [max(1, (size * 3) // 4) for size in self._roi]
            lines = [
                np.arange(one[0] + min(size, one[-1] + 1 - one[0]) // 2, one[-1] + 1 + step - 1, step)
                for one, size, step in zip(found, self._roi, steps, strict=True)
            ]
            for place in product(*lines):
                piece = Piece.around(place, self._roi, 1.0, flat=self._flat)
                grid, _ = piece.inner(changed.shape)
                if changed[grid].any() and count < _MOST_PIECES:
                    count += 1
                    yield piece
        yield Piece.around(centre, self._roi, 1.0, flat=self._flat)


def _changes(found: NDArray[np.bool_], before: NDArray[np.bool_]) -> bool:
    """Whether a face of a piece differs by so much that the structure goes on behind it."""
    different = int(np.count_nonzero(found != before))
    now, then = int(np.count_nonzero(found)), int(np.count_nonzero(before))
    return different > _CHANGED * found.size or (
        different > max(1, _SOME * found.size) and max(now, then) > 1.2 * min(now, then)
    )


def _starts(slices: tuple[slice, ...]) -> Shape:
    z, y, x = (int(one.start) for one in slices)
    return z, y, x
