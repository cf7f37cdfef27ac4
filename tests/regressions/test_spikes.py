"""Units that wake together in a strip so narrow that no probe of the engine shows it: what one passes on to the other.

A steep unit of the first layer and one of the second are awake together only in a strip. Errors there are millions of
times those at the probes, and units of the third layer whose difference is zero to the last bit had the signs of
rounding: complexes had cells that are not there, and certificates did not see them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import splinescope
from splinescope import Box, Network, Slice
from splinescope.errors import CertificateError
from splinescope.tessellation import Segment, rounding
from tests.fixtures.engine_networks import to_network
from tests.fixtures.recipes import ABS, Builder, mlp
from tests.reference.comparison import compare
from tests.reference.exact_cells import exact_cells

PLANE = Slice.box([-1, -1], [1, 1])
ACROSS = Segment(np.array([-1.0, 0.0]), np.array([1.0, 0.0]))
OBLIQUE = Segment(np.array([1.0, 0.5]), np.array([-1.0, -0.25]))


def valley(depth: float, low: float, high: float, rise: float) -> list[float]:
    """Factors of units that wake at 0.3, where the strip starts, just before it, and at its end: zero in the strip."""
    gap = low - rise - 0.3
    return [-depth, -depth * gap / rise, depth * gap / rise + depth, -depth]


def spike() -> Network:
    """A strip from 0.48 to 0.52, where two sums that are equal, of 1e9 each, are awake."""
    first = np.array([[3.0, 0], [5, 0], [8, 0], [1, 0], [1, 0], [1, 0], [1, 0], [0, 1], [0, -1]])
    shift = [-0.875, -1.5, -2.375, -0.3, -0.48, -0.48 + 1e-3, -0.52, 0, 0]
    second = np.zeros((4, 9))
    second[:2, 3:7] = valley(1e12, 0.48, 0.52, 1e-3)
    second[0, :2] = second[1, 2] = 1e9
    second[2, 7] = second[3, 8] = 1.0
    return to_network(mlp([first, second, [[1.0, -1, 1, -1]], [[1.0]]], [shift, [1.0, 1, 0, 0], [0.0], [0.0]]))


def fall() -> Network:
    """A unit that falls from 6e11 to -2 within 1e-9: its slope there is far above its magnitude over the domain."""
    builder = Builder()
    first = builder.layer([[0.0, -36228773846.0], [0.0, 0.0], [0.0, -529225.0]], [0.0, 1.0, 84.0], ABS)
    builder.join((first, 0))
    row = [-2731143561.0, -1613174983.0, 7535003304.0, 0.0, -4766577879.0]
    other = [-5462287122.0, -3226349966.0, 15070006608.000004, 4541560744.0, -9533155758.0]
    second = builder.layer([row, other])
    builder.join((second, 0))
    builder.layer([[0.0, 1e8, 0.0, 0.0], [0.0, 3e8, 0.0, 0.0]], [-190944272.0, -572832815.0])
    return to_network(builder.build())


def spikes(seed: int, inputs: int = 2) -> Network:
    """Random ones of that kind; inputs after the first two are not read."""
    rng = np.random.default_rng(seed)
    gain = 10.0 ** rng.uniform(6, 11)
    depth, middle, half = gain * 10.0 ** rng.uniform(0, 3), rng.uniform(0.4, 0.8), 10.0 ** rng.uniform(-3, -1.5)
    rise = half * 10 ** rng.uniform(-2, 0)
    off = 0.0 if rng.random() < 0.4 else float(rng.choice([-1, 1]) * 2.0 ** -rng.integers(30, 50))
    tilt = float(rng.choice([0.0, 0.0, 0.1, 0.25]))
    rows = [[3.0, tilt * 3], [5.0, tilt * 5], [8.0, tilt * 8], [1.0, 0], [1.0, 0], [1.0, 0], [1.0, 0]]
    shift = [-0.875, -1.5, -2.375 + off, -0.3, half - middle, half - middle + rise, -(middle + half)]
    lines = int(rng.integers(1, 4))
    for _ in range(lines):
        slope = float(rng.integers(-2, 3, 1)[0])
        along = float(rng.choice([0, 1, 0.5])) if rng.random() < 0.5 else 0.0
        row = [along, slope or 1.0]
        constant = -float(rng.choice([0, 0, middle, 0.5])) * along
        rows += [row, [-x for x in row]]
        shift += [constant, -constant]
    pairs = int(rng.integers(1, 3))
    second = np.zeros((2 * pairs + 2 * lines, len(rows)))
    second[: 2 * pairs, 3:7] = valley(depth, middle - half, middle + half, rise)
    second[0 : 2 * pairs : 2, :2] = second[1 : 2 * pairs : 2, 2] = gain
    second[2 * pairs + np.arange(2 * lines), 7 + np.arange(2 * lines)] = 1.0
    third = np.zeros((lines + 1, len(second)))
    for i in range(lines):
        third[i, 2 * (i % pairs)], third[i, 2 * (i % pairs) + 1] = 1.0, -1.0
        sign = float(rng.choice([1, -1, 2]))
        third[i, 2 * pairs + 2 * i], third[i, 2 * pairs + 2 * i + 1] = sign, -sign
    third[lines, 2 * pairs :] = rng.integers(-1, 2, 2 * lines)
    first = np.hstack([rows, np.zeros((len(rows), inputs - 2))])
    biases = [shift, np.repeat([1.0, 0.0], [2 * pairs, 2 * lines]), np.zeros(lines + 1), [0.0]]
    return to_network(mlp([first, second, third, np.ones((1, lines + 1))], biases))


CASES: dict[str, tuple[Any, Any]] = {
    "plane": (spike, PLANE),
    "plane, 28": (lambda: spikes(28), PLANE),
    "plane, 29": (lambda: spikes(29), PLANE),
    "plane, 37": (lambda: spikes(37), PLANE),
    "segment, 8": (lambda: spikes(8), ACROSS),
    "segment, 12": (lambda: spikes(12), OBLIQUE),
    "segment, 53": (lambda: spikes(53), OBLIQUE),
}


@pytest.mark.parametrize("name", CASES)
def test_cells_are_the_exact_ones(name: str) -> None:
    network, domain = CASES[name][0](), CASES[name][1]
    result = compare(splinescope.tessellate(network, domain, verify="proof"), exact_cells(network, domain))
    assert not result.wrong, str(result)
    assert result.level == "proof"


def test_a_steep_fall() -> None:
    network, domain = fall(), Slice(np.zeros(2), np.eye(2), np.array([[1.0, 0.25], [0.0, 1.0], [0.0, 0.0]]))
    result = compare(splinescope.tessellate(network, domain, verify="proof"), exact_cells(network, domain))
    assert not result.wrong, str(result)
    assert result.level == "proof"


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("level", ["values", "proof"])
def test_cells_that_are_not_there_are_refused(name: str, level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the engine made them when it took errors that no probe shows for nothing."""
    monkeypatch.setattr(rounding, "_SHOWN", 1e300)
    network, domain = CASES[name][0](), CASES[name][1]
    found = splinescope.tessellate(network, domain, verify="topology")
    assert compare(found, exact_cells(network, domain)).wrong
    with pytest.raises(CertificateError, match="pattern"):
        splinescope.tessellation.certify(found, level)


def test_spaces_of_four_dimensions() -> None:
    """Inputs that the network does not read make prisms over the cells of the plane."""
    cells = splinescope.tessellate(spikes(12, 4), Box([-1.0] * 4, [1.0] * 4), verify="proof")
    exact = exact_cells(spikes(12), PLANE)
    assert cells.certificate.level == "proof"
    assert {bytes(row) for row in cells.patterns.astype(np.uint8)} == set(exact.cells)


@pytest.mark.parametrize("level", ["values", "proof"])
def test_cells_of_spaces_that_are_not_there_are_refused(level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounding, "_SHOWN", 1e300)
    found = splinescope.tessellate(spikes(12, 4), Box([-1.0] * 4, [1.0] * 4), verify="topology")
    with pytest.raises(CertificateError, match="pattern"):
        splinescope.tessellation.certify(found, level)
