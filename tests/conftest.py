"""What all tests share: annotations are checked while they run, pictures need no screen, nothing is left to chance."""

from __future__ import annotations

import gc
import os

import hypothesis
import pytest

from tests import annotations
from tests.seeds import long_cases

os.environ.setdefault("MPLBACKEND", "Agg")
annotations.install()

_SYSCONF = os.sysconf


def sysconf(name: str | int) -> int:
    """The system's answer, but for free memory: budgets that depend on it are the same beside any other program."""
    return (8 << 30) // _SYSCONF("SC_PAGE_SIZE") if name == "SC_AVPHYS_PAGES" else _SYSCONF(name)


os.sysconf = sysconf

hypothesis.settings.register_profile("gate", deadline=None, derandomize=True, max_examples=25)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=1000)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("splinescope")
    group.addoption("--thorough", action="store_true", help="all random numbers and sizes, sweeps, 1,000 examples each")
    group.addoption("--sweep", type=int, default=100, metavar="N", help="networks of each sweep of `--thorough`")


def pytest_configure(config: pytest.Config) -> None:
    hypothesis.settings.load_profile("thorough" if config.getoption("thorough") else "gate")
    if config.getoption("thorough"):
        annotations.check_all_calls()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what `--thorough` alone runs."""
    if config.getoption("thorough"):
        return
    long = set(long_cases())
    left_out = {item for item in items if item.get_closest_marker("thorough") is not None or item.nodeid in long}
    config.hook.pytest_deselected(items=list(left_out))
    items[:] = _apart([item for item in items if item not in left_out])


def _apart(items: list[pytest.Item]) -> list[pytest.Item]:
    """Put the tests that compile nothing where the second of two processes begins.

    The first meanwhile compiles the kernels that all others use; else both would, at the same time.
    """
    plain = [item for item in items if "tests/network/" in item.nodeid and not _compiles(item)]
    others = [item for item in items if "tests/network/" not in item.nodeid or _compiles(item)]
    half = len(items) // 2
    return others[:half] + plain + others[half:]


def _compiles(item: pytest.Item) -> bool:
    """Whether a test of networks compiles kernels of tessellations, too."""
    return any(name in item.nodeid for name in ("test_doors", "test_classes", "test_layer_chains"))


def pytest_collection_finish() -> None:
    """Tell the collector of garbage that what was imported and collected stays, and to look less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 10, 10)


@pytest.fixture
def sweep(request: pytest.FixtureRequest) -> int:
    """How many networks a sweep tries."""
    return request.config.getoption("sweep")
