"""What the tests of every plugin share: how plugins are found, and one runner for all of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from medviewer.jobs import Runner
from medviewer.plugin_api.discovery import DiscoverResult, discover, find

ROOT = Path(__file__).parent


@pytest.fixture(scope="session")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """One runner, whose workers stay warm."""
    made = Runner(tmp_path_factory.mktemp("scratch"))
    yield made
    made.shutdown()


@pytest.fixture(scope="session")
def plugins() -> list[DiscoverResult]:
    """The first-party plugins, found as the program finds them."""
    return discover([ROOT])


@pytest.fixture(scope="session")
def brain(plugins: list[DiscoverResult]) -> DiscoverResult:
    """The brain extraction plugin."""
    return find("brain-extraction", plugins)


@pytest.fixture(scope="session")
def chest(plugins: list[DiscoverResult]) -> DiscoverResult:
    """The chest X-ray plugin."""
    return find("chest-xray", plugins)
