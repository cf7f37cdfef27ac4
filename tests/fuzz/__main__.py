"""Try changed files: `python -m tests.fuzz --count 10000 --processes 2`; `--case 123` shows the traceback of one."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

from tests.fuzz.run import Findings, fuzz


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=2000, help="files to try")
    parser.add_argument("--first", type=int, default=0, help="number of the first one")
    parser.add_argument("--processes", type=int, default=1, help="child processes")
    parser.add_argument("--case", type=int, help="try one here, and keep what it raises")
    options = parser.parse_args()
    if options.case is not None:
        return _alone(options.case)
    findings = fuzz(options.first, options.count, options.processes)
    print(_told(findings))  # noqa: T201
    return 1 if findings.bad else 0


def _told(findings: Findings) -> str:
    lines = [
        f"{sum(findings.counts.values()):,} files: " + ", ".join(f"{n:,} {what}" for what, n in findings.counts.items())
    ]
    lines += [f"{len(cases):5} {what}, as in --case {cases[0]}" for what, cases in findings.bad.items()]
    return "\n".join(lines)


def _alone(number: int) -> int:
    from tests.fuzz.mutations import mutated
    from tests.fuzz.originals import originals

    with tempfile.TemporaryDirectory() as name:
        known = originals(Path(name))
        original = known[number % len(known)]
        path = Path(name) / original.name
        path.write_bytes(mutated(original.content, original.name, np.random.default_rng(number)))
        original.read(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
