"""Entry functions for the child process: good ones, and each way of going wrong. Only the child imports this."""

import ctypes
import fcntl
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from medviewer.errors import UnsuitableImageError, WeightsMissingError
from medviewer.jobs import WorkerReply, WorkerRequest
from medviewer.plugin_api import RunContext


class OwnError(WeightsMissingError):
    """What a plugin may derive for itself."""


class OutOfMemoryError(RuntimeError):
    """Named like torch's."""


def pause(seconds: float) -> None:
    threading.Event().wait(seconds)


def echo(request: WorkerRequest, context: RunContext) -> WorkerReply:
    return WorkerReply(request.payload, dict(request.arrays))


def flags(request: WorkerRequest, context: RunContext) -> WorkerReply:
    """What the arrays of a request are like over here."""
    return WorkerReply({name: [a.flags.writeable, type(a).__name__] for name, a in request.arrays.items()})


def scalars(request: WorkerRequest, context: RunContext) -> WorkerReply:
    return WorkerReply({"half": np.float32(0.5), "two": np.int16(2), "yes": np.bool_(True)})


def pid(request: WorkerRequest, context: RunContext) -> WorkerReply:
    return WorkerReply({"pid": os.getpid()})


def writes_scratch(request: WorkerRequest, context: RunContext) -> WorkerReply:
    (request.scratch / "some.txt").write_text("some")
    return WorkerReply({"path": str(request.scratch / "some.txt")})


def progress(request: WorkerRequest, context: RunContext) -> WorkerReply:
    for step in range(5):
        context.progress(step / 4, f"step {step}")
        request.emit({"step": step, "loss": float("nan") if step == 0 else 1 / step})
    return WorkerReply()


def raises(request: WorkerRequest, context: RunContext) -> WorkerReply:
    sys.stdout.write("about to raise\n")
    raise ValueError("the kernel\nis odd.")


def raises_ours(request: WorkerRequest, context: RunContext) -> WorkerReply:
    raise UnsuitableImageError("This plugin expects a chest film.", "BodyPartExamined is LEG")


def raises_own(request: WorkerRequest, context: RunContext) -> WorkerReply:
    raise OwnError("Fetch the weights first.")


def raises_exit(request: WorkerRequest, context: RunContext) -> WorkerReply:
    sys.exit(3)


def raises_memory(request: WorkerRequest, context: RunContext) -> WorkerReply:
    raise MemoryError


def raises_device_memory(request: WorkerRequest, context: RunContext) -> WorkerReply:
    raise OutOfMemoryError("CUDA out of memory")


def exits(request: WorkerRequest, context: RunContext) -> WorkerReply:
    sys.stdout.write("last words\n")
    os._exit(7)


def crashes(request: WorkerRequest, context: RunContext) -> WorkerReply:
    ctypes.string_at(0)
    return WorkerReply()


def talks_nonsense(request: WorkerRequest, context: RunContext) -> WorkerReply:
    """Get hold of the line and send what is no message, or no message that the host knows; then stay busy."""
    assert request.emit.__closure__
    cells = [cell.cell_contents for cell in request.emit.__closure__]
    worker = next(cell for cell in cells if hasattr(cell, "_connection"))
    words = request.payload["words"].replace("JOB", next(cell for cell in cells if isinstance(cell, str)))
    worker._connection.send_bytes(words.encode())
    while True:
        pause(1)


def hangs_up(request: WorkerRequest, context: RunContext) -> WorkerReply:
    """Close every line to the host, and stay."""
    os.closerange(3, 256)
    while True:
        pause(1)


def loops(request: WorkerRequest, context: RunContext) -> WorkerReply:
    """Deaf to cancel."""
    request.emit({"pid": os.getpid()})
    while True:
        pass


def loops_in_c(request: WorkerRequest, context: RunContext) -> WorkerReply:
    """Deaf, and holding the interpreter's lock: PyDLL does not release it."""
    request.emit({"pid": os.getpid()})
    ctypes.PyDLL(None).sleep(3600)
    return WorkerReply()


def listens(request: WorkerRequest, context: RunContext) -> WorkerReply:
    """Stop as soon as somebody asks."""
    request.emit({"pid": os.getpid()})
    context.cancelled.wait()
    context.check()
    return WorkerReply()


def beats_without_progress(request: WorkerRequest, context: RunContext) -> WorkerReply:
    """A living process, busy threads, but nothing reported."""
    threading.Thread(target=pause, args=(3600,), daemon=True).start()
    while True:
        sys.stdout.write("alive\n")
        pause(0.01)


def slow_but_talking(request: WorkerRequest, context: RunContext) -> WorkerReply:
    """Takes longer than its silence limit in all, but never between two words."""
    words = request.payload["words"]
    for step in range(words):
        context.progress(step / words)
        pause(request.payload["pause_s"])
    return WorkerReply()


def floods_log(request: WorkerRequest, context: RunContext) -> WorkerReply:
    block = b"x" * (1 << 20)
    for _ in range(request.payload["megabytes"]):
        os.write(1, block)
    os.write(2, b"\nthe end\n")
    raise RuntimeError("flooded")


def floods_events(request: WorkerRequest, context: RunContext) -> WorkerReply:
    for step in range(request.payload["count"]):
        request.emit({"step": step})
    return WorkerReply()


def wrong_type(request: WorkerRequest, context: RunContext) -> WorkerReply:
    return 42  # type: ignore[return-value]


def wrong_payload(request: WorkerRequest, context: RunContext) -> WorkerReply:
    return WorkerReply({"thing": object()})


def wrong_event(request: WorkerRequest, context: RunContext) -> WorkerReply:
    request.emit({"thing": object()})
    return WorkerReply()


def wrong_dtype(request: WorkerRequest, context: RunContext) -> WorkerReply:
    return WorkerReply({}, {"objects": np.array([object()])})


def _after_saving(spoil: Callable[[Path], object]) -> None:
    """Let something happen, once, to the first array file after it was written."""
    worker: Any = sys.modules["__main__"]
    save = worker.save_arrays

    def spoiled(folder: Path, arrays: dict[str, np.ndarray], prefix: str) -> dict[str, str]:
        worker.save_arrays = save
        files = save(folder, arrays, prefix)
        spoil(folder / next(iter(files.values())))
        return files

    worker.save_arrays = spoiled


def loses_file(request: WorkerRequest, context: RunContext) -> WorkerReply:
    _after_saving(Path.unlink)
    return WorkerReply({}, {"mask": np.ones(9)})


def cuts_file(request: WorkerRequest, context: RunContext) -> WorkerReply:
    _after_saving(lambda path: os.truncate(path, 140))
    return WorkerReply({}, {"mask": np.ones(9)})


def scrambles_file(request: WorkerRequest, context: RunContext) -> WorkerReply:
    _after_saving(lambda path: path.write_bytes(b"\x80\x04scrambled"))
    return WorkerReply({}, {"mask": np.ones(9)})


def dies_in_hand_over(request: WorkerRequest, context: RunContext) -> WorkerReply:
    _after_saving(lambda path: os._exit(9))
    return WorkerReply({}, {"mask": np.ones(9)})


def has_children(request: WorkerRequest, context: RunContext) -> WorkerReply:
    """A worker that dies of a signal while a process of its own shares its lock on a file, if one is given."""
    with Path(request.payload.get("path", os.devnull)).open("wb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        code = "import time; time.sleep(3600)"
        request.emit({"pid": subprocess.Popen([sys.executable, "-c", code], pass_fds=[stream.fileno()]).pid})
        os.kill(os.getpid(), 9)
    return WorkerReply()


def holds_lock(request: WorkerRequest, context: RunContext) -> WorkerReply:
    """Lock a file, say so, and compute for ever: the lock goes with the process only."""
    with Path(request.payload["path"]).open("wb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        request.emit({"locked": True})
        while True:
            pass


def holds_lock_in_c(request: WorkerRequest, context: RunContext) -> WorkerReply:
    """The same, with the interpreter's lock held: no thread of the worker can look after the host."""
    with Path(request.payload["path"]).open("wb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        request.emit({"locked": True})
        ctypes.PyDLL(None).sleep(3600)
    return WorkerReply()


def _line(request: WorkerRequest) -> int:
    """The file number of the line to the host."""
    assert request.emit.__closure__
    cells = [cell.cell_contents for cell in request.emit.__closure__]
    return next(cell for cell in cells if hasattr(cell, "_connection"))._connection.fileno()  # type: ignore[no-any-return]


def cuts_message(request: WorkerRequest, context: RunContext) -> WorkerReply:
    """Send half a message, and end or stay."""
    os.write(_line(request), (1000).to_bytes(4, "big") + b'{"type": "reply", ')
    if request.payload["ends"]:
        os._exit(9)
    while True:
        pause(1)


def announces_too_much(request: WorkerRequest, context: RunContext) -> WorkerReply:
    os.write(_line(request), (-1).to_bytes(4, "big", signed=True) + (1 << 40).to_bytes(8, "big"))
    while True:
        pause(1)


_left: list[threading.Event] = []


def leave_and_fail(request: WorkerRequest, context: RunContext) -> WorkerReply:
    """Fail while a thread of this job would go on until it is told that nobody waits."""
    _left.append(context.cancelled)
    raise UnsuitableImageError("not this image")


def told_to_stop(request: WorkerRequest, context: RunContext) -> WorkerReply:
    """Whether the threads of the jobs before know that they are over, and this one's that it is not."""
    return WorkerReply({"left": [event.is_set() for event in _left], "own": context.cancelled.is_set()})
