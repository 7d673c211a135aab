"""Open damaged files by the thousand, and count crashes, hangs and exceptions that are not ours.

    python tests/fuzz/run.py [--mutants 20000] [--seed 1] [--first 0] [--jobs 2] [--keep DIR] [--json]

Every mutant goes through `formats.scan` and `formats.load` of all its series, in a child process that is replaced
when it crashes or hangs. The same seed and number make the same mutant; ``--keep`` saves the bad ones.
"""

from __future__ import annotations

import argparse
import json
import queue
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

LIMIT_S = 20.0
"""More than the 8 s that a decoder may take before its file is given up."""


@dataclass
class Tally:
    """What came of all mutants.

    Parameters
    ----------
    ends
        How many ended how: ``series``, ``nothing``, ``refused``.
    bad
        Number, name of the file and what happened, of each that crashed, hung or raised what it should not.
    """

    ends: Counter[str] = field(default_factory=Counter)
    bad: list[tuple[int, str, str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def total(self) -> int:
        """How many mutants were opened."""
        return self.ends.total() + len(self.bad)


def run(seed: int, first: int, count: int, jobs: int) -> Tally:
    """Open mutants `first` to ``first + count - 1`` of a seed in so many processes."""
    tally = Tally()
    edges = [first + count * k // jobs for k in range(jobs + 1)]
    threads = [threading.Thread(target=_part, args=(seed, *part, tally)) for part in pairwise(edges)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tally.bad.sort()
    return tally


def _part(seed: int, first: int, stop: int, tally: Tally) -> None:
    """Open a range; a child that crashed or hung is replaced by one that goes on behind it."""
    while first < stop:
        first = _child(seed, first, stop, tally)


def _child(seed: int, first: int, stop: int, tally: Tally) -> int:
    """Run one child from `first` on; returns where the next has to go on."""
    command = [sys.executable, "-P", str(HERE / "child.py"), str(seed), str(first), str(stop)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(process, lines), daemon=True).start()
    number, name, limit_s = first, "?", 60.0  # the start takes its time
    while True:
        try:
            line = lines.get(timeout=limit_s)
        except queue.Empty:
            process.kill()
            process.wait()
            _bad(tally, number, name, "hang")
            return number + 1
        if line is None:
            code = process.wait()
            if code == 0:
                return stop
            _bad(tally, number, name, f"crash ({code})")
            return number + 1
        limit_s = LIMIT_S
        word, told, text = line.rstrip("\n").split(" ", 2)
        number = int(told)
        if word == "begin":
            name = text
        elif word == "end":
            with tally.lock:
                tally.ends[text] += 1
        else:
            _bad(tally, number, name, text)


def _bad(tally: Tally, number: int, name: str, text: str) -> None:
    with tally.lock:
        tally.bad.append((number, name, text))


def _listen(process: subprocess.Popen[str], lines: queue.SimpleQueue[str | None]) -> None:
    assert process.stdout is not None
    with process.stdout as stream:
        for line in stream:
            lines.put(line)
    lines.put(None)


def keep(tally: Tally, seed: int, folder: Path) -> None:
    """Save the mutants that something bad came of."""
    from tests.fuzz.child import make
    from tests.fuzz.seeds import all_files

    folder.mkdir(parents=True, exist_ok=True)
    files = all_files()
    for number, name, _ in tally.bad:
        (folder / f"{seed}-{number}-{name}").write_bytes(make(seed, number, files)[1])


def main() -> int:
    """Run and print; the exit code is 1 if anything bad happened."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutants", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first mutant")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="folder for the mutants that something bad came of")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    began = time.perf_counter()
    tally = run(arguments.seed, arguments.first, arguments.mutants, arguments.jobs)
    seconds = time.perf_counter() - began
    if arguments.keep is not None:
        keep(tally, arguments.seed, arguments.keep)
    rate = tally.total / seconds
    if arguments.json:
        result = {"mutants": tally.total, "seconds": round(seconds, 1), "ends": tally.ends, "bad": tally.bad}
        sys.stdout.write(json.dumps(result, indent=2) + "\n")
    else:
        sys.stdout.write(f"{tally.total} mutants in {seconds:.0f} s ({rate:.0f} a second): {dict(tally.ends)}\n")
        for number, name, text in tally.bad:
            sys.stdout.write(f"BAD {number} {name}: {text}\n")
    return 1 if tally.bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
