"""Install medviewer into ``.venv`` beside the source and start or test it.

``python3 installer/bootstrap.py run [ARGS]`` starts medviewer; without ARGS it opens the demo, or, on a machine
without a display, writes the demo's pictures to ``medviewer-demo``.
``python3 installer/bootstrap.py test [PYTEST ARGS]`` runs every check; with arguments, only pytest.

Standard library only. The first start installs, every later one finds the stamp in ``.venv`` and starts at once.
Until the version check below, this file keeps to syntax that an old Python can read, so that it can say so.
"""

import sys

MINIMUM_PYTHON = (3, 11)


def python_problem(major: int, minor: int, executable: str) -> str:
    """Return what to tell the owner of a Python that is too old, or an empty string."""
    if (major, minor) >= MINIMUM_PYTHON:
        return ""
    return (
        f"medviewer needs Python {MINIMUM_PYTHON[0]}.{MINIMUM_PYTHON[1]} or newer, "
        f"this is Python {major}.{minor} ({executable}).\n"
        "Install a newer one and call it by name, for example: python3.11 installer/bootstrap.py run"
    )


if python_problem(*sys.version_info[:2], sys.executable):
    sys.exit(python_problem(*sys.version_info[:2], sys.executable))

import hashlib  # noqa: E402
import importlib.util  # noqa: E402
import os  # noqa: E402
import select  # noqa: E402
import shlex  # noqa: E402
import shutil  # noqa: E402
import signal  # noqa: E402
import subprocess  # noqa: E402
import time  # noqa: E402
from collections import deque  # noqa: E402
from collections.abc import Iterable, Iterator, Mapping, Sequence  # noqa: E402
from contextlib import contextmanager  # noqa: E402
from dataclasses import dataclass  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Self  # noqa: E402

PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"

# Which installed extras satisfy a command: what is there for the tests is enough to run.
SATISFIED_BY = {"run": ("run", "test"), "test": ("test",)}
REQUIREMENT = {"run": ".", "test": ".[test]"}

# Debian's names for what Qt's xcb and Wayland plugins and napari's OpenGL canvas load, found with objdump.
WINDOW_PACKAGES = (
    "fonts-dejavu-core",
    "libdbus-1-3",
    "libegl1",
    "libfontconfig1",
    "libgl1",
    "libgl1-mesa-dri",
    "libglib2.0-0",
    "libwayland-client0",
    "libwayland-cursor0",
    "libwayland-egl1",
    "libx11-xcb1",
    "libxcb-cursor0",
    "libxcb-icccm4",
    "libxcb-image0",
    "libxcb-keysyms1",
    "libxcb-randr0",
    "libxcb-render-util0",
    "libxcb-shape0",
    "libxcb-sync1",
    "libxcb-xfixes0",
    "libxkbcommon-x11-0",
)
VIRTUAL_DISPLAY_PACKAGES = ("xvfb",)
PICTURE_COMMANDS = ("screenshot", "demo")  # of medviewer: they draw in a window, on a virtual display where none is
# dciodvfy, an independent judge of the DICOM that we write; a real archive, and a second peer, on loopback
TEST_PACKAGES = ("dcmtk", "dicom3tools", "orthanc", "orthanc-dicomweb")

# What pip says at the start of a phase, and what the person waiting is told instead.
PIP_PHASES = (
    ("Collecting ", "  finding and downloading packages ..."),
    ("Installing collected packages", "  unpacking them ..."),
)

OWN_DISPLAY = "MEDVIEWER_VIRTUAL_DISPLAY"
"""Set where the display is one that nobody looks at, of which there may be as many as are wanted."""

MOST_TEST_PROCESSES = 4
# A file's tests share what they set up; the order in which files go is the tests' own (long ones first).
SIDE_BY_SIDE = ["--dist", "loadfile", "--no-loadscope-reorder"]

CHECKS = (
    ("ruff check", ("-m", "ruff", "check")),
    ("ruff format --check", ("-m", "ruff", "format", "--check")),
    ("mypy", ("-m", "mypy")),
    ("lint-imports", ("-c", "from importlinter.cli import lint_imports_command as main; main()", "--no-logo")),
)


class BootstrapError(Exception):
    """A step that failed; the text says what failed and what cures it."""


@dataclass(frozen=True)
class Layout:
    """Where things are, for one checkout on one kind of system."""

    root: Path
    windows: bool = os.name == "nt"

    @property
    def venv(self) -> Path:
        """The virtual environment that belongs to this checkout."""
        return self.root / ".venv"

    @property
    def python(self) -> Path:
        """The interpreter inside the environment."""
        return self.venv / ("Scripts/python.exe" if self.windows else "bin/python")

    @property
    def site_packages(self) -> Path:
        """Where pip puts packages."""
        return self.venv / ("Lib" if self.windows else f"lib/python{PYTHON}") / "site-packages"

    @property
    def stamp(self) -> Path:
        """Written last, so its presence means a complete install."""
        return self.venv / ".medviewer-stamp"

    @property
    def inputs(self) -> tuple[Path, ...]:
        """The files that decide what is installed."""
        return (
            self.root / "pyproject.toml",
            self.root / "installer" / "constraints.txt",
            self.root / "installer" / "bootstrap.py",
        )


@dataclass(frozen=True)
class Stamp:
    """What an earlier start installed: the digest of its inputs, and the system packages that it saw."""

    digest: str = ""
    system: frozenset[str] = frozenset()

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the stamp; a missing one is empty and matches nothing."""
        try:
            digest, *system = path.read_text(encoding="utf-8").split()
        except (OSError, ValueError):
            return cls()
        return cls(digest, frozenset(system))

    def write(self, path: Path) -> None:
        """Write the stamp in one step, so that an interruption leaves the old one or the new one."""
        part = path.with_name(path.name + ".part")
        part.write_text("\n".join([self.digest, *sorted(self.system)]) + "\n", encoding="utf-8")
        part.replace(path)


def digest(layout: Layout, extra: str, python: str = PYTHON) -> str:
    """Return the SHA-256 over all that decides an install: the input files, Python, the place, the extra."""
    sha = hashlib.sha256()
    for path in layout.inputs:
        sha.update(path.read_bytes() + b"\0")
    sha.update("\0".join((python, str(layout.root), extra)).encode())
    return sha.hexdigest()


def is_installed(layout: Layout, extra: str, stamp: Stamp) -> bool:
    """Return whether the environment already holds what `extra` needs."""
    if not stamp.digest or not layout.python.exists():
        return False
    return stamp.digest in {digest(layout, satisfying) for satisfying in SATISFIED_BY[extra]}


def has_display(platform: str = sys.platform, environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether a window can open here."""
    return not platform.startswith("linux") or bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))


def wanted_packages(command: str, args: Sequence[str], display: bool) -> tuple[str, ...]:
    """Return Debian's names of the system packages that this start needs.

    The command line alone (arguments, no display) opens no window and needs none, so it works on a cluster node; but
    the commands that take pictures of the window do.
    """
    if command == "run" and args and args[0] not in PICTURE_COMMANDS and not display:
        return ()
    virtual = () if display else VIRTUAL_DISPLAY_PACKAGES
    return WINDOW_PACKAGES + virtual + (TEST_PACKAGES if command == "test" else ())


def parse_dpkg(listing: str) -> frozenset[str]:
    """Return the names installed or provided, from ``dpkg-query`` lines of ``status|name|provides``."""
    names: set[str] = set()
    for line in listing.splitlines():
        status, name, provides = line.split("|", 2)
        if status == "installed":
            names.add(name)
            names.update(entry.split()[0] for entry in provides.split(",") if entry.strip())
    return frozenset(names)


def apt_commands(packages: Iterable[str], prefix: Sequence[str] = ()) -> list[list[str]]:
    """Return the two apt commands that install `packages`, each behind `prefix` (sudo, or nothing for root)."""
    install = ["apt-get", "install", "-y", "--no-install-recommends", *sorted(packages)]
    return [[*prefix, "apt-get", "update"], [*prefix, *install]]


def install_command(layout: Layout, extra: str) -> list[str]:
    """Return the pip command. The constraints pin torch, the machine's pip configuration chooses its build."""
    pip = [str(layout.python), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    constraints = str(layout.root / "installer" / "constraints.txt")
    return [*pip, "--progress-bar", "off", "-c", constraints, "torch", "-e", REQUIREMENT[extra]]


def medviewer_command(layout: Layout, args: Sequence[str], display: bool) -> list[str]:
    """Return the command that starts medviewer; ``-P`` keeps a scan's folder from being imported as code."""
    arguments = list(args) or (["--demo"] if display else ["demo", "--out", "medviewer-demo"])
    return [str(layout.python), "-P", "-m", "medviewer", *arguments]


def say(text: str) -> None:
    """Tell the person what is going on, in order with what child processes print."""
    print(text, flush=True)


def run_quietly(command: Sequence[str], cwd: Path, phases: Iterable[tuple[str, str]] = ()) -> None:
    """Run a noisy command; show its phases as they begin, and its last lines only if it fails."""
    waiting = list(phases)
    tail: deque[str] = deque(maxlen=30)
    with subprocess.Popen(
        command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                tail.append(line)
                if waiting and line.lstrip().startswith(waiting[0][0]):
                    say(waiting.pop(0)[1])
        except BaseException:
            process.terminate()  # whoever stops us means this too
            raise
    if process.returncode:
        raise BootstrapError(f"{''.join(tail)}\nThis failed, its last lines are above:\n  {shlex.join(command)}")


def missing_packages(wanted: Iterable[str]) -> list[str]:
    """Return which of `wanted` this system lacks; nothing on a system that is not Debian's kind."""
    if not shutil.which("dpkg-query") or not shutil.which("apt-get"):
        return []
    query = ["dpkg-query", "-W", "-f", "${db:Status-Status}|${Package}|${Provides}\n"]
    listing = subprocess.run(query, check=True, capture_output=True, text=True).stdout
    return sorted(set(wanted) - parse_dpkg(listing))


def root_prefix() -> list[str] | None:
    """Return what to put before a command to run it as root without a question; None if nothing does."""
    setting = ["env", "DEBIAN_FRONTEND=noninteractive"]
    if os.geteuid() == 0:
        return setting
    if shutil.which("sudo") and not subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode:
        return ["sudo", "-n", *setting]
    return None


def ensure_packages(layout: Layout, wanted: Iterable[str]) -> None:
    """Install the missing system packages, or say exactly which command does."""
    missing = missing_packages(wanted)
    if not missing:
        return
    prefix = root_prefix()
    if prefix is None:
        commands = " && ".join(shlex.join(command) for command in apt_commands(missing, ["sudo"]))
        raise BootstrapError(f"Some system packages are missing. Please run this once, then start again:\n  {commands}")
    say(f"Installing system packages: {' '.join(missing)}")
    update, install = apt_commands(missing, prefix)
    # A stale or partly unreachable package list may still do: what counts is the install.
    subprocess.run(update, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    run_quietly(install, layout.root)


def is_usable(layout: Layout) -> bool:
    """Return whether ``.venv`` has a Python of this version with pip in it, and was made in this place."""
    try:
        lines = (layout.venv / "pyvenv.cfg").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    config = {key.strip(): value.strip() for key, _, value in (line.partition("=") for line in lines)}
    same_version = config.get("version", "").split(".")[:2] == PYTHON.split(".")
    same_place = config.get("command", str(layout.venv)).endswith(str(layout.venv))
    if not (layout.python.exists() and same_version and same_place):
        return False
    return subprocess.run([str(layout.python), "-c", "import pip"], capture_output=True).returncode == 0


def ensure_venv(layout: Layout) -> None:
    """Make ``.venv``, or make it anew where it is broken."""
    if is_usable(layout):
        return
    if importlib.util.find_spec("ensurepip") is None:  # Debian keeps it in a package of its own
        ensure_packages(layout, [f"python{PYTHON}-venv"])
    say(f"Making a Python {PYTHON} environment in {layout.venv}")
    # When .venv's own Python runs this file, the environment has to come from the Python below it.
    base = getattr(sys, "_base_executable", None) or sys.executable
    run_quietly([base, "-m", "venv", "--clear", str(layout.venv)], layout.root)


def forget_half_installed(layout: Layout) -> None:
    """Make pip install again what it was writing when it was stopped: RECORD is the last file of a package."""
    for information in layout.site_packages.glob("*.dist-info"):
        if not (information / "RECORD").exists():
            shutil.rmtree(information)


def install(layout: Layout, extra: str) -> None:
    """Install medviewer and what it needs into ``.venv``; pip goes on where an interrupted install stopped."""
    layout.stamp.unlink(missing_ok=True)
    ensure_venv(layout)
    forget_half_installed(layout)
    say("Installing medviewer and what it needs. The first time takes several minutes.")
    began = time.monotonic()
    run_quietly(install_command(layout, extra), layout.root, PIP_PHASES)
    say(f"Installed in {time.monotonic() - began:.0f} s.")


def prepare(layout: Layout, extra: str, wanted: Iterable[str]) -> None:
    """Bring the machine to where medviewer can start; does nothing when the stamp says that it is there."""
    stamp = Stamp.read(layout.stamp)
    wanted = frozenset(wanted)
    installed = is_installed(layout, extra, stamp)
    if installed and wanted <= stamp.system:
        return
    ensure_packages(layout, wanted)
    if not installed:
        install(layout, extra)
        stamp = Stamp(digest(layout, extra))
    Stamp(stamp.digest, stamp.system | wanted).write(layout.stamp)


def read_line(descriptor: int, timeout: float) -> str:
    """Return the first line written to a pipe; an empty string if it closes or `timeout` seconds pass first."""
    text = b""
    until = time.monotonic() + timeout
    while not text.endswith(b"\n"):
        ready, _, _ = select.select([descriptor], [], [], max(0.0, until - time.monotonic()))
        chunk = os.read(descriptor, 32) if ready else b""
        if not chunk:
            return ""
        text += chunk
    return text.decode().strip()


@contextmanager
def virtual_display() -> Iterator[dict[str, str]]:
    """Run an X server without a screen; yields the environment for the programs that shall use it."""
    if not shutil.which("Xvfb"):
        raise BootstrapError("There is no display here and no Xvfb to stand in for one. Please install Xvfb.")
    reader, writer = os.pipe()
    options = ["-displayfd", str(writer), "-screen", "0", "1600x1000x24", "-nolisten", "tcp", "-noreset"]
    server = subprocess.Popen(
        ["Xvfb", *options],
        pass_fds=[writer],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl+C is for the program; the server has to outlive its last words
    )
    try:
        os.close(writer)
        number = read_line(reader, timeout=30)
        if not number:
            raise BootstrapError("Xvfb did not start. To see why, run: Xvfb -displayfd 1")
        yield {**os.environ, "DISPLAY": f":{number}", OWN_DISPLAY: "1"}
    finally:
        os.close(reader)
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def call(command: Sequence[str], display: bool, cwd: Path | None = None) -> int:
    """Run a program that opens windows, on the display that is there or on a virtual one; returns its status."""
    if display:
        return subprocess.call(command, cwd=cwd)
    with virtual_display() as environment:
        return subprocess.call(command, cwd=cwd, env=environment)


def run(layout: Layout, args: Sequence[str], display: bool) -> int:
    """Start medviewer; on POSIX it takes this process's place, unless a virtual display has to be put away after."""
    prepare(layout, "run", wanted_packages("run", args, display))
    command = medviewer_command(layout, args, display)
    if not args and not display:
        say("There is no display here: writing the demo's pictures to medviewer-demo")
        return call(command, display)
    if layout.windows:
        return subprocess.call(command)
    os.execv(command[0], command)


def check(layout: Layout) -> list[str]:
    """Run the static checks, each one whatever the others say; returns the names of those that failed."""
    failed = []
    for name, arguments in CHECKS:
        say(f"== {name}")
        if subprocess.call([str(layout.python), *arguments], cwd=layout.root):
            failed.append(name)
    say(f"== static checks: {'failed: ' + ', '.join(failed) if failed else 'all passed'}")
    return failed


def side_by_side(display: bool, cores: int = os.cpu_count() or 1) -> list[str]:
    """What lets pytest use every core; not on a display that is looked at, where windows take turns with the focus."""
    processes = min(cores, MOST_TEST_PROCESSES)
    return [] if display or processes < 2 else ["-n", str(processes), *SIDE_BY_SIDE]


def test(layout: Layout, args: Sequence[str], display: bool) -> int:
    """Run every check, the tests last; with arguments only pytest with these. Non-zero if anything failed."""
    prepare(layout, "test", wanted_packages("test", args, display))
    failed = [] if args else check(layout)
    say("== pytest")
    status = call([str(layout.python), "-m", "pytest", *(args or side_by_side(display))], display, layout.root)
    if failed:
        # Said again: thousands of passed tests stand between the first time and here.
        say(f"== static checks: failed: {', '.join(failed)}")
    return status or int(bool(failed))


def main(argv: Sequence[str]) -> int:
    """Run one command and return the exit status."""
    commands = {"run": run, "test": test}
    if not argv or argv[0] not in commands:
        print(__doc__, file=sys.stdout if argv[:1] in (["-h"], ["--help"]) else sys.stderr)
        return 0 if argv[:1] in (["-h"], ["--help"]) else 2
    # So that a virtual display is put away when a supervisor stops us.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return commands[argv[0]](Layout(Path(__file__).resolve().parent.parent), argv[1:], has_display())
    except BootstrapError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. The next start goes on from here.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
