"""All benchmarks with peers in one command, one after the other, each in a process of its own.

    python -m benchmarks                 everything; some hours
    python -m benchmarks planes spatial  these
    python -m benchmarks --list          what there is

Each writes its figures to `benchmarks/results/`, from which the tables of the documentation are made; one that fails is
named at the end, and the others go on. Ctrl-C keeps what is finished.
"""

from __future__ import annotations

import argparse
import importlib
import subprocess
import sys
import time

from benchmarks.common import ROOT

SCRIPTS = (
    "planes", "slices", "sweep", "real", "certificates", "startup", "sparse", "streaming", "convolutions", "segments",
    "straight", "paths", "spatial", "region_graph", "surfaces", "geodesics", "landscape", "local_complexity",
    "trajectory", "preimage", "generative", "transformers", "sweeps", "drawing", "viewer", "natural",
)  # fmt: skip
"""Scripts, as `benchmarks/README.md` says what they print."""


def main() -> int:
    """Run some or all of them.

    Returns:
        How many failed.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scripts", nargs="*", metavar="SCRIPT", help="which; all by default")
    parser.add_argument("--list", action="store_true", help="say what there is")
    options = parser.parse_args()
    unknown = [name for name in options.scripts if name not in SCRIPTS]
    if unknown:
        parser.error(f"no script {', '.join(unknown)}; there are {', '.join(SCRIPTS)}")
    chosen, failed = options.scripts or SCRIPTS, []
    if options.list:
        for name in chosen:
            told = (importlib.import_module(f"benchmarks.{name}").__doc__ or "").strip().splitlines()[0]
            sys.stdout.write(f"{name:17} {told}\n")
        return 0
    for number, name in enumerate(chosen, 1):
        sys.stdout.write(f"[{number}/{len(chosen)}] {name}\n")
        sys.stdout.flush()
        start = time.perf_counter()
        try:
            status = subprocess.run(
                [sys.executable, "-m", f"benchmarks.{name}"], cwd=ROOT.parent, env=os.environ
            ).returncode
        except KeyboardInterrupt:
            sys.stdout.write(f"interrupted in {name}; what is finished is kept\n")
            return 1
        failed += [name] * (status != 0)
        sys.stdout.write(f"[{number}/{len(chosen)}] {name}: {time.perf_counter() - start:.0f} s\n")
    if failed:
        sys.stdout.write(f"failed: {', '.join(failed)}\n")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
