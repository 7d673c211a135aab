"""What host and worker hand each other: JSON-ready payloads, and arrays by memory map."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from medviewer.errors import ContractError, JobError, PluginError

if TYPE_CHECKING:
    from medviewer.jobs.kept import KeptArrays

# Control messages are small; arrays go by file. What is larger is a mistake, and must not fill the host's memory.
MAX_MESSAGE_BYTES = 64 * 2**20


_PAYLOAD = "request.json"


def end_of_log(job: str) -> bytes:
    """What a worker writes after all that a failed job printed: log and answer come by two roads."""
    return f"\n-- end of job {job} --\n".encode()


def _ignore(data: dict[str, Any]) -> None:
    """The event sink of a run that nobody watches."""


@dataclass(frozen=True)
class WorkerRequest:
    """What an entry function is asked to do.

    Parameters
    ----------
    payload
        JSON-ready values; NaN and infinities are allowed.
    arrays
        Read-only memory maps, by name.
    scratch
        An empty folder for the job's temporary files. It goes when the job is over.
    emit
        Sends one dict of extra data (a loss, a step) to the host, where `Job.event` carries it.
    """

    payload: dict[str, Any]
    arrays: dict[str, NDArray[Any]]
    scratch: Path
    emit: Callable[[dict[str, Any]], None] = _ignore


@dataclass(frozen=True)
class WorkerReply:
    """What an entry function answers.

    Parameters
    ----------
    payload
        JSON-ready values; NaN and infinities are allowed.
    arrays
        Arrays of any shape and any dtype but object, by name. The host may write into the ones that it receives.
    """

    payload: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)


def encode(message: Mapping[str, Any]) -> bytes:
    """A control message as JSON; NumPy scalars become plain numbers.

    Raises
    ------
    ContractError
        If something in it is not JSON-ready, or it is too large.
    """
    try:
        data = json.dumps(message, default=_plain).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ContractError(
            f"A payload has to be JSON-ready, but {error}; send plain numbers, texts, lists and dicts, "
            "and put arrays under arrays."
        ) from error
    if len(data) > MAX_MESSAGE_BYTES:
        raise ContractError(
            f"A payload may take {MAX_MESSAGE_BYTES >> 20} MiB, not {len(data) >> 20} MiB; put large data under arrays."
        )
    return data


def decode(data: bytes) -> dict[str, Any]:
    """The control message in some bytes.

    Raises
    ------
    ContractError
        If they are not a JSON object.
    """
    try:
        message = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ContractError("A message between host and worker should be JSON, but it cannot be read.") from error
    if not isinstance(message, dict):
        raise ContractError(f"A message between host and worker should be a dict, not a {type(message).__name__}.")
    return message


def save_arrays(
    folder: Path,
    arrays: Mapping[str, NDArray[Any]],
    prefix: Literal["request", "reply"],
    kept: KeptArrays | None = None,
    fixed: Collection[str] = (),
) -> dict[str, str]:
    """Write arrays into a folder, one .npy each.

    Names may hold anything, so files are numbered instead. Both directions share one folder and differ by prefix: each
    folder more would cost milliseconds when a busy disk removes it.

    Parameters
    ----------
    kept, fixed
        Where the arrays of these names, which never change, may have been written before.

    Returns
    -------
    File name by array name.

    Raises
    ------
    ContractError
        If an array holds Python objects.
    JobError
        If the files cannot be written.
    """
    files = {name: f"{prefix}-{number:03}.npy" for number, name in enumerate(arrays)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, file in files.items():
            array = np.asarray(arrays[name])
            if array.dtype.hasobject:
                raise ContractError(f"Array {name!r} should hold numbers, but it holds Python objects; convert it.")
            again = kept if name in fixed else None
            if again is not None and again.link(array, folder / file):
                continue
            np.save(folder / file, array, allow_pickle=False)
            if again is not None:
                again.keep(array, folder / file)
    except OSError as error:
        raise _no_room(error) from error
    return files


def save_payload(folder: Path, payload: Mapping[str, Any]) -> None:
    """Write the payload of a request into the folder of its arrays. Raises JobError if it cannot be written."""
    try:
        (folder / _PAYLOAD).write_bytes(encode(payload))
    except OSError as error:
        raise _no_room(error) from error


def open_payload(folder: Path) -> dict[str, Any]:
    """Read what `save_payload` wrote."""
    return decode((folder / _PAYLOAD).read_bytes())


def open_arrays(folder: Path, files: Mapping[str, str], mode: Literal["r", "c"]) -> dict[str, NDArray[Any]]:
    """Map the arrays that `save_arrays` wrote.

    Parameters
    ----------
    folder
        Where they are.
    files
        File name by array name.
    mode
        ``r`` for read-only, ``c`` for copy-on-write.

    Raises
    ------
    PluginError
        If a file is missing, cut short or not an array.
    """
    return {name: _open(folder / Path(file).name, name, mode) for name, file in files.items()}


def unlinked(arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The arrays in a form that outlives their files.

    A mapped file may be unlinked on POSIX; Windows refuses that, so there the values are read into memory.
    """
    if sys.platform == "win32":
        return {name: np.array(array) for name, array in arrays.items()}
    return arrays


def file_names(value: object) -> dict[str, str]:
    """Check the table of array files in a message.

    Raises
    ------
    ContractError
        If it is anything but a dict of texts.
    """
    if not isinstance(value, dict) or not all(isinstance(file, str) for file in value.values()):
        raise ContractError("A message should name arrays and their files, but it holds something else.")
    return value


def checked_answer(message: dict[str, Any]) -> dict[str, Any]:
    """Check that a message answers a request: it is a whole reply, or a failure.

    Raises
    ------
    ContractError
        If it is neither.
    """
    kind = message.get("type")
    if kind == "reply" and isinstance(message.get("payload"), dict):
        file_names(message.get("arrays"))
    elif kind != "failure":
        raise ContractError(f"A worker should answer with a reply or a failure, but it sent {str(kind)[:40]!r}.")
    return message


def _no_room(error: OSError) -> JobError:
    return JobError(
        f"The arrays of a job could not be written ({error.strerror}); make room on the disk that holds medviewer's "
        "data and run it again.",
        str(error),
    )


def _open(path: Path, name: str, mode: Literal["r", "c"]) -> NDArray[Any]:
    try:
        # asarray: a view of the plain class, so that nothing downstream meets a memmap's own habits.
        return np.asarray(np.lib.format.open_memmap(path, mode=mode))
    except (OSError, ValueError, OverflowError, EOFError, SyntaxError) as error:
        raise PluginError(
            f"Array {name!r} of the answer should be a file in .npy form, but it is missing or damaged; run it again.",
            f"{type(error).__name__}: {error}",
        ) from error


def _plain(value: object) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a {type(value).__name__} is in it")
