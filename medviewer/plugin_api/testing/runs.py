"""Checks that take images through the plugin as its host does."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from medviewer.domain.image import Image
from medviewer.errors import ContractError, JobCancelled
from medviewer.plugin_api.context import RunContext
from medviewer.plugin_api.manifest import Manifest
from medviewer.plugin_api.testing.answers import Answer, alike, check_answer, same_answer
from medviewer.plugin_api.testing.images import (
    OddImage,
    huge_image,
    odd_images,
    plain_image,
    turned,
    turned_array,
    turned_boxes,
)
from medviewer.plugin_api.testing.rows import Check
from medviewer.plugin_api.testing.watch import Memory, Watch

if TYPE_CHECKING:
    from torch import nn

Predict = Callable[[Image, RunContext], Answer]
"""The host's way through the plugin: a label map on the image's grid, or a vector of probabilities."""

CANCEL_S = 1.0
"""A cancelled run has to stop within this time; the host ends a process that does not."""
_IMAGE_COPIES = 8
"""How often a run may hold a huge image as float32, beside what the network needs."""
_SLACK_BYTES = 256 << 20
_TURNED_DIFFERS = 1e-3
"""The part of the voxels that may differ in a turned image: ties of a rounded boundary."""
_TURNED_PROBABILITY = 1e-2


class Runs:
    """Takes images through one plugin; an answer that a later check needs again is kept.

    Parameters
    ----------
    manifest, network
        Of the plugin.
    predict
        The host's way through it.
    context
        Of the run; nobody hears the progress of a single prediction.
    """

    def __init__(self, manifest: Manifest, network: nn.Module, predict: Predict, context: RunContext) -> None:
        self.manifest, self.network, self.predict = manifest, network, predict
        self.context = replace(context, report=_ignore)
        self.plain = plain_image(manifest)
        self.memory = Memory()
        self._growth = 0
        self._watch: Watch | None = None
        self._kept: dict[str, Answer] = {}

    def checks(self) -> Iterator[Check]:
        """Every check that needs nothing but images."""
        odd = list(odd_images(self.manifest))
        yield "repeatable", partial(self.repeatable, odd[0])
        for one in odd:
            yield one.name, partial(self.valid, one)
        if self.manifest.inputs.orientation:
            yield "orientation", self.orientation
        yield "types", self.types
        if len(self.manifest.inputs.modality) > 1:
            yield "modalities", self.modalities
        yield "huge", self.huge
        yield "memory", self.bounded
        yield "cancel", self.cancel

    def answer(
        self, image: Image, cancelled: threading.Event | None = None, parameters: Mapping[str, Any] | None = None
    ) -> Answer:
        """The checked answer to one image; of a run with other `parameters` than the defaults."""
        context = self.context if cancelled is None else replace(self.context, cancelled=cancelled)
        context = replace(context, parameters={**context.parameters, **(parameters or {})})
        with self.memory.watched():
            answer = self.predict(image, context)
        check_answer(self.manifest, image, answer)
        return answer

    def kept(self, name: str, image: Image) -> Answer:
        """The answer to an image from its first run."""
        if name not in self._kept:
            self._kept[name] = self.answer(image)
            self._growth = self._growth or self.memory.growth
        return self._kept[name]

    def repeatable(self, other: OddImage) -> str:
        """The same image gets the same answer, after another image too."""
        first = self.kept("plain", self.plain)
        self.kept(other.name, other.image)
        if not same_answer(first, self._watched_answer(), self.context.device):
            if not same_answer(self.answer(self.plain), self.answer(self.plain), self.context.device):
                raise ContractError("Expected the same answer from the same image and seed, but two runs differ.")
            raise ContractError(
                "Expected the same answer from the same image, but it changes after another image was seen; keep "
                "nothing from run to run."
            )
        return "The same image gets the same answer again, also after another image."

    def valid(self, odd: OddImage) -> str:
        """An odd image gets an answer of the declared form."""
        self.kept(odd.name, odd.image)
        return f"{odd.what} gets a valid answer."

    def orientation(self) -> str:
        """An image that is stored along other axes gets the same answer at the same places of the world."""
        answer, expected = self.answer(turned(self.plain)), self.kept("plain", self.plain)
        if expected.ndim == 3:
            expected = turned_array(expected)
        elif expected.ndim == 2:
            expected = turned_boxes(expected, self.plain.grid.shape)
        if not alike(expected, answer, _TURNED_DIFFERS, _TURNED_PROBABILITY):
            raise ContractError(
                f"Expected the same answer from an image that is stored along other axes, since plugin.yaml declares "
                f"the orientation {self.manifest.inputs.orientation}, but it differs."
            )
        return "An image that is stored along other axes gets the same answer at the same places."

    def types(self) -> str:
        """The same values in another number type mean the same."""
        answer = self.answer(plain_image(self.manifest, np.float64))
        if not alike(self.kept("plain", self.plain), answer, _TURNED_DIFFERS, _TURNED_PROBABILITY):
            raise ContractError("Expected the same answer to the same values as int16 and as float64, but it differs.")
        return "The same values as int16 and as float64 get the same answer."

    def modalities(self) -> str:
        """Every modality that the manifest accepts gets an answer."""
        for modality in self.manifest.inputs.modality[1:]:
            self.answer(plain_image(self.manifest, modality=modality))
        return f"Every declared modality gets a valid answer: {', '.join(self.manifest.inputs.modality)}."

    def huge(self) -> str:
        """An image far larger than the network's input gets an answer."""
        self.kept("plain", self.plain)
        image = huge_image(self.manifest)
        self.answer(image)
        return f"An image of {_size(image)} voxels gets a valid answer."

    def bounded(self) -> str:
        """No run took more memory than the manifest says, or than an image of its size explains."""
        self.kept("plain", self.plain)
        image = huge_image(self.manifest)
        images = _IMAGE_COPIES * 4 * math.prod(image.grid.shape) + _SLACK_BYTES
        declared = self.manifest.resources.memory_gb
        allowed = images + (int(declared * 1e9) if declared and self.context.device == "cpu" else self._growth)
        took = self.memory.growth
        if took > allowed:
            raise ContractError(
                f"Expected an image of {_size(image)} voxels to take {_bytes(allowed)} at most, but it took "
                f"{_bytes(took)}."
            )
        return f"A small image took {_bytes(self._growth)} of memory, a huge one {_bytes(took)}."

    def cancel(self) -> str:
        """A cancelled run stops: at the first sign of progress, in the middle, and within a second everywhere."""
        if self._watch is None:
            self._watched_answer()
        watch = self._watch or Watch()
        first = threading.Event()
        self._stops(replace(self.context, report=lambda fraction, message: first.set(), cancelled=first))
        self._stops(replace(self.context, cancelled=Watch(cancel_at=max(1, watch.looks // 2))))
        if watch.longest_other_s > CANCEL_S:
            raise ContractError(
                f"Expected a run to look for a cancel within {CANCEL_S:g} s, but it went on for "
                f"{watch.longest_other_s:.1f} s; call context.check() or make its steps smaller."
            )
        if watch.longest_layer_s > CANCEL_S:
            return (
                f"A cancelled run stops before its next layer; the longest takes {watch.longest_layer_s:.1f} s here, "
                "and a cancel in it ends the process."
            )
        return "A cancelled run stops within 1 s, at its beginning, in the middle and everywhere else."

    def _watched_answer(self) -> Answer:
        """The answer to the plain image from a run that notes how often it looks for a cancel."""
        self._watch = Watch()
        with self._watch.over(self.network):
            return self.answer(self.plain, self._watch)

    def _stops(self, context: RunContext) -> None:
        try:
            self.predict(self.plain, context)
        except JobCancelled:
            return
        raise ContractError("Expected a cancelled run to stop, but it ran to its end.")


def _size(image: Image) -> str:
    return " x ".join(str(n) for n in image.grid.shape)


def _bytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def _ignore(fraction: float, message: str) -> None:
    """Take the progress of one prediction, which says nothing about the whole check."""
