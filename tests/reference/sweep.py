"""Sweeps: every network of the hard families, proved by the engine and held against the exact cells.

    python -m tests.reference.sweep --families all --count 100 --record sweep.jsonl
    python -m tests.reference.sweep --only border:17 --dimension 3

Ends with status 1 if anything is wrong, and names what to pass to `--only`. With `--record`, each outcome is a line of
a file as soon as it is known; Ctrl-C ends with the table of what is finished, and the same command goes on from there.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from tqdm import tqdm

import splinescope
from splinescope.errors import CertificateError, DegenerateArrangementError, SplinescopeError
from splinescope.tessellation.region_graph import region_graph
from tests.reference.comparison import compare
from tests.reference.exact_cells import exact_cells
from tests.reference.families import FAMILIES, member

Work = Callable[[tuple[str, int]], "Outcome"]
KINDS = ("right", "cells", "measures", "certificate", "degenerate", "error", "died")


@dataclass(frozen=True)
class Outcome:
    """What became of one network.

    Attributes:
        family: Its family.
        seed: Its number.
        kind: One of `KINDS`.
        note: What makes it hard.
        message: What is wrong, or the error.
        level: Level of the certificate; "none" if there was an error.
        cells: Number of exact cells.
        thin: Exact cells that were merged because coordinates do not resolve them.
        engine_seconds: Time of the engine.
        exact_seconds: Time of the judge.
    """

    family: str
    seed: int
    kind: str
    note: str
    message: str
    level: str
    cells: int
    thin: int
    engine_seconds: float
    exact_seconds: float


def examine(job: tuple[str, int], dimension: int, engine: str, verify: str, limit: int) -> Outcome:
    """One network by the engine and by the judge.

    Args:
        job: Family and seed.
        dimension: Of the domain.
        engine: "complex" or "graph".
        verify: Level that is asked for.
        limit: Seconds after which the process ends itself; compiled code cannot be interrupted otherwise.
    """
    signal.alarm(limit)
    family, seed = job
    start = middle = time.perf_counter()
    kind, message, level, thin, note, count = "right", "", "none", 0, "", 0
    try:
        one = member(family, seed, dimension)
        note = one.note
        exact = one.exact or exact_cells(one.network, one.domain)
        count, middle = len(exact), time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a level that was not reached is counted below
            run = splinescope.tessellate if engine == "complex" else region_graph
            cells = run(one.network, one.domain, verify=verify)
    except SplinescopeError as error:
        named = {CertificateError: "certificate", DegenerateArrangementError: "degenerate"}
        kind, message = named.get(type(error), "error"), f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001 - any other error is a finding, too
        kind, message = "error", traceback.format_exc(limit=-2)
    else:
        result = compare(cells, exact)
        level, thin = result.level, len(result.thin)
        if result.wrong:
            kind, message = "cells" if result.wrong_cells else "measures", str(result)
    end = time.perf_counter()
    signal.alarm(0)
    return Outcome(family, seed, kind, note, message, level, count, thin, end - middle, middle - start)


def table(outcomes: list[Outcome]) -> str:
    """One row for each family."""
    head = "| family | networks | cells | wrong cells | wrong measures | CertificateError | DegenerateArrangementError "
    rows = [head + "| other errors | died or hung | thin merged | levels | engine s | judge s |", "|" + " --- |" * 13]
    for family in dict.fromkeys(outcome.family for outcome in outcomes):
        some = [outcome for outcome in outcomes if outcome.family == family]
        counts = Counter(outcome.kind for outcome in some)
        levels = Counter(outcome.level for outcome in some if outcome.level != "none")
        entries = [family, len(some), sum(outcome.cells for outcome in some), *(counts[kind] for kind in KINDS[1:])]
        entries += [sum(outcome.thin for outcome in some), ", ".join(f"{k} {n}" for k, n in sorted(levels.items()))]
        entries += [f"{sum(o.engine_seconds for o in some):.1f}", f"{sum(o.exact_seconds for o in some):.1f}"]
        rows.append("| " + " | ".join(map(str, entries)) + " |")
    return "\n".join(rows)


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.reference.sweep", description=__doc__)
    parser.add_argument("--families", nargs="+", default=["all"], choices=["all", *FAMILIES])
    parser.add_argument("--count", type=int, default=30, help="networks of each family")
    parser.add_argument("--seed", type=int, default=0, help="number of the first one")
    parser.add_argument("--only", nargs="+", default=[], metavar="FAMILY:SEED", help="single networks instead")
    parser.add_argument("--dimension", type=int, default=2, choices=[1, 2, 3])
    parser.add_argument("--engine", default="complex", choices=["complex", "graph"])
    parser.add_argument("--verify", default="proof", choices=["topology", "values", "proof"])
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--limit", type=int, default=60, help="seconds for one network, engine and judge together")
    parser.add_argument("--record", type=Path, help="file of JSON lines to add outcomes to; those in it are kept")
    options = parser.parse_args(arguments)
    names = list(FAMILIES) if "all" in options.families else options.families
    jobs = [(name, options.seed + i) for name in names for i in range(options.count)]
    if options.only:
        jobs = [(name, int(seed)) for name, seed in (entry.split(":") for entry in options.only)]
    settings = {"dimension": options.dimension, "engine": options.engine, "verify": options.verify}
    record = Record(options.record, settings)
    try:
        _run(partial(examine, **settings, limit=options.limit), jobs, options.processes, record)
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted; this is what is finished\n")
    outcomes = [record.outcomes[job] for job in jobs if job in record.outcomes]
    sys.stdout.write(table(outcomes) + "\n")
    wrong = [outcome for outcome in outcomes if outcome.kind != "right"]
    for outcome in wrong:
        sys.stdout.write(f"\n{outcome.family}:{outcome.seed} ({outcome.note}): {outcome.kind}: {outcome.message}\n")
    return 1 if wrong or len(outcomes) < len(jobs) else 0


class Record:
    """The outcomes that are known, those of former runs with the same settings among them.

    Attributes:
        outcomes: By family and seed.
    """

    def __init__(self, path: Path | None, settings: dict[str, object]) -> None:
        """Read what a former run left.

        Args:
            path: File of JSON lines, or None to keep outcomes in memory only.
            settings: Dimension, engine and level; lines with other ones belong to other runs.
        """
        self.outcomes: dict[tuple[str, int], Outcome] = {}
        self._path, self._settings = path, settings
        for line in path.read_text(encoding="utf-8").splitlines() if path is not None and path.exists() else ():
            entry = json.loads(line)
            if {name: entry.pop(name) for name in settings} == settings:
                outcome = Outcome(**entry)
                self.outcomes[outcome.family, outcome.seed] = outcome

    def add(self, outcome: Outcome) -> None:
        """Keep one more outcome."""
        self.outcomes[outcome.family, outcome.seed] = outcome
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(self._settings | asdict(outcome)) + "\n")


def _run(work: Work, jobs: list[tuple[str, int]], processes: int, record: Record) -> None:
    """Record all outcomes. Engines run in other processes, so that one that dies or hangs is an outcome, too."""
    waiting = [job for job in reversed(jobs) if job not in record.outcomes]
    wrong = sum(outcome.kind != "right" for outcome in record.outcomes.values())
    running: dict[Future[Outcome], tuple[ProcessPoolExecutor, tuple[str, int]]] = {}
    pools = [ProcessPoolExecutor(1) for _ in range(processes)]
    with tqdm(total=len(jobs), initial=len(jobs) - len(waiting), unit="network") as bar:
        while waiting or running:
            while pools and waiting:
                pool, job = pools.pop(), waiting.pop()
                running[pool.submit(work, job)] = pool, job
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                pool, job = running.pop(future)
                try:
                    outcome = future.result()
                except BrokenProcessPool:
                    outcome = Outcome(*job, "died", "", "the process died or hung", "none", 0, 0, 0.0, 0.0)
                    pool = ProcessPoolExecutor(1)
                pools.append(pool)
                record.add(outcome)
                wrong += outcome.kind != "right"
                bar.set_postfix_str(f"{job[0]}:{job[1]}, {wrong} wrong", refresh=False)
                bar.update()
    for pool in pools:
        pool.shutdown()


if __name__ == "__main__":
    sys.exit(main())
