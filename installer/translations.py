"""Files of translations: gather the English texts of the code, and compile what translators made of them.

    python -m installer.translations update de     makes or renews resources/translations/medviewer_de.ts
    python -m installer.translations release       compiles every .ts there to the .qm that the window loads

A .ts is edited with Qt Linguist (``pyside6-linguist``) or any editor. ``{0}``, ``{1}`` ... stand for values and have to
stay; ``&`` marks the letter that opens a menu, and may stand before another letter.
"""

from __future__ import annotations

import ast
import itertools
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import yaml

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "resources" / "translations"

ALL_TEXTS = ("ui", "app", "domain/measure", "domain/slab.py", "domain/plane.py", "domain/document.py")
"""Where every text is gathered that reads as one; elsewhere those that are raised, said or given to a job."""
TELLING = ("say", "report", "submit", "Message", "Warning", "warn", "describe")
"""Calls whose texts are gathered everywhere, beside those of errors."""
ALWAYS = ("tr", "word")
"""Calls whose texts are gathered, whatever they look like."""
NEVER = (
    "cast",
    "TypeVar",
    "get_logger",
    "getLogger",
    "debug",
    "info",
    "warning",
    "error",
    "exception",
    "setObjectName",
    "setProperty",
    "property",
    "setStyleSheet",
    "setFamily",
    "literal",
    "Literal",
    "getattr",
    "replace",
    "removeprefix",
    "removesuffix",
    "Colormap",
    "add_labels",
    "findChild",
    "compile",
    "startswith",
    "endswith",
    "strftime",
    "KeyBindingRule",
)
"""Calls whose texts nobody sees."""

_MOST_CHOICES = 8
_WORDS = re.compile(r"[^\W\d_]{2}")
_NAME = re.compile(r"[A-Z0-9_]+|[a-z_]+(\.[a-z_.]+)+|[\w.-]+\.(png|qss|yaml|json|csv|dcm|qm|ts)|#[0-9a-fA-F]{6}")
_KEY = re.compile(
    r"((Ctrl|Shift|Alt|Meta)\+)*([A-Z]|F\d+|Tab|Up|Down|Left|Right|PageUp|PageDown|Home|End|Escape|Enter|Delete|Backspace)"
)
_CAMEL = re.compile(r"[a-z]+[A-Z]\w*|[A-Z][a-z]+[A-Z]\w*")


def gather(root: Path = ROOT) -> dict[str, str]:
    """Every text of the program that a person may see, and the file and line where it stands first.

    Values in a text are numbered fields: ``Saved the picture to {0}.``
    """
    package = root / "medviewer"
    found: dict[str, str] = {}
    for file in sorted(package.rglob("*.py")):
        inside = file.relative_to(package).as_posix()
        everything = any(inside == place or inside.startswith(f"{place}/") for place in ALL_TEXTS)
        for line, text in _texts(ast.parse(file.read_text(encoding="utf-8")), everything):
            found.setdefault(text, f"medviewer/{inside}:{line}")
    for file in sorted((root / "resources" / "presets").rglob("*.yaml")):
        for text in _named(yaml.safe_load(file.read_text(encoding="utf-8"))):
            found.setdefault(text, f"{file.relative_to(root).as_posix()}:1")
    return found


def _named(data: object) -> Iterator[str]:
    """What presets are called."""
    if isinstance(data, dict):
        yield from (value for key, value in data.items() if key in ("name", "title", "help") and isinstance(value, str))
        data = list(data.values())
    if isinstance(data, list):
        for one in data:
            yield from _named(one)


def _texts(tree: ast.Module, everything: bool) -> Iterator[tuple[int, str]]:
    hidden = {id(node) for node in _unseen(tree)}
    always = {id(node) for call in _calls(tree, ALWAYS) for node in ast.walk(call)}
    told = always | {id(node) for node in _told(tree)}
    inside = set()  # parts of a text that is taken as a whole
    for node in ast.walk(tree):
        if id(node) in hidden or id(node) in inside or not (everything or id(node) in told):
            continue
        if not isinstance(node, ast.Constant | ast.JoinedStr | ast.BinOp):
            continue
        texts = _templates(node)
        if texts is None:
            continue
        inside |= {id(part) for part in ast.walk(node) if part is not node and not _is_inner_text(part, node)}
        for text in texts:
            if _reads_as_text(text) or (id(node) in always and _WORDS.search(text)):
                yield getattr(node, "lineno", 0), text


def _is_inner_text(part: ast.AST, whole: ast.AST) -> bool:
    """Whether a text stands within a value of another, as in ``f"{'Fold' if ... }"``: it is a text of its own, too."""
    if not isinstance(part, ast.Constant | ast.JoinedStr) or not isinstance(whole, ast.JoinedStr):
        return False
    return not any(part is one for one in whole.values)


def _calls(tree: ast.AST, names: Iterable[str]) -> Iterator[ast.Call]:
    wanted = set(names)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _name(node) in wanted:
            yield node


def _name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _told(tree: ast.AST) -> Iterator[ast.AST]:
    """What errors and messages are made of."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and node.exc is not None:
            yield from ast.walk(node.exc)
        elif isinstance(node, ast.Call) and (_name(node) in TELLING or _name(node).endswith("Error")):
            yield from ast.walk(node)


def _unseen(tree: ast.AST) -> Iterator[ast.AST]:
    """Docstrings, annotations, keys of subscripts and arguments of what shows nothing."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value
        elif isinstance(node, ast.Call) and _name(node) in NEVER:
            for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
                yield from ast.walk(argument)
        elif isinstance(node, ast.Subscript):
            yield from ast.walk(node.slice)
        elif isinstance(node, ast.arg | ast.AnnAssign) and node.annotation is not None:
            yield from ast.walk(node.annotation)
        elif isinstance(node, ast.Assert) and node.msg is not None:
            yield from ast.walk(node.msg)
        elif isinstance(node, ast.Assign) and any(getattr(name, "id", "") == "__all__" for name in node.targets):
            yield from ast.walk(node.value)


def _templates(node: ast.AST) -> list[str] | None:
    """The texts that a node stands for, one for each way that a choice within it can go; None where it is no text."""
    if isinstance(node, ast.Constant):
        return [_numbered(node.value)] if isinstance(node.value, str) else None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _templates(node.left), _templates(node.right)
        if left is None or right is None:
            return None
        return [_numbered(f"{one}{other}") for one in left for other in right][:_MOST_CHOICES]
    if isinstance(node, ast.JoinedStr):
        parts = [_choices(part) for part in node.values]
        joined = ("".join(choice) for choice in itertools.product(*parts))
        return [_numbered(text) for text in itertools.islice(joined, _MOST_CHOICES)]
    return None


def _choices(part: ast.expr) -> list[str]:
    if isinstance(part, ast.Constant):
        return [str(part.value).replace("{", "(").replace("}", ")")]
    value = part.value if isinstance(part, ast.FormattedValue) else part
    if isinstance(value, ast.IfExp):
        ways = [_choices(value.body), _choices(value.orelse)]
        if all(isinstance(way, ast.Constant | ast.JoinedStr) for way in (value.body, value.orelse)):
            return [text for way in ways for text in way]
    if isinstance(value, ast.JoinedStr):
        return ["".join(choice) for choice in itertools.product(*(_choices(one) for one in value.values))]
    return ["{}"]


def _numbered(text: str) -> str:
    """With fields ``{0}``, ``{1}`` ..., whatever they were called."""
    number = itertools.count()
    return re.sub(r"\{[^{}]*\}", lambda _: f"{{{next(number)}}}", text)


def _reads_as_text(text: str) -> bool:
    plain = re.sub(r"\{\d+\}", "", text)
    if not _WORDS.search(plain) or _NAME.fullmatch(text) or _KEY.fullmatch(text):
        return False
    if re.search(r"[<>]\w+|::|QWidget|/\*|\.\w+\(", plain) and " " not in plain.strip():
        return False
    start = plain.strip(" &·(⚠“")[:1]
    single = " " not in text.strip() and not text.endswith((".", "…", ":"))
    return not (single and (_CAMEL.fullmatch(text.strip("&")) or not start.isupper()))


# -- files


def update(code: str, root: Path = ROOT) -> Path:
    """Make or renew the file of a language: what was translated stays, what is gone from the code goes."""
    file = root / "resources" / "translations" / f"medviewer_{code}.ts"
    kept = _translated(file)
    document = ElementTree.Element("TS", version="2.1", language=code, sourcelanguage="en")
    context = ElementTree.SubElement(document, "context")
    ElementTree.SubElement(context, "name").text = "medviewer"
    for source, place in sorted(gather(root).items(), key=lambda pair: pair[1]):
        message = ElementTree.SubElement(context, "message")
        where, _, line = place.rpartition(":")
        ElementTree.SubElement(message, "location", filename=f"../../{where}", line=line)
        ElementTree.SubElement(message, "source").text = source
        translation = ElementTree.SubElement(message, "translation")
        if source in kept:
            translation.text = kept[source]
        else:
            translation.set("type", "unfinished")
    ElementTree.indent(document)
    file.parent.mkdir(parents=True, exist_ok=True)
    head = '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE TS>\n'
    file.write_text(head + ElementTree.tostring(document, encoding="unicode") + "\n", encoding="utf-8")
    return file


def _translated(file: Path) -> dict[str, str]:
    """What was translated so far."""
    if not file.is_file():
        return {}
    pairs = (
        (message.findtext("source") or "", message.find("translation"))
        for message in ElementTree.parse(file).iter("message")
    )
    return {source: node.text for source, node in pairs if node is not None and node.text and node.get("type") is None}


def release(folder: Path = FOLDER) -> list[Path]:
    """Compile every .ts of a folder with Qt's lrelease."""
    made = []
    for file in sorted(folder.glob("*.ts")):
        target = file.with_suffix(".qm")
        command = [str(Path(sys.executable).parent / "pyside6-lrelease"), "-silent", str(file), "-qm", str(target)]
        subprocess.run(command, check=True)
        made.append(target)
    return made


def main(arguments: list[str]) -> int:
    """Do what the command line says; returns the exit code."""
    if len(arguments) == 2 and arguments[0] == "update" and re.fullmatch(r"[a-z]{2,3}(_[A-Z]{2})?", arguments[1]):
        print(update(arguments[1]))
        return 0
    if arguments == ["release"]:
        for file in release():
            print(file)
        return 0
    print(__doc__)
    return 2


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
