"""Runs children that read changed files, and collects what should not be."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Timer
from typing import Any

PATIENCE = 300.0
"""Seconds of a clock on the wall after which a child that says nothing is taken to hang, on however busy a machine."""

FINE = ("read", "refused")


@dataclass
class Findings:
    """What came of files.

    Attributes:
        counts: Numbers of files that were read, refused, or neither.
        bad: For each thing that should not be, the numbers of the cases.
    """

    counts: Counter[str] = field(default_factory=Counter)
    bad: dict[str, list[int]] = field(default_factory=dict)

    def add(self, case: int, outcome: str) -> None:
        self.counts[outcome if outcome in FINE else "bad"] += 1
        if outcome not in FINE:
            self.bad.setdefault(outcome, []).append(case)


def fuzz(first: int, count: int, processes: int = 1) -> Findings:
    """Try files.

    Args:
        first: Number of the first case; a number always means the same file.
        count: How many.
        processes: Children that work at once.

    Returns:
        What came of them.
    """
    findings = Findings()
    with ThreadPoolExecutor(processes) as pool:
        lots = pool.map(lambda at: _lot(first + at, first + count, processes), range(processes))
        for lot in lots:
            for case, outcome in lot:
                findings.add(case, outcome)
    return findings


def _lot(first: int, end: int, step: int) -> list[tuple[int, str]]:
    """Outcomes of the cases `first`, `first + step`, ..., with a new child after each one that ends."""
    outcomes: list[tuple[int, str]] = []
    while first < end:
        found = _child(first, end, step)
        outcomes += found
        first += len(found) * step
    return outcomes


def _child(first: int, end: int, step: int) -> list[tuple[int, str]]:
    command = [sys.executable, "-m", "tests.fuzz.child", str(first), str(step)]
    outcomes: list[tuple[int, str]] = []
    under_way = None
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            while first + len(outcomes) * step < end:
                answer = _line(process)
                if answer is None:
                    break
                under_way = answer["case"]
                if "outcome" in answer:
                    kind = answer["outcome"] if answer["outcome"] in FINE else f"{answer['name']}: {answer['outcome']}"
                    outcomes.append((answer["case"], kind))
                    under_way = None
        finally:
            process.kill()
    if under_way is not None and first + len(outcomes) * step < end:
        outcomes.append((under_way, "hang or crash"))
    elif not outcomes:
        raise RuntimeError(f"`{' '.join(command)}` does not start")
    return outcomes


def _line(process: subprocess.Popen[str]) -> dict[str, Any] | None:
    """The next thing that a child says; None if it has ended, or is ended because it says nothing."""
    assert process.stdout is not None
    clock = Timer(PATIENCE, process.kill)
    clock.start()
    try:
        line = process.stdout.readline()
    finally:
        clock.cancel()
    return json.loads(line) if line else None
