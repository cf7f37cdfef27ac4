"""Valid networks that a certificate once refused, and corruptions that it once let pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

import splinescope
from splinescope import Segment, Slice
from splinescope.errors import CertificateError, InvalidInputError
from splinescope.riemannian import geodesic
from splinescope.tessellation.certificate import certify
from splinescope.tessellation.domains import Domain
from splinescope.tessellation.planar.complex import PlanarComplex
from splinescope.tessellation.segments.complex import SegmentComplex
from tests.fixtures.engine_networks import to_network
from tests.fixtures.recipes import ABS, RELU, Builder, Kind, Recipe, clip, leaky
from tests.reference.comparison import compare
from tests.reference.exact_cells import exact_cells

SQUARE = Slice.box([-1, -1], [1, 1])
FAR = Slice(np.array([1e7, -1e7]), np.eye(2), np.array([[-1.0, -1], [1, -1], [1, 1], [-1, 1]]))
TURNED = Slice(
    np.array([0.685698610809258, -0.8703406419471712]),
    np.array([[-151.43835037313954, 39.498186274953], [-67.05658236878794, -192.03405901180287]]),
    np.array([[-1.0, -1], [1, -1], [1, 1], [-1, 1]]),
)
PAIRS = [[0, 1], [2, 3]]
"""Groups of a maximum of two."""


def net(*steps: tuple[list[list[float]], list[float]] | Kind | list[list[int]]) -> Recipe:
    """A chain of dense layers, activations, and maxima by their groups."""
    builder = Builder(np.shape(steps[0][0])[1])
    for step in steps:
        if isinstance(step, Kind):
            builder.fold(step)
        elif isinstance(step, tuple):
            builder.dense(np.array(step[0]), np.array(step[1]))
        else:
            builder.maximum(step)
    return builder.build()


def cancelling(big: float) -> Recipe:
    """`relu(big (x + 2)) - relu(big (x + 2) + y)`: one cell, whose output is a small difference of large terms."""
    return net(([[big, 0], [big, 1]], [2 * big, 2 * big]), RELU, ([[1, -1]], [0]))


@dataclass(frozen=True)
class Valid:
    """A network on a domain whose complex is right."""

    recipe: Recipe
    domain: Domain


VALID = {
    "cancelling-8": Valid(cancelling(1e8), SQUARE),
    "cancelling-12": Valid(cancelling(1e12), SQUARE),
    "cancelling-segment": Valid(cancelling(1e10), Segment([-1, -1], [1, 0.4])),
    "constant": Valid(net(([[0, 0]], [1e10]), RELU, ([[1], [3]], [0.1, 0.3]), RELU, ([[3, -1]], [0])), SQUARE),
    "steep-clip": Valid(net(([[0, -1e7], [1, 0]], [0, 0]), clip(-0.5, 0.001)), TURNED),
    "steep-beside": Valid(
        net(
            ([[0, 0], [-1e5, 0]], [1e6, 1]),
            ABS,
            ([[0, 1], [1, 0]], [0, 0]),
            RELU,
            ([[-1e7, 0.001], [0, 1.229e-05], [0, 0], [0, 0]], [0, 0, 0, 0]),
            PAIRS,
        ),
        SQUARE,
    ),
    "steepest-beside": Valid(
        net(([[1e60, 0], [0, 0], [0, 1e60]], [0, 1, 0]), clip(-0.5, 0.5), ([[0.3, -0.4, -0.8]], [-0.1]), ABS), SQUARE
    ),
    "three-cells": Valid(
        net(([[0, -1e7]], [1]), RELU, ([[-1e4]], [0]), clip(-0.5, 1), ([[-1e8]], [0]), RELU),
        SQUARE,
    ),
    "far-sliver": Valid(
        net(
            ([[0, 0], [0, -1], [0.9999999999999996, 1]], [1, 0, 0]),
            clip(-1, 0.5),
            ([[-1, 2, 2]], [-0.4999999999999998]),
            clip(-1, 1),
        ),
        FAR,
    ),
    "subnormal-sliver": Valid(
        net(([[1, 0], [-0.1, 1]], [0, 0]), RELU, ([[0, 0], [0, 1], [0, 0], [0, 0]], [1e-323, 0, 0, 0]), PAIRS),
        SQUARE,
    ),
    "subnormal-bias": Valid(net(([[0, 0]], [0]), RELU, ([[0]], [1e-323])), SQUARE),
    "subnormal-weights": Valid(
        net(
            ([[1, 0], [-0.1, 0], [-0.65, 0.8], [-1, 1]], [0, 0, 0, 0]),
            ABS,
            ([[0, 0, 0, 0], [-5e-324, 2e-323, -2e-323, 1.5e-323]], [1, 0]),
            RELU,
        ),
        FAR,
    ),
    "blunt": Valid(
        net(
            ([[1, 2], [0, 0], [0, 0], [0, 0]], [1, 0, 0, 0.5]),
            PAIRS,
            ([[1, 0], [1e-8, -1], [-2, 0], [-2, 1]], [-1, 0.5000001, 0, 0]),
            RELU,
            (
                [
                    [2, 1e-15, 1e-12, 1.00000000001],
                    [-0.99999999999999, 0, 2.0000000001, -2],
                    [0, 0, 2, 0],
                    [2.000000000001, 2.000000000000001, -0.9999999999, -1.99999999],
                ],
                [0.5, 0.5000000001, 0.5, -0.5],
            ),
            leaky(1e-8),
            ([[-0.9999999999, -2, 1, 1]], [0.5]),
            RELU,
        ),
        Slice(
            np.array([0.6385901114287856, 1.5287163665093464]),
            np.array([[-0.07903888958165145, 0.04405798706237835], [-0.14002895825921144, -0.16474457351747426]]),
            np.array([[-1.0, -1], [1, -1], [1, 1], [-1, 1]]),
        ),
    ),
    "long-segment": Valid(
        net(
            ([[0, 0], [0, 0], [1, 0], [0, 1]], [0.49999999999999967, 0, 0, 0]),
            PAIRS,
            ([[1, 1]], [0.5]),
            leaky(1e-8),
            ([[2], [1]], [0, 0]),
            clip(-1, 1),
            ([[0, 1], [-1, 1]], [0, 0]),
            leaky(0.1),
        ),
        Segment([0, 0], [1e9, 0.1]),
    ),
}


@pytest.mark.parametrize("name", VALID)
def test_valid_networks_are_certified(name: str) -> None:
    network, domain = to_network(VALID[name].recipe), VALID[name].domain
    cells = splinescope.tessellate(network, domain, verify="proof")
    exact = exact_cells(network, domain)
    assert cells.certificate is not None
    assert cells.certificate.level == "proof"
    assert len(cells) <= len(exact.cells) <= len(cells) + cells.certificate.merged
    assert not compare(cells, exact).wrong_cells


def random_net() -> Recipe:
    """Two layers of five units."""
    rng = np.random.default_rng(0)
    rows = [(rng.standard_normal((5, n)).tolist(), (0.3 * rng.standard_normal(5)).tolist()) for n in (2, 5)]
    return net(rows[0], RELU, rows[1], RELU, (rng.standard_normal((2, 5)).tolist(), [0, 0]))


def bumped(array: np.ndarray, place: int) -> np.ndarray:
    """An array with one entry changed."""
    out = array.copy()
    out[place] += 1 if array.dtype.kind in "iu" else 1e-3
    return out


SEGMENT_ARRAYS = (
    "flip_op",
    "flip_unit",
    "flip_offsets",
    "measures",
    "interior_points",
    "cell_vertices",
    "cell_offsets",
)


@pytest.mark.parametrize("name", SEGMENT_ARRAYS)
def test_every_array_of_a_segment_is_looked_at(name: str) -> None:
    cells = splinescope.tessellate(to_network(random_net()), Segment([-1, -1], [1, 0.4]), verify="topology")
    assert isinstance(cells, SegmentComplex)
    assert len(cells) == 6
    array = np.array(getattr(cells, name))
    for place in (0, len(array) // 2, -1):
        with pytest.raises(CertificateError):
            certify(replace(cells, **{name: bumped(array, place)}), "topology")


def test_a_unit_listed_twice_or_not_at_all_is_no_flip() -> None:
    cells = splinescope.tessellate(to_network(random_net()), Segment([-1, -1], [1, 0.4]), verify="topology")
    assert isinstance(cells, SegmentComplex)
    offsets = cells.flip_offsets + (np.arange(len(cells.flip_offsets)) > 1)
    twice = [np.concatenate([part[:1], part]) for part in (cells.flip_op, cells.flip_unit)]
    with pytest.raises(CertificateError, match="neighbours"):
        certify(replace(cells, flip_offsets=offsets, flip_op=twice[0], flip_unit=twice[1]), "topology")


BORDERS: dict[str, Callable[[PlanarComplex], np.ndarray]] = {
    "edge_op": lambda cells: np.asarray(cells.edge_op),
    "edge_unit": lambda cells: np.asarray(cells.edge_unit),
}


@pytest.mark.parametrize("name", BORDERS)
@pytest.mark.parametrize("value", [2, 77])
def test_sides_of_the_domain_are_no_folds(name: str, value: int) -> None:
    cells = splinescope.tessellate(to_network(random_net()), SQUARE, verify="topology")
    assert isinstance(cells, PlanarComplex)
    array = BORDERS[name](cells).copy()
    array[np.flatnonzero((cells.edge_cells < 0).any(axis=1))[0]] = value
    with pytest.raises(CertificateError, match="neighbours"):
        certify(replace(cells, **{name: array}), "topology")


def test_cells_that_coordinates_hide_are_counted() -> None:
    cells = splinescope.tessellate(to_network(VALID["subnormal-sliver"].recipe), SQUARE, verify="values")
    assert cells.certificate is not None
    assert cells.certificate.merged >= 2


def test_wrong_outputs_of_cancelling_terms_are_still_refused() -> None:
    cells = splinescope.tessellate(to_network(cancelling(1e8)), SQUARE, verify="values")
    outputs = np.array(cells.vertex_outputs)
    outputs[0] += 1e-4  # hundreds of times what roundings of terms of 3e8 make
    with pytest.raises(CertificateError, match="values"):
        certify(replace(cells, vertex_outputs=outputs), "values")


def test_points_that_a_wide_domain_does_not_tell_from_corners() -> None:
    """The path began and ended in corners of cells near its ends."""
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3)).double()
    wide = splinescope.tessellate(module, Slice.box([-1, -1], [1e12, 1]))
    path = geodesic(wide, [1e12, 0.0], [0.5, -0.3])
    assert path.points[[0, -1]].tolist() == [[1e12, 0.0], [0.5, -0.3]]
    wider = splinescope.tessellate(module, Slice.box([-1, -1], [1e15, 1]))
    with pytest.raises(InvalidInputError, match=r"`b`: \[0\.5, -0\.3\] is not told from a corner"):
        geodesic(wider, [1e15, 0.0], [0.5, -0.3])
