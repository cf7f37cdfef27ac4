"""Slivers between folds that nearly coincide: a complex without one is not proved."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import splinescope
from splinescope import Slice
from splinescope.errors import CertificateError
from splinescope.tessellation import certify
from tests.seeds import large
from tests.tessellation.test_certificate import merged


def twins(apart: float, seed: int) -> nn.Sequential:
    """Two layers in which units fold twice, so far apart."""
    torch.manual_seed(seed)
    module = nn.Sequential(nn.Linear(2, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 4)).double()
    with torch.no_grad():
        first, second = module[0], module[2]
        first.weight[20:], first.bias[20:] = first.weight[:20], first.bias[:20] + apart
        second.weight[30:], second.bias[30:] = second.weight[:10], second.bias[:10] - apart
    return module


@pytest.mark.parametrize(
    ("apart", "seed"), [(1e-9, 0), *(large(power, seed) for power in (1e-10, 1e-8, 1e-7) for seed in range(3))]
)
def test_a_sliver_that_is_missing(apart: float, seed: int) -> None:
    """A cell as thin as that is part of its neighbour: corners were let be off folds by its swing along the strip."""
    network = splinescope.load(twins(apart, seed), input_shape=(2,))
    cells = splinescope.tessellate(network, Slice.box([-1, -1], [1, 1]), verify="topology")
    assert certify(cells, "proof").level == "proof"
    thin = np.flatnonzero(cells.resolved & (cells.measures < 1e-6 * apart))
    assert len(thin)
    for cell in thin[:: max(1, len(thin) // 8)].tolist():
        for edge in np.flatnonzero((cells.edge_cells == cell).any(axis=1) & (cells.edge_cells >= 0).all(axis=1)):
            broken, _ = merged(cells, int(edge))
            try:
                found = certify(broken, "proof")
            except CertificateError:
                continue
            assert found.merged > 0
