"""One child process, seen from the parent."""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import medviewer
from medviewer import errors
from medviewer.errors import JobCancelled, JobTimeout, MedviewerError, UnreadableError, WorkerDied
from medviewer.formats.isolation import protocol

START_S = 60.0
"""A cold disk and a virus scanner can make a Python start take many seconds."""
GRACE_S = 0.5
"""How long a cancelled call may still answer before its process is ended."""
_POLL_S = 0.05

_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""One process a core; more threads only get in each other's way, and their stacks count as memory."""


class Worker:
    """A child that answers one request after the other. One thread at a time uses it.

    Raises
    ------
    WorkerDied
        If it could not be started.
    JobTimeout
        If it was not ready within a minute.
    """

    def __init__(self) -> None:
        self._process = _launch()
        self._answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        threading.Thread(target=self._listen, name="medviewer-decoder", daemon=True).start()
        try:
            answer = self._answers.get(timeout=START_S)
        except queue.Empty:
            self.kill()
            text = f"A decoder should be ready within {START_S:.0f} s, but it was not; open the files again."
            raise JobTimeout(text) from None
        if answer is None:
            raise self._death()

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def ask(self, name: str, arguments: tuple[Any, ...], limit_s: float, cancelled: threading.Event | None) -> Any:
        """Call a function in the child; see `medviewer.formats.isolation.call`. After an error it may be dead."""
        try:
            assert self._process.stdin is not None
            protocol.write(self._process.stdin, (name, arguments, limit_s))
        except OSError as error:
            raise self._death() from error
        return _value(self._wait(limit_s, cancelled))

    def _wait(self, limit_s: float, cancelled: threading.Event | None) -> tuple[Any, ...]:
        deadline = time.monotonic() + limit_s
        stopping = False
        while True:
            left = deadline - time.monotonic()
            with contextlib.suppress(queue.Empty):
                answer = self._answers.get(timeout=max(min(left, _POLL_S), 0.0))
                if answer is None:
                    raise self._death()
                if stopping:
                    break
                return tuple(answer)
            if cancelled is not None and cancelled.is_set() and not stopping:
                stopping, deadline = True, min(deadline, time.monotonic() + GRACE_S)
            elif left <= 0:
                self.kill()
                if stopping:
                    break
                raise JobTimeout(f"A decoder gave no answer within {limit_s:g} s, and was stopped.")
        raise JobCancelled("Decoding was stopped before it was done.")

    def kill(self) -> None:
        """End it now."""
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            try:
                while True:
                    self._answers.put(protocol.read(stream, trusted=False))
            except (EOFError, OSError, ValueError):
                pass
            except (pickle.UnpicklingError, AttributeError, ImportError, TypeError, IndexError, KeyError):
                self._process.kill()  # what it says makes no sense, so nothing of it is believed
            finally:
                self._answers.put(None)

    def _death(self) -> WorkerDied:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)
        self.kill()
        code = self._process.returncode
        how = f"by signal {-code}" if code < 0 else f"with code {code}"
        return WorkerDied(f"A decoder ended {how} while it read a file.")


def _value(answer: tuple[Any, ...]) -> Any:
    match answer:
        case ("done", value):
            return value
        case ("refused", str(kind), str(text), str(details)):
            raise _named(kind)(text, details)
        case ("memory",):
            raise UnreadableError("Decoding takes more memory than a decoder may have.")
        case ("failed", str(kind), str(details)):
            raise UnreadableError(f"The decoder failed ({kind}).", details)
    raise UnreadableError("The decoder gave an answer that makes no sense.")


def _named(kind: str) -> type[MedviewerError]:
    found = getattr(errors, kind, None)
    return found if isinstance(found, type) and issubclass(found, MedviewerError) else UnreadableError


def _launch() -> subprocess.Popen[bytes]:
    flags: dict[str, Any] = {}
    if sys.platform == "win32":
        flags["creationflags"] = subprocess.CREATE_NO_WINDOW
    else:
        flags["start_new_session"] = True  # Ctrl+C in a terminal reaches the parent only
    try:
        return subprocess.Popen(
            # -P: what lies in the working folder must not shadow a module.
            [sys.executable, "-P", "-m", "medviewer.formats.isolation.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | _ONE_THREAD | {"PYTHONPATH": os.pathsep.join(_search_path())},
            bufsize=0,
            **flags,
        )
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise WorkerDied(f"A decoder should start, but the system refused ({reason}); close other programs.") from error


def _search_path() -> list[str]:
    """Where the parent finds modules, so that the child finds the same ones."""
    root = str(Path(medviewer.__file__).resolve().parents[1])
    paths = [entry or str(Path.cwd()) for entry in sys.path]
    return list(dict.fromkeys(paths if root in paths else [root, *paths]))
