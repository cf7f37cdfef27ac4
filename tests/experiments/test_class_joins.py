"""Pairs looked at in parts come out as those looked at together."""

from __future__ import annotations

import numpy as np

import splinescope
from splinescope.experiments.class_connectivity.joins import Bending, join_pairs, together
from splinescope.network import boundaries
from tests.paths.nets import perceptron, seeded
from tests.paths.test_straight import pairs


def test_parts_add_up() -> None:
    network = splinescope.load(seeded(perceptron(6, 24, 24, 5)))
    x, y, targets = pairs(network, 30, seed=4)
    ends = np.stack([x, y], axis=1)

    def joined(rows: slice) -> dict[str, object]:
        layer = boundaries(network)[0]
        return join_pairs(network, ends[rows], targets[rows], layer, Bending(5, 50, 1000), (10, 20))

    whole = together([joined(slice(None))])
    parts = together([joined(slice(low, low + 8)) for low in range(0, 30, 8)])
    assert whole["counts"]["bent"] > 0
    assert whole["counts"]["straight"] > 0
    assert whole["pairs"] == 30
    assert sum(whole["few"].values()) == 25
    for key in ("pairs", "units", "method", "joined", "counts", "few", "sampled", "below_rounding"):
        assert parts[key] == whole[key], key
    np.testing.assert_allclose(parts["minimum_margin"], whole["minimum_margin"], atol=1e-12)
    np.testing.assert_allclose(parts["misclassified_lengths"], whole["misclassified_lengths"], atol=1e-12)
