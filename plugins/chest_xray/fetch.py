"""Getting the published package and nothing but its weights: it is neither installed nor imported."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

from chest_xray.convert import convert
from medviewer.errors import PluginError
from medviewer.plugin_api import RunContext
from medviewer.plugin_api.manifest import file_sha256

PACKAGE, VERSION = "pneumonia-model-package", "0.3.0"
SHA256 = "4bb1ee80366db5de818c7255e62878871b8ec545681193f429e2575b791d3536"
EXPECTED_BYTES = 83_500_000
"""About the size of the wheel, for the progress bar only."""
_MEMBER = "pneumonia_model_package/trained_models/pneumonia_xception_model_val-acc_0.861.keras"
_POLL_S = 0.2


def fetch_package(folder: Path, context: RunContext) -> Path:
    """Download the published wheel into `folder` with pip, and check its SHA-256.

    Raises
    ------
    PluginError
        If pip cannot get it, or it is another file than the one that was checked when this plugin was written.
    JobCancelled
        If the user cancelled; pip is ended.
    """
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input"]
    command += ["--disable-pip-version-check", "--progress-bar=off", f"--dest={folder}", f"{PACKAGE}=={VERSION}"]
    context.progress(0.0, f"Fetching {PACKAGE} {VERSION}")
    # pip writes what is under way into the temporary folder: here, it can be counted, and goes with the rest.
    environment = os.environ | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=environment
        )
        try:
            while process.poll() is None:
                context.progress(0.8 * _part(folder), f"Fetching {PACKAGE} {VERSION}")
                time.sleep(_POLL_S)
        finally:
            process.kill()
            process.wait()
        log.seek(0)
        said = log.read()[-4000:]
    wheels = list(folder.glob("*.whl"))
    if process.returncode != 0 or len(wheels) != 1:
        raise PluginError(
            f"pip should have fetched {PACKAGE} {VERSION}, but ended with exit code {process.returncode}; "
            "check the network connection and fetch again.",
            said,
        )
    if file_sha256(wheels[0]) != SHA256:
        raise PluginError(
            f"The package {PACKAGE} {VERSION} is not the file that this plugin knows (its SHA-256 differs); "
            "nothing of it was used, so do not trust its source."
        )
    return wheels[0]


def convert_package(wheel: Path, destination: Path) -> None:
    """Write the weights inside the published wheel as safetensors.

    Raises
    ------
    PluginError
        If the wheel does not hold them in the known form.
    """
    from safetensors.torch import save_file

    with tempfile.TemporaryDirectory(prefix="medviewer-") as folder:
        archive = Path(folder) / "model.keras"
        try:
            with zipfile.ZipFile(wheel) as opened, opened.open(_MEMBER) as source, archive.open("wb") as copy:
                shutil.copyfileobj(source, copy)
            state = convert(archive)
        except (KeyError, ValueError, OSError, zipfile.BadZipFile) as error:
            raise PluginError(
                f"The package {PACKAGE} should hold the network's weights, but they cannot be read; fetch it again.",
                str(error),
            ) from error
    save_file(state, destination, metadata={"format": "pt", "source": f"{PACKAGE} {VERSION}", "sha256": SHA256})


def _part(folder: Path) -> float:
    """How much of the wheel has arrived."""
    arrived = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # pip moves its files about while we look
            arrived += path.stat().st_size if path.is_file() else 0
    return min(1.0, arrived / EXPECTED_BYTES)
