"""Weights that do not come with a plugin: fetched on the user's word, in the plugin's child process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from medviewer.errors import ManifestError, StoreError
from medviewer.inference.client import base_weights, checked_manifest, plugin_lane, plugin_run
from medviewer.inference.doubting.reference import reference_path
from medviewer.plugin_api.discovery import DiscoverResult

if TYPE_CHECKING:
    from medviewer.jobs import Job, Runner, WorkerReply

_SILENCE_S = 600.0
"""A slow line may take minutes between two signs of life."""


def submit_fetch(runner: Runner, plugin: DiscoverResult, home: Path) -> Job[Path]:
    """Fetch a plugin's weights, check and convert them; the job's result is where they lie.

    The caller has shown the manifest's source, licence and intended use to the user, who said yes. The file appears
    under its name only when it is complete and fits the plugin's network.

    Raises
    ------
    ManifestError
        If the plugin is broken, or brings its weights along.
    UntrustedError
        If it was installed with code that nobody has trusted.
    StoreError
        If the folder for the weights cannot be made.
    """
    manifest = checked_manifest(plugin)
    if not manifest.weights.fetch:
        raise ManifestError(f"{manifest.name} brings its weights along; there is nothing to fetch.")
    target = base_weights(plugin, home)
    run = plugin_run(plugin, target, manifest.version, "cpu", {})
    partial = target.with_name(f"partial-{target.name}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)
        reference_path(partial).unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(
            f"The weights need a folder under medviewer's data, which cannot be written ({error.strerror}).", str(error)
        ) from error

    def in_place(reply: WorkerReply) -> Path:
        try:
            # First what the training set looks like, so that weights are never there without it.
            if reference_path(partial).exists():
                reference_path(partial).replace(reference_path(target))
            return partial.replace(target)
        except OSError as error:
            raise StoreError(
                f"The fetched weights could not be put in place ({error.strerror}); fetch them again.", str(error)
            ) from error

    return runner.submit_process(
        "medviewer.inference.acquiring.packages:fetch",
        {"run": run.to_json(), "partial": str(partial)},
        {},
        title=f"Downloading the weights of {manifest.name}",
        lane=plugin_lane(plugin),
        convert=in_place,
        silence_s=_SILENCE_S,
    )
