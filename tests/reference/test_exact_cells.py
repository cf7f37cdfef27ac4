"""The judge itself: against the older twin, closed forms, and forward passes of every op."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import numpy as np
import pytest
import torch
from torch import nn

import splinescope
from splinescope import Box, Network, Segment, Slice
from splinescope.tessellation.domains import Domain
from tests.fixtures.cases import Case
from tests.fixtures.degenerate import CASES
from tests.fixtures.engine_networks import to_network
from tests.fixtures.freeze import exact
from tests.fixtures.random_nets import random_case
from tests.fixtures.recipes import mlp
from tests.reference.exact_cells import Forms, TooManyCells, dyadic, exact_cells
from tests.reference.rational_segment import intervals
from tests.reference.rational_space import tessellate_space
from tests.seeds import every, seeds
from tests.tessellation.agreement import slice_of

SQUARE = Slice.box([-1, -1], [1, 1])
CUBE = ([-1, -1, -1], [1, 1, 1])


def measures(network: Network, domain: Domain) -> list[Fraction]:
    return sorted(cell.measure for cell in exact_cells(network, domain).cells.values())


@pytest.mark.parametrize("case", every(4, [*CASES, *map(random_case, range(60))]), ids=lambda case: case.name)
def test_cells_of_the_older_twin(case: Case) -> None:
    answer, twin = exact_cells(to_network(case.recipe), slice_of(flattened(case))), exact(case)
    assert answer.n_vertices == len(twin.vertices)
    expected = {bytes(min(choices) for choices in cell.pattern): cell.area for cell in twin.cells}
    assert {pattern: cell.measure for pattern, cell in answer.cells.items()} == expected


def flattened(case: Case) -> Case:
    if case.origin is None:
        return case
    basis = np.reshape(case.basis, (2, -1))
    return Case(case.name, case.recipe, case.polygon, np.ravel(case.origin), basis)


@pytest.mark.parametrize("seed", seeds(range(0, 20, 4), range(20)))
def test_segments_and_boxes_of_the_older_twins(seed: int) -> None:
    recipe = random_case(seed).recipe
    found = measures(to_network(recipe), Segment([-1.0, 0.25], [1.0, 0.5]))
    assert found == sorted(part.stop - part.start for part in intervals(recipe, [-1.0, 0.25], [1.0, 0.5]))
    space = random_case(seed, max_width=4, max_depth=2, n_inputs=3).recipe
    found = measures(to_network(space), Box(*CUBE))
    assert found == sorted(cell.volume for cell in tessellate_space(space, *CUBE).cells)


def test_closed_forms() -> None:
    rng = np.random.default_rng(0)
    lines = to_network(mlp([rng.normal(size=(9, 2)), np.ones((1, 9))], [rng.normal(size=9), [0.0]]))
    answer = exact_cells(lines, Slice.box([-1e6, -1e6], [1e6, 1e6]))
    assert len(answer) == 1 + 9 + comb(9, 2)
    assert sum(cell.measure for cell in answer.cells.values()) == Fraction(4 * 10**12)
    with pytest.raises(TooManyCells, match="more than 45"):
        exact_cells(lines, Slice.box([-1e6, -1e6], [1e6, 1e6]), limit=45)
    thin = to_network(mlp([[[1, 0], [1, 0]], [[1, 1]]], [[0.5, 0.5 + 2.0**-53], [0]]))
    assert measures(thin, SQUARE) == [Fraction(2, 2**53), Fraction(1) - Fraction(2, 2**53), Fraction(3)]


def test_floats_are_exact() -> None:
    numbers, exponent = dyadic([[0.1, -3.0], [1e-300, 0.0]])
    assert [Fraction(n, 2**exponent) for n in numbers.ravel()] == [Fraction(x) for x in (0.1, -3.0, 1e-300, 0.0)]


MODULES = {
    "convolution": (nn.Conv2d(2, 4, 2, stride=2, padding=1, groups=2, dilation=2), (2, 5, 4)),
    "convolution in one dimension": (nn.Conv1d(3, 2, 3, padding="same"), (3, 5)),
    "transposed convolution": (nn.ConvTranspose2d(4, 2, 3, stride=2, padding=1, output_padding=1, groups=2), (4, 3, 2)),
    "batch-norm": (nn.BatchNorm2d(3), (3, 2, 2)),
    "average pool": (nn.AvgPool2d(2, padding=1), (2, 4, 4)),
    "max pool": (nn.MaxPool2d(3, stride=2, padding=1), (2, 4, 4)),
    "rows": (nn.Linear(4, 3), (3, 4)),
    "padding": (nn.ReflectionPad2d(1), (1, 3, 3)),
    "upsampling": (nn.Upsample(scale_factor=2, mode="bilinear"), (1, 3, 2)),
    "slopes by channel": (nn.PReLU(3), (3, 2, 2)),
    "clip": (nn.Hardtanh(-0.25, 0.5), (4,)),
}


@pytest.mark.parametrize("name", MODULES)
def test_every_op(name: str) -> None:
    """Outputs and patterns at the mean of each cell's corners are those of a forward pass."""
    torch.manual_seed(3)
    layer, shape = MODULES[name]
    module = nn.Sequential(layer, nn.Flatten(), nn.ReLU(), nn.LazyLinear(2)).double().eval()
    module(torch.zeros(1, *shape, dtype=torch.float64))
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
        if name == "slopes by channel":
            layer.weight[1] = 1.0  # a unit that does not fold
    network = splinescope.from_torch(module, input_shape=shape)
    generator = np.random.default_rng(1)
    domain = Slice(generator.normal(size=shape), generator.normal(size=(2, *shape)), SQUARE.polygon)
    cells = list(exact_cells(network, domain).cells.values())
    assert len(cells) > 3
    centres = [
        [sum(axis, Fraction(0)) / len(cell.corners) for axis in zip(*cell.corners, strict=True)] for cell in cells
    ]
    outputs = np.array([at(cell.output, centre) for cell, centre in zip(cells, centres, strict=True)])
    inputs = domain.embed(np.array(centres, dtype=float))
    with torch.no_grad():
        expected = module(torch.from_numpy(inputs)).numpy()
    np.testing.assert_allclose(outputs, expected, rtol=1e-9, atol=1e-12)
    assert sum(cell.measure for cell in cells) == 4
    patterns = {row.tobytes() for row in splinescope.tessellate(network, domain).patterns}
    assert patterns == {cell.pattern for cell in cells}


def at(forms: Forms, point: list[Fraction]) -> list[float]:
    return [
        float(sum((n * x for n, x in zip(row, [*point, Fraction(1)], strict=True)), Fraction(0)) / 2**forms.exponent)
        for row in forms.numbers.tolist()
    ]
