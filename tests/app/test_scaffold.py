"""`plugin new`: names, kinds, and that what it writes works where it lies."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from medviewer.app.commands import scaffold
from medviewer.app.commands.scaffold import MAIN_KINDS, POWERS, new_plugin
from medviewer.app.resources import resource
from medviewer.errors import InputError, StoreError
from medviewer.inference import base_weights, submit_check
from medviewer.jobs import Runner
from medviewer.plugin_api.discovery import discover, find

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one plugin of each kind, each with all the powers that there are for it."""
    parent = tmp_path_factory.mktemp("written")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scaffold, "_text", hardly_trained)
        for kind in MAIN_KINDS:
            powers = [power for power, kinds in POWERS.items() if kind in kinds]
            made = new_plugin(f"my_{kind}", [kind, *powers], parent)
            assert made.folder == parent / f"my_{kind}"
            assert made.plugin_id == f"my-{kind}"
    return parent


def hardly_trained(name: str, text: Callable[[str], str] = scaffold._text) -> str:
    """A template; networks whose answers nobody looks at here, all but the segmenter's, learn for three steps."""
    if not name.endswith("make_weights.py.tmpl") or name.startswith("segment"):
        return text(name)
    brief, found = re.subn(r"^(SIZE, STEPS.* = \d+, )\d+", r"\g<1>3", text(name), flags=re.MULTILINE)
    assert found == 1, name
    return brief


@pytest.mark.usefixtures("warm_workers")
def test_each_kind_passes_the_conformance_suite(written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medviewer.inference.check.plugin_lane", lambda plugin: "tests")  # torch is imported once
    runner = Runner(tmp_path)
    try:
        rows = discover([written])
        jobs = []
        for kind in MAIN_KINDS:
            plugin = find(f"my-{kind}", rows)
            jobs.append(submit_check(runner, plugin, base_weights(plugin, tmp_path), device="cpu"))
        for kind, job in zip(MAIN_KINDS, jobs, strict=True):
            runner.wait(job)
            assert [row.text for row in job.result() if not row.ok] == [], kind
    finally:
        runner.shutdown()


def test_its_own_tests_pass_in_an_empty_folder(written: Path) -> None:
    """Outside of the checkout, in a process of its own, as its author runs them."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "my_segment", "-k", "spot"]
    ran = subprocess.run(
        command,
        cwd=written,
        env={"PATH": "", "PYTHONPATH": str(ROOT), "HOME": str(written.parent / "home"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "1 passed" in ran.stdout


def test_what_is_written_is_clean(written: Path) -> None:
    for command in (["check", "--select", "E,F,I,B,N,UP,SIM,PTH", "--ignore", "N812"], ["format", "--check"]):
        ran = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--no-cache", "."],
            cwd=written,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_manifest_names_what_lies_in_the_folder(written: Path) -> None:
    manifest = yaml.safe_load((written / "my_segment" / "plugin.yaml").read_text(encoding="utf-8"))
    assert manifest["kinds"] == ["segment", "explain", "train"]
    assert manifest["entry"] == "my_segment.plugin:MySegment"
    names = {path.name for path in (written / "my_segment").iterdir()} - {"__pycache__"}  # of a run before
    assert sorted(names) == [
        "README.md",
        "__init__.py",
        "make_weights.py",
        "network.py",
        "plugin.py",
        "plugin.yaml",
        "pyproject.toml",
        "tests",
        "weights.safetensors",
    ]
    assert [path.name for path in written.iterdir() if path.name.startswith(".")] == []


def test_nothing_is_overwritten(written: Path) -> None:
    before = (written / "my_segment" / "plugin.py").stat()
    with pytest.raises(InputError, match="is there already, and nothing is overwritten"):
        new_plugin("my_segment", ["classify"], written)
    assert (written / "my_segment" / "plugin.py").stat() == before


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Lesion-Finder", "such as lesion_finder"),
        ("a", "2 to 64"),
        ("../out", "such as out"),
        ("9lives", "small letters, digits"),
        ("class", "a word of Python itself"),
        ("json", "a word of Python itself"),
        ("numpy", "a package that is here already"),
        ("medviewer", "a package that is here already"),
    ],
)
def test_names_that_no_package_may_have(name: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        new_plugin(name, ["segment"], tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kinds", "words"),
    [
        (["segment", "classify"], "segment and classify were asked for"),
        (["classify", "train"], "no start for train with classify"),
        (["paint"], "no start for the kind paint"),
    ],
)
def test_kinds_that_do_not_go_together(kinds: list[str], words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        new_plugin("odd", kinds, tmp_path)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="choose another folder"):
        new_plugin("lost", ["segment"], tmp_path / "file")


def test_templates_lie_where_the_wheel_takes_them_from() -> None:
    """The wheel leaves out folders and files of these names (installer/hatch_build.py)."""
    left_out = {"tests", "__pycache__", "conftest.py", "build.py", "make_pictures.py"}
    for path in resource("templates/plugin").rglob("*"):
        assert not left_out & set(path.relative_to(resource("templates")).parts)
