"""Errors on their way between threads and processes, and the sentence that each becomes."""

from __future__ import annotations

import signal
import traceback
from typing import Any

from medviewer import errors
from medviewer.errors import MedviewerError, PluginError

# Characters: of a foreign exception's text, of a message and of details.
MAX_TEXT = 300
MAX_MESSAGE = 2_000
MAX_DETAILS = 100_000
MAX_LINE = 400
"""Characters of a line of details: Qt lays a line out as one piece, and one of 64 KiB would hold up the window."""
_LOG_HEADING = "Last output of the worker process:"


def describe(error: BaseException) -> dict[str, str]:
    """An exception of the worker as plain texts: class name, message and details."""
    details = "".join(traceback.format_exception(error))
    kind, message = PluginError.__name__, foreign_sentence("The plugin", error)
    if isinstance(error, MedviewerError):
        kind, message = _known_name(type(error)), str(error)
        details = "\n\n".join(part for part in (error.details, details) if part)
    # A plugin may put anything into a text; what is read is its begin, and of a traceback its end.
    return {"class": kind, "message": message[:MAX_MESSAGE], "details": details[-MAX_DETAILS:]}


def restore(failure: dict[str, Any], log: str = "") -> MedviewerError:
    """The error that `describe` wrote down, of the same class; an unknown class becomes PluginError."""
    found = getattr(errors, str(failure.get("class")), None)
    kind = found if isinstance(found, type) and issubclass(found, MedviewerError) else PluginError
    return kind(str(failure.get("message", "")), with_log(str(failure.get("details", "")), log))


def foreign_sentence(subject: str, error: BaseException) -> str:
    """One sentence about an exception that is none of ours: who stopped, with what, and what to do."""
    kind = type(error).__name__
    # torch.OutOfMemoryError is told by its name, so that torch need not be imported for it.
    if isinstance(error, MemoryError) or kind == "OutOfMemoryError":
        return (
            f"{subject} needs more memory than is free ({kind}); close other work, or take a smaller image or the CPU."
        )
    text = " ".join(str(error).split())[:MAX_TEXT].rstrip(".") or "no reason given"
    return f"{subject} stopped with {kind}: {text}; run it again, and report it with the details if it stops again."


def exit_sentence(code: int | None) -> str:
    """One sentence about a worker process that ended before its job did."""
    advice = "run it again, and report the plugin with the details if it ends again"
    if code is None:
        how = "stopped answering"
    elif code < 0:
        try:
            how = f"was ended by signal {signal.Signals(-code).name}"
        except ValueError:
            how = f"was ended by signal {-code}"
        if how.endswith("SIGKILL"):
            advice = "most often memory ran out, so close other work or take a smaller image"
    else:
        how = f"ended by itself with exit code {code if code < 2**31 else hex(code)}"
    return f"The worker process should answer, but it {how}; {advice}."


def with_log(details: str, log: str) -> str:
    """Details, with the tail of the worker's output after them; lines that are longer than `MAX_LINE` are broken."""
    text = "\n\n".join(part for part in (details.rstrip(), f"{_LOG_HEADING}\n{log}" if log else "") if part)
    return "\n".join(
        line[start : start + MAX_LINE] for line in text.split("\n") for start in range(0, max(len(line), 1), MAX_LINE)
    )


def without_locals(error: MedviewerError) -> MedviewerError:
    """The error with its traceback, but without the variables in it: a finished job must not keep a volume alive."""
    link: BaseException | None = error
    while link is not None:
        traceback.clear_frames(link.__traceback__)
        link = link.__cause__ or link.__context__
    # The frame that caught it still runs, and would keep its variables when it is done.
    return error.with_traceback(error.__traceback__.tb_next if error.__traceback__ else None)


def _known_name(kind: type) -> str:
    """The nearest class that errors.py has: a plugin may derive its own."""
    for base in kind.__mro__:
        name: str = base.__name__
        if getattr(errors, name, None) is base:
            return name
    return MedviewerError.__name__
