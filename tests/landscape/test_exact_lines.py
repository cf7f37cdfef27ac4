"""What decides signs on lines of parameters where float64 does not know, against Sturm's chains in rational numbers."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
import torch
from flint import fmpz_poly
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from splinescope.landscape import arbiter, loss_line
from splinescope.landscape.arbiter import LineArbiter, no_decisions, with_both
from splinescope.landscape.exact_polynomials import on_interval, roots_inside, sign_changes_inside, whole
from splinescope.landscape.parameters import motion
from splinescope.landscape.polynomials import sign_changes
from splinescope.network import from_torch
from tests.landscape.nets import formula_net


def value(coefficients: list[Fraction], x: Fraction) -> Fraction:
    total = Fraction(0)
    for number in reversed(coefficients):
        total = total * x + number
    return total


def remainder(one: list[Fraction], other: list[Fraction]) -> list[Fraction]:
    """What is left of a division of polynomials, the lowest power first."""
    rest = list(one)
    while len(rest) >= len(other):
        factor = rest[-1] / other[-1]
        for k, number in enumerate(other):
            rest[len(rest) - len(other) + k] -= factor * number
        rest.pop()
    while rest and rest[-1] == 0:
        rest.pop()
    return rest


def sturm(coefficients: list[Fraction], low: Fraction, high: Fraction) -> int:
    """Number of distinct roots in (low, high], by Sturm's theorem."""
    chain = [coefficients, [k * c for k, c in enumerate(coefficients)][1:]]
    while chain[-1]:
        chain.append([-number for number in remainder(chain[-2], chain[-1])])
    chain.pop()

    def changes(x: Fraction) -> int:
        signs = [v > 0 for v in (value(one, x) for one in chain) if v != 0]
        return sum(a != b for a, b in itertools.pairwise(signs))

    return changes(low) - changes(high)


@given(st.lists(st.integers(-40, 40), min_size=2, max_size=8).filter(lambda c: c[-1] != 0))
def test_roots_are_those_of_sturm(numbers: list[int]) -> None:
    polynomial, rational = fmpz_poly(numbers), [Fraction(n) for n in numbers]
    found = roots_inside(polynomial)
    inside = sturm(rational, Fraction(0), Fraction(1)) - (sum(numbers) == 0)
    assert len(found) == inside
    for place in found:
        low, high = Fraction(int(place), 2**64), Fraction(int(place) + 1, 2**64)
        assert value(rational, low) == 0 or sturm(rational, low, high) >= 1
    first, changes = sign_changes_inside(polynomial)
    near = value(rational, Fraction(1, 10**6))
    assert first == (near > 0) - (near < 0)
    assert len(changes) <= inside
    last = value(rational, Fraction(999_999, 10**6))
    assert (last > 0) - (last < 0) == first * (-1) ** len(changes)


@given(st.lists(st.integers(-40, 40), min_size=2, max_size=6), st.integers(1, 60))
def test_intervals_are_taken_exactly(numbers: list[int], digits: int) -> None:
    start, end = -1.0 / 3, 2.0**-digits
    found = on_interval([fmpz_poly([n])[0] for n in numbers[::-1]], start, end)
    rational = [Fraction(n) for n in numbers]
    for share in (Fraction(0), Fraction(1, 3), Fraction(1)):
        exact = value(rational, Fraction(start) + share * (Fraction(end) - Fraction(start)))
        own = value([Fraction(int(c)) for c in found.coeffs()], share)
        assert (own > 0) - (own < 0) == (exact > 0) - (exact < 0)
    assert Fraction(int(whole(start)[0]), 2 ** whole(start)[1]) == Fraction(start)


def touching(shift: float) -> tuple[nn.Sequential, dict[str, list]]:
    """A ReLU of $(t - 1/4)^2 - shift$, and its line; all numbers are short in binary."""
    net = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1), nn.ReLU()).double()
    net.load_state_dict(
        {"0.weight": torch.tensor([[-0.25]]), "1.weight": torch.tensor([[-0.25]]), "1.bias": torch.tensor([-shift])}
    )
    return net, {"0.weight": [[1.0]], "1.weight": [[1.0]]}


@pytest.mark.parametrize("size", [-(2.0**-60), 0.0, 2.0**-64, 2.0**-80])
def test_what_all_but_touches_zero(size: float) -> None:
    """Float64 knows (t - 1/4)^2 near its root to some 1e-17 only; whether it dips below is decided."""
    net, direction = touching(size)
    line = loss_line(net, direction, [[1.0]], [[1.0]])
    assert line.certified
    assert line.decided > 0
    width = max(size, 0.0) ** 0.5
    wanted = [0.25 - width, 0.25 + width] if width else []
    assert line.breakpoints.tolist() == pytest.approx(wanted, abs=1e-15)


def test_too_many_doubts_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arbiter, "MOST_PRODUCTS", -1)
    net, direction = touching(2.0**-64)
    line = loss_line(net, direction, [[1.0]], [[1.0]])
    assert line.decided == 0
    assert line.undecided > 0
    assert not line.certified


def test_maxima_whose_members_all_but_tie() -> None:
    """Two members of a maximum that meet in a double root, or cross twice 2^-31 apart, or not at all."""
    for size, flips in ((0.0, 0), (2.0**-64, 2), (-(2.0**-64), 0)):
        net = nn.Sequential(nn.Linear(1, 2, bias=False), nn.Linear(2, 2), nn.Unflatten(1, (1, 2)), nn.MaxPool1d(2))
        net = net.double()
        net.load_state_dict(
            {
                "0.weight": torch.tensor([[-0.25], [1.0]]),
                "1.weight": torch.tensor([[-0.25, 1.0], [0.0, 1.0]]),
                "1.bias": torch.tensor([-size, 0.0], dtype=torch.float64),
            }
        )
        step = {"0.weight": [[1.0], [0.0]], "1.weight": [[1.0, 0.0], [0.0, 0.0]]}
        line = loss_line(net, step, [[1.0]], [[0.0]])
        assert sum(line.flips.values()) == flips
        assert line.certified


def test_slopes_of_the_loss_are_decided() -> None:
    """A loss that is constant only because two samples cancel, and one whose slope has a double root."""
    net = nn.Linear(1, 1, bias=False).double()
    net.weight.data.zero_()
    line = loss_line(net, {"weight": [[1.0]]}, [[1.0]], [[0.0]])
    assert [tuple(m) for m in line.minima] == [(0.0, 0.0)]
    deep = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)).double()
    for layer in deep:
        layer.weight.data.zero_()
    line = loss_line(deep, {"0.weight": [[1.0]], "1.weight": [[1.0]]}, [[1.0]], [[0.0]])  # t^4
    assert line.certified
    assert [m.t for m in line.minima] == pytest.approx([0.0], abs=1e-15)


def test_the_slope_in_rational_numbers() -> None:
    """The exact slope on a piece is that of the sum of squares, computed in rational numbers."""
    module = formula_net([3, 4, 2], 5)
    generator = torch.Generator().manual_seed(0)
    direction = {name: torch.randn(p.shape, generator=generator).double() for name, p in module.named_parameters()}
    x, y = (torch.randn(4, n, generator=generator).double() for n in (3, 2))
    line = loss_line(module, direction, x, y)
    moving = motion(module, from_torch(module, (3,), fused=False), direction)
    ends = np.array([-1.0, *line.breakpoints, 1.0])
    some = np.arange(len(ends) - 1)
    found = LineArbiter(moving, x, 3).slopes("squared", y.numpy(), ends, some)
    assert found.pieces.tolist() == some.tolist()
    for piece in some:
        low, high = ends[piece], ends[piece + 1]
        at = low + (high - low) * np.array([1e-3, 1 - 1e-3])
        first, last = np.sign(line.slopes(at)[:, 0])
        assert first == found.first[piece]
        changes = found.bounds[piece + 1] - found.bounds[piece]
        assert last == first * (-1) ** changes


def test_decisions_are_in_order() -> None:
    one = no_decisions()._replace(rows=np.array([1, 4]), units=np.array([2, 0]), first=np.array([0, 1]),
                                  bounds=np.array([0, 1, 3]), places=np.array([0.1, 0.2, 0.3]),
                                  steps=np.array([1, -1, 1]))  # fmt: skip
    other = no_decisions()._replace(rows=np.array([1]), units=np.array([1]), first=np.array([0]),
                                    bounds=np.array([0, 2]), places=np.array([0.5, 0.6]),
                                    steps=np.array([1, -1]))  # fmt: skip
    both = with_both(one, other)
    assert both.rows.tolist() == [1, 1, 4]
    assert both.units.tolist() == [1, 2, 0]
    assert both.bounds.tolist() == [0, 2, 3, 5]
    assert both.places.tolist() == [0.5, 0.6, 0.1, 0.2, 0.3]


def test_signs_that_noise_hides_are_doubts() -> None:
    """A parabola that dips by less than its error is a doubt; one that dips by more has two roots."""
    buffers = np.empty(4), np.empty((60, 3)), np.empty((60, 3))
    for depth, doubts in ((1e-3, 0), (1e-13, 1), (-1e-13, 1), (-1e-3, 0)):
        powers = np.array([0.09 - depth, -0.6, 1.0])
        count, after, found = sign_changes(powers, 1, 1e-10, 0.0, *buffers)
        assert after == 1
        assert (found > 0) == (doubts > 0)
        assert count == (2 if depth == 1e-3 else 0)
