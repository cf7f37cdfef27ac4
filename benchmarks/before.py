"""Planes, spaces and surfaces beside another checkout, in turn: processor seconds and peak memory of each.

    python -m benchmarks.before ../before

Each case runs in a process of its own on one thread, here and there one after the other, as often as is asked for; the
least is kept. "level" is the certificate's.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.common import ROOT, in_checkout, save, saved

CASES: dict[str, tuple[str, ...]] = {
    "N1": ("topology", "values", "proof"),
    "N2": ("topology", "values", "proof"),
    "2-512-512-512-10": ("topology",),
    "2-8-8-8-3, a small slice": ("topology", "values"),
    "784-200-200-200-10": ("values",),
    "CIFAR conv": ("values",),
    "ResNet-20": ("values",),
    "N5 in space": ("topology", "values"),
    "fox, its surface": ("values",),
    "birdcage, its surface": ("values",),
}
"""Levels of the certificate for each case."""

PROGRAM = """
import json, resource, sys, time, warnings
import torch
torch.set_num_threads(1)
warnings.simplefilter("ignore")
import splinescope
from benchmarks import real, surfaces
from benchmarks.common import mlp_weights, reference_weights, to_module

case, level, repeats = sys.argv[1], sys.argv[2], int(sys.argv[3])
MLPS = {
    "N1": ("N1", (2, 64, 64, 64, 1), 1.0),
    "N2": ("N2", (2, 256, 256, 256, 10), 1.0),
    "2-512-512-512-10": ("S512", (2, 512, 512, 512, 10), 1.0),
    "2-8-8-8-3, a small slice": ("", (2, 8, 8, 8, 3), 2.0),
    "N5 in space": ("N5", (3, 32, 32, 32, 1), 1.0),
}
if case in MLPS:
    name, widths, half = MLPS[case]
    weights = reference_weights(name, widths) if name else mlp_weights(widths)
    network = splinescope.load(to_module(weights), input_shape=(widths[0],))
    ends = [-half] * widths[0], [half] * widths[0]
    domain = splinescope.Slice.box(*ends) if widths[0] == 2 else splinescope.Box(*ends)
elif case in real.CASES:
    network, domain = real.loaded(case)
else:
    (file,) = (name for name in surfaces.FILES if name.split()[0] == case.split(",")[0])
    network, domain = surfaces.network_of(file), surfaces.BOX
surface = case.endswith("its surface")
function, options = (splinescope.level_set, {"level": 0.0}) if surface else (splinescope.tessellate, {})
times = []
while len(times) <= repeats and sum(times) < 60:
    start = time.process_time()
    cells = function(network, domain, verify=level, **options)
    times.append(time.process_time() - start)
print(json.dumps({
    "pieces": len(cells),
    "level": cells.certificate.level,
    "seconds": round(min(times[1:] or times), 5),
    "peak GB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
}))
"""
"""The first call, which may compile kernels, is not counted unless it is the only one."""


def run(checkout: Path, case: str, level: str, repeats: int) -> dict[str, Any]:
    """One case with the source of a checkout."""
    return in_checkout(checkout, PROGRAM, case, level, str(repeats))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path, help="the other checkout")
    parser.add_argument("--cases", nargs="*", choices=CASES, default=list(CASES), metavar="CASE")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    for case in options.cases:
        for level in CASES[case]:
            row = {"case": case, "verify": level}
            row["before"] = run(options.checkout.resolve(), case, level, options.repeats)
            row["after"] = run(ROOT.parent, case, level, options.repeats)
            row["ratio"] = round(row["after"]["seconds"] / row["before"]["seconds"], 3)
            sys.stdout.write(json.dumps(row) + "\n")
            sys.stdout.flush()
            kept = {(known["case"], known["verify"]): known for known in saved("before")}
            save("before", list({**kept, (case, level): row}.values()))


if __name__ == "__main__":
    main()
