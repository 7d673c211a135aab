"""The installer's decisions, made without network, pip, apt or a display."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from installer import bootstrap
from installer.bootstrap import BootstrapError, Layout, Stamp


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A checkout with the files that decide an install, and an environment with a Python in it."""
    made = Layout(tmp_path / "checkout", windows=False)
    (made.root / "installer").mkdir(parents=True)
    for number, path in enumerate(made.inputs):
        path.write_text(f"input {number}\n", encoding="utf-8")
    made.python.parent.mkdir(parents=True)
    made.python.touch()
    return made


@pytest.fixture
def no_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any child process fails the test."""

    def refuse(command: object, *_args: object, **_kwargs: object) -> None:
        pytest.fail(f"a process was started: {command}")

    for name in ("run", "call", "Popen"):
        monkeypatch.setattr(subprocess, name, refuse)


def stamped(layout: Layout, extra: str, packages: tuple[str, ...] = ()) -> None:
    Stamp(bootstrap.digest(layout, extra), frozenset(packages)).write(layout.stamp)


class TestPythonVersion:
    @pytest.mark.parametrize("version", [(3, 11), (3, 12), (4, 0)])
    def test_new_enough_is_no_problem(self, version: tuple[int, int]) -> None:
        assert bootstrap.python_problem(*version, "/usr/bin/python3") == ""

    @pytest.mark.parametrize("version", [(2, 7), (3, 8), (3, 10)])
    def test_too_old_says_what_is_needed_what_is_there_and_the_cure(self, version: tuple[int, int]) -> None:
        problem = bootstrap.python_problem(*version, "/usr/bin/python3")
        assert "needs Python 3.11 or newer" in problem
        assert f"this is Python {version[0]}.{version[1]} (/usr/bin/python3)" in problem
        assert "python3.11 installer/bootstrap.py run" in problem


class TestDigest:
    def test_is_the_same_twice(self, layout: Layout) -> None:
        assert bootstrap.digest(layout, "run") == bootstrap.digest(layout, "run")

    @pytest.mark.parametrize("index", [0, 1, 2])
    def test_changes_with_each_input_file(self, layout: Layout, index: int) -> None:
        before = bootstrap.digest(layout, "run")
        layout.inputs[index].write_text("other\n", encoding="utf-8")
        assert bootstrap.digest(layout, "run") != before

    def test_inputs_are_the_project_the_constraints_and_the_installer(self, layout: Layout) -> None:
        assert [path.name for path in layout.inputs] == ["pyproject.toml", "constraints.txt", "bootstrap.py"]

    def test_changes_when_text_moves_from_one_file_to_the_next(self, layout: Layout) -> None:
        layout.inputs[0].write_bytes(b"ab")
        layout.inputs[1].write_bytes(b"c")
        before = bootstrap.digest(layout, "run")
        layout.inputs[0].write_bytes(b"a")
        layout.inputs[1].write_bytes(b"bc")
        assert bootstrap.digest(layout, "run") != before

    def test_changes_with_python_the_extra_and_the_place(self, layout: Layout, tmp_path: Path) -> None:
        moved = Layout(tmp_path / "elsewhere", windows=False)
        layout_copy = moved.root / "installer"
        layout_copy.mkdir(parents=True)
        for source, target in zip(layout.inputs, moved.inputs, strict=True):
            target.write_bytes(source.read_bytes())
        digests = {
            bootstrap.digest(layout, "run", "3.11"),
            bootstrap.digest(layout, "run", "3.12"),
            bootstrap.digest(layout, "test", "3.11"),
            bootstrap.digest(moved, "run", "3.11"),
        }
        assert len(digests) == 4

    def test_does_not_change_with_anything_else(self, layout: Layout) -> None:
        before = bootstrap.digest(layout, "run")
        (layout.root / "README.md").write_text("new\n", encoding="utf-8")
        os.utime(layout.inputs[0], (0, 0))
        assert bootstrap.digest(layout, "run") == before


class TestStamp:
    def test_comes_back_as_written(self, tmp_path: Path) -> None:
        stamp = Stamp("abc", frozenset({"libegl1", "xvfb"}))
        stamp.write(tmp_path / "stamp")
        assert Stamp.read(tmp_path / "stamp") == stamp
        assert [path.name for path in tmp_path.iterdir()] == ["stamp"]

    @pytest.mark.parametrize("content", [None, ""])
    def test_missing_or_empty_matches_nothing(self, layout: Layout, content: str | None) -> None:
        if content is not None:
            layout.stamp.write_text(content, encoding="utf-8")
        assert not bootstrap.is_installed(layout, "run", Stamp.read(layout.stamp))

    @pytest.mark.parametrize(
        ("there", "wanted", "enough"),
        [("run", "run", True), ("test", "test", True), ("test", "run", True), ("run", "test", False)],
    )
    def test_an_install_for_tests_is_enough_to_run(self, layout: Layout, there: str, wanted: str, enough: bool) -> None:
        stamped(layout, there)
        assert bootstrap.is_installed(layout, wanted, Stamp.read(layout.stamp)) is enough

    def test_without_a_python_it_counts_for_nothing(self, layout: Layout) -> None:
        stamped(layout, "run")
        layout.python.unlink()
        assert not bootstrap.is_installed(layout, "run", Stamp.read(layout.stamp))


class TestDisplay:
    @pytest.mark.parametrize(
        ("platform", "environ", "display"),
        [
            ("linux", {}, False),
            ("linux", {"DISPLAY": ""}, False),
            ("linux", {"DISPLAY": ":0"}, True),
            ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, True),
            ("darwin", {}, True),
            ("win32", {}, True),
        ],
    )
    def test_only_linux_can_be_without(self, platform: str, environ: dict[str, str], display: bool) -> None:
        assert bootstrap.has_display(platform, environ) is display


class TestSystemPackages:
    def test_a_window_needs_no_virtual_display(self) -> None:
        wanted = bootstrap.wanted_packages("run", (), display=True)
        assert "libxcb-cursor0" in wanted
        assert not {"xvfb", "dicom3tools"} & set(wanted)

    def test_the_demo_without_a_display_needs_one(self) -> None:
        assert "xvfb" in bootstrap.wanted_packages("run", (), display=False)

    def test_the_command_line_without_a_display_needs_nothing(self) -> None:
        assert bootstrap.wanted_packages("run", ("info", "scan"), display=False) == ()

    @pytest.mark.parametrize("command", ["screenshot", "demo"])
    def test_pictures_without_a_display_need_a_virtual_one(self, command: str) -> None:
        wanted = bootstrap.wanted_packages("run", (command, "scan"), display=False)
        assert {"xvfb", "libgl1", "libxcb-cursor0"} <= set(wanted)

    @pytest.mark.parametrize("display", [True, False])
    def test_the_tests_need_the_dicom_validator(self, display: bool) -> None:
        wanted = bootstrap.wanted_packages("test", ("-x",), display)
        assert "dicom3tools" in wanted
        assert ("xvfb" in wanted) is not display

    def test_dpkg_names_what_is_installed_or_provided(self) -> None:
        listing = (
            "installed|libegl1|\n"
            "installed|libglib2.0-0t64|libglib2.0-0 (= 2.80.0-6), libglib2.0-old\n"
            "config-files|xvfb|xserver\n"
        )
        assert bootstrap.parse_dpkg(listing) == {"libegl1", "libglib2.0-0t64", "libglib2.0-0", "libglib2.0-old"}

    def test_only_what_is_missing_is_asked_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        answer = subprocess.CompletedProcess((), 0, stdout="installed|libegl1|\n")
        monkeypatch.setattr(bootstrap.shutil, "which", lambda name: f"/usr/bin/{name}")
        monkeypatch.setattr(subprocess, "run", lambda *_args, **_kwargs: answer)
        assert bootstrap.missing_packages(["xvfb", "libegl1", "dicom3tools"]) == ["dicom3tools", "xvfb"]

    @pytest.mark.usefixtures("no_processes")
    def test_another_system_is_left_alone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(bootstrap.shutil, "which", lambda name: None)
        assert bootstrap.missing_packages(["xvfb"]) == []

    def test_without_rights_the_exact_command_is_told(self, layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(bootstrap, "missing_packages", lambda wanted: sorted(wanted))
        monkeypatch.setattr(bootstrap, "root_prefix", lambda: None)
        with pytest.raises(BootstrapError) as caught:
            bootstrap.ensure_packages(layout, ["xvfb", "libegl1"])
        told = "sudo apt-get update && sudo apt-get install -y --no-install-recommends libegl1 xvfb"
        assert str(caught.value).splitlines()[-1].strip() == told


class TestCommands:
    def test_pip_is_constrained_and_chooses_no_index(self, layout: Layout) -> None:
        command = bootstrap.install_command(layout, "test")
        assert command[:4] == [str(layout.python), "-m", "pip", "install"]
        assert command[command.index("-c") + 1] == str(layout.root / "installer" / "constraints.txt")
        assert command[-3:] == ["torch", "-e", ".[test]"]
        assert not [word for word in command if "index" in word or "links" in word]

    @pytest.mark.parametrize(("windows", "python"), [(False, ".venv/bin/python"), (True, ".venv/Scripts/python.exe")])
    @pytest.mark.parametrize(
        ("args", "display", "rest"),
        [
            ((), True, ["--demo"]),
            ((), False, ["demo", "--out", "medviewer-demo"]),
            (("info", "a b"), True, ["info", "a b"]),
            (("info", "a b"), False, ["info", "a b"]),
        ],
    )
    def test_medviewer_starts_from_the_environment(
        self, tmp_path: Path, windows: bool, python: str, args: tuple[str, ...], display: bool, rest: list[str]
    ) -> None:
        command = bootstrap.medviewer_command(Layout(tmp_path, windows), args, display)
        assert command == [str(tmp_path / python), "-P", "-m", "medviewer", *rest]

    @pytest.mark.parametrize(("argv", "status"), [([], 2), (["jump"], 2), (["--help"], 0)])
    def test_an_unknown_command_gets_the_usage(
        self, capsys: pytest.CaptureFixture[str], argv: list[str], status: int
    ) -> None:
        assert bootstrap.main(argv) == status
        captured = capsys.readouterr()
        assert "bootstrap.py run [ARGS]" in (captured.err if status else captured.out)

    def test_a_failed_command_shows_its_last_lines(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        script = "print('Collecting a'); print('no room on disk'); raise SystemExit(1)"
        with pytest.raises(BootstrapError, match="no room on disk"):
            bootstrap.run_quietly([sys.executable, "-c", script], tmp_path, bootstrap.PIP_PHASES)
        assert capsys.readouterr().out.splitlines() == ["  finding and downloading packages ..."]


class TestPrepare:
    @pytest.mark.usefixtures("no_processes")
    def test_a_second_start_does_nothing(self, layout: Layout) -> None:
        stamped(layout, "run", bootstrap.WINDOW_PACKAGES)
        before = layout.stamp.stat()
        bootstrap.prepare(layout, "run", bootstrap.WINDOW_PACKAGES)
        assert layout.stamp.stat() == before

    @pytest.mark.usefixtures("no_processes")
    def test_a_second_start_becomes_medviewer(self, layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
        stamped(layout, "test", bootstrap.WINDOW_PACKAGES)
        became: list[tuple[str, list[str]]] = []
        monkeypatch.setattr(os, "execv", lambda path, command: became.append((path, command)))
        bootstrap.run(layout, [], display=True)
        assert became == [(str(layout.python), [str(layout.python), "-P", "-m", "medviewer", "--demo"])]

    def test_losing_the_display_asks_for_system_packages_only(
        self, layout: Layout, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stamped(layout, "run", ("libegl1",))
        asked: list[frozenset[str]] = []
        monkeypatch.setattr(bootstrap, "ensure_packages", lambda _layout, wanted: asked.append(frozenset(wanted)))
        monkeypatch.setattr(bootstrap, "install", lambda *_args: pytest.fail("installed again"))
        bootstrap.prepare(layout, "run", ["libegl1", "xvfb"])
        assert asked == [{"libegl1", "xvfb"}]
        assert Stamp.read(layout.stamp).system == {"libegl1", "xvfb"}
        assert bootstrap.is_installed(layout, "run", Stamp.read(layout.stamp))

    @pytest.mark.parametrize("error", [KeyboardInterrupt, BootstrapError])
    def test_an_interrupted_install_leaves_no_stamp(
        self, layout: Layout, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
    ) -> None:
        stamped(layout, "run")

        def stop(*_args: object) -> None:
            raise error

        monkeypatch.setattr(bootstrap, "ensure_venv", lambda _layout: None)
        monkeypatch.setattr(bootstrap, "run_quietly", stop)
        with pytest.raises(error):
            bootstrap.prepare(layout, "test", ())
        assert not layout.stamp.exists()

    def test_what_pip_left_half_installed_is_installed_again(self, layout: Layout) -> None:
        for package in ("whole-1.dist-info", "half-1.dist-info"):
            (layout.site_packages / package).mkdir(parents=True)
        (layout.site_packages / "whole-1.dist-info" / "RECORD").touch()
        bootstrap.forget_half_installed(layout)
        assert [path.name for path in layout.site_packages.iterdir()] == ["whole-1.dist-info"]

    @pytest.mark.parametrize(
        "config",
        [
            "version = 3.8.18\n",
            f"version = {bootstrap.PYTHON}.1\ncommand = python3 -m venv /another/checkout/.venv\n",
            None,
        ],
        ids=["other Python", "moved", "not an environment"],
    )
    @pytest.mark.usefixtures("no_processes")
    def test_a_broken_environment_is_not_usable(self, layout: Layout, config: str | None) -> None:
        if config:
            (layout.venv / "pyvenv.cfg").write_text(config, encoding="utf-8")
        assert not bootstrap.is_usable(layout)

    @pytest.mark.usefixtures("no_processes")
    def test_an_environment_without_its_python_is_not_usable(self, layout: Layout) -> None:
        (layout.venv / "pyvenv.cfg").write_text(f"version = {bootstrap.PYTHON}.1\n", encoding="utf-8")
        layout.python.unlink()
        assert not bootstrap.is_usable(layout)

    @pytest.mark.parametrize(("status", "usable"), [(0, True), (1, False)])
    def test_an_environment_needs_pip(
        self, layout: Layout, monkeypatch: pytest.MonkeyPatch, status: int, usable: bool
    ) -> None:
        (layout.venv / "pyvenv.cfg").write_text(f"version = {bootstrap.PYTHON}.1\n", encoding="utf-8")
        answer = subprocess.CompletedProcess((), status)
        monkeypatch.setattr(subprocess, "run", lambda *_args, **_kwargs: answer)
        assert bootstrap.is_usable(layout) is usable


class TestChecks:
    def test_all_run_though_one_fails_and_pytest_comes_last(
        self, layout: Layout, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        ran: list[str] = []

        def pretend(command: list[str], **_kwargs: object) -> int:
            ran.append(" ".join(command[1:]))
            return int("mypy" in command)

        monkeypatch.setattr(bootstrap, "prepare", lambda *_args: None)
        monkeypatch.setattr(subprocess, "call", pretend)
        assert bootstrap.test(layout, [], display=True) == 1
        assert ran[:3] == ["-m ruff check", "-m ruff format --check", "-m mypy"]
        assert "importlinter" in ran[3]
        assert ran[4:] == ["-m pytest"]
        said = capfd.readouterr().out
        assert "static checks: failed: mypy" in said
        assert said.splitlines()[-1] == "== static checks: failed: mypy"

    @pytest.mark.parametrize(
        ("display", "cores", "options"),
        [(True, 8, []), (False, 1, []), (False, 2, ["-n", "2"]), (False, 64, ["-n", "4"])],
    )
    def test_every_core_is_used_where_nobody_looks(self, display: bool, cores: int, options: list[str]) -> None:
        assert bootstrap.side_by_side(display, cores)[:2] == options

    def test_arguments_are_for_pytest_alone(self, layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
        ran: list[list[str]] = []
        monkeypatch.setattr(bootstrap, "prepare", lambda *_args: None)
        monkeypatch.setattr(subprocess, "call", lambda command, **_kwargs: ran.append(command[1:]) or 5)
        assert bootstrap.test(layout, ["tests/domain", "-x"], display=True) == 5
        assert ran == [["-m", "pytest", "tests/domain", "-x"]]


@pytest.mark.skipif(os.name == "nt", reason="pipes that select() can wait for")
class TestReadLine:
    def test_gives_the_first_line(self) -> None:
        reader, writer = os.pipe()
        os.write(writer, b"99\n")
        assert bootstrap.read_line(reader, timeout=5) == "99"
        os.close(writer)
        os.close(reader)

    def test_gives_nothing_when_the_other_end_closes(self) -> None:
        reader, writer = os.pipe()
        os.close(writer)
        assert bootstrap.read_line(reader, timeout=5) == ""
        os.close(reader)
