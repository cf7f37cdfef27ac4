"""What sweeps of tests call; workers import this module alone."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np


def area(width: float, height: int) -> dict[str, Any]:
    """Numbers, an array, numbers that are not finite, and an error."""
    if (width, height) == (2, 1):
        raise ValueError("too\nflat")
    odd = {0: np.inf, 1: -np.inf}.get(height, np.nan)
    return {"area": np.sqrt(width) * height, "whole": height * 7, "odd": odd, "line": np.arange(width + 1.0)}


def slowly(x: int, marks: str) -> dict[str, Any]:
    """Leaves a mark for each time that it is called."""
    with open(Path(marks) / str(x), "a") as file:
        file.write("x")
    time.sleep(0.02)
    rng = np.random.default_rng(x)
    return {"y": rng.standard_normal(), "values": rng.standard_normal(5)}


def die(x: int) -> int:
    if x == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return x * x
