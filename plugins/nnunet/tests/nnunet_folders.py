"""Result folders as nnU-Net v2 writes them, of tiny networks that are trained here in a few seconds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from nnunet.network import Recipe, UNet
from nnunet.normalise import normalised
from numpy.typing import NDArray
from torch import nn

SHAPE, SPACING = (20, 36, 32), (2.0, 1.0, 1.25)
"""Of the images, in the order of their own axes: all different, so that an exchanged axis shows."""
AXES = (1, 2, 0)
"""transpose_forward of the plan: the network's first axis is the image's second."""
PATCH = (24, 24, 12)
ZSCORE = [{"scheme": "ZScoreNormalization", "masked": False, "statistics": None}]

ARCHITECTURE: dict[str, Any] = {
    "n_stages": 2,
    "features_per_stage": [8, 12],
    "conv_op": "torch.nn.modules.conv.Conv3d",
    "kernel_sizes": [[3, 3, 3], [3, 3, 3]],
    "strides": [[1, 1, 1], [2, 2, 1]],
    "n_conv_per_stage": [1, 1],
    "n_conv_per_stage_decoder": [1],
    "conv_bias": True,
    "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
    "norm_op_kwargs": {"eps": 1e-05, "affine": True},
    "dropout_op": None,
    "dropout_op_kwargs": None,
    "nonlin": "torch.nn.LeakyReLU",
    "nonlin_kwargs": {"inplace": True},
}


def blobs(seed: int) -> tuple[NDArray[np.int16], NDArray[np.uint8]]:
    """An image with a bright and a dark ball in noise, and their labels 1 and 2."""
    rng = np.random.default_rng(seed)
    index = np.stack(np.meshgrid(*(np.arange(n) * s for n, s in zip(SHAPE, SPACING, strict=True)), indexing="ij"), -1)
    image = rng.normal(300, 12, SHAPE)
    truth = np.zeros(SHAPE, np.uint8)
    for label, place, value in ((1, (10, 18, 10), 480), (2, (26, 18, 29), 120)):
        centre = np.array(place) + rng.uniform(-2, 2, 3)
        inside = ((index - centre) ** 2).sum(-1) < 7.5**2
        truth[inside] = label
        image[inside] += value - 300
    return image.astype(np.int16), truth


def train(steps: int = 40, seed: int = 0) -> UNet:
    """A small U-Net that tells the two balls from the rest, trained on what nnU-Net's preprocessing gives."""
    torch.manual_seed(seed)
    network = UNet(Recipe(ARCHITECTURE, 1, 3), residual=False)
    optimizer = torch.optim.Adam(network.parameters(), 0.02)
    cases = [blobs(k) for k in range(4)]
    network.train()
    for step in range(steps):
        image, truth = cases[step % len(cases)]
        values = normalised(image[None].astype(np.float32), ZSCORE).transpose(0, *(axis + 1 for axis in AXES))
        target = torch.from_numpy(truth.transpose(AXES).astype(np.int64))[None]
        corner = [int(torch.randint(0, n - p + 1, ())) for n, p in zip(target.shape[1:], PATCH, strict=True)]
        cut = tuple(slice(c, c + p) for c, p in zip(corner, PATCH, strict=True))
        scores = network(torch.from_numpy(np.ascontiguousarray(values))[(slice(None), *cut)][None])
        loss = nn.functional.cross_entropy(scores, target[(slice(None), *cut)], torch.tensor([0.6, 1.0, 1.0]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval()


def plans(**changes: Any) -> dict[str, Any]:
    """plans.json as nnU-Net 2.3 and later write it."""
    configuration: dict[str, Any] = {
        "data_identifier": "nnUNetPlans_3d_fullres",
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": 2,
        "patch_size": list(PATCH),
        "median_image_size_in_voxels": [SHAPE[axis] for axis in AXES],
        "spacing": [SPACING[axis] for axis in AXES],
        "normalization_schemes": ["ZScoreNormalization"],
        "use_mask_for_norm": [False],
        "resampling_fn_data": "resample_data_or_seg_to_shape",
        "resampling_fn_data_kwargs": {"is_seg": False, "order": 3, "order_z": 0, "force_separate_z": None},
        "architecture": {
            "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
            "arch_kwargs": ARCHITECTURE,
            "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
        },
        "batch_dice": False,
    }
    configuration.update(changes.pop("configuration", {}))
    return {
        "dataset_name": "Dataset004_Balls",
        "plans_name": "nnUNetPlans",
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": list(AXES),
        "transpose_backward": [AXES.index(axis) for axis in range(3)],
        "configurations": {"3d_fullres": configuration},
        "experiment_planner_used": "ExperimentPlanner",
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {"0": STATISTICS},
        **changes,
    }


STATISTICS = {"max": 500.0, "mean": 310.0, "median": 300.0, "min": 90.0, "std": 80.0} | {
    "percentile_00_5": 100.0,
    "percentile_99_5": 490.0,
}


def old_plans(**changes: Any) -> dict[str, Any]:
    """plans.json as nnU-Net 2.0 to 2.2 wrote it: the network in single fields, another name for the statistics."""
    made = plans(**changes)
    configuration = made["configurations"]["3d_fullres"]
    del configuration["architecture"]
    configuration |= {
        "UNet_class_name": "PlainConvUNet",
        "UNet_base_num_features": 8,
        "unet_max_num_features": 12,
        "n_conv_per_stage_encoder": [1, 1],
        "n_conv_per_stage_decoder": [1],
        "num_pool_per_axis": [1, 1, 0],
        "pool_op_kernel_sizes": ARCHITECTURE["strides"],
        "conv_kernel_sizes": ARCHITECTURE["kernel_sizes"],
    }
    made["foreground_intensity_properties_by_modality"] = made.pop("foreground_intensity_properties_per_channel")
    return made


DATASET: dict[str, Any] = {
    "channel_names": {"0": "T1"},
    "labels": {"background": 0, "bright ball": 1, "dark ball": 2},
    "numTraining": 4,
    "file_ending": ".nii.gz",
}


def checkpoint(network: nn.Module, **changes: Any) -> dict[str, Any]:
    """A checkpoint as nnU-Net's trainer saves it: each tensor under all its names, NumPy's numbers in the log."""
    own = network.state_dict()
    named = dict(own)
    for name, tensor in own.items():
        for part, place in ((".conv.", ".all_modules.0."), (".norm.", ".all_modules.1.")):
            if part in name:
                named[name.replace(part, place)] = tensor
    named |= {f"decoder.{name}": tensor for name, tensor in named.items() if name.startswith("encoder.")}
    return {
        "network_weights": named,
        "optimizer_state": {"state": {}, "param_groups": [{"lr": 0.01, "params": [0]}]},
        "grad_scaler_state": None,
        "logging": {"mean_fg_dice": [np.float64(0.5), np.float32(0.6)], "lrs": [0.01], "epoch_end_timestamps": [1.5]},
        "_best_ema": np.float64(0.7),
        "current_epoch": 1000,
        "init_args": {"plans": plans(), "configuration": "3d_fullres", "fold": 0, "dataset_json": DATASET},
        "trainer_name": "nnUNetTrainer",
        "inference_allowed_mirroring_axes": (0, 1, 2),
        **changes,
    }


def write_result(
    root: Path,
    networks: dict[str, nn.Module],
    *,
    said: dict[str, Any] | None = None,
    dataset: dict[str, Any] | None = None,
    name: str = "Dataset004_Balls",
    trainer: str = "nnUNetTrainer__nnUNetPlans__3d_fullres",
    **changes: Any,
) -> Path:
    """Write a result folder, one network a fold (``0``, ``1``, ``all``)."""
    folder = root / name / trainer
    folder.mkdir(parents=True)
    (folder / "plans.json").write_text(json.dumps(said or plans()))
    (folder / "dataset.json").write_text(json.dumps(dataset or DATASET))
    for fold, network in networks.items():
        (folder / f"fold_{fold}").mkdir()
        torch.save(checkpoint(network, **changes), folder / f"fold_{fold}" / "checkpoint_final.pth")
    return folder
