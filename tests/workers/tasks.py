"""What workers are given by tests; they import this module alone."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def triple(x: float) -> float:
    return 3 * x


def kill_once(marker: str) -> str:
    """Kill the worker at the first try."""
    if not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "survived"


def kill_always(count: str) -> None:
    with open(count, "a") as file:
        file.write("x")
    os.kill(os.getpid(), signal.SIGKILL)


def allocate(size: int) -> int:
    import numpy as np

    return int(np.ones(size, np.uint8).sum())


class OddError(Exception):
    """One that pickle cannot make again."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} and {two}")


def odd() -> None:
    raise OddError("this", "that")


def threads() -> str:
    return os.environ["OMP_NUM_THREADS"]


def slow(number: int, started: str) -> int:
    """Say that it has begun, and take a while."""
    Path(started, f"{number}-{os.getpid()}").touch()
    time.sleep(0.02)
    return number
