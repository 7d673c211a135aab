"""Opens one damaged file after the other, and says before each which one it is.

Run by `run.py` with the seed, the first number and the end; a crash or a hang of this process is the answer, too.
"""

from __future__ import annotations

import sys
import tempfile
import traceback
import warnings
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from medviewer.errors import MedviewerError
from medviewer.formats import isolation, load, scan
from tests.fuzz.mutate import mutant
from tests.fuzz.seeds import all_files


def make(seed: int, number: int, files: list[tuple[str, bytes]]) -> tuple[str, bytes]:
    """Name and bytes of a mutant, the same whenever it is asked for."""
    random = np.random.default_rng([seed, number])
    name, data = files[number % len(files)]
    return name, mutant(data, [other for _, other in files], random)


def open_file(path: Path) -> str:
    """What came of scanning a file and of loading all its series: ``series``, ``nothing`` or ``refused``."""
    try:
        found = scan([path], scratch=path.parent)
    except MedviewerError:
        return "refused"
    told = "nothing"
    for series in found.series:
        try:
            load(series)
            told = "series"
        except MedviewerError:
            told = "refused"
    return told


def main() -> None:
    """Open mutants, one line of news each."""
    seed, first, stop = (int(word) for word in sys.argv[1:4])
    # What a library prints or warns of says nothing here.
    warnings.simplefilter("ignore")
    files = all_files()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(first, stop):
            name, data = make(seed, number, files)
            path = Path(folder, name)
            path.write_bytes(data)
            say(f"begin {number} {name}")
            try:
                say(f"end {number} {open_file(path)}")
            except BaseException:
                say(f"escaped {number} {traceback.format_exc(limit=-6)!r}")
            path.unlink(missing_ok=True)
    isolation.shutdown()


def say(line: str) -> None:
    """Tell the parent."""
    sys.__stdout__.write(line + "\n")
    sys.__stdout__.flush()


if __name__ == "__main__":
    main()
