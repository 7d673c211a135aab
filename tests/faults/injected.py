"""Plugins that go wrong, each in its own way, and how a job with them has to end."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from medviewer.jobs import FinishReason
from tests.inference.tiny_plugins import write_plugin

FLOOD_VARIABLE = "MEDVIEWER_TEST_FLOOD_MB"
"""Environment variable: how much the plugin `floods` writes, in MB."""

_IN_NORMALISE = "    def normalise(self, values):\n"
_HEALTHY_INPUT = "        return values[None] - np.float32(0.5)\n"


@dataclass(frozen=True)
class Injected:
    """One way to go wrong.

    Parameters
    ----------
    body
        Lines of the class that replace what the healthy plugin does.
    reason
        Why the job is over.
    words
        What its sentence has to hold.
    """

    body: str
    reason: FinishReason
    words: str


def _normalise(*lines: str) -> str:
    return _IN_NORMALISE + "".join(f"        {line}\n" for line in lines) + _HEALTHY_INPUT


FAILED, DIED, TIMED_OUT = FinishReason.FAILED, FinishReason.DIED, FinishReason.TIMED_OUT

INJECTED: dict[str, Injected] = {
    "nothing": Injected("", FinishReason.DONE, "None"),
    "exception": Injected(_normalise("raise ValueError('no good')"), FAILED, "ValueError: no good"),
    "os_exit": Injected(_normalise("os._exit(7)"), DIED, "exit code 7"),
    "segfault": Injected(_normalise("import ctypes", "ctypes.string_at(0)"), DIED, "signal SIGSEGV"),
    "killed": Injected(_normalise("os.kill(os.getpid(), 9)"), DIED, "memory ran out"),
    "loop_in_python": Injected(_normalise("while True:", "    pass"), TIMED_OUT, "was silent"),
    "loop_in_native_code": Injected(
        _normalise("import ctypes", "ctypes.PyDLL(None).sleep(3600)"), TIMED_OUT, "was silent"
    ),
    "out_of_memory": Injected(
        _normalise(
            "import resource",
            "limits = resource.getrlimit(resource.RLIMIT_AS)",
            "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()",
            "resource.setrlimit(resource.RLIMIT_AS, (used + (256 << 20), limits[1]))",
            "try:",
            "    np.ones(1 << 30, np.float32)",
            "finally:",
            "    resource.setrlimit(resource.RLIMIT_AS, limits)",
        ),
        FAILED,
        "memory ran out",
    ),
    "out_of_memory_in_torch": Injected(
        _normalise(
            "import resource",
            "limits = resource.getrlimit(resource.RLIMIT_AS)",
            "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()",
            "resource.setrlimit(resource.RLIMIT_AS, (used + (256 << 20), limits[1]))",
            "try:",
            "    torch.ones(1 << 30)",
            "finally:",
            "    resource.setrlimit(resource.RLIMIT_AS, limits)",
        ),
        FAILED,
        "memory ran out",
    ),
    "floods_the_log": Injected(
        _normalise(
            "block = b'x' * (1 << 20)",
            f"for _ in range(int(os.environ['{FLOOD_VARIABLE}'])):",
            "    os.write(1, block)",
            "raise RuntimeError('flooded')",
        ),
        FAILED,
        "flooded",
    ),
    "wrong_shape": Injected(
        "    def probabilities(self, output):\n        return output[0, :, ::2].sigmoid()\n", FAILED, "of shape"
    ),
    "wrong_dtype": Injected(
        "    def probabilities(self, output):\n        return (output[0] > 0).long()\n", FAILED, "floating-point"
    ),
    "not_a_number": Injected(
        "    def probabilities(self, output):\n        return output[0] * float('nan')\n", FAILED, "finite"
    ),
    "dies_after_writing_arrays": Injected(
        _normalise(
            "import sys",
            "worker = sys.modules['__main__']",
            "def half(*arguments, save=worker.save_arrays):",
            "    save(*arguments)",
            "    os._exit(9)",
            "worker.save_arrays = half",
        ),
        DIED,
        "exit code 9",
    ),
    "dies_in_its_answer": Injected(
        _normalise(
            "import sys",
            "worker = sys.modules['__main__']",
            "def half(line, message, send=worker.Worker._send):",
            "    if message['type'] != 'reply':",
            "        return send(line, message)",
            "    data = worker.encode(message)",
            "    os.write(line._connection.fileno(), len(data).to_bytes(4, 'big') + data[: len(data) // 2])",
            "    os._exit(9)",
            "worker.Worker._send = half",
        ),
        DIED,
        "exit code 9",
    ),
    "cuts_its_arrays": Injected(
        _normalise(
            "import sys",
            "worker = sys.modules['__main__']",
            "def cut(folder, *arguments, save=worker.save_arrays):",
            "    worker.save_arrays = save",
            "    files = save(folder, *arguments)",
            "    os.truncate(folder / files['labels'], 140)",
            "    return files",
            "worker.save_arrays = cut",
        ),
        FAILED,
        "missing or damaged",
    ),
}


def write_injected(root: Path) -> None:
    """Write a plugin for each way into a folder, and a healthy one."""
    for name, fault in INJECTED.items():
        write_plugin(root, name, fault.body)
    write_plugin(root, "healthy")
