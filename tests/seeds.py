"""What the gate tries and what `--thorough` adds: random numbers, cases and sizes beyond those that settle a change.

`make test` is the gate. `make thorough` runs all of it, the marked rest, long sweeps, and forty times as many examples
of Hypothesis. Whatever leaves the gate keeps its test, which is deselected there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

LONG = Path(__file__).with_name("long_cases.txt")


def long_cases() -> list[str]:
    """Cases that were measured to take seconds, while others of their test stay in the gate; `--thorough` runs them."""
    lines = LONG.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


thorough = pytest.mark.thorough
"""Marks a test, or a parameter of one, that `--thorough` alone runs."""


def seeds(gate: Iterable[int], rest: Iterable[int]) -> list[Any]:
    """Parameters for random cases: those of the gate, then all others, which `--thorough` alone tries.

    Args:
        gate: Numbers that always run.
        rest: Numbers that `--thorough` adds; those of the gate among them are not repeated.
    """
    kept = list(dict.fromkeys(gate))
    return [*kept, *(pytest.param(seed, marks=thorough) for seed in dict.fromkeys(rest) if seed not in set(kept))]


def every(step: int, values: Iterable[Any], *, keep: Callable[[Any], bool] = lambda value: False) -> list[Any]:
    """Parameters of a family: one in so many in the gate, all with `--thorough`, in their order.

    Args:
        step: The first value and each that follows so many later stay in the gate.
        values: The family.
        keep: Which others stay, too.
    """
    chosen = enumerate(values)
    return [v if i % step == 0 or keep(v) else pytest.param(v, marks=thorough) for i, v in chosen]


def large(*values: Any) -> Any:
    """One parameter, or one tuple of them, whose size `--thorough` alone takes."""
    return pytest.param(*values, marks=thorough)
