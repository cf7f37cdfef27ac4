"""Networks that once were lost, refused or wrong: each has the exact cells, whatever engine looks at it.

The names are those of the networks of `tests.regressions.networks`; the exact cells come from the judge
`tests.reference.exact_cells`, which shares nothing with the engines.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pytest

import splinescope
from splinescope import Box, Segment, Slice
from splinescope.tessellation.domains import Domain
from splinescope.tessellation.region_graph import region_graph
from tests.fixtures.recipes import Recipe
from tests.reference.comparison import compare
from tests.reference.exact_cells import exact_cells
from tests.regressions import networks
from tests.seeds import large, thorough

LEVELS = ("calibrated", "proof")
"""What a certificate of a right complex may say when "proof" is asked for: it is reached, or honestly not."""

SQUARE = Slice.box([-1, -1], [1, 1])
ALL = (1, 2, 3)
PLANE = (2,)


@dataclass(frozen=True)
class Hard:
    """One network with the dimensions in which it is looked at.

    Attributes:
        recipe: The network.
        dimensions: Of its domains.
        cells: Number of cells in the plane where it is known by other means.
        low: Lower corner of the domain.
        high: Upper corner.
        proof: Whether nothing less than a proof will do: few layers, ordinary weights.
    """

    recipe: Recipe
    dimensions: tuple[int, ...] = PLANE
    cells: int | None = None
    low: tuple[float, float] = (-1.0, -1.0)
    high: tuple[float, float] = (1.0, 1.0)
    proof: bool = False


def around(x: float, y: float, half: float = 1.0) -> dict[str, tuple[float, float]]:
    return {"low": (x - half, y - half), "high": (x + half, y + half)}


def hard_networks() -> dict[str, Hard]:
    """All of them by name."""
    out = {f"E1 chain {depth}": Hard(networks.e1_chain(depth), ALL, cells=2) for depth in (10, 95, 120)}
    for depth, width, seed, half in (
        (200, 4, 0, 0.03125),
        (200, 5, 3, 2.0**-7),
        (100, 4, 0, 0.03125),
        (100, 8, 1, 2.0**-4),
        (60, 12, 2, 2.0**-5),
    ):
        recipe = networks.he(depth, width, seed, single=True)
        out[f"E1 He {depth} x {width}"] = Hard(recipe, (1, 2), **around(0, 0, half))
    out["E1 He 30 x 8 gain 2"] = Hard(networks.he(30, 8, 0, gain=2.0), (1, 2), **around(0.25, 0.25, 0.0625))
    for power in (1, 2, 3, 4, 6, 8):
        out[f"E2 1e{power}"] = Hard(networks.e2(10.0**power), ALL, cells=4 if power < 8 else None, proof=True)
    for power in range(3, 16):
        out[f"E3 sliver 1e-{power}"] = Hard(networks.e3_sliver(10.0**-power), ALL, proof=True)
    near = {"border": networks.near_border, "parallel": networks.near_parallel, "concurrent": networks.near_concurrent}
    for name, make in near.items():
        for power in (3, 6, 8, 10, 12, 13, 14, 15):
            for deep in (False, True):
                place = "second layer" if deep else "first layer"
                recipe = make(100 + power, 10.0**-power, deep=deep)
                out[f"E3 {name} 1e-{power} {place}"] = Hard(recipe, (1, 2), proof=True)
    out.update({f"E3 repeated {seed}": Hard(networks.repeated(seed), (1, 2), proof=True) for seed in range(8)})
    out["E3 repeated 2-16-16-2"] = Hard(networks.repeated(0, 16), (1, 2), proof=True)
    for seed in range(6):
        recipe = networks.moved(networks.quantised_maxima(seed), (1e6, -1e6))
        out[f"E4 maxima at 1e6 {seed}"] = Hard(recipe, (1, 2), **around(1e6, -1e6), proof=True)
    recipe = networks.moved(networks.near_concurrent(3, 0.25), (1e8, 1e8))
    out["E4 window at 1e8"] = Hard(recipe, (1, 2), **around(1e8, 1e8), proof=True)
    out["E5 contrast in a sum"] = Hard(networks.contrast_sum(), ALL)
    out["E5 contrast in a maximum"] = Hard(networks.contrast_maximum(), ALL)
    out.update({f"E5 contrast {seed}": Hard(networks.contrast(seed), (1, 2)) for seed in range(6)})
    for power in (-150, -100, 0, 100, 150, 155, 200):
        out[f"E5 scale 1e{power}"] = Hard(networks.scaled(10.0**power), ALL, cells=7)
    for power in (3, 6, 9):
        sizes = {"low": (-1.0, -(10.0**-power)), "high": (1.0, 10.0**-power)}
        out[f"aspect 1e{power}"] = Hard(networks.stretched(power, 1, 10.0**power), (1, 2), **sizes, proof=True)
    return out


HARD = hard_networks()
SLOW = {"E1 He 200 x 4", "E1 He 200 x 5", "E1 chain 95", "E1 He 100 x 8"}
"""Networks that take ten seconds; "E1 He 100 x 4" and "E1 chain 120" are like them, and in the gate."""

JOBS = [
    (large if name in SLOW else pytest.param)(name, dimension)
    for name, hard in HARD.items()
    for dimension in hard.dimensions
]


def domain_of(hard: Hard, dimension: int) -> Domain:
    """A segment that misses the diagonals, the rectangle, or a box whose third coordinate does nothing."""
    (x0, y0), (x1, y1) = hard.low, hard.high
    if dimension == 1:
        return Segment([x0, y0 + (y1 - y0) * 0.375], [x1, y0 + (y1 - y0) * 0.625])
    return Slice.box([x0, y0], [x1, y1]) if dimension == 2 else Box([x0, y0, -1.0], [x1, y1, 1.0])


@pytest.mark.parametrize(("name", "dimension"), JOBS)
def test_cells_are_the_exact_ones(name: str, dimension: int) -> None:
    hard = HARD[name]
    network, domain = networks.network(hard.recipe, max(2, dimension)), domain_of(hard, dimension)
    exact = exact_cells(network, domain)
    if hard.cells is not None and dimension > 1:
        assert len(exact) == hard.cells
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a level that was not reached
        cells = splinescope.tessellate(network, domain, verify="proof")
    result = compare(cells, exact)
    assert not result.wrong, str(result)
    assert result.level == "proof" if hard.proof else result.level in LEVELS


GRAPHS = ["E1 chain 10", "E2 1e3", "E3 sliver 1e-9", "E3 sliver 1e-13", "E5 contrast in a sum", "E5 scale 1e155"]


@pytest.mark.parametrize("name", [*GRAPHS, large("E1 chain 120")])
def test_region_graphs_have_the_exact_patterns(name: str) -> None:
    network, domain = networks.network(HARD[name].recipe), domain_of(HARD[name], 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph = region_graph(network, domain, verify="proof")
    result = compare(graph, exact_cells(network, domain))
    assert not result.wrong, str(result)
    assert graph.complete


def test_outputs_of_e2() -> None:
    """The boundary of the smallest of the four cells is where it is, not at -0.875."""
    cells = splinescope.tessellate(networks.network(networks.e2()), SQUARE, verify="topology")
    exact = exact_cells(cells.network, SQUARE)
    assert np.sort(cells.measures) == pytest.approx(sorted(float(c.measure) for c in exact.cells.values()), rel=1e-9)


@pytest.mark.parametrize("centre", [(0.5, 0.25), (-0.75, 0.5), (0.125, -0.625)])
def test_windows_of_e7(centre: tuple[float, float]) -> None:
    network, half = networks.e7(), 2.0**-8
    domain = Slice.box(np.array(centre) - half, np.array(centre) + half)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = compare(splinescope.tessellate(network, domain, verify="proof"), exact_cells(network, domain))
    assert not result.wrong, str(result)
    assert result.level in LEVELS


@thorough
def test_e7_is_certified() -> None:
    """The whole square of which the test above has windows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cells = splinescope.tessellate(networks.e7(), SQUARE, max_cells=60_000, verify="proof")
    assert len(cells) > 10_000
    assert cells.certificate is not None
    assert cells.certificate.level in LEVELS
