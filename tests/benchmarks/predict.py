"""Brain extraction through the program against the bare work: resampling and network, nothing else.

    python tests/benchmarks/predict.py [--runs N] [--json]

Both sides see the demo head. The baseline resamples, runs the network and brings the mask back in this process, as a
script would, with as many torch threads as the child process uses. Ours goes the whole way: checks, memory map, warm
child process, checked outputs, input hash, provenance, mask in the host. Runs are paired, one after the other, and the
ratio is the median of the pairs' ratios, so that a busy machine troubles both sides alike.
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

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "plugins")]

from medviewer.domain.image import Image  # noqa: E402 - the script runs without an installed package
from medviewer.domain.mask import Segmentation, dice  # noqa: E402
from medviewer.domain.study import Series  # noqa: E402
from medviewer.formats import load, scan  # noqa: E402
from medviewer.inference import base_weights, submit_prediction  # noqa: E402
from medviewer.jobs import Runner  # noqa: E402
from medviewer.plugin_api.discovery import discover, find  # noqa: E402

TARGET = 1.2
"""At most this many times the bare work."""


def baseline(image: Image, weights: Path) -> Callable[[], NDArray[np.uint8]]:
    """The bare work, ready to be timed."""
    import torch
    from brain_extraction.network import BrainUNet
    from safetensors.torch import load_file
    from torch.nn import functional as F

    network = BrainUNet().eval()
    network.load_state_dict(load_file(weights))
    z, y, x = image.grid.shape

    def run() -> NDArray[np.uint8]:
        with torch.inference_mode():
            volume = torch.from_numpy(image.voxels.astype(np.float32))
            planes = F.interpolate(volume[None], size=(128, 128), mode="bilinear", antialias=True)
            flat = planes.reshape(1, 1, z, 128 * 128)
            head = F.interpolate(flat, size=(128, 128 * 128), mode="bilinear", antialias=True)
            probability = network((head / head.max()).reshape(1, 1, 128, 128, 128)).sigmoid()
            full = F.interpolate(probability, size=(z, y, x), mode="trilinear", align_corners=False)
            return (full[0, 0] >= 0.5).to(torch.uint8).numpy()

    return run


def ours(runner: Runner, image: Image, series: Series) -> Callable[[], NDArray[np.uint8]]:
    """The program's way, ready to be timed."""
    plugin = find("brain-extraction", discover([ROOT / "plugins"]))
    weights = base_weights(plugin, ROOT)

    def run() -> NDArray[np.uint8]:
        job = submit_prediction(runner, image, series, plugin, weights, "1.0.0", device="cpu")
        runner.wait(job, 600)
        result = job.result()
        assert isinstance(result, Segmentation)
        return np.asarray(result.labels, np.uint8)

    return run


def seconds(run: Callable[[], object]) -> float:
    """How long one run takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def measure(runs: int) -> list[dict[str, object]]:
    """Time both in turn, `runs` times after one warm-up each."""
    (series,) = scan([ROOT / "resources" / "demo" / "colin27"]).series
    image = load(series)
    with tempfile.TemporaryDirectory() as scratch:
        runner = Runner(Path(scratch))
        try:
            bare = baseline(image, ROOT / "plugins" / "brain_extraction" / "weights" / "brain_unet.safetensors")
            program = ours(runner, image, series)
            agreement = dice(bare(), program())
            if agreement < 0.999:
                raise SystemExit(f"Both ways should give the same mask, but their Dice is {agreement:.4f}.")
            pairs = [(seconds(program), seconds(bare)) for _ in range(runs)]
        finally:
            runner.shutdown()
    ratio = statistics.median(program / bare for program, bare in pairs)
    return [
        {
            "name": "brain extraction, warm, CPU",
            "ours": round(statistics.median(program for program, _ in pairs), 3),
            "baseline": round(statistics.median(bare for _, bare in pairs), 3),
            "unit": "s",
            "ratio": round(ratio, 3),
            "target": TARGET,
            "holds": ratio <= TARGET,
        }
    ]


def main() -> None:
    """Print the table, or its JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=7, help="pairs of runs (default 7)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args()
    rows = measure(chosen.runs)
    if chosen.json:
        sys.stdout.write(json.dumps({"rows": rows}, indent=2) + "\n")
        return
    for row in rows:
        verdict = "holds" if row["holds"] else "missed"
        sys.stdout.write(
            f"{row['name']}: {row['ours']} {row['unit']} against {row['baseline']} {row['unit']}, "
            f"ratio {row['ratio']}, target {row['target']}: {verdict}\n"
        )


if __name__ == "__main__":
    main()
