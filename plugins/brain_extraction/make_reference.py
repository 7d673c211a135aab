"""Writes what the training set looks like to this network, as well as it can be known: run once, by a developer.

deepbrain's training heads were never published. This stands in for them: one head that the network is known to do well
on (Colin27, the demo study), turned, stretched, cut, lit, blurred by noise and mirrored in as many ways as scanners and
heads differ. What it cannot know is how other people's brains differ from Colin's, so that its limit is a loose one.

    python plugins/brain_extraction/make_reference.py resources/demo/colin27 plugins/brain_extraction
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.image import Image, Rescale
from medviewer.errors import PluginError
from medviewer.formats import load, scan
from medviewer.inference.doubting.features import plain_features
from medviewer.inference.doubting.reference import build, write
from medviewer.inference.loader import load_plugin
from medviewer.inference.pipeline import OpenedRun, prepared
from medviewer.inference.request import PluginRun
from medviewer.plugin_api import RunContext
from medviewer.plugin_api.manifest import read_manifest

if TYPE_CHECKING:
    from torch import Tensor

HEADS = 160
SOURCE = f"{HEADS} augmentations of Colin27 (the demo head); the network's own training set is not published"


def augmented(head: NDArray[np.generic], seed: int, strength: float = 1.0) -> NDArray[np.float32]:
    """A head (z, y, x) as another scanner and another position might show it.

    Parameters
    ----------
    strength
        1 is what the reference is made of; less is milder.
    """
    import torch

    chance = np.random.default_rng(seed)
    values = torch.from_numpy(head.astype(np.float32) / np.float32(head.max()))
    values = values.flip(2) if chance.random() < 0.5 else values
    lit = _lit(_moved(values, chance, strength), chance, strength)
    return _cut(lit.numpy(), chance, strength)


def _moved(values: Tensor, chance: np.random.Generator, strength: float) -> Tensor:
    """Turned by up to 11 degrees, stretched by up to 15 % and shifted by up to 4 % of the field of view, each axis."""
    import torch
    from scipy.spatial.transform import Rotation
    from torch.nn.functional import affine_grid, grid_sample

    turn = Rotation.from_euler("xyz", chance.uniform(-0.2, 0.2, 3) * strength).as_matrix()
    stretch = np.exp(chance.uniform(-0.15, 0.15, 3) * strength)
    shift = chance.uniform(-0.08, 0.08, 3) * strength
    size = np.array(values.shape[::-1], float)
    matrix = np.diag(1 / size) @ turn @ np.diag(1 / stretch) @ np.diag(size)
    theta = torch.tensor(np.column_stack([matrix, shift]), dtype=torch.float32)[None]
    grid = affine_grid(theta, [1, 1, *values.shape], align_corners=False)
    return grid_sample(values[None, None], grid, align_corners=False)[0, 0]


def _lit(values: Tensor, chance: np.random.Generator, strength: float) -> Tensor:
    """Another coil's shading (up to 30 %), another contrast, Rician noise, and a spot brighter than the rest."""
    import torch
    from torch.nn.functional import interpolate

    coarse = torch.from_numpy(chance.uniform(-1, 1, (1, 1, 4, 4, 4)).astype(np.float32)) * 0.3 * strength
    shaded = values * interpolate(coarse, values.shape, mode="trilinear", align_corners=True)[0, 0].exp()
    gamma = float(np.exp(chance.uniform(-0.4, 0.4) * strength))
    contrast = (shaded.clamp_min(0) / shaded.max()) ** gamma
    noise = chance.uniform(0, 0.04) * strength
    real, imaginary = (torch.from_numpy(chance.standard_normal(values.shape, np.float32)) * noise for _ in range(2))
    noisy: Tensor = ((contrast + real) ** 2 + imaginary**2).sqrt()
    # The network divides by the maximum, which in practice is a vessel or an artefact.
    noisy[0, 0, 0] = noisy.max() * float(np.exp(chance.uniform(0, 0.3) * strength))
    return noisy


def _cut(values: NDArray[np.float32], chance: np.random.Generator, strength: float) -> NDArray[np.float32]:
    """Another field of view: up to 12 % off the neck, 6 % off the other edges."""
    z, y, x = values.shape
    below, above = (int(chance.integers(0, int(part * strength * z) + 1)) for part in (0.12, 0.06))
    front, back = (int(cut) for cut in chance.integers(0, int(0.06 * y * strength) + 1, 2))
    right, left = (int(cut) for cut in chance.integers(0, int(0.06 * x * strength) + 1, 2))
    return np.ascontiguousarray(values[below : z - above, front : y - back, right : x - left])


def main(demo: Path, folder: Path) -> None:
    """Write the file that the manifest names."""
    manifest = read_manifest(folder)
    run = PluginRun(folder.resolve(), (folder / manifest.weights.file).resolve(), manifest.weights.sha256)
    loaded = load_plugin(run, "cpu")
    (series,) = scan([demo]).series
    head = load(series)
    rows = []
    for seed in range(HEADS):
        voxels = augmented(head.voxels, seed)
        image = Image(voxels, replace(head.grid, shape=voxels.shape), head.modality, Rescale())
        opened = OpenedRun(run, loaded, image, RunContext())
        features = plain_features(opened, prepared(opened).values)
        if features is None:
            raise PluginError("The network should have a layer to look at, but has none.")
        rows.append(features)
        sys.stdout.write(f"{seed + 1} of {HEADS}\n")
    write(folder / manifest.weights.reference, build(np.array(rows), source=SOURCE))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
