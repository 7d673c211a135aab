"""Which plugin a judged mask teaches, and what its labels mean to that plugin.

A later verdict on the same series and plugin supersedes the former one, so a mask may reach a plugin's queue only if it
is about that plugin's labels.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from medviewer.domain.image import Image
from medviewer.domain.mask import Segment, Segmentation
from medviewer.domain.study import Series
from medviewer.errors import InputError, UnsuitableImageError
from medviewer.inference.suitability import check_suitable
from medviewer.plugin_api import Manifest

if TYPE_CHECKING:
    # Loads the database, which commands that only read files do without.
    from medviewer.app.services import Services

_UNNAMED = re.compile(r"(Segment|Label) \d+")
"""What segments are called before anybody names them: in a new mask, and in files that hold numbers only."""


def learner(services: Services, image: Image, series: Series, mask: Segmentation, plugin_id: str = "") -> Manifest:
    """The plugin that a verdict teaches: the named one, else the mask's maker, else the only one that could learn it.

    Raises
    ------
    NotFoundError, ManifestError
        If the named plugin is not installed, or is broken.
    UnsuitableImageError
        If the image is not one for it.
    InputError
        If it does not learn, or nobody names a plugin and there is not exactly one that learns from such images.
    """
    named = plugin_id or mask.provenance.plugin_id
    if named:
        manifest = services.plugin(named).manifest
        assert manifest is not None  # the plugin is healthy
        if "train" not in manifest.kinds:
            raise InputError(f"A verdict needs a plugin that learns, but {named} does not; save the mask to a file.")
        check_suitable(manifest, image, series)
        return manifest
    able = [
        plugin.manifest
        for plugin in services.plugins
        if plugin.manifest and _could_learn(plugin.manifest, image, series)
    ]
    if len(able) == 1:
        return able[0]
    count = "none does" if not able else f"{', '.join(manifest.id for manifest in able)} do"
    raise InputError(
        f"A mask painted by hand teaches the one plugin that learns from such images, but {count}; "
        "run the plugin first, then correct its mask."
    )


def taught(manifest: Manifest, mask: Segmentation) -> Segmentation:
    """The mask in the plugin's own labels, found by their names: numbers mean what each mask says they mean.

    Segments without a voxel are left out. A single one that nobody named stands for a plugin's only label.

    Raises
    ------
    InputError
        If a painted segment has the name of no label of the plugin.
    """
    labels = manifest.segments()
    painted = [mask.segment(int(label)) for label in np.unique(mask.labels) if label]
    numbers = {segment.label: _number(segment, labels, alone=len(painted) == 1) for segment in painted}
    foreign = [segment.name for segment in painted if numbers[segment.label] is None]
    if foreign:
        raise InputError(
            f"{manifest.name} learns {', '.join(segment.name for segment in labels)}, but this mask holds "
            f"{', '.join(foreign)}; rename its segments, or erase what is something else."
        )
    table = np.zeros(int(mask.labels.max(initial=0)) + 1, mask.labels.dtype)
    for label, number in numbers.items():
        table[label] = number
    return replace(mask, labels=table[mask.labels], segments=labels)


def _number(segment: Segment, labels: Sequence[Segment], *, alone: bool) -> int | None:
    for known in labels:
        if known.name.casefold() == segment.name.strip().casefold():
            return known.label
    if alone and len(labels) == 1 and _UNNAMED.fullmatch(segment.name):
        return labels[0].label
    return None


def _could_learn(manifest: Manifest, image: Image, series: Series) -> bool:
    try:
        check_suitable(manifest, image, series)
    except UnsuitableImageError:
        return False
    return "train" in manifest.kinds
