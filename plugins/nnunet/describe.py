"""From a plan to the manifest of the plugin that runs it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from medviewer.plugin_api.adapting.describe import slug
from nnunet import totalsegmentator
from nnunet.checkpoint import Checkpoint
from nnunet.network import Recipe
from nnunet.plans import Configuration

_MODALITIES = {
    "ct": "CT",
    "cta": "CT",
    "cbct": "CT",
    "mr": "MR",
    "mri": "MR",
    "t1": "MR",
    "t1w": "MR",
    "t1ce": "MR",
    "t1gd": "MR",
    "t2": "MR",
    "t2w": "MR",
    "flair": "MR",
    "adc": "MR",
    "dwi": "MR",
    "pet": "PT",
    "pt": "PT",
    "suv": "PT",
}
"""What datasets call their channels, in small letters, and the DICOM modality that it is."""
_AS_STORED = (
    "Left and right may be swapped: it was not trained mirrored along x and y, and nobody says how its images lay. "
    "Axes are taken as stored; if it was trained on NIfTI images, set inputs.orientation in plugin.yaml, often to SAR."
)
_UNSAID = "none stated; ask whoever trained the model"


def recipe_of(plan: Configuration, outputs: int, extra: int = 0) -> Recipe:
    """The network of a plan; `extra` channels come behind the image's."""
    return Recipe(plan.arguments, len(plan.channels) + extra, outputs)


def outputs_of(plan: Configuration) -> int:
    """Channels of the network's answer: the labels, and the background unless they are regions."""
    return len(plan.labels) + (not plan.regions)


def settings_of(plan: Configuration, folds: int, recipe: Recipe) -> dict[str, Any]:
    """What the adapter reads when it opens the plugin."""
    settings: dict[str, Any] = {
        "network": "residual" if plan.residual else "plain",
        "arguments": plan.arguments,
        "inputs": recipe.inputs,
        "outputs": recipe.outputs,
        "folds": folds,
        "axes": list(plan.axes),
        "flat": plan.flat,
    }
    if plan.regions:
        settings["regions"] = [label.value for label in plan.labels]
    if not _said_by_intensity(plan):
        settings["channels"] = [
            {"scheme": scheme, "masked": masked, "statistics": list(numbers) if numbers else None}
            for scheme, masked, numbers in zip(plan.schemes, plan.masked, plan.statistics, strict=True)
        ]
    return settings


def inputs_of(plan: Configuration, recipe: Recipe) -> dict[str, Any]:
    """`inputs` of the manifest: nnU-Net's window and voxels in the order of the image's axes."""
    patch, spacing = plan.patch, plan.spacing
    stride: tuple[int, ...] = recipe.total_stride
    if plan.flat:
        patch, spacing, stride = (1, *patch), (0.0, *spacing), (1, *stride)
    inputs: dict[str, Any] = {
        "ndim": 2 if plan.pictures else 3,
        "windows": {
            "roi": _in_image_order(patch, plan.axes),
            "overlap": 0.5,
            "blend": "gaussian",
            # one number serves all axes; a slice-wise network has an axis that cannot shrink
            "multiple": 0 if plan.flat else max(stride),
        },
        "interpolation": "cubic",
        "intensity": _intensity(plan),
    }
    if not plan.pictures:
        inputs["spacing"] = _in_image_order(spacing, plan.axes)
    modality = _MODALITIES.get(plan.channels[0].lower().partition("_")[0].partition("-")[0])
    if modality:
        inputs["modality"] = [modality]
    if len(plan.channels) > 1:
        inputs["channels"] = list(plan.channels)
    if "CTNormalization" not in plan.schemes and not plan.pictures and "NoNormalization" not in plan.schemes:
        inputs["foreground"] = 0  # nnU-Net cuts every image to what is not 0, which of a CT is all of it
    return inputs


def segmenter(plan: Configuration, folder: Path, checkpoint: Checkpoint, recipe: Recipe, folds: int) -> dict[str, Any]:
    """The manifest of a segmenter, for `write_plugin`.

    Parameters
    ----------
    folder
        The result folder.
    checkpoint
        Of one of its folds.
    """
    ours = totalsegmentator.is_one(folder, plan.dataset)
    title = plan.dataset.partition("_")[2].replace("_", " ") or folder.parent.name
    maker = "TotalSegmentator" if ours else "nnU-Net"
    name = title if ours and title.startswith("TotalSeg") else f"{maker} {title}"
    inputs = inputs_of(plan, recipe)
    if ours and not plan.pictures:
        inputs["orientation"] = totalsegmentator.ORIENTATION
    if checkpoint.mirrored is not None:
        inputs["flips"] = sorted(plan.axes[axis] + (1 if plan.pictures else 0) for axis in _mirrored(plan, checkpoint))
    notes = ["Its regions overlap: each voxel shows the innermost."] if plan.regions else []
    if "orientation" not in inputs and not plan.pictures and not {1, 2} <= set(inputs.get("flips", ())):
        notes.append(_AS_STORED)
    labels = sorted(plan.labels, key=lambda label: label.value)
    return {
        "id": slug(f"{maker}-{plan.dataset}-{plan.name}"),
        "name": f"{name} ({plan.name})",
        "description": f"Segments {_listed([label.name for label in labels])}. A network trained with nnU-Net v2.",
        "kinds": ["segment", "explain"]
        if tuple(plan.axes) == tuple(sorted(plan.axes)) and not plan.flat
        else ["segment"],
        "settings": settings_of(plan, folds, recipe),
        "inputs": inputs,
        "outputs": {
            "labels": [totalsegmentator.label_of(label.name) if ours else {"name": label.name} for label in labels],
            "activation": "own" if plan.regions else "softmax",
        },
        "resources": {"amp": True},
        "notes": notes,
        "weights": {
            "source": f"{folder.parent.name}/{folder.name}",
            "licence": totalsegmentator.licence_of(folder, plan.dataset) if ours else licence_file(folder) or _UNSAID,
        },
    }


def licence_file(folder: Path) -> str:
    """The first line of a LICENSE in a result folder, which names it; empty where there is none."""
    for name in ("LICENSE", "LICENSE.txt", "LICENSE.md"):
        path = folder / name
        if path.is_file():
            with path.open(encoding="utf-8", errors="replace") as stream:
                line = stream.read(4000).strip().partition("\n")[0].strip(" #")
            return line[:200]
    return ""


def _mirrored(plan: Configuration, checkpoint: Checkpoint) -> list[int]:
    """The network's axes that were mirrored in training, a slice-wise network's counted with its slices."""
    axes = [axis + 1 if plan.flat else axis for axis in checkpoint.mirrored or ()]
    return [axis for axis in axes if 0 <= axis < len(plan.axes)]


def _in_image_order(numbers: Sequence[float], axes: Sequence[int]) -> list[float]:
    ordered = [0.0] * len(axes)
    for number, axis in zip(numbers, axes, strict=True):
        ordered[axis] = number
    return ordered


def _said_by_intensity(plan: Configuration) -> bool:
    """Whether the manifest can say how values are normalised, and the adapter has nothing to do."""
    return len(plan.schemes) == 1 and plan.schemes[0] in ("CTNormalization", "NoNormalization")


def _intensity(plan: Configuration) -> dict[str, Any]:
    numbers = plan.statistics[0]
    if _said_by_intensity(plan) and numbers is not None:
        low, high, mean, std = numbers
        return {"clip": [low, high], "mean": [mean], "std": [max(std, 1e-8)]}
    return {"source": "display"} if plan.pictures else {}


def _listed(names: Sequence[str]) -> str:
    if len(names) > 6:
        return f"{len(names)} structures, {', '.join(names[:4])} among them"
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
