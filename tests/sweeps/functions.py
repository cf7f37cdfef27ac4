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


class MuteError(Exception):
    """One whose message cannot be read."""

    def __str__(self) -> str:
        raise RuntimeError("no words")

    __repr__ = __str__


def odd(what: str) -> Any:
    """What a task may do or return that no row can hold, by name."""
    raised = {"mute": MuteError, "leaving": SystemExit, "generator": GeneratorExit, "interrupt": KeyboardInterrupt}
    if what in raised:
        raise raised[what]()
    if what == "surrogate error":
        raise ValueError("\ud83d\ude00")  # two halves, which JSON would make one character
    return ODD.get(what, what)


ODD = {
    "date": np.datetime64("2020-01-01"),
    "surrogate": "a\ud800",
    "surrogate name": {"\udcff": np.ones(2)},
    "number as name": {3: 1},
    "complex": 1j,
    "long": 10**5000,
    "objects": np.array([object(), 1]),
    "fields": np.zeros(2, [("a", int)]),
    "mask": np.ma.masked_array([1, 2], [False, True]),
    "object": object(),
}


def draw(x: int) -> float:
    """A number that is another one each time."""
    return int.from_bytes(os.urandom(6)) / 2**48


def wait(x: int) -> int:
    """The last ones take long."""
    if x >= 3:
        time.sleep(60)
    return x
