"""What a fine-tuned version knows, in the child process: its training set's features, and how sure it may be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from medviewer.inference.answering.activation import background_counts
from medviewer.inference.doubting.calibration import fit_temperature
from medviewer.inference.doubting.doubts import reference_for
from medviewer.inference.doubting.features import plain_features
from medviewer.inference.doubting.reference import LEAST_IMAGES, Reference, build
from medviewer.inference.loader import LoadedPlugin
from medviewer.inference.pipeline import OpenedRun, prepared
from medviewer.inference.request import PluginRun
from medviewer.inference.sweep import scores_of, sweep
from medviewer.inference.windows import Plan
from medviewer.learning.cases import opened, read_case, truth_on
from medviewer.plugin_api import RunContext

if TYPE_CHECKING:
    from torch import Tensor

Files = Sequence[dict[str, Any]]
Rows = tuple[NDArray[np.float64], NDArray[np.int64]]

_MOST_CASES = 20
"""Cases that are looked at on either side: a pass each, and more of them say little more."""
_NEARLY = 0.1
"""Voxels that were given a label with at least this probability are asked about: of the rest a model is sure anyway."""
_ROWS_A_SLAB = 2000
_SAME = 1e-3
"""Features that differ by no more of their size are the same: the layers before them did not learn."""


def reference_of_candidate(
    run: PluginRun,
    present: LoadedPlugin,
    candidate: LoadedPlugin,
    training: Files,
    held_out: Files,
    context: RunContext,
) -> Reference | None:
    """What is kept beside a candidate's weights; None if nothing is known of it.

    Its features are those of the present version where training left the layers before them alone, with the new cases
    among them; else those of its training cases, if there are enough; else none, rather than ones that do not fit.
    Its temperature is fitted on the held-out cases, of which it has seen none.

    Parameters
    ----------
    run, present, candidate
        The version that it was trained from, and the new one.
    training, held_out
        Cases as `CorrectionQueue.case_files` names them.
    """
    known = reference_for(run, present.manifest)
    features = _features(run, present, candidate, training, known, context)
    temperature = _temperature(run, candidate, held_out, context)
    if features is None and temperature == 1:
        return None
    return (features or Reference()).with_temperature(temperature)


def _features(
    run: PluginRun,
    present: LoadedPlugin,
    candidate: LoadedPlugin,
    training: Files,
    known: Reference | None,
    context: RunContext,
) -> Reference | None:
    before: list[NDArray[np.float64]] = []
    after: list[NDArray[np.float64]] = []
    for files in training[:_MOST_CASES]:
        case = read_case(files)
        values = prepared(opened(run, present, case, context)).values
        for rows, loaded in ((before, present), (after, candidate)):
            found = plain_features(opened(run, loaded, case, context), values)
            if found is None:
                return None
            rows.append(found)
    old, new = np.array(before), np.array(after)
    if known is not None and known.kind != "none" and np.allclose(old, new, rtol=_SAME, atol=_SAME * np.abs(old).max()):
        return known.with_images(new)
    if len(new) < LEAST_IMAGES:
        return None
    return build(new, source=f"{len(new)} cases that it was fine-tuned on")


def _temperature(run: PluginRun, candidate: LoadedPlugin, held_out: Files, context: RunContext) -> float:
    """The temperature of a version on cases that it has not seen; 1 without any."""
    found = [rows for files in held_out[:_MOST_CASES] for rows in _rows(run, candidate, files, context)]
    if not found:
        return 1.0
    logits, truth = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return fit_temperature(logits, truth)


def _rows(run: PluginRun, loaded: LoadedPlugin, files: dict[str, Any], context: RunContext) -> Iterator[Rows]:
    """Scores and right answers of some voxels of a case, slab by slab."""
    case = read_case(files)
    work = opened(run, loaded, case, context)
    found = prepared(work)
    truth = truth_on(work, case.labels, found.frame)
    chance = np.random.default_rng(context.seed)
    plan = Plan(device=loaded.device, amp=loaded.manifest.resources.amp)
    with sweep(work, found.values, plan) as slabs:
        for slab in slabs:
            scores = scores_of(work, slab, plan, found.frame.shape)
            yield from _asked(work, scores, truth[slab.start : slab.stop], chance)


def _asked(run: OpenedRun, scores: Tensor, truth: NDArray[Any], chance: np.random.Generator) -> Iterator[Rows]:
    values = scores.float().cpu().numpy().astype(np.float64)
    if background_counts(run.loaded.manifest):
        shifted = np.exp(values - values.max(axis=0))
        nearly = shifted[0] / shifted.sum(axis=0) < 1 - _NEARLY
        yield from _some(values[:, nearly].T, truth[nearly], chance)
        return
    for number, share in enumerate(values.clip(1e-7, 1 - 1e-7), start=1):
        nearly = share > _NEARLY
        logit = np.log(share[nearly] / (1 - share[nearly]))
        yield from _some(np.column_stack([np.zeros_like(logit), logit]), truth[nearly] == number, chance)


def _some(logits: NDArray[np.float64], truth: NDArray[Any], chance: np.random.Generator) -> Iterator[Rows]:
    """Some of the rows, chosen without a look at what is right."""
    if not len(logits):
        return
    chosen = chance.permutation(len(logits))[:_ROWS_A_SLAB]
    yield logits[chosen], truth[chosen].astype(np.int64)
