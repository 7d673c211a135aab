"""The long round: every fault many times in the real window.

``python -m tests.faults.run --rounds 100`` prints a table; it takes hours on a slow machine, and needs a display
(``xvfb-run``). What counts is that every job ended with its reason, that the event loop never stood still for more than
100 ms of its own (without the time that its thread waited for a processor), and that nothing is left. The first row is
a healthy plugin: what the window itself takes to show a result and a message, much where a processor draws for want of
a GPU.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.faults.injected import FLOOD_VARIABLE, INJECTED, write_injected

HEADER = "fault                      rounds  reasons seen           stall ms  own ms  processes files maps shm  s/round"


def main() -> int:
    """Parse the arguments and run the rounds; 0 when all is as it should be."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=100)
    options.add_argument("--faults", default=",".join(INJECTED), help="parted by commas")
    options.add_argument("--flood-gb", type=float, default=10.0, help="what the flood of log writes")
    options.add_argument("--silence-s", type=float, default=20.0, help="after which a silent plugin counts as hung")
    options.add_argument("--beside", default="", help="faults that take long, once, beside the others")
    options.add_argument("--one-lane", action="store_true", help="the others share one worker: a short round")
    options.add_argument("--minutes", type=float, default=1e6, help="for each fault at most")
    chosen = options.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="medviewer-faults-"))
    os.environ[FLOOD_VARIABLE] = str(round(chosen.flood_gb * 1024))
    os.environ["MEDVIEWER_PLUGINS"] = str(folder / "plugins")
    try:
        return _rounds(folder, chosen)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _rounds(folder: Path, chosen: argparse.Namespace) -> int:
    from medviewer.inference import client
    from medviewer.ui.main import Program
    from tests.faults.rounds import Rounds, Row, silence, write_image
    from tests.faults.watch import LoopWatch

    write_injected(folder / "plugins")
    beside = [fault for fault in chosen.beside.split(",") if fault]
    if chosen.one_lane:
        client.plugin_lane = lambda plugin: plugin.id if plugin.id.replace("-", "_") in beside else "shared"
    image = write_image(folder / "image.nii.gz")
    program = Program(home=folder / "home")
    watch = LoopWatch()
    rows: list[Row] = []
    say = sys.stdout.write
    say(f"{HEADER}\n")
    wrong: list[str] = []
    try:
        rounds = Rounds(program, image, watch)
        with silence(chosen.silence_s):
            waiting = {fault: rounds.start_beside(fault) for fault in beside}
        for fault in chosen.faults.split(","):
            with silence(chosen.silence_s):
                row = rounds.go(fault, chosen.rounds, chosen.minutes)
            rows.append(row)
            reasons = ", ".join(f"{number} {reason}" for reason, number in row.reasons.items())
            left = "{:9} {:5} {:4} {:3}".format(*row.left)
            say(f"{fault:26} {row.rounds:6}  {reasons:22} {row.stall_ms:8.0f} {row.own_stall_ms:7.0f}  {left}")
            say(f"  {row.seconds / row.rounds:7.2f}\n")
            for text in dict.fromkeys(row.wrong):
                say(f"    not as it should be: {text}\n")
            sys.stdout.flush()
        for fault, job in waiting.items():
            ended = rounds.wrong(fault, rounds.ended(job))
            wrong += [ended] if ended else []
            say(f"{fault:26} beside the others  {ended or 'as it should be'}\n")
        left = rounds.left()
        wrong += [f"left behind at the end: {left}"] if any(left) else []
        say("".join(f"    not as it should be: {text}\n" for text in wrong))
    finally:
        watch.close()
        program.close()
    say(f"GPU memory of this program afterwards: {_gpu_memory()}\n")
    return 0 if all(row.fine for row in rows) and not wrong else 1


def _gpu_memory() -> str:
    """What NVIDIA's own tool says of this process and its children."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return "no GPU here"
    query = [tool, "--query-compute-apps=pid,used_memory", "--format=csv,noheader"]
    return subprocess.run(query, capture_output=True, text=True, check=False).stdout.strip() or "none"


if __name__ == "__main__":
    sys.exit(main())
