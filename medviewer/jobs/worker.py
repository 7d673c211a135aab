"""The child process: ``python -m medviewer.jobs.worker ADDRESS``, with the key of the line on standard input.

One thread listens to the host, so that a cancel arrives while the main thread computes; the main thread runs one job
after the other. What an entry needs is imported with its first job.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import io
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Client, Connection
from pathlib import Path
from typing import Any

from medviewer.errors import ContractError, PluginError
from medviewer.jobs.exchange import (
    WorkerReply,
    WorkerRequest,
    decode,
    encode,
    end_of_log,
    file_names,
    open_arrays,
    open_payload,
    save_arrays,
)
from medviewer.jobs.failure import describe
from medviewer.plugin_api.context import RunContext


class Worker:
    """Runs jobs for the host at the other end of a connection."""

    def __init__(self, connection: Connection[Any, Any]) -> None:
        self._connection = connection
        self._sending = threading.Lock()
        self._jobs: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._cancelled: dict[str, threading.Event] = {}

    def serve(self) -> None:
        """Run jobs until the host hangs up."""
        threading.Thread(target=self._listen, name="medviewer-host", daemon=True).start()
        while (message := self._jobs.get()) is not None:
            answer = self._answer(message)
            # However it ended: a thread that it left behind works for nobody any more.
            self._cancelled.pop(message["id"]).set()
            _flush()
            fit = give_memory_back()
            self._send(answer)
            if not fit:
                return

    def _listen(self) -> None:
        """Take messages from the host; when it is gone, so is this process, whatever the main thread does."""
        try:
            while True:
                message = decode(self._connection.recv_bytes())
                if message["type"] == "run":
                    self._cancelled[message["id"]] = threading.Event()
                    self._jobs.put(message)
                elif event := self._cancelled.get(message["id"]):
                    event.set()
        except (EOFError, OSError):
            if self._cancelled:
                os._exit(1)
            self._jobs.put(None)

    def _answer(self, message: dict[str, Any]) -> dict[str, Any]:
        """Run one job: its reply, or its failure, as a message that is known to be sendable."""
        try:
            answer = self._run(message)
            encode(answer)
        except BaseException as error:  # a plugin may raise SystemExit, which must not end the worker in silence
            answer = {"type": "failure", "id": message["id"], **describe(error)}
            _flush()
            with contextlib.suppress(OSError):  # closed by the plugin: the host waits a moment, and goes without
                os.write(2, end_of_log(message["id"]))
        return answer

    def _run(self, message: dict[str, Any]) -> dict[str, Any]:
        job, folder = message["id"], Path(message["folder"])

        def report(fraction: float, text: str) -> None:
            self._send({"type": "progress", "id": job, "fraction": float(fraction), "message": str(text)})

        def emit(data: dict[str, Any]) -> None:
            self._send({"type": "event", "id": job, "data": data})

        entry = resolve(message["entry"])
        scratch = folder / "scratch"
        scratch.mkdir()
        arrays = open_arrays(folder, file_names(message["arrays"]), "r")
        context = RunContext(report=report, cancelled=self._cancelled[job])
        reply = entry(WorkerRequest(open_payload(folder), arrays, scratch, emit), context)
        if not isinstance(reply, WorkerReply):
            raise ContractError(
                f"{message['entry']} should return a WorkerReply, but it returned a {type(reply).__name__}; mend it."
            )
        files = save_arrays(folder, reply.arrays, "reply")
        return {"type": "reply", "id": job, "payload": reply.payload, "arrays": files}

    def _send(self, message: dict[str, Any]) -> None:
        data = encode(message)
        with self._sending:
            self._connection.send_bytes(data)


def resolve(entry: str) -> Callable[[WorkerRequest, RunContext], WorkerReply]:
    """The function that ``package.module:function`` names.

    Raises
    ------
    PluginError
        If the module has no such function.
    """
    module, _, name = entry.partition(":")
    found = getattr(importlib.import_module(module), name, None)
    if not callable(found):
        raise PluginError(f"An entry should name a function as package.module:function, but {entry!r} does not.")
    return found  # type: ignore[no-any-return]  # checked when its reply comes


def give_memory_back() -> bool:
    """Let go of GPU memory that torch holds for reuse: another worker's job may be next to need it.

    Returns
    -------
    False when CUDA is broken in this process, as after an illegal access, and no later job could run here.
    """
    torch: Any = sys.modules.get("torch")  # what no job has imported holds nothing
    if torch is None or not torch.cuda.is_initialized():
        return True
    try:
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
    except RuntimeError:
        return False
    return True


def _end_with_host() -> None:
    """Ask Linux to kill this process when its host is gone: native code may never let the listening thread run."""
    if sys.platform == "linux":
        import ctypes

        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)


def _flush() -> None:
    """Bring out what the job printed, before the host is told that it is over."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not stream.closed:
            stream.flush()


def main(address: str) -> None:
    """Connect to the host at that address and serve it."""
    key = bytes.fromhex(sys.stdin.readline())
    # A crash in native code leaves a Python traceback in the log, and prints reach it line by line.
    faulthandler.enable()
    _end_with_host()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    with Client(address, authkey=key) as connection:
        Worker(connection).serve()


if __name__ == "__main__":
    main(sys.argv[1])
