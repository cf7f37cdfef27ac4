"""What still goes wrong, found by the last attack: what is asked of the next change of the engine.

A test that passes here moves to another file of this folder.
"""

from __future__ import annotations

import numpy as np
import pytest

import splinescope
from splinescope import Box, Slice
from splinescope.errors import CertificateError, DegenerateArrangementError
from tests.fixtures.single_layers import one_layer
from tests.regressions.test_spikes import spikes

OPEN = pytest.mark.xfail(reason="not mended yet", raises=(AssertionError, CertificateError, DegenerateArrangementError))


@OPEN
def test_a_prism_of_four_dimensions() -> None:
    """Edges on four sides whose corners float64 puts beside them: as half-spaces these do not meet in one line."""
    rng = np.random.default_rng(0)
    base, frame = rng.normal(size=(7, 3)), np.linalg.qr(rng.normal(size=(4, 4)))[0]
    corners = np.vstack([np.column_stack([base, np.full(7, end)]) for end in (-1.0, 1.0)]) @ frame
    network = splinescope.from_torch(one_layer(rng.normal(size=(5, 4)), [0.0] * 5), input_shape=(4,))
    domain = Slice(np.zeros(4), np.eye(4), corners)
    assert splinescope.tessellate(network, domain, verify="proof").certificate.level == "proof"


@OPEN
def test_vertices_in_four_dimensions() -> None:
    """All cells are right, and a vertex is farther off a fold of a slope of 1e10 than coordinates are rounded."""
    splinescope.tessellate(spikes(5, 4), Box([-1.0] * 4, [1.0] * 4), verify="proof")
