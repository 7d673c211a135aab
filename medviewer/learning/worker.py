"""What the child process does: fine-tune a version, and score versions on held-out cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from medviewer.errors import StoreError
from medviewer.inference.doubting.reference import reference_path, write
from medviewer.inference.loader import LoadedPlugin, device_of, load_plugin, plugin_step
from medviewer.inference.request import PluginRun
from medviewer.inference.service import segment_image
from medviewer.jobs import WorkerReply, WorkerRequest
from medviewer.learning.cases import left_right, opened, read_case, training_pair
from medviewer.learning.knowing import reference_of_candidate
from medviewer.learning.metrics import score
from medviewer.learning.options import FinetuneOptions
from medviewer.learning.training import Step, TrainingCase, train
from medviewer.plugin_api import RunContext

_LOADED, _PREPARED, _TRAINED = 0.02, 0.1, 0.85
"""How far a run is after each of its parts; scoring is the rest."""

Files = list[dict[str, Any]]
Version = tuple[PluginRun, LoadedPlugin]


def finetune(request: WorkerRequest, context: RunContext) -> WorkerReply:
    """Train on the ``training`` cases, then score the present version and the candidate on the ``held_out`` ones.

    Events: ``{"kind": "loss", "epoch", "step", "steps", "loss"}`` after each step. Answers the candidate's ``weights``
    (a safetensors file in the job's scratch folder, beside it what is known of its training set), ``losses`` (a mean an
    epoch), ``seen`` (ids of the cases that it was trained on), ``scores`` and the ``device``.
    """
    options = FinetuneOptions(**request.payload["options"])
    run, loaded = _open(request.payload["run"], context)
    cases = _prepare(run, loaded, request.payload["training"], request.scratch, context)

    def on_step(step: Step) -> None:
        request.emit({"kind": "loss", "epoch": step.epoch, "step": step.number, "steps": step.steps, "loss": step.loss})
        done = _PREPARED + (_TRAINED - _PREPARED) * step.number / step.steps
        context.progress(done, f"Step {step.number} of {step.steps}, loss {step.loss:.4f}")

    context.progress(_PREPARED, "Training")
    trained = train(loaded, cases, options, context, on_step)
    weights = request.scratch / "candidate.safetensors"
    _save(trained.loaded, weights)
    context.progress(_TRAINED, "Measuring how far it can be trusted")
    training, held_out = request.payload["training"], request.payload["held_out"]
    reference = reference_of_candidate(run, loaded, trained.loaded, training, held_out, context)
    if reference is not None:
        write(reference_path(weights), reference)
    scores = _score(((run, loaded), (run, trained.loaded)), request.payload["held_out"], context, _TRAINED)
    context.progress(1.0, "Done")
    return WorkerReply(
        {
            "weights": str(weights),
            "losses": list(trained.losses),
            "seen": [request.payload["training"][index]["id"] for index in trained.seen],
            "scores": scores,
            "device": loaded.device,
        }
    )


def compare(request: WorkerRequest, context: RunContext) -> WorkerReply:
    """Score the two versions in ``runs`` on the ``held_out`` cases; answers ``scores``."""
    versions = [_open(data, context) for data in request.payload["runs"]]
    scores = _score(versions, request.payload["held_out"], context, _LOADED)
    context.progress(1.0, "Done")
    return WorkerReply({"scores": scores})


def _open(data: dict[str, Any], context: RunContext) -> Version:
    context.progress(0.0, "Loading the plugin")
    run = PluginRun.from_json(data)
    return run, load_plugin(run, device_of(run))


def _prepare(
    run: PluginRun, loaded: LoadedPlugin, files: Files, scratch: Path, context: RunContext
) -> list[TrainingCase]:
    """Resample each case once, onto disk: a hundred of them need not fit into memory."""
    cases = []
    for k, one in enumerate(files):
        context.progress(_LOADED + (_PREPARED - _LOADED) * k / len(files), f"Preparing case {k + 1} of {len(files)}")
        case = read_case(one)
        one_run = opened(run, loaded, case, context)
        values, truth = training_pair(one_run, case.labels)
        paths = scratch / f"values-{k}.npy", scratch / f"truth-{k}.npy"
        for path, tensor in zip(paths, (values, truth), strict=True):
            np.save(path, tensor.cpu().numpy())
        cases.append(TrainingCase(*paths, left_right=left_right(one_run)))
    return cases


def _save(loaded: LoadedPlugin, path: Path) -> None:
    from safetensors.torch import save_file

    with plugin_step(loaded.manifest.name, "its weights were saved"):
        # Clones: a tensor that two layers share is written for both, as loading expects.
        state = {name: value.detach().cpu().contiguous().clone() for name, value in loaded.network.state_dict().items()}
        save_file(state, path)


def _score(versions: Sequence[Version], files: Files, context: RunContext, start: float) -> list[dict[str, Any]]:
    """Scores of a present version and a candidate, case by case, each by the way that a prediction takes."""
    rows: list[dict[str, Any]] = []
    for k, one in enumerate(files):
        case = read_case(one)
        row: dict[str, Any] = {"case_id": case.id}
        for n, (name, (run, loaded)) in enumerate(zip(("present", "candidate"), versions, strict=True)):
            done = start + (1 - start) * (2 * k + n) / (2 * len(files))
            context.progress(done, f"Scoring the {name} version on case {k + 1} of {len(files)}")
            labels, _ = segment_image(opened(run, loaded, case, context))
            if labels.shape != case.labels.shape:
                raise StoreError(
                    f"Case {case.id} holds a mask that does not fit its image; reject it and correct again."
                )
            numbers = range(1, len(loaded.manifest.outputs.labels) + 1)
            row[name] = asdict(score(labels, case.labels, case.image.grid, numbers))
        rows.append(row)
    return rows
