"""A picture classified in the app: a network of ResNet-50's class, 224 x 224, end to end.

    python tests/benchmarks/classify.py [--network NAME] [--runs N] [--device auto] [--json]

A network is saved in half precision, installed through the program's door by the adapter for MONAI networks, and run on
a radiograph by `submit_prediction` in the warm child process: checks, resampling, intensity, network, provenance, the
result in the host. Beside it the network alone, in this process. The figures to beat are published ones: 18.3 ms on a
GPU for a model file of 45.1 MB. The weights are random: neither time nor size depends on them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "plugins")]

from medviewer.domain.finding import Classification  # noqa: E402 - the script runs without an installed package
from medviewer.domain.geometry import Grid  # noqa: E402
from medviewer.domain.image import Image  # noqa: E402
from medviewer.domain.study import Series  # noqa: E402
from medviewer.inference import base_weights, submit_prediction  # noqa: E402
from medviewer.inference.acquiring.install import put_in_place, submit_prepare  # noqa: E402
from medviewer.jobs import Runner  # noqa: E402
from medviewer.plugin_api.discovery import DiscoverResult, discover, discover_adapters, find  # noqa: E402

TARGET_MS, TARGET_MB = 18.3, 45.1
CLASSES = 2
ARGUMENTS: dict[str, dict[str, Any]] = {
    "DenseNet121": {"spatial_dims": 2, "in_channels": 3, "out_channels": CLASSES},
    "EfficientNetB0": {"spatial_dims": 2, "in_channels": 3, "num_classes": CLASSES},
    "EfficientNetB4": {"spatial_dims": 2, "in_channels": 3, "num_classes": CLASSES},
    "resnet18": {"spatial_dims": 2, "n_input_channels": 3, "num_classes": CLASSES},
    "resnet50": {"spatial_dims": 2, "n_input_channels": 3, "num_classes": CLASSES},
}


def write_model(folder: Path, name: str) -> Path:
    """The network in half precision, and its description."""
    import torch
    from safetensors.torch import save_file

    from medviewer.plugin_api.adapting.catalogue import build
    from medviewer.plugin_api.adapting.parse import write_mapping

    torch.manual_seed(0)
    state = build(name, ARGUMENTS[name]).state_dict()
    half = {key: value.half() if value.is_floating_point() else value for key, value in state.items()}
    folder.mkdir()
    save_file(half, folder / "weights.safetensors")
    imagenet = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "repeat": 3}
    description = {
        "name": name,
        "settings": {"network": name, "arguments": ARGUMENTS[name]},
        "inputs": {
            "modality": ["DX"],
            "ndim": 2,
            "size": [224, 224],
            "intensity": {"source": "display", "clip": [0, 255], "scale": [0, 1], **imagenet},
        },
        "outputs": {"activation": "softmax", "labels": [{"name": f"class {k}"} for k in range(CLASSES)]},
        "resources": {"amp": True},
    }
    write_mapping(folder / "model.yaml", description)
    return folder


def installed(runner: Runner, source: Path, root: Path) -> DiscoverResult:
    """The model, installed and found as the program does it."""
    shipped = [ROOT / "plugins"]
    job = submit_prepare(runner, source, root, discover_adapters(shipped=shipped))
    runner.wait(job, 600)
    candidate = job.result()
    put_in_place(candidate, root)
    return find(candidate.manifest.id, discover(shipped=shipped, installed=[root]))


def radiograph() -> tuple[Image, Series]:
    """A picture of a detector's size."""
    voxels = np.random.default_rng(0).integers(0, 4096, (1, 2048, 1760)).astype(np.uint16)
    grid = Grid((1, 2048, 1760), (1.0, 0.2, 0.2))
    return Image(voxels, grid, "DX", series_uid="1.2.3"), Series("1.2.3", "DX", "Random", grid, (), "dicom")


def milliseconds(run: Callable[[], object], runs: int) -> list[float]:
    """How long each run takes."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        run()
        times.append(1000 * (time.perf_counter() - start))
    return times


def network_alone(plugin: DiscoverResult, device: str, runs: int) -> float:
    """Median of the network by itself, weights and input on the device already."""
    import torch

    from medviewer.inference.client import plugin_run
    from medviewer.inference.device import resolve_device
    from medviewer.inference.loader import load_plugin

    where = resolve_device(device)
    network = load_plugin(plugin_run(plugin, base_weights(plugin, ROOT), "", device, {}), where).network
    values = torch.rand(1, 3, 224, 224, device=where)

    def run() -> None:
        with torch.inference_mode(), torch.autocast(where.split(":")[0], enabled=where != "cpu"):
            network(values).float().cpu()

    milliseconds(run, 3)
    return statistics.median(milliseconds(run, runs))


def measure(name: str, device: str, runs: int) -> dict[str, Any]:
    """The figures of one network."""
    with tempfile.TemporaryDirectory(prefix="medviewer-") as made:
        folder = Path(made)
        (folder / "scratch").mkdir()
        runner = Runner(folder / "scratch")
        try:
            plugin = installed(runner, write_model(folder / "model", name), folder / "installed")
            weights = base_weights(plugin, ROOT)
            image, series = radiograph()
            devices: set[str] = set()

            def run() -> None:
                job = submit_prediction(runner, image, series, plugin, weights, "1.0.0", device=device)
                runner.wait(job, 600)
                result = job.result()
                assert isinstance(result, Classification)
                devices.add(result.provenance.device)

            milliseconds(run, 3)
            times = milliseconds(run, runs)
            return {
                "network": name,
                "device": ", ".join(sorted(devices)),
                "end_to_end_ms": round(statistics.median(times), 1),
                "best_ms": round(min(times), 1),
                "network_alone_ms": round(network_alone(plugin, device, runs), 1),
                "file_mb": round(weights.stat().st_size / 1e6, 1),
                "target_ms": TARGET_MS,
                "target_mb": TARGET_MB,
            }
        finally:
            runner.shutdown()


def main() -> int:
    """Print the figures; the exit status tells whether both targets are met."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--network", choices=sorted(ARGUMENTS), default="DenseNet121")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure(options.network, options.device, options.runs)
    if options.json:
        sys.stdout.write(json.dumps(found) + "\n")
    else:
        sys.stdout.write(
            f"{found['network']} on {found['device']}: {found['end_to_end_ms']} ms end to end "
            f"(median of {options.runs}), {found['network_alone_ms']} ms the network alone; "
            f"{found['file_mb']} MB of weights. To beat, on a GPU: {TARGET_MS} ms, {TARGET_MB} MB.\n"
        )
    return int(found["end_to_end_ms"] > TARGET_MS or found["file_mb"] > TARGET_MB)


if __name__ == "__main__":
    raise SystemExit(main())
