"""The language of the window: every English text passes `tr` on its way to the screen.

Texts are written in English where they arise, also below `ui`, where there is no Qt. What is finished there, with
values in it ("Saved the picture to brain.png."), is told by the pattern that it was made of ("Saved the picture to
{0}."): translators translate patterns, and `installer/translations.py` gathers them from the code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from xml.etree import ElementTree

from PySide6.QtCore import QCoreApplication, QLibraryInfo, QLocale, QTranslator

from medviewer.app import words
from medviewer.app.resources import resource

CONTEXT = "medviewer"
"""Of every text, in Qt's files of translations."""
ENGLISH = "en"
_PREFIX = "medviewer_"
_FIELD = re.compile(r"\{(\d+)\}")
_SENTENCE = re.compile(r"(?<=[.!?;]) (?=[A-Z0-9])")
_BESIDE = re.compile(r"(.*[^\W\d_]{2}.*) (\([^()]*\))", re.DOTALL)
"""A text with something in brackets behind it, as the key of a command is."""
_SAYING = re.compile(r"(?:[\W\d_]*[^\W\d_]){4}|[A-Z]")
"""What a pattern has to say at least: one of a word like "of" would be found in any sentence."""


class _Language:
    """What is in use: whether there is any but English, and the patterns of texts with values in them."""

    def __init__(self) -> None:
        self.foreign = False
        self.patterns: list[tuple[re.Pattern[str], str, str]] = []
        """A regular expression, the longest literal part of it, and the pattern; those that say most come first."""
        self.translators: list[QTranslator] = []


_language = _Language()


def tr(text: str) -> str:
    """A text of the program, as a whole or with values in it, in the language of the window.

    Names, descriptions and other contents of files are never passed here, but they may stand in a text as its values.
    """
    return _shown(text) if _language.foreign and text else text


def languages(folders: Iterable[Path]) -> dict[str, str]:
    """The languages that there are files for, by their code, each by its own name; English comes first."""
    found = {ENGLISH: "English"}
    for folder in folders:
        for file in sorted(folder.glob(f"{_PREFIX}*.qm")):
            code = file.stem.removeprefix(_PREFIX)
            found[code] = QLocale(code).nativeLanguageName() or code
    return found


def folders(home: Path) -> tuple[Path, ...]:
    """Where files of translations lie: those of the program, and those that a user put into the archive's folder."""
    return resource("translations"), home / "translations"


def install(wanted: str, home: Path) -> None:
    """Use a language from now on, for texts that are made from now on; English where there is no file for it.

    Parameters
    ----------
    wanted
        Its code, as ``de`` or ``pt_BR``; empty for the system's.
    home
        Folder of the archive.
    """
    codes = [wanted] if wanted else [name.replace("-", "_") for name in QLocale.system().uiLanguages()]
    known = languages(folders(home))
    for code in (part for name in codes for part in (name, name.partition("_")[0])):
        if code == ENGLISH:
            break
        if code in known:
            _load(code, home)
            return
    use((), ())


def use(translators: Iterable[QTranslator], sources: Iterable[str]) -> None:
    """Translate by these, and by no others; `sources` are the texts that they have, patterns among them."""
    app = QCoreApplication.instance()
    for former in _language.translators:
        QCoreApplication.removeTranslator(former)
    _language.translators = list(translators)
    for translator in _language.translators:
        if app is not None:
            QCoreApplication.installTranslator(translator)
    _language.patterns = _patterns(sources)
    _language.foreign = bool(_language.translators)
    _shown.cache_clear()
    words.use(tr if _language.foreign else str)


def _load(code: str, home: Path) -> None:
    ours, qt = QTranslator(), QTranslator()
    made = [qt] if qt.load(f"qtbase_{code}", QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)) else []
    sources: list[str] = []
    for folder in folders(home):
        if (folder / f"{_PREFIX}{code}.qm").is_file() and ours.load(f"{_PREFIX}{code}", str(folder)):
            made.append(ours)
            sources = _sources(folder / f"{_PREFIX}{code}.ts")
            break
    use(made, sources)


def _sources(file: Path) -> list[str]:
    """The texts of a file of translations (TS); none where it is not beside the compiled one, or broken."""
    try:
        tree = ElementTree.parse(file)
    except (OSError, ElementTree.ParseError):
        return []
    return [node.text for node in tree.iter("source") if node.text]


def _patterns(sources: Iterable[str]) -> list[tuple[re.Pattern[str], str, str]]:
    made = []
    for source in sources:
        parts = _FIELD.split(source)  # text, number of a field, text ...
        literal = max(parts[::2], key=len)
        if len(parts) > 1 and _SAYING.search("".join(parts[::2])):
            expression = "".join(re.escape(part) if k % 2 == 0 else f"(?P<v{part}>.*?)" for k, part in enumerate(parts))
            made.append((len("".join(parts[::2])), re.compile(expression, re.DOTALL), literal, source))
    made.sort(key=lambda one: -one[0])
    return [one[1:] for one in made]


@lru_cache(maxsize=4096)
def _shown(text: str) -> str:
    beside = _BESIDE.fullmatch(text)
    known = _exact(beside.group(1)) if beside is not None else None
    if beside is not None and known is not None:
        return f"{known} {beside.group(2)}"
    for way in (_exact, _by_pattern):
        found = way(text)
        if found is not None:
            return found
    if beside is not None:
        return f"{_shown(beside.group(1))} {beside.group(2)}"
    for parts, between in ((text.split("\n"), "\n"), (_SENTENCE.split(text), " ")):
        if len(parts) > 1:
            return between.join(_shown(part) if part else part for part in parts)
    return text


def _exact(text: str) -> str | None:
    found = QCoreApplication.translate(CONTEXT, text)
    return found if found != text else None


def _by_pattern(text: str) -> str | None:
    for expression, literal, source in _language.patterns:
        match = expression.fullmatch(text) if literal in text else None
        if match is None:
            continue
        translated = QCoreApplication.translate(CONTEXT, source)
        # texts of ours may stand among the values: what is not one of them stays
        values = {name[1:]: _exact(value) or _by_pattern(value) or value for name, value in match.groupdict().items()}
        return _filled(translated, values)
    return None


def _filled(pattern: str, values: Mapping[str, str]) -> str:
    """A pattern with its fields filled in; one that a translator made up is empty."""
    return _FIELD.sub(lambda field: values.get(field.group(1), ""), pattern)
