"""Weights that do not come with a plugin, in its child process: those of a package that pip downloads, or others."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

from packaging.requirements import InvalidRequirement, Requirement

from medviewer.errors import ManifestError, PluginError
from medviewer.inference.doubting.reference import build, reference_path, write
from medviewer.inference.loader import begin_run, load_code, plugin_step, read_state
from medviewer.inference.request import PluginRun
from medviewer.jobs import WorkerReply, WorkerRequest
from medviewer.plugin_api import Manifest, NetworkLoader, PackageReader, Plugin, RunContext, WeightsConverter
from medviewer.plugin_api.manifest import file_sha256
from medviewer.plugin_api.protocols import WeightsFetcher
from medviewer.plugin_api.unpack import DAMAGE, archive_members

if TYPE_CHECKING:
    from torch import nn

_POLL_S = 0.2
_USUAL_BYTES = 50_000_000
"""How much a package of weights may hold; nobody says beforehand, so the bar slows down around this."""
_LONG_BYTES = 4 * 1024**3
"""More than any package index takes; a fetch that has brought so much is ended."""


def fetch(request: WorkerRequest, context: RunContext) -> WorkerReply:
    """Fetch a plugin's weights into ``partial``, and see that they fit before the host puts them in place.

    What the network sees in the images of the package, where the plugin tells, is kept beside them.
    """
    run, partial = PluginRun.from_json(request.payload["run"]), Path(request.payload["partial"])
    manifest, plugin = load_code(run.folder, run.adapter, run.fingerprint, run.trusted)
    if not manifest.weights.package:
        with plugin_step(manifest.name, "fetching its weights"):
            cast(WeightsFetcher, plugin).fetch_weights(partial, context)
        _fitting(manifest, plugin, partial)
    else:
        with tempfile.TemporaryDirectory(prefix="medviewer-", dir=request.scratch) as folder:
            package = fetch_package(manifest.weights.package, manifest.weights.sha256, Path(folder), context)
            context.progress(0.85, "Converting the weights")
            _convert(manifest, plugin, package, partial, context)
            _measure(manifest, plugin, _fitting(manifest, plugin, partial), package, partial, context)
    context.progress(1.0, "Done")
    return WorkerReply()


def fetch_package(package: str, sha256: str, folder: Path, context: RunContext) -> Path:
    """Download one file with pip into an empty folder, and check its SHA-256. It is neither installed nor opened.

    Parameters
    ----------
    package
        ``name==version``; of the index that pip is set to.
    sha256
        What the file has to hash to.

    Raises
    ------
    ManifestError
        If `package` is anything but a name and an exact version.
    PluginError
        If pip cannot get it, or it is another file than the one that the plugin names.
    JobCancelled
        If the user cancelled; pip is ended.
    """
    wanted = _exact(package)
    code, said = _download(wanted, folder, context)
    wheels = list(folder.glob("*.whl"))
    if code != 0 or len(wheels) != 1:
        raise PluginError(
            f"pip should have fetched {wanted}, but ended with exit code {code}; check the network connection and "
            "fetch again.",
            said,
        )
    if file_sha256(wheels[0]) != sha256:
        raise PluginError(
            f"The package {wanted} is not the file that this plugin knows (its SHA-256 differs); nothing of it was "
            "used, so do not trust its source."
        )
    return wheels[0]


def _exact(package: str) -> str:
    """``name==version`` out of what a manifest says, and nothing that pip could take for an option or an address."""
    try:
        wanted = Requirement(package)
    except InvalidRequirement:
        wanted = None
    specifiers = list(wanted.specifier) if wanted is not None and not wanted.url and not wanted.extras else []
    if wanted is None or wanted.marker or len(specifiers) != 1 or not re.fullmatch(r"==[^*]+", str(specifiers[0])):
        raise ManifestError(f"weights.package should be a name and a version, as name==1.2.3, not {package!r}.")
    return f"{wanted.name}=={specifiers[0].version}"


def _download(wanted: str, folder: Path, context: RunContext) -> tuple[int, str]:
    """Pip's exit code and the end of what it said."""
    # -P: or a folder named pip where the program was started would run in pip's place.
    command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input"]
    command += ["--disable-pip-version-check", "--progress-bar=off", f"--dest={folder}", wanted]
    context.progress(0.0, f"Downloading {wanted}")
    # pip writes what is under way into the temporary folder: here, it can be counted, and goes with the rest.
    environment = os.environ | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=environment
        )
        try:
            while process.poll() is None:
                arrived = _arrived(folder)
                if arrived > _LONG_BYTES:
                    raise PluginError(f"{wanted} is larger than any package of weights; nothing of it was used.")
                context.progress(0.8 * arrived / (arrived + _USUAL_BYTES), f"Downloading {wanted}, {arrived >> 20} MB")
                time.sleep(_POLL_S)
        finally:
            process.kill()
            process.wait()
        log.seek(0)
        return process.returncode, log.read()[-4000:]


def _arrived(folder: Path) -> int:
    """Bytes that are there."""
    arrived = 0
    for root, _, files in os.walk(folder):  # passes by a folder that pip removes while we look; rglob stumbles over it
        for name in files:
            with contextlib.suppress(FileNotFoundError):  # or moves
                arrived += Path(root, name).stat().st_size
    return arrived


def _convert(manifest: Manifest, plugin: Plugin, package: Path, partial: Path, context: RunContext) -> None:
    if isinstance(plugin, WeightsConverter):
        with plugin_step(manifest.name, "converting its weights"):
            plugin.convert_weights(package, partial, context)
        return
    try:
        with zipfile.ZipFile(package) as opened:
            members = archive_members(opened, package.name)
            found = [member for member in members if member.name.endswith(".safetensors")]
            if len(found) != 1 or found[0].info is None:
                raise PluginError(
                    f"The package of {manifest.name} should hold one file of safetensors, but holds {len(found)}; tell "
                    "the plugin's author."
                )
            with opened.open(found[0].info) as source, partial.open("wb") as copy:
                shutil.copyfileobj(source, copy)
    except DAMAGE as error:
        raise PluginError(
            f"The package of {manifest.name} should be a wheel, but cannot be read; tell the plugin's author.",
            str(error),
        ) from error


def _fitting(manifest: Manifest, plugin: Plugin, partial: Path) -> nn.Module:
    """The network with the weights that came. Raises PluginError when they do not fit."""
    with _fits(manifest):
        if isinstance(plugin, NetworkLoader):
            return plugin.load_network(partial, "cpu")
        network = plugin.build_network()
        network.load_state_dict(read_state(partial, manifest.name))
        return network.eval()


@contextlib.contextmanager
def _fits(manifest: Manifest) -> Iterator[None]:
    with plugin_step(manifest.name, "loading the weights that it fetched"):
        yield


def _measure(
    manifest: Manifest, plugin: Plugin, network: nn.Module, package: Path, partial: Path, context: RunContext
) -> None:
    """Keep what the network sees in the images of the package, which is how the training set looks to it."""
    if not isinstance(plugin, PackageReader):
        return
    context.progress(0.9, "Looking at the images of the package")
    context = begin_run(manifest, plugin, {}, context)
    with plugin_step(manifest.name, "looking at the images of its package"):
        features = plugin.package_features(network, package, context)
    write(reference_path(partial), build(features, source=f"images of {manifest.weights.package}"))
