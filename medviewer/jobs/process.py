"""One worker process, seen from the host: start, talk, notice its end, end it."""

from __future__ import annotations

import contextlib
import os
import queue
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import IO, Any

import medviewer
from medviewer.errors import JobCancelled, JobTimeout, WorkerDied
from medviewer.jobs.exchange import MAX_MESSAGE_BYTES, decode, encode
from medviewer.jobs.failure import exit_sentence, with_log
from medviewer.jobs.frames import FrameReader

# A cold disk and a virus scanner can make a Python start take many seconds.
START_S = 60.0
# How often the host looks whether the process lives and whether the user wants to stop; messages wake it at once.
POLL_S = 0.05
# How long a process that was told to end may take before it is killed.
CLOSE_S = 1.0
LOG_BYTES = 64 * 1024
# A pipe holds 64 KiB unless told otherwise; a flood through a wider one wakes this process, and its window, less often.
_PIPE_BYTES = 1024 * 1024
# How long the end of a log may take to come through its pipe after the answer, or after the process ended.
LAST_WORDS_S = 0.5


class LogTail:
    """The last 64 KiB of what a process writes, read all the time so that it never blocks on a full pipe."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._data = bytearray()
        self._lock = threading.Condition()
        self._thread = threading.Thread(target=self._read, name="medviewer-worker-log", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        _widen(self._stream)
        with self._stream:
            while chunk := self._stream.read(_PIPE_BYTES):
                with self._lock:
                    self._data += chunk[-LOG_BYTES:]
                    del self._data[:-LOG_BYTES]
                    self._lock.notify_all()

    def clear(self) -> None:
        """Forget what was written so far."""
        with self._lock:
            self._data.clear()

    def text(self, wait_s: float = 0.0) -> str:
        """What was written last; `wait_s` gives the pipe of an ended process that many seconds to run dry."""
        self._thread.join(wait_s)
        with self._lock:
            return self._data.decode(errors="replace").strip()

    def text_to(self, end: bytes, wait_s: float) -> str:
        """What was written before `end`, which a living process wrote last: its pipe may bring it after its answer."""
        with self._lock:
            self._lock.wait_for(lambda: end in self._data, wait_s)
            return self._data.partition(end)[0].decode(errors="replace").strip()


class WorkerProcess:
    """A child process that runs `medviewer.jobs.worker`, connected and ready when the constructor returns.

    One thread, the lane's, uses it; only `notify` may be called from elsewhere.

    Raises
    ------
    JobCancelled
        If `cancelled` turned true before the process was ready.
    WorkerDied
        If the process could not be started, or ended before it was ready.
    JobTimeout
        If it was not ready within a minute.
    """

    def __init__(self, cancelled: Callable[[], bool]) -> None:
        self._sending = threading.Lock()
        key = secrets.token_bytes(32)
        with _listen(key) as listener:
            self._process = _launch(str(listener.address))
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self.log = LogTail(self._process.stdout)
            # The key goes by a pipe: other users can read arguments, and plugins the environment. A process that is
            # gone already is noticed below.
            with contextlib.suppress(OSError), self._process.stdin as stdin:
                stdin.write(key.hex().encode() + b"\n")
            self._connection = self._connect(listener, cancelled)
            self._frames = FrameReader(self._connection, MAX_MESSAGE_BYTES)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def send(self, message: dict[str, Any]) -> None:
        """Send a control message.

        Raises
        ------
        WorkerDied
            If nobody is there to read it.
        """
        if not self.notify(message):
            raise self._death()

    def notify(self, message: dict[str, Any]) -> bool:
        """Send a control message if the process still listens; any thread may do so."""
        data = encode(message)
        with self._sending:
            try:
                self._connection.send_bytes(data)
            except OSError:
                return False
        return True

    def receive(self, seconds: float = POLL_S) -> dict[str, Any] | None:
        """The next message of the process, or None when there was none for that long.

        Raises
        ------
        WorkerDied
            If the process ended, or closed its line.
        ContractError
            If what it sent is not a message.
        """
        try:
            # A process may send its last words and end: read them before its end is told.
            data = self._frames.receive(seconds)
            if data is None and not self.alive:
                data = self._frames.receive(0)
            if data is not None:
                return decode(data)
        except (EOFError, OSError) as error:
            raise self._death() from error
        if not self.alive:
            raise self._death()
        return None

    def close(self, grace_s: float = CLOSE_S) -> None:
        """End the process: it leaves by itself when its line closes, and is killed if it does not within `grace_s`."""
        with self._sending:
            self._connection.close()
        self._end(grace_s)

    def _end(self, grace_s: float) -> int | None:
        """Wait for the end of the process and kill what is left of its group; None, not a code, if it had to die."""
        code: int | None = None
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self._process.wait(grace_s)
        _kill(self._process)
        self._process.wait()
        return code

    def _death(self) -> WorkerDied:
        code = self._end(CLOSE_S)
        return WorkerDied(exit_sentence(code), with_log("", self.log.text(LAST_WORDS_S)))

    def _connect(self, listener: Listener, cancelled: Callable[[], bool]) -> Connection[Any, Any]:
        """Wait until the process has called in.

        `accept` can neither time out nor be interrupted, so a helper thread sits in it; when the process will never
        call, we knock ourselves to let the helper go.
        """
        arrived: queue.SimpleQueue[Connection[Any, Any]] = queue.SimpleQueue()
        given_up = threading.Event()
        helper = threading.Thread(target=_accept, args=(listener, arrived, given_up), daemon=True)
        helper.start()
        deadline = time.monotonic() + START_S
        try:
            while True:
                with contextlib.suppress(queue.Empty):
                    return arrived.get(timeout=POLL_S)
                if cancelled():
                    self._end(0)
                    raise JobCancelled("The job was cancelled while its worker process started.")
                if not self.alive:
                    raise self._death()
                if time.monotonic() > deadline:
                    self._end(0)
                    raise JobTimeout(
                        f"A worker process should be ready within {START_S:.0f} s, but it was not; run it again.",
                        with_log("", self.log.text(LAST_WORDS_S)),
                    )
        finally:
            given_up.set()
            if helper.is_alive():
                with contextlib.suppress(OSError):
                    Client(str(listener.address)).close()
                helper.join()


def _accept(listener: Listener, arrived: queue.SimpleQueue[Connection[Any, Any]], given_up: threading.Event) -> None:
    while not given_up.is_set():
        try:
            arrived.put(listener.accept())
        except (AuthenticationError, EOFError, ConnectionError):
            continue  # somebody else at the door
        except OSError:
            return
        return


def _listen(key: bytes) -> Listener:
    try:
        return Listener(authkey=key)
    except OSError as error:
        raise _refused(error) from error


def _refused(error: OSError) -> WorkerDied:
    return WorkerDied(
        f"A worker process should start, but the system refused ({error.strerror or error}); close other programs and "
        "run it again.",
        str(error),
    )


def _widen(pipe: IO[bytes]) -> None:
    """Let a pipe hold more, where the system can; a user who has very many pipes may be refused, and loses nothing."""
    if sys.platform == "linux":
        import fcntl

        with contextlib.suppress(OSError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _launch(address: str) -> subprocess.Popen[bytes]:
    flags: dict[str, Any] = {}
    if sys.platform == "win32":
        flags["creationflags"] = subprocess.CREATE_NO_WINDOW
    else:
        # A group of its own: Ctrl+C in a terminal reaches the host only, and a kill reaches the worker's children too.
        flags["start_new_session"] = True
    try:
        return subprocess.Popen(
            # -P: what lies in the working folder must not shadow a module.
            [sys.executable, "-P", "-m", "medviewer.jobs.worker", address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(_search_path())},
            bufsize=0,
            **flags,
        )
    except OSError as error:
        raise _refused(error) from error


def _search_path() -> list[str]:
    """Where the host finds modules, so that the child finds the same ones."""
    root = str(Path(medviewer.__file__).resolve().parents[1])
    paths = [entry or str(Path.cwd()) for entry in sys.path]
    return list(dict.fromkeys(paths if root in paths else [root, *paths]))


def _kill(process: subprocess.Popen[bytes]) -> None:
    if sys.platform == "win32":
        process.kill()
    else:
        # Its children outlive a worker that crashed, and their group keeps its number until the last has gone.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
