"""What plans.json and dataset.json of a result folder say, in every shape that nnU-Net 2.0 to 2.8 wrote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medviewer.errors import PluginError
from medviewer.plugin_api.adapting.parse import read_mapping

CHECKPOINTS = ("checkpoint_final.pth", "checkpoint_best.pth")
"""In the order of preference."""
SCHEMES = (
    "CTNormalization",
    "ZScoreNormalization",
    "NoNormalization",
    "RescaleTo01Normalization",
    "RGBTo01Normalization",
)
"""The ways to turn values into network input that nnU-Net has; others are a researcher's own code."""


@dataclass(frozen=True)
class Source:
    """A result folder, and which of its folds are meant."""

    folder: Path
    checkpoints: tuple[Path, ...]


@dataclass(frozen=True)
class Label:
    """One label: its value in nnU-Net's segmentations, and its name."""

    value: int
    name: str


@dataclass(frozen=True)
class Configuration:
    """One trained configuration, in the order of axes that its network has.

    Parameters
    ----------
    dataset
        Name of the dataset, for example ``Dataset004_Hippocampus``.
    name
        For example ``3d_fullres``.
    residual, arguments
        Which of the two U-Nets, and its arguments.
    patch, spacing
        Size of a window and distance of its voxels in mm; two numbers of a 2D network.
    axes
        For each axis of the network, the image's.
    pictures
        Whether the dataset holds single pictures instead of volumes.
    channels
        Names of the images that the network sees together.
    schemes, masked
        How each channel is normalised, and whether within what is not 0 only.
    statistics
        Of each channel that is normalised as CT is: lowest, highest, mean, std.
    labels
        By value, without the background and what was ignored.
    regions
        Whether a channel of the output is a region: regions overlap, and the later one wins.
    """

    dataset: str
    name: str
    residual: bool
    arguments: dict[str, Any]
    patch: tuple[int, ...]
    spacing: tuple[float, ...]
    axes: tuple[int, ...]
    pictures: bool
    channels: tuple[str, ...]
    schemes: tuple[str, ...]
    masked: tuple[bool, ...]
    statistics: tuple[tuple[float, float, float, float] | None, ...]
    labels: tuple[Label, ...]
    regions: bool

    @property
    def flat(self) -> bool:
        """Whether a 2D network goes through a volume slice by slice."""
        return len(self.patch) == 2 and not self.pictures


def find_source(path: Path) -> Source | None:
    """The result folder at a path, which may be the folder itself, one of its folds, or the dataset's around it.

    Returns None where there is none. A dataset's folder with several trained configurations is none: name one.
    """
    if not path.is_dir():
        return None
    if path.name.startswith("fold_") and _is_result(path.parent):
        return Source(path.parent, tuple(_checkpoint(path)))
    if _is_result(path):
        return Source(path, tuple(found for fold in sorted(path.glob("fold_*")) for found in _checkpoint(fold)))
    inside = [child for child in sorted(path.iterdir()) if child.is_dir() and _is_result(child)]
    return find_source(inside[0]) if len(inside) == 1 else None


def _is_result(path: Path) -> bool:
    return (path / "dataset.json").is_file() and (path / "plans.json").is_file() and any(path.glob("fold_*/*.pth"))


def _checkpoint(fold: Path) -> list[Path]:
    found = [fold / name for name in CHECKPOINTS if (fold / name).is_file()]
    return found[:1]


def read_configuration(folder: Path, name: str) -> Configuration:
    """Read a result folder's plan.

    Parameters
    ----------
    name
        Of the configuration that was trained, as the checkpoint has it.

    Raises
    ------
    PluginError
        If the files are broken, or ask for something that cannot be done without nnU-Net's own code.
    """
    plans, dataset = read_mapping(folder / "plans.json"), read_mapping(folder / "dataset.json")
    try:
        return _configuration(plans, dataset, name)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        said = f"{type(error).__name__}: {error}"
        raise PluginError(
            f"plans.json and dataset.json should be those of an nnU-Net v2 training, but they lack a part ({said}).",
            said,
        ) from error


def _configuration(plans: dict[str, Any], dataset: dict[str, Any], name: str) -> Configuration:
    chosen = _resolved(plans["configurations"], name)
    if chosen.get("previous_stage"):
        raise PluginError(
            f"{name} refines the answer of another network ({chosen['previous_stage']}), which is not run here; "
            "install that configuration instead."
        )
    residual, arguments = _architecture(chosen)
    named = dataset.get("channel_names") or dataset["modality"]
    channels = tuple(str(named[key]) for key in sorted(named, key=int))
    schemes = tuple(str(scheme) for scheme in chosen["normalization_schemes"])
    unknown = sorted(set(schemes) - set(SCHEMES))
    if unknown:
        raise PluginError(
            f"The images are normalised by {unknown[0]}, which is not nnU-Net's; export the model as ONNX."
        )
    if len(schemes) != len(channels):
        raise ValueError(f"{len(channels)} channels, but {len(schemes)} normalization_schemes")
    ending, reader = str(dataset.get("file_ending", "")), str(plans.get("image_reader_writer", ""))
    pictures = "2D" in reader or ending in (".png", ".bmp")
    labels, regions = _labels(dataset)
    return Configuration(
        dataset=str(plans.get("dataset_name", "")),
        name=name,
        residual=residual,
        arguments=arguments,
        patch=tuple(int(size) for size in chosen["patch_size"]),
        spacing=tuple(float(size) for size in chosen["spacing"]),
        axes=(0, 1) if pictures else tuple(int(axis) for axis in plans["transpose_forward"]),
        pictures=pictures,
        channels=channels,
        schemes=schemes,
        masked=tuple(bool(value) for value in chosen["use_mask_for_norm"]),
        statistics=tuple(_statistics(plans, k, scheme) for k, scheme in enumerate(schemes)),
        labels=labels,
        regions=regions,
    )


def _resolved(configurations: Mapping[str, Any], name: str, seen: tuple[str, ...] = ()) -> dict[str, Any]:
    """A configuration with what it inherits."""
    if name in seen:
        raise ValueError(f"configurations inherit in a circle: {', '.join(seen)}")
    own = dict(configurations[name])
    parent = own.pop("inherits_from", None)
    return {**_resolved(configurations, parent, (*seen, name)), **own} if parent else own


def _architecture(chosen: Mapping[str, Any]) -> tuple[bool, dict[str, Any]]:
    """Whether the network is the residual one, and its arguments; plans before 2.3 say them in another way."""
    said = chosen.get("architecture")
    full = str(said["network_class_name"] if said else chosen["UNet_class_name"])
    kind = full.rpartition(".")[2]
    if kind not in ("PlainConvUNet", "ResidualEncoderUNet"):
        raise PluginError(
            f"The network is a {kind}, which this adapter does not have; export the model as ONNX instead."
        )
    residual = kind == "ResidualEncoderUNet"
    if said:
        return residual, dict(said["arch_kwargs"])
    depth, dims = chosen["n_conv_per_stage_encoder"], len(chosen["patch_size"])
    widest, first = int(chosen["unet_max_num_features"]), int(chosen["UNet_base_num_features"])
    return residual, {
        "n_stages": len(depth),
        "features_per_stage": [min(first * 2**k, widest) for k in range(len(depth))],
        "conv_op": f"Conv{dims}d",
        "kernel_sizes": chosen["conv_kernel_sizes"],
        "strides": chosen["pool_op_kernel_sizes"],
        "n_blocks_per_stage" if residual else "n_conv_per_stage": depth,
        "n_conv_per_stage_decoder": chosen["n_conv_per_stage_decoder"],
        "conv_bias": True,
        "norm_op": f"InstanceNorm{dims}d",
        "norm_op_kwargs": {"eps": 1e-5, "affine": True},
        "nonlin": "LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
    }


def _statistics(plans: Mapping[str, Any], channel: int, scheme: str) -> tuple[float, float, float, float] | None:
    if scheme != "CTNormalization":
        return None
    every = plans.get("foreground_intensity_properties_per_channel")
    every = every or plans["foreground_intensity_properties_by_modality"]
    one = every[str(channel)]
    return tuple(float(one[key]) for key in ("percentile_00_5", "percentile_99_5", "mean", "std"))  # type: ignore[return-value]  # four of them


def _labels(dataset: Mapping[str, Any]) -> tuple[tuple[Label, ...], bool]:
    """The labels in the order of the output's channels, and whether they are regions."""
    named: Mapping[str, Any] = dataset["labels"]
    regions = any(isinstance(value, list) and len(value) > 1 for value in named.values())
    if not regions:
        single = {name: value[0] if isinstance(value, list) else value for name, value in named.items()}
        every = (Label(int(value), name) for name, value in single.items() if name != "ignore")
        found = sorted((label for label in every if label.value), key=lambda label: label.value)
        if [label.value for label in found] != list(range(1, len(found) + 1)):
            raise ValueError("labels should be numbered from 1 without a gap")
        return tuple(found), False
    order = [int(value) for value in dataset["regions_class_order"]]
    kept = [name for name, value in named.items() if name != "ignore" and value not in (0, [0])]
    return tuple(Label(value, name) for value, name in zip(order, kept, strict=True)), True
