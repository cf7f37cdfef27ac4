"""What still goes wrong, found by the last attack: what is asked of the next change of the engine.

A test that passes here moves to another file of this folder.
"""

from __future__ import annotations

import numpy as np
import pytest

import splinescope
from splinescope import Slice
from splinescope.errors import CertificateError, DegenerateArrangementError
from tests.fixtures.engine_networks import to_network
from tests.fixtures.recipes import ABS, Builder, Recipe
from tests.fixtures.single_layers import one_layer
from tests.reference.comparison import compare
from tests.reference.exact_cells import exact_cells
from tests.regressions.test_spikes import spikes

OPEN = pytest.mark.xfail(reason="not mended yet", raises=(AssertionError, CertificateError, DegenerateArrangementError))


def polygon(*corners: tuple[float, float]) -> Slice:
    """A slice of the plane with the given corners."""
    return Slice(np.zeros(2), np.eye(2), np.array(corners))


def spike() -> Recipe:
    """A unit that falls from 6e11 to -2 within 1e-9: its slope there is far above its magnitude over the domain."""
    builder = Builder()
    first = builder.layer([[0.0, -36228773846.0], [0.0, 0.0], [0.0, -529225.0]], [0.0, 1.0, 84.0], ABS)
    builder.join((first, 0))
    row = [-2731143561.0, -1613174983.0, 7535003304.0, 0.0, -4766577879.0]
    other = [-5462287122.0, -3226349966.0, 15070006608.000004, 4541560744.0, -9533155758.0]
    second = builder.layer([row, other])
    builder.join((second, 0))
    builder.layer([[0.0, 1e8, 0.0, 0.0], [0.0, 3e8, 0.0, 0.0]], [-190944272.0, -572832815.0])
    return builder.build()


@OPEN
def test_planes() -> None:
    network, domain = to_network(spike()), polygon((1.0, 0.25), (0.0, 1.0), (0.0, 0.0))
    result = compare(splinescope.tessellate(network, domain, verify="proof"), exact_cells(network, domain))
    assert not result.wrong, str(result)


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
