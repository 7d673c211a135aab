"""The manual is true: every action, key and command is in it, its links lead somewhere, and its example plugin runs."""

from __future__ import annotations

import re
import runpy
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import get_args
from unittest.mock import create_autospec

import pytest
from app_model.types import KeyBinding
from pydantic import BaseModel
from typer.main import get_command

from medviewer.app import actions
from medviewer.app.ports.shell import Dialogs, Shell
from medviewer.app.presets import windows_for
from medviewer.app.resources import resource
from medviewer.app.services import Services
from medviewer.cli import COMMANDS
from medviewer.cli.main import app
from medviewer.inference import base_weights, submit_check
from medviewer.learning import gate
from medviewer.plugin_api import Manifest
from medviewer.plugin_api.spec import CodeSpec

HELP = resource("help")
ROOT = Path(__file__).parents[2]
PAGES = sorted(HELP.glob("*.md"))
LINK = re.compile(r"(!?)\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def page(name: str) -> str:
    return (HELP / name).read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return [body for kind, body in FENCE.findall(text) if kind == language]


def links(text: str) -> list[str]:
    """What a page links to and shows, without addresses on the web."""
    return [target for _, target in LINK.findall(FENCE.sub("", text)) if "://" not in target]


# -- menus and keys


def test_the_table_of_keys_has_every_action_and_no_other(services: Services) -> None:
    built = actions.build(services, create_autospec(Dialogs), create_autospec(Shell))
    expected = set()
    for action in built:
        assert action.menus is not None
        menu = actions.titles()[action.menus[0].id]
        title = str(action.title).replace("&", "").rstrip("…")
        key = f"`{action.keybindings[0].primary}`" if action.keybindings else "none"
        expected.add((menu, title, key))
    rows = [
        re.split(r"(?<!\\) \| ", line.strip("| ")) for line in page("keys.md").splitlines() if line.startswith("| ")
    ]
    documented = {(row[0], row[1], row[2]) for row in rows if row[0] != "Menu"}
    assert documented == expected


def test_every_key_that_the_manual_names_belongs_to_an_action(services: Services) -> None:
    built = actions.build(services, create_autospec(Dialogs), create_autospec(Shell))
    known = {str(rule.primary) for action in built for rule in action.keybindings or ()}
    for file in PAGES:
        named = re.findall(r"`((?:Ctrl\+|Shift\+)+\S+?|F\d+|[A-Z=\[\]])`", file.read_text(encoding="utf-8"))
        assert set(named) <= known, file.name


def test_every_key_can_be_pressed(services: Services) -> None:
    built = actions.build(services, create_autospec(Dialogs), create_autospec(Shell))
    keys = [str(rule.primary) for action in built for rule in action.keybindings or ()]
    assert len(keys) == len(set(keys)), "two actions share a key"
    assert [key for key in keys if KeyBinding.from_str(key).to_text() != key] == [], (
        "a name that the window does not know"
    )


def test_the_window_presets_are_those_of_the_manual() -> None:
    text = " ".join(page("read.md").split())
    for window in windows_for("CT"):
        assert f"{window.name} (W {window.width:.0f} L {window.center:.0f})" in text


# -- the command line


def commands() -> Iterator[tuple[str, set[str]]]:
    """Every command with the options that it takes."""
    root = get_command(app)
    for name in COMMANDS:
        command = root.commands[name]  # type: ignore[attr-defined]  # a typer app with commands is a group
        for sub, leaf in getattr(command, "commands", {"": command}).items():
            yield f"{name} {sub}".strip(), {option for parameter in leaf.params for option in _options(parameter)}


def _options(parameter: object) -> list[str]:
    return [name for name in parameter.opts if name.startswith("-")]  # type: ignore[attr-defined]  # click has no types


def sections() -> dict[str, str]:
    """The sections of the page on the command line, by the command in their title."""
    parts = re.split(r"^## ", page("command-line.md"), flags=re.MULTILINE)
    return {title.removeprefix("medviewer "): body for title, _, body in (part.partition("\n") for part in parts[1:])}


def test_every_command_has_a_section_with_all_its_options() -> None:
    told = sections()
    common = page("command-line.md").partition("## The window")[0]
    assert {name for name, _ in commands()} == set(told) - {"The window"}
    for name, options in commands():
        text = told[name] + ("`-o FILE`, `--output FILE`" if "-o FILE" in told[name] else "")
        missing = {option for option in options if not re.search(rf"(?<![\w-]){option}(?![\w-])", text)}
        assert not missing, name
    for option in ("--series UID", "--device auto", "--output FILE", "--verbose", "--version", "--help", "--json"):
        assert option in common


@pytest.mark.parametrize("file", [*PAGES, ROOT / "README.md"], ids=lambda file: file.name)
def test_examples_use_commands_and_options_that_exist(file: Path) -> None:
    known = dict(commands())
    for line in "".join(blocks(file.read_text(encoding="utf-8"), "console")).splitlines():
        program, *words = shlex.split(line, comments=True)
        if program != "medviewer" or not words or words[0] == "--demo":
            continue
        if words[0] == "case.nii.gz":  # the window on the case that the tutorial makes
            continue
        if words[0].startswith("resources/"):
            assert (ROOT / words[0]).exists(), line
            continue
        name = " ".join(words[:2]) if " ".join(words[:2]) in known else words[0]
        assert name in known, line
        assert {word for word in words if word.startswith("-")} <= known[name], line
        demo = [word for word in words if word.startswith("resources/")]
        assert all((ROOT / path).exists() for path in demo), line


def test_the_gate_is_told_as_it_is() -> None:
    text = page("learn.md")
    for figure in (gate.MIN_GAIN, gate.MAX_CASE_LOSS, f"{gate.HD95_TOLERANCE_MM} mm", f"fewer than {gate.MIN_CASES}"):
        assert str(figure) in text


# -- links and pictures


@pytest.mark.parametrize("file", [*PAGES, ROOT / "README.md"], ids=lambda file: file.name)
def test_links_lead_somewhere(file: Path) -> None:
    missing = [link for link in links(file.read_text(encoding="utf-8")) if not (file.parent / link).exists()]
    assert missing == []


def test_the_index_leads_to_every_page_and_every_picture_is_shown() -> None:
    assert {file.name for file in PAGES} - set(links(page("index.md"))) == {"index.md"}
    shown = {link for file in PAGES for link in links(file.read_text(encoding="utf-8")) if link.endswith(".png")}
    assert shown == {f"pictures/{file.name}" for file in (HELP / "pictures").iterdir()}


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.name)
def test_pages_are_what_the_window_can_show(file: Path) -> None:
    """Their first line is the title in the list; Qt drops the text behind HTML."""
    text = file.read_text(encoding="utf-8")
    assert text.startswith("# ")
    assert not re.search(r"<\w+[ >/]", FENCE.sub("", text))


# -- the example plugin


def fields(model: type[BaseModel], before: str = "") -> Iterator[str]:
    """Every field of a manifest by its path, those of its parts as well."""
    for name, field in model.model_fields.items():
        path = f"{before}{field.alias or name}"
        yield path
        parts = [kind for kind in _kinds_in(field.annotation) if kind is not CodeSpec]
        for part in parts:
            yield from fields(part, f"{path}.")


def _kinds_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _kinds_in(inner)


def test_every_field_of_a_manifest_is_explained() -> None:
    named = re.findall(r"^\| (`[^|]*`) \|", page("write-a-plugin.md"), re.MULTILINE)
    told = {path for cell in named for path in re.findall(r"`([^`]+)`", cell)}
    heads = {"inputs", "outputs", "weights", "resources"}
    assert set(fields(Manifest)) - heads <= told
    assert {path for path in told if path.partition(".")[0] in heads} <= set(fields(Manifest))


def test_every_method_of_the_protocols_is_explained() -> None:
    text = page("write-a-plugin.md")
    for name in ("protocols.py", "interactive.py"):
        source = (ROOT / "medviewer" / "plugin_api" / name).read_text(encoding="utf-8")
        protocols = [part for part in re.split(r"^class ", source, flags=re.MULTILINE) if "Protocol):" in part]
        methods = [method for part in protocols for method in re.findall(r"^    def ([a-z]\w+)\(", part, re.MULTILINE)]
        assert [method for method in methods if f"`{method}(" not in text] == []


@pytest.mark.usefixtures("warm_workers")
def test_the_example_plugin_passes_its_check(tmp_path: Path) -> None:
    text = page("write-a-plugin.md")
    folder = tmp_path / "bright_tissue"
    folder.mkdir()
    (folder / "__init__.py").touch()
    files = re.findall(r"^\*\*bright_tissue/(\S+)\*\*.*?^```\w+\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    for name, content in files:
        (folder / name).write_text(content, encoding="utf-8")
    assert [name for name, _ in files] == ["plugin.yaml", "plugin.py", "make_weights.py"]
    runpy.run_path(str(folder / "make_weights.py"))

    services = Services.open(tmp_path / "home", folders=[tmp_path])
    try:
        plugin = services.plugin("bright-tissue")
        job = submit_check(services.runner, plugin, base_weights(plugin, services.archive.home), device="cpu")
        services.runner.wait(job)
        assert [row for row in job.result() if not row.ok] == []
    finally:
        services.close()
