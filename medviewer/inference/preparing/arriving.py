"""Network input that is made as the sliding window comes to it: the first window does not wait for the last slice.

For images whose every voxel becomes network input by itself: nothing is resampled, and no step needs to have seen the
whole image. The values are the same to the last bit as those of `pipeline.prepared`, which makes all of them at once.
Only the slices of one layer of windows are held; where layers overlap they are made again, which takes far less than
the network does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.image import Image
from medviewer.inference.preparing.frame import NetworkFrame
from medviewer.inference.preparing.intensity import adjust, take_source, widened
from medviewer.inference.preparing.resample import filling, real_values
from medviewer.plugin_api import RunContext
from medviewer.plugin_api.spec import Intensity

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_STEP_VOXELS = 1 << 20
"""Voxels that are made at once: 4 MB, which stay in the cache from one step to the next."""


def made_by_itself(images: Sequence[Image], frame: NetworkFrame, wanted: Intensity) -> bool:
    """Whether each voxel becomes network input without a look at another one."""
    statistics = wanted.clip_percentiles is not None or wanted.normalise != "none"
    statistics = statistics or (wanted.scale is not None and wanted.clip is None)
    together = all(image.grid.matches(frame.source) for image in images[1:])
    # Slices of the network that run across the source's would each meet every slope.
    uniform = frame.axes[0] == 0 or all(image.rescale.is_uniform or image.lut is not None for image in images)
    return together and uniform and not statistics and not frame.resamples and wanted.repeat == 1


class ArrivingValues:
    """Network input (channels, z, y, x), float32, on the CPU; slices are made when they are asked for.

    Indexed as a tensor is by two slices, of channels and of z. What it gave before is overwritten then.

    Parameters
    ----------
    images
        One a channel, for which `made_by_itself` is true.
    frame
        Where they lie.
    wanted, name
        The manifest's `inputs.intensity`, and the plugin's name.
    context
        Cancelled before each piece.

    Attributes
    ----------
    notes
        What has to be read beside the result.

    Raises
    ------
    UnsuitableImageError
        If an image holds no finite value at all.
    """

    def __init__(
        self, images: Sequence[Image], frame: NetworkFrame, wanted: Intensity, name: str, context: RunContext
    ) -> None:
        self._images = tuple(images)
        self._frame = frame
        self._wanted = wanted
        self._name = name
        self._context = context
        self._held = self._room(0)
        found = [filling(image) for image in images]
        self._fills = tuple(fill for fill, _ in found)
        self.notes = tuple(dict.fromkeys(note for _, said in found for note in said))

    @property
    def shape(self) -> torch.Size:
        """Channels, z, y, x."""
        import torch

        return torch.Size((len(self._images), *self._frame.shape))

    def __getitem__(self, place: tuple[slice, slice]) -> Tensor:
        """Channels of slices of z, made now."""
        channels, along = place
        first, stop, _ = along.indices(self.shape[1])
        if self._held.shape[1] != stop - first:
            self._held = self._room(stop - first)
        step = max(1, _STEP_VOXELS // (self.shape[2] * self.shape[3]))
        for start in range(first, stop, step):
            self._context.check()
            part = self._held[:, start - first : start - first + step]
            for image, fill, grey in zip(self._images, self._fills, part, strict=True):
                self._take(image, fill, start, grey)
            widened(part, self._wanted, self._name)  # in place, since nothing is repeated
        return self._held[channels]

    def _room(self, depth: int) -> Tensor:
        """Room for so many slices; NumPy's memory, which the system hands out in huge pages."""
        import torch

        return torch.from_numpy(np.empty((len(self._images), depth, *self._frame.shape[1:]), np.float32))

    def _take(self, image: Image, fill: float | None, start: int, grey: Tensor) -> None:
        """Slices of one image from `start` on, into `grey` (z, y, x)."""
        for z, stored, into in self._pieces(image, start, grey):
            into[...] = real_values(image, z, stored, fill)
        take_source(grey, image, self._wanted.source)
        adjust(grey, self._wanted, self._context)

    def _pieces(
        self, image: Image, start: int, grey: Tensor
    ) -> list[tuple[int, NDArray[np.generic], NDArray[np.float32]]]:
        """Stored voxels that share a rescale, its slice in the source, and where they go."""
        stored = self._frame.view(image.voxels)[start : start + len(grey)]
        into = cast(NDArray[np.float32], grey.numpy())
        if image.rescale.is_uniform or image.lut is not None:
            return [(0, stored, into)]
        first, last = self._frame.box[0]
        flipped = self._frame.flips[0]
        return [(last - 1 - start - k if flipped else first + start + k, stored[k], into[k]) for k in range(len(grey))]
