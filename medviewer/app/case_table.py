"""One row a case: what running a plugin on many series came to, in a file that is whole after every row."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from medviewer.errors import InputError
from medviewer.formats.atomic import replacing

Status = Literal["done", "refused", "failed"]

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a text begins that a spreadsheet would take for a formula."""
_BASE = (
    "series_uid",
    "study_uid",
    "patient",
    "modality",
    "description",
    "status",
    "reason",
    "plugin",
    "plugin_version",
    "model_version",
)
_PERSON = ("patient_name", "patient_id")
_LAST = ("uncertainty", "distance", "flags", "abstained", "seconds", "device", "created", "output")


@dataclass(frozen=True)
class CaseRow:
    """One case.

    Parameters
    ----------
    series_uid, study_uid, modality, description
        Of the series.
    patient
        A keyed hash of the patient's ID; whoever has not the archive's key cannot tell whose it is.
    status
        ``done``; ``refused``, not made for this plugin; ``failed``, for whatever reason.
    reason
        One sentence, where it is not done.
    plugin, plugin_version, model_version
        What ran.
    values
        Volume of each label in ml, or probability of each class.
    uncertainty, distance, flags, abstained
        As in `Doubt` and `Classification`.
    seconds
        That reading the series and running the plugin took.
    device, created
        Where and when (UTC, ISO 8601).
    output
        The file with the mask or the probabilities; empty where none was written.
    person
        Name and ID as the file gives them, only where they were asked for.
    """

    series_uid: str
    study_uid: str = ""
    patient: str = ""
    modality: str = ""
    description: str = ""
    status: Status = "failed"
    reason: str = ""
    plugin: str = ""
    plugin_version: str = ""
    model_version: str = ""
    values: dict[str, float] = field(default_factory=dict)
    uncertainty: float | None = None
    distance: float | None = None
    flags: tuple[str, ...] = ()
    abstained: bool = False
    seconds: float = 0.0
    device: str = ""
    created: str = ""
    output: str = ""
    person: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What makes it the same case again: series, plugin, its version and the model's."""
        return self.series_uid, self.plugin, self.plugin_version, self.model_version

    @property
    def over(self) -> bool:
        """Whether running it again would give the same."""
        return self.status != "failed"


class CaseTable:
    """A table of cases in a file, ``.csv`` or ``.json``; every row is on the disk before the next case begins.

    A CSV grows by a line, and one that a crash cut off is taken away when the table is opened again; JSON is written
    anew, whole. A case that is there already is replaced.

    Parameters
    ----------
    path
        The file; need not exist.
    names
        The columns of `CaseRow.values`, in order; one named as another column begins with ``label_`` in the file.
    people
        Whether there are columns for the patient's name and ID.
    anew
        Whether what is in the file is of no interest: it is replaced with the first row.

    Raises
    ------
    InputError
        If the file is a table of something else, or cannot be read.
    """

    def __init__(self, path: Path, names: Sequence[str], *, people: bool = False, anew: bool = False) -> None:
        self._path, self._columns = path, _columns(names)
        self._csv = path.suffix.lower() != ".json"
        self._people = _PERSON if people else ()
        self._rows: dict[tuple[str, str, str, str], dict[str, Any]] = {}
        if path.exists() and not anew:
            for row in self._read():
                self._rows[_key(row)] = row

    @property
    def header(self) -> tuple[str, ...]:
        """The columns."""
        return (*_BASE, *self._people, *self._columns.values(), *_LAST)

    def __len__(self) -> int:
        """How many cases there are."""
        return len(self._rows)

    def has(self, row: CaseRow) -> bool:
        """Whether a case is there and need not run again."""
        known = self._rows.get(row.key)
        return known is not None and known["status"] != "failed"

    def add(self, row: CaseRow) -> None:
        """Write a case to the disk.

        Raises
        ------
        InputError
            If the file cannot be written.
        """
        plain = self._plain(row)
        known = row.key in self._rows
        self._rows[row.key] = plain
        if self._csv and not known and self._path.exists():
            self._append(plain)
        else:
            self._write()

    def drop(self, row: CaseRow) -> None:
        """Take a case away, where there is one like it. Raises InputError as `add` does."""
        if self._rows.pop(row.key, None) is not None:
            self._write()

    def fill(self, rows: Sequence[CaseRow]) -> None:
        """Write many cases in one go, which takes as long as one. Raises InputError as `add` does."""
        self._rows |= {row.key: self._plain(row) for row in rows}
        self._write()

    def _plain(self, row: CaseRow) -> dict[str, Any]:
        data = asdict(row)
        values = {column: row.values.get(name) for name, column in self._columns.items()}
        data |= {"flags": list(row.flags), **values, **row.person}
        return {name: _finite(data.get(name)) for name in self.header}

    def _write(self) -> None:
        rows = list(self._rows.values())
        with replacing(self._path) as temporary:
            if self._csv:
                lines = [_line(self.header), *(_line([row[name] for name in self.header]) for row in rows)]
                temporary.write_text("".join(lines), encoding="utf-8", newline="")
            else:
                temporary.write_text(
                    f"{json.dumps(rows, indent=1, ensure_ascii=False, allow_nan=False)}\n", encoding="utf-8"
                )

    def _append(self, row: dict[str, Any]) -> None:
        try:
            with self._path.open("ab") as stream:
                stream.write(_line([row[name] for name in self.header]).encode())
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise InputError(
                f"{self._path.name} could not be written ({error.strerror}); make room, and run again: it goes on."
            ) from error

    def _read(self) -> list[dict[str, Any]]:
        try:
            data = self._path.read_bytes()
            text = data.decode("utf-8")
            rows = self._read_csv(text) if self._csv else json.loads(text)
        except (OSError, UnicodeDecodeError, ValueError, csv.Error) as error:
            raise InputError(f"{self._path.name} is no table that can be gone on with; name another file.") from error
        if not isinstance(rows, list) or not all(
            isinstance(row, dict) and set(row) == set(self.header) for row in rows
        ):
            raise InputError(
                f"{self._path.name} is a table of other columns, of another plugin perhaps; name another file."
            )
        return rows

    def _read_csv(self, text: str) -> list[dict[str, Any]]:
        whole = text[: text.rfind("\n") + 1]  # what follows was cut off when something crashed
        header = _line(self.header)
        if not text.startswith(header) and not header.startswith(text):
            raise ValueError("another header")  # told by the caller; nothing of a foreign file is touched
        if whole != text:
            with self._path.open("r+b") as stream:
                stream.truncate(len(whole.encode()))
        return [
            {name: _unquoted(value) for name, value in row.items()}
            for row in csv.DictReader(io.StringIO(whole), restkey="more")
        ]


def _columns(names: Sequence[str]) -> dict[str, str]:
    """The heading of each label's column: labels may be called anything, and no two columns the same."""
    taken = {*_BASE, *_PERSON, *_LAST}
    made = {name: name for name in names if name not in taken}
    for name in names:
        column = made.get(name, f"label_{name}")
        while name not in made and column in {*taken, *made.values()}:
            column = f"label_{column}"
        made[name] = column
    return {name: made[name] for name in names}


def _finite(value: Any) -> Any:
    """A value that JSON knows; what is no number is none."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _key(row: dict[str, Any]) -> tuple[str, str, str, str]:
    return str(row["series_uid"]), str(row["plugin"]), str(row["plugin_version"]), str(row["model_version"])


def _line(cells: Sequence[Any]) -> str:
    sink = io.StringIO()
    csv.writer(sink, lineterminator="\n").writerow([_cell(cell) for cell in cells])
    return sink.getvalue()


def _cell(value: Any) -> str:
    """A cell of one line that no spreadsheet takes for a formula."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    text = " ".join((" ".join(value) if isinstance(value, (list, tuple)) else str(value)).split())
    return f"'{text}" if text.startswith(_FORMULA) else text


def _unquoted(value: Any) -> Any:
    """A cell as it was before `_cell` kept it from being a formula."""
    return value[1:] if isinstance(value, str) and value[:1] == "'" and value[1:].startswith(_FORMULA) else value
