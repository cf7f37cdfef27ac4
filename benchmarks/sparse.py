"""Layers of which nearly all weights are zero: two-level lattices, by their nonzero weights and by whole matrices.

`python -m benchmarks.sparse`; seconds of one thread's processor time. The floor is one product of each layer at one
point of each cell.
"""

from __future__ import annotations

import argparse
import time
from unittest.mock import patch

import numpy as np
import torch

import splinescope
from benchmarks.common import save
from splinescope.network import Network
from splinescope.network.evaluate import products
from splinescope.network.ops.sparse_products import SparseRows

CASES = ((16, 0), (32, 400), (64, 60))
"""Functions of each lattice, and the most cells; 0 for all."""


def main() -> None:
    from tests.network.lattices import two_level_lattice

    parser = argparse.ArgumentParser(prog="python -m benchmarks.sparse", description=__doc__)
    parser.add_argument("--whole", type=int, default=32, help="most functions for which whole matrices are tried, too")
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = {}
    for count, most in CASES:
        module, _ = two_level_lattice(count)
        row = measured(splinescope.load(module, input_shape=(2,)), most)
        if count <= options.whole:
            with patch.object(SparseRows, "of", lambda matrix: None):
                row["whole"] = measured(splinescope.load(module, input_shape=(2,)), most)
        found[str(count)] = row
        print(count, row, flush=True)
    save("sparse", found)


def measured(network: Network, most: int) -> dict[str, object]:
    """Seconds of a slice, and of one forward pass at one point of each of its cells."""
    started = time.process_time()
    cells = splinescope.tessellate(network, splinescope.Slice.box([-1, -1], [1, 1]), max_cells=most or None)
    seconds = time.process_time() - started
    started = time.process_time()
    network(np.ascontiguousarray(cells.interior_points))
    return {
        "units": network.num_units,
        "products": sum(products(network)),
        "cells": len(cells),
        "certificate": cells.certificate.level,
        "seconds": seconds,
        "pass_seconds": time.process_time() - started,
    }


if __name__ == "__main__":
    main()
