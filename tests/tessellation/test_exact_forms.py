"""Exact affine forms and predicates, against the exact judge of the tests and the forward pass."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from flint import fmpz
from torch import nn

import splinescope
from splinescope.tessellation.codes import pieces_of_cells
from splinescope.tessellation.dyadics import Dyadic, dyadic, integers
from splinescope.tessellation.exact import ExactForms, domain_rows
from splinescope.tessellation.predicates import coordinates, crossing, exact_point, fraction_between, sign_at
from tests.reference.exact_cells import exact_cells
from tests.reference.families import FAMILIES

_NONE = Dyadic([], 0)


def by_node(network: splinescope.Network, pattern: bytes) -> dict[int, np.ndarray]:
    """A row of patterns, taken apart."""
    pieces, start = {}, 0
    for index, node in enumerate(network.nodes):
        if node.units:
            pieces[index] = np.frombuffer(pattern, np.uint8)[start : start + node.units]
            start += node.units
    return pieces


def _fractions(value: Dyadic) -> list[list[Fraction]]:
    return [[Fraction(int(number)) * Fraction(2) ** value.exponent for number in row] for row in value.rows]


@pytest.mark.parametrize("family", ["quantised", "repeated", "spread", "contrast", "scale"])
@pytest.mark.parametrize("seed", range(8))
def test_outputs_on_every_cell_are_those_of_the_judge(family: str, seed: int) -> None:
    member = FAMILIES[family](seed, 2)
    network, domain = member.network, member.domain
    forms = ExactForms(network, domain_rows(domain.origin, domain.basis), _NONE)
    size = network.nodes[network.output].size
    for pattern, cell in exact_cells(network, domain).cells.items():
        ours = _fractions(forms.values(by_node(network, pattern), network.output, np.arange(size)))
        theirs = [[Fraction(int(x), 2**cell.output.exponent) for x in row] for row in cell.output.numbers]
        assert ours == theirs


class _Mixed(nn.Module):
    """Convolution, batch-norm, pooling of both kinds, a skip, a concatenation and an upsampling."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 3, 3, padding=1, groups=1)
        self.norm = nn.BatchNorm2d(3)
        self.second = nn.Conv2d(3, 3, 3, padding=1, groups=3)
        self.up = nn.ConvTranspose2d(6, 2, 2, stride=2)
        self.last = nn.Linear(2 * 36, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.norm(self.first(x)))
        z = nn.functional.leaky_relu(self.second(y), 0.1) - 2 * y
        z = torch.cat([nn.functional.max_pool2d(z, 2), nn.functional.avg_pool2d(y, 2)], dim=1)
        return self.last(nn.functional.hardtanh(self.up(z)).flatten(1))


@pytest.mark.parametrize("seed", range(3))
def test_every_node_of_a_convolutional_network_has_the_values_of_the_forward_pass(seed: int) -> None:
    torch.manual_seed(seed)
    module = _Mixed().eval()
    module.norm.running_mean.normal_()
    network = splinescope.from_torch(module, input_shape=(1, 6, 6))
    corners = np.random.default_rng(seed).normal(size=(3, 1, 6, 6))
    domain = splinescope.Slice.through(*corners)
    point = domain.polygon.mean(axis=0)
    values: dict[int, torch.Tensor] = {}
    from splinescope.network.evaluate import walk

    for index, value in walk(network, torch.from_numpy(domain.embed(point[None]))):
        values[index] = value.clone()
    pieces = {}
    for index, node in enumerate(network.nodes):
        before = values[node.inputs[0]].reshape(-1) if node.inputs else None
        if isinstance(node.op, splinescope.network.ops.Activation):
            pieces[index] = node.op.pieces(values[node.inputs[0]]).reshape(-1).numpy().astype(np.uint8)
        elif isinstance(node.op, splinescope.network.ops.Maximum):
            assert before is not None
            pieces[index] = before[node.op.members].argmax(dim=1).numpy().astype(np.uint8)
    forms = ExactForms(network, domain_rows(domain.origin, domain.basis), _NONE)
    place = [Fraction(x) for x in point] + [Fraction(1)]
    for index, node in enumerate(network.nodes):
        units = np.unique(np.linspace(0, node.size - 1, 7).astype(np.int64))
        rows = _fractions(forms.values(pieces, index, units))
        got = [float(sum(c * x for c, x in zip(row, place, strict=True))) for row in rows]
        np.testing.assert_allclose(got, values[index].reshape(-1)[units].numpy(), rtol=0, atol=1e-13)


@pytest.mark.parametrize("scale", [1e-300, 1e-8, 1.0, 1e8, 1e300])
def test_integers_are_the_numbers(scale: float) -> None:
    numbers = np.array([0.0, -1.0, 0.1, 3.0, 1e-3, -7.25]) * scale
    whole, exponent = integers(numbers)
    assert [Fraction(int(n)) * Fraction(2) ** exponent for n in whole] == [Fraction(x) for x in numbers]


def test_three_lines_through_one_point_are_told_from_those_that_miss_it_by_one_part_in_ten_to_the_thirty() -> None:
    first, second = [fmpz(1), fmpz(-1), fmpz(0)], [fmpz(1), fmpz(1), fmpz(-2)]
    point = crossing([first, second])
    assert point is not None
    np.testing.assert_array_equal(coordinates(point), [1.0, 1.0])
    unit = fmpz(10) ** 30
    assert sign_at([3 * unit, 2 * unit, -5 * unit], point) == 0
    assert sign_at([3 * unit, 2 * unit, -5 * unit + 1], point) == 1
    assert sign_at([3 * unit, 2 * unit, -5 * unit - 1], point) == -1
    assert crossing([first, [fmpz(2), fmpz(-2), fmpz(1)]]) is None


def test_shares_of_a_way_are_rounded_once() -> None:
    form = dyadic(np.array([[1.0, 0.0, -0.1]])).rows[0]
    tail, head = exact_point(np.array([0.0, 0.0])), exact_point(np.array([0.3, 5.0]))
    assert fraction_between(form, tail, head) == float(Fraction(0.1) / Fraction(0.3))


def test_what_forms_take_is_known_before() -> None:
    """No fewer products are foreseen than are made, and those of one unit of a convolution are few."""
    torch.manual_seed(0)
    network = splinescope.load(_Mixed().eval(), input_shape=(1, 6, 6))
    domain = splinescope.Slice.through(*np.random.default_rng(0).normal(size=(3, 1, 6, 6)))
    cells = splinescope.tessellate(network, domain, max_cells=1)
    pattern = pieces_of_cells(network, cells.codes, np.array([0]))[0]
    forms = ExactForms(network, domain_rows(domain.origin, domain.basis), _NONE)
    for op in network.folds:
        forms.products = 0
        most = next(m for m in (2**k for k in range(30)) if forms.affords(pattern, op, [0], m))
        forms.forms(pattern, op, [0])
        assert forms.products <= most
    assert forms.affords(pattern, min(network.folds), [0], 100)
    assert not forms.affords(pattern, max(network.folds), [0], 1)
