"""House rules for every test, those of the plugins included when the whole suite runs.

- No test touches the user's own data, settings or network models.
- In CI a skipped test is a failed one: what is not run is not known to work.
- A test that leaves a window behind fails.
"""

import contextlib
import gc
import os
import shutil
import sys
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from installer import bootstrap

# One Orthanc serves every test of a run that needs it, whichever folder the test lies in.
from tests.interop.servers import orthanc, orthanc_process
from tests.warm import spare_workers, warm_workers

__all__ = ["orthanc", "orthanc_process", "spare_workers", "warm_workers"]

# How long an example takes says something of the machine, not of the code.
settings.register_profile("medviewer", deadline=None)
settings.load_profile("medviewer")

HOUSE_RULES = "medviewer-house-rules"
LONG = (
    "tests/journeys/",
    "tests/faults/",
    "tests/app/test_scaffold.py",
    "plugins/",
    "tests/ui/",
    "tests/cli/",
)
"""Where the long files are: minutes, half a minute, many seconds; of all others a file takes a few at most."""


def pytest_configure(config: pytest.Config) -> None:
    """Set what libraries read when they are imported, and apply the rules beyond this folder."""
    # napari reads this once, at import, and would otherwise read and write the user's settings.
    napari_home = tempfile.mkdtemp(prefix="medviewer-tests-")
    config.add_cleanup(lambda: shutil.rmtree(napari_home, ignore_errors=True))
    os.environ["NAPARI_CONFIG"] = str(Path(napari_home, "napari.yaml"))
    os.environ["HF_HUB_OFFLINE"] = "1"
    config.pluginmanager.register(HouseRules(), HOUSE_RULES)
    if "PYTEST_XDIST_WORKER" in os.environ:
        # Threads of one process would wait for those of another: tests of networks take twice as long.
        threads = max(1, (os.cpu_count() or 1) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"]))
        os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    if "PYTEST_XDIST_WORKER" in os.environ and bootstrap.OWN_DISPLAY in os.environ:
        # Windows of two processes on one display would take the focus from each other.
        own = contextlib.ExitStack()
        os.environ["DISPLAY"] = own.enter_context(bootstrap.virtual_display())["DISPLAY"]
        config.add_cleanup(own.close)


def in_ci() -> bool:
    """Return whether this run decides over a change."""
    return os.environ.get("CI", "").lower() not in ("", "0", "false")


def fail_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure in CI; an expected failure (xfail) stays what it is."""
    if not in_ci() or report.outcome != "skipped" or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
    report.outcome = "failed"
    report.longrepr = f"{report.nodeid}: a skip is a failure in CI. {reason}"


def open_windows() -> list[Any]:
    """Return Qt's top-level widgets; none, and nothing is imported, where no QApplication was made."""
    widgets = sys.modules.get("PySide6.QtWidgets")
    if widgets is None or widgets.QApplication.instance() is None:
        return []
    return list(widgets.QApplication.topLevelWidgets())


def windows_beside(before: list[Any]) -> list[Any]:
    """Return the windows that were not there before, once Qt and Python have carried out the deletions they put off."""

    def beside() -> list[Any]:
        return [window for window in open_windows() if window not in before]

    if not beside():
        return []
    from PySide6.QtCore import QCoreApplication, QEvent

    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    if beside():  # Python may hold some in a circle, which takes half a second to find
        gc.collect()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    return beside()


class HouseRules:
    """Registered as a plugin, because a conftest's own hooks and fixtures end at its folder."""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Begin with the long files, or one process works on at the end while the others have nothing."""
        if "PYTEST_XDIST_WORKER" in os.environ:
            items.sort(
                key=lambda item: next((k for k, start in enumerate(LONG) if item.nodeid.startswith(start)), len(LONG))
            )

    def pytest_collection_finish(self) -> None:
        """Let the collector pass by what the test files have imported: it lives as long as the run."""
        gc.collect()
        gc.freeze()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        fail_skip(report)
        return report

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_make_collect_report(self) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        report = yield
        fail_skip(report)
        return report

    @pytest.fixture(autouse=True)
    def own_home(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Give each test an empty place for what medviewer keeps."""
        monkeypatch.setenv("MEDVIEWER_HOME", str(tmp_path / "medviewer-home"))

    @pytest.fixture(autouse=True)
    def archives_at_once(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let new archives be made in a moment, but where the test is about archives."""
        if "archive" not in request.path.parts and "medviewer.archive.database" in sys.modules:
            from tests import new_archives

            monkeypatch.setattr("medviewer.archive.sessions._migrate", new_archives.make)

    @pytest.fixture(autouse=True)
    def no_window_left_open(self, request: pytest.FixtureRequest) -> Iterator[None]:
        """Fail a test that leaves a window which was not there before; a failed test may (its traceback holds it)."""
        before = open_windows()
        failures = request.session.testsfailed
        yield
        if request.session.testsfailed > failures:
            return
        leaked = windows_beside(before)
        names = [f"{type(window).__name__} {window.objectName()!r}" for window in leaked]
        for window in leaked:
            window.deleteLater()  # the next test starts clean
        if names:
            pytest.fail(f"windows left open, give them to qtbot.addWidget or close and delete them: {', '.join(names)}")
