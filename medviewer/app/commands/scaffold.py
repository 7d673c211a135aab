"""``medviewer plugin new``: a working, tested plugin to start from."""

from __future__ import annotations

import keyword
import re
import runpy
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from string import Template

from medviewer.app.resources import resource
from medviewer.errors import InputError, StoreError

MAIN_KINDS = ("segment", "classify", "detect", "interactive")
"""A plugin is one of these."""
POWERS = {"explain": ("segment", "classify"), "train": ("segment",)}
"""What it may be beside, and for which of the above there is a start."""
_IMPORTS = {
    "": "from torch import nn",
    "explain": "from torch import Tensor, nn",
    "train": (
        "from collections.abc import Iterable\n\nimport torch\nfrom monai.losses.dice import DiceCELoss\n"
        "from torch import Tensor, nn"
    ),
}


@dataclass(frozen=True)
class NewPlugin:
    """What was written.

    Parameters
    ----------
    folder
        The plugin's folder.
    plugin_id
        Its id.
    files
        What lies in the folder, relative to it.
    made
        One line on its weights.
    """

    folder: Path
    plugin_id: str
    files: tuple[str, ...]
    made: str


def new_plugin(name: str, kinds: Sequence[str], parent: Path, training: Callable[[], None] = lambda: None) -> NewPlugin:
    """Write a plugin package that works at once into `parent` / `name`, with weights trained on made-up images.

    Parameters
    ----------
    name
        Name of the package and of its folder; the id is the same with hyphens.
    kinds
        One of `MAIN_KINDS`, and any of `POWERS`; a power alone is taken as that of a segmenter.
    training
        Called before the weights are trained, once nothing speaks against name, kinds and folder any more.

    Raises
    ------
    InputError
        If the name is no package name, or taken; if the kinds do not go together; or if the folder is there already.
    StoreError
        If it cannot be written.
    """
    main, powers = _sorted_kinds(kinds)
    _check_name(name)
    folder = parent / name
    if folder.exists():
        raise InputError(f"{folder} is there already, and nothing is overwritten; choose another name or folder.")
    if find_spec(name) is not None:
        raise InputError(f"{name} is the name of a package that is here already; choose another name.")
    try:
        parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=parent))
    except OSError as error:
        raise _unwritten(folder, error) from error
    try:
        _write(partial, _files(name, main, powers))
        training()
        made = str(runpy.run_path(str(partial / "make_weights.py"))["main"]([]))
        files = tuple(sorted(path.relative_to(partial).as_posix() for path in partial.rglob("*") if path.is_file()))
        partial.chmod(0o755)  # a temporary folder is for its owner only
        partial.rename(folder)
    except OSError as error:
        raise _unwritten(folder, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return NewPlugin(folder, name.replace("_", "-"), files, made)


def _check_name(name: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_]{1,63}", name):
        cure = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
        better = f", such as {cure}" if re.fullmatch(r"[a-z][a-z0-9_]{1,63}", cure) else ""
        raise InputError(
            f"A plugin's name is that of a Python package: small letters, digits and underscores, 2 to 64 of them"
            f"{better}; {name!r} is not."
        )
    if keyword.iskeyword(name) or keyword.issoftkeyword(name) or name in sys.stdlib_module_names:
        raise InputError(f"{name} is a word of Python itself; choose another name.")


def _sorted_kinds(kinds: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """The main kind and the powers."""
    known = (*MAIN_KINDS, *POWERS)
    for kind in kinds:
        if kind not in known:
            raise InputError(f"There is no start for the kind {kind}; there are: {', '.join(known)}.")
    main = [kind for kind in MAIN_KINDS if kind in kinds] or ["segment"]
    if len(main) > 1:
        raise InputError(f"A plugin is one of {', '.join(MAIN_KINDS)}, but {' and '.join(main)} were asked for.")
    powers = tuple(power for power in POWERS if power in kinds)
    for power in powers:
        if main[0] not in POWERS[power]:
            raise InputError(
                f"There is no start for {power} with {main[0]}; it goes with {' or '.join(POWERS[power])}."
            )
    return main[0], powers


def _files(name: str, main: str, powers: tuple[str, ...]) -> dict[str, str]:
    """Path inside the folder and content of each file but the weights."""
    words = {
        "package": name,
        "id": name.replace("_", "-"),
        "name": name.replace("_", " ").capitalize(),
        "cls": "".join(part.capitalize() for part in name.split("_")),
        "kinds": ", ".join((main, *powers)),
    }
    words["imports"] = f"\n{_IMPORTS[powers[-1] if powers else '']}\n"
    words["methods"] = "".join(_text(f"{main}/{power}.part") for power in powers).rstrip()
    words["weights"] = _text("common/weights.part").rstrip()
    words["test"] = Template(_text("common/test.part")).substitute(words)
    places = {
        "__init__.py": "common",
        "pyproject.toml": "common",
        "README.md": "common",
        "plugin.yaml": main,
        "plugin.py": main,
        "network.py": main,
        "make_weights.py": main,
    }
    files = {file: Template(_text(f"{place}/{file}.tmpl")).substitute(words) for file, place in places.items()}
    files[f"tests/test_{name}.py"] = Template(_text(f"{main}/test.py.tmpl")).substitute(words)
    return {path: text.rstrip() + "\n" for path, text in files.items()}


def _text(name: str) -> str:
    return resource(f"templates/plugin/{name}").read_text(encoding="utf-8")


def _write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _unwritten(folder: Path, error: OSError) -> StoreError:
    why = error.strerror or type(error).__name__
    return StoreError(f"{folder} should be written, but cannot ({why}); choose another folder.", str(error))
