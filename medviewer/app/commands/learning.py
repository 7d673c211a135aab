"""Learn from corrections: fine-tune, compare, promote, roll back."""

from __future__ import annotations

from medviewer.app.commands.predict import active_weights
from medviewer.app.services import Services
from medviewer.errors import NotFoundError, WeightsMissingError
from medviewer.jobs import Job
from medviewer.learning.compare import Comparison, submit_comparison
from medviewer.learning.finetune import FinetuneResult, submit_finetune
from medviewer.learning.options import FinetuneOptions
from medviewer.learning.versions import ModelVersion, VersionState


def finetune(services: Services, plugin_id: str, options: FinetuneOptions | None = None) -> Job[FinetuneResult]:
    """Train a candidate from the queue's approved cases in a child process, and score it against the present version.

    Raises
    ------
    StoreError
        At once, if no approved case is waiting.
    """
    plugin = services.plugin(plugin_id)
    active_weights(services, plugin)
    job = submit_finetune(services.runner, services.queue, services.registry, plugin, options, author=services.author)
    session = services.session

    def trained(result: FinetuneResult) -> None:
        session.models_revision += 1
        session.queue_revision += 1
        session.say(f"Version {result.candidate.version} is trained. {result.verdict.sentence}", "ok")

    return services.when_done(job, trained)


def versions(services: Services, plugin_id: str) -> list[ModelVersion]:
    """Every version of a plugin's model; the first one is registered when its weights are here."""
    plugin = services.plugin(plugin_id)
    try:
        active_weights(services, plugin)
    except WeightsMissingError:
        return []
    return services.registry.versions(plugin_id)


def compare(services: Services, plugin_id: str, version: str = "", *, device: str = "auto") -> Job[Comparison]:
    """Score a version (the newest beside the active one unless named) and the active one on today's held-out cases.

    Raises
    ------
    NotFoundError
        If there is no such version, or none beside the active one.
    """
    plugin = services.plugin(plugin_id)
    active_weights(services, plugin)
    others = [row.version for row in services.registry.versions(plugin_id) if row.state is not VersionState.ACTIVE]
    if not version and not others:
        raise NotFoundError(f"{plugin_id} has one version only, so there is nothing to compare; fine-tune it first.")
    job = submit_comparison(
        services.runner, services.queue, services.registry, plugin, version or others[-1], device=device
    )
    session = services.session

    def compared(result: Comparison) -> None:
        session.models_revision += 1
        session.say(result.verdict.sentence, "ok")

    return services.when_done(job, compared)


def promote(services: Services, plugin_id: str, version: str, *, reason: str = "", decide: bool = False) -> None:
    """Make a version the one that runs.

    Parameters
    ----------
    reason
        Why, in a person's words; kept in the history.
    decide
        True when a person decides where the gate could not tell.

    Raises
    ------
    GateRefusal
        If the version was not better, or nobody decided where the gate could not tell.
    """
    services.registry.promote(plugin_id, version, by=services.author, reason=reason, force=decide)
    services.session.models_revision += 1
    services.session.say(f"Version {version} of {plugin_id} runs from now on.", "ok")


def rollback(services: Services, plugin_id: str) -> str:
    """Go back to the version that ran before; returns its name."""
    version = services.registry.rollback(plugin_id, by=services.author)
    services.session.models_revision += 1
    services.session.say(f"Back to version {version} of {plugin_id}.", "ok")
    return version
