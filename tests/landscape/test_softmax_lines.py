"""Signs of the slope of cross-entropy on lines, against decimal numbers of eighty digits."""

from __future__ import annotations

import itertools
import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
import torch
from flint import fmpz, fmpz_poly
from numba import njit
from torch import nn

from splinescope.landscape import LossLine, arbiter, loss_line
from splinescope.landscape.exact_softmax import SoftmaxSlope, exact_sample
from splinescope.landscape.softmax_samples import EXPONENTIAL, coefficient_bounds, exponential, fold_jump, sample
from splinescope.tessellation.dyadics import Dyadic
from tests.landscape.nets import formula_net
from tests.reference.decimal_loss import loss_and_slope
from tests.seeds import seeds


@njit
def exponentials(values: np.ndarray) -> np.ndarray:
    """Exponentials as kernels take them, one by one."""
    found = np.empty(len(values))
    for i in range(len(values)):
        found[i] = exponential(values[i])
    return found


def test_exponentials_are_as_good_as_bounds_take_them_to_be() -> None:
    rng = np.random.default_rng(0)
    values = -np.concatenate([rng.uniform(0, 1, 1000), rng.uniform(0, 708, 1000), 2.0 ** rng.uniform(-60, 0, 500)])
    with localcontext() as context:
        context.prec = 40
        for value, found in zip(values.tolist(), exponentials(values).tolist(), strict=True):
            exact = Decimal(value).exp()
            assert abs(Decimal(found) - exact) <= Decimal(EXPONENTIAL) * exact
    assert EXPONENTIAL == 4 * 2.0**-52


@pytest.mark.parametrize("seed", seeds(range(24), range(2000)))
def test_slopes_of_samples_are_within_their_bounds(seed: int) -> None:
    """Outputs of many sizes, soft and hard targets; the slope and the second derivative in decimal numbers."""
    rng = np.random.default_rng(seed)
    size, outputs = int(rng.integers(2, 5)), int(rng.integers(2, 6))
    row = rng.normal(size=(size, outputs)) * 10.0 ** rng.uniform(-3, 2.5)
    row[1:] *= 10.0 ** rng.uniform(-6, 0)
    target = rng.dirichlet(np.ones(outputs)) if seed % 2 else np.eye(outputs)[rng.integers(outputs)]
    s = float(rng.uniform(-1, 1))
    errors = coefficient_bounds(row[None], np.zeros((1, size)))[0]
    loss, slope, bend, slope_off, bend_off, share = sample(row, errors, target, s)
    with localcontext() as context:
        context.prec = 700
        numbers = [[Decimal(float(c)) * math.perm(j, d) * Decimal(s) ** (j - d) for j, c in enumerate(column) if j >= d]
                   for d in range(3) for column in row.T]  # fmt: skip
        z = [sum(column, Decimal(0)) for column in numbers]
        z, steep, bent = z[:outputs], z[outputs : 2 * outputs], z[2 * outputs :]
        weights = [(value - max(z)).exp() for value in z]
        p = [weight / sum(weights) for weight in weights]
        q = [Decimal(float(value)) for value in target]
        mean = sum(a * b for a, b in zip(p, steep, strict=True))
        spread = sum(a * (b - mean) ** 2 for a, b in zip(p, steep, strict=True))
        wanted = sum(q) * mean - sum(a * b for a, b in zip(q, steep, strict=True))
        turns = sum(q) * (sum(a * b for a, b in zip(p, bent, strict=True)) + spread)
        turns -= sum(a * b for a, b in zip(q, bent, strict=True))
        own = sum(b * (sum(weights).ln() + max(z) - a) for a, b in zip(z, q, strict=True))
        assert abs(Decimal(slope) - wanted) <= Decimal(slope_off)
        assert abs(Decimal(bend) - turns) <= Decimal(bend_off)
        assert loss == pytest.approx(float(own), rel=1e-10, abs=1e-13)
        if target.max() == 1.0:
            assert Decimal(share) >= 1 - p[int(target.argmax())]
    scale = float(np.abs(row).max())
    assert slope_off < 1e-12 * scale * max(1.0, scale)  # and they say something


@pytest.mark.parametrize("seed", seeds(range(10), range(500)))
def test_what_a_fold_adds_to_a_slope_is_bounded(seed: int) -> None:
    """A sample whose outputs bend, and are the same at the place of the fold but for rounding."""
    rng = np.random.default_rng(seed)
    one, s = rng.normal(size=(3, 4)) * 10.0 ** rng.uniform(-2, 1), float(rng.uniform(-1, 1))
    other = one.copy()
    other[1] += rng.normal(size=4)
    other[0] -= (other[1] - one[1]) * s
    lines, target = np.stack([one, other]), rng.dirichlet(np.ones(4))
    errors = coefficient_bounds(lines, np.zeros((2, 3)))
    before, after = (sample(line, error, target, s)[1] for line, error in zip(lines, errors, strict=True))
    slopes = one[1] + 2 * s * one[2]
    assert abs(after - before) <= fold_jump(lines, errors, 0, 1, float(np.ptp(slopes)), 1.0, s)
    assert fold_jump(lines, errors, 0, 1, float(np.ptp(slopes)), 1.0, s) <= 1.001 * np.ptp(other[1] - one[1]) + 1e-10
    apart = other.copy()
    apart[0] += [3.0, 0.0, -3.0, 1.0]  # where outputs jump, all of the slope counts
    lines = np.stack([one, apart])
    after = sample(apart, coefficient_bounds(lines, np.zeros((2, 3)))[1], target, s)[1]
    assert abs(after - before) <= fold_jump(lines, errors, 0, 1, float(np.ptp(slopes)), 1.0, s)


def test_slopes_are_carried_from_piece_to_piece() -> None:
    """Signs on all pieces are those of the slope in their middles, most of which nobody asked for."""
    module, rng = formula_net([3, 20, 20, 4], 0), np.random.default_rng(0)
    direction = {name: rng.normal(size=tuple(p.shape)) for name, p in module.named_parameters()}
    x, labels = rng.normal(size=(60, 3)), rng.integers(4, size=60)
    line = loss_line(module, direction, x, labels, "cross-entropy")
    ends = np.array([-1.0, *line.breakpoints, 1.0])
    middles = (ends[1:] + ends[:-1]) / 2
    turns = sorted([(m.t, 1) for m in line.minima] + [(m.t, -1) for m in line.maxima])
    places = np.array([t for t, _ in turns])
    below = np.searchsorted(places, middles)
    signs = np.array([-turns[0][1], *(kind for _, kind in turns)])[below]
    clear = np.abs(middles[:, None] - places).min(axis=1) > 1e-6
    assert clear.sum() > 1000
    np.testing.assert_array_equal(np.sign(line.slopes(middles)[clear, 0]), signs[clear])


def matches(line: LossLine, module: nn.Sequential, direction: dict, x: np.ndarray, q: np.ndarray, many: int) -> None:
    """The twin's slope has the signs that extrema say, on a scan of every piece, but within 2e-13 of breakpoints."""
    low, high = line.interval
    ends = [low, *line.breakpoints.tolist(), high]
    turns = sorted([(m.t, 1) for m in line.minima] + [(m.t, -1) for m in line.maxima])
    signs = []
    for a, b in itertools.pairwise(ends):
        inside = np.array([2e-12, *np.linspace(0.0, 1.0, many)[1:-1] * (b - a), b - a - 2e-12]) + a
        for t in inside[(inside > a) & (inside < b)].tolist():
            slope = loss_and_slope(module, direction, x, q, Decimal(t))[1]
            if abs(slope) > Decimal("1e-60"):
                signs.append((t, 1 if slope > 0 else -1))
    changes = [(s, t, after) for (s, sign), (t, after) in itertools.pairwise(signs) if sign != after]
    assert len(changes) == len(turns)
    for (s, t, after), (place, kind) in zip(changes, turns, strict=True):
        assert after == kind
        assert s - 1e-12 <= place <= t + 1e-12


@pytest.mark.parametrize("layers", ["one", "all"])
@pytest.mark.parametrize("seed", seeds([0, 1], range(12)))
def test_extrema_are_those_of_decimal_numbers(layers: str, seed: int) -> None:
    module = formula_net([2, 4, 3, 3], seed)
    rng = np.random.default_rng(seed)
    direction = {
        name: 2 * rng.normal(size=tuple(p.shape)) for name, p in module.named_parameters()
        if layers == "all" or name.startswith("2.")
    }  # fmt: skip
    x, q = rng.normal(size=(3, 2)), rng.dirichlet(np.ones(3), 3)
    line = loss_line(module, direction, x, q, "cross-entropy")
    assert line.certified
    matches(line, module, direction, x, q, 4 if layers == "one" else 8)


def hinge(step: float) -> tuple[nn.Sequential, dict[str, list]]:
    """Outputs (h, 0) behind a bias, h = step |t|."""
    net = nn.Sequential(nn.Linear(1, 2, bias=False), nn.ReLU(), nn.Linear(2, 2)).double()
    net.load_state_dict(
        {
            "0.weight": torch.zeros(2, 1),
            "2.weight": torch.tensor([[step, step], [0.0, 0.0]], dtype=torch.float64),
            "2.bias": torch.zeros(2),
        }
    )
    return net, {"0.weight": [[1.0], [-1.0]]}


@pytest.mark.parametrize("seed", range(6))
def test_signs_below_rounding_are_decided(seed: int) -> None:
    r"""The loss is all but linear in |t|, with a slope that is nothing but what rounding a probability leaves.

    So whether the kink at 0 is a minimum or a maximum is a matter of digits beyond float64.
    """
    rng = np.random.default_rng(seed)
    bias = rng.normal(size=2)
    net, direction = hinge(2.0**-70)
    net[2].bias.data = torch.tensor(bias)
    p = 1.0 / (1.0 + np.exp(bias[1] - bias[0]))
    q = np.array([[p, 1.0 - p]])
    line = loss_line(net, direction, [[1.0]], q, "cross-entropy")
    slope = loss_and_slope(net, direction, [[1.0]], q, Decimal("0.25"))[1]
    assert 0 < abs(slope) < Decimal(2.0**-70) * Decimal(2.0**-50)
    assert (line.certified, line.doubts) == (True, 0)
    assert line.decided > 0
    assert [m.t for m in (line.minima if slope > 0 else line.maxima)] == pytest.approx([0.0], abs=1e-15)
    assert len(line.maxima if slope > 0 else line.minima) == 0


def test_doubts_are_counted_where_nobody_may_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    net, direction = hinge(2.0**-70)
    net[2].bias.data = torch.tensor([0.3, 0.0], dtype=torch.float64)
    p = 1.0 / (1.0 + np.exp(-0.3))
    monkeypatch.setattr(arbiter, "MOST_PRODUCTS", -1)
    line = loss_line(net, direction, [[1.0]], [[p, 1.0 - p]], "cross-entropy")
    assert (line.doubts, line.certified) == (2, False)


def test_what_shifts_all_logits_leaves_the_loss_constant() -> None:
    """In float64 the slope is nothing but rounding; it is zero in every digit."""
    module = formula_net([3, 4, 3], 2)
    x, labels = np.random.default_rng(0).normal(size=(5, 3)), [0, 1, 2, 1, 0]
    step = {"2.weight": np.ones((3, 1)) * np.random.default_rng(1).normal(size=(1, 4)), "2.bias": [0.1] * 3}
    line = loss_line(module, step, x, labels, "cross-entropy")
    assert (line.minima, line.maxima, line.certified) == ((), (), True)
    assert line.decided == 1


def test_minima_at_the_middle_and_of_high_order() -> None:
    """Slopes t (softmax(t²) - 1/2), with a triple root where intervals are cut, and t (softmax(t²) - 3/4)."""
    net = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 2, bias=False)).double()
    for parameter in net.parameters():
        parameter.data.zero_()
    step = {"0.weight": [[1.0]], "1.weight": [[1.0], [0.0]]}
    flat = loss_line(net, step, [[1.0]], [[0.5, 0.5]], "cross-entropy", (-1.0, 1.0))
    assert [m.t for m in flat.minima] == pytest.approx([0.0], abs=1e-7)
    assert (flat.maxima, flat.certified) == ((), True)
    assert flat.decided > 0
    two = loss_line(net, step, [[1.0]], [[0.75, 0.25]], "cross-entropy", (-2.0, 2.0))
    root = math.log(3.0) ** 0.5
    assert [m.t for m in two.minima] == pytest.approx([-root, root])
    assert [m.t for m in two.maxima] == pytest.approx([0.0], abs=1e-12)
    assert two.certified


def test_targets_that_do_not_sum_to_one_are_taken_as_they_are() -> None:
    module = formula_net([2, 4, 3], 1)
    x, q = np.random.default_rng(0).normal(size=(2, 2)), np.array([[0.2, 0.3, 0.5 + 9e-7], [1.0, 0.0, 9e-7]])
    direction = {"0.weight": np.random.default_rng(1).normal(size=(4, 2))}
    line = loss_line(module, direction, x, q, "cross-entropy")
    value, slope = loss_and_slope(module, direction, x, q, Decimal("0.25"))
    assert float(line(0.25)) == pytest.approx(float(value), rel=1e-14)
    assert line.slopes(0.25) == pytest.approx([float(slope)] * 2, rel=1e-12)


def test_barriers_between_breakpoints() -> None:
    """log(1 + exp(-t²)) is above its chord on [0, 1] without a kink or a maximum."""
    net = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 2, bias=False)).double()
    for parameter in net.parameters():
        parameter.data.zero_()
    step = {"0.weight": [[1.0]], "1.weight": [[1.0], [0.0]]}
    line = loss_line(net, step, [[1.0]], [0], "cross-entropy", (0.0, 1.0))
    t = np.linspace(0.0, 1.0, 100_001)
    loss = np.log1p(np.exp(-t * t))
    assert line.barrier == pytest.approx((loss - loss[0] - (loss[-1] - loss[0]) * t).max(), rel=1e-8)
    assert line.barrier > 0.07


def test_digits_by_hand() -> None:
    """Two samples on a piece: a loss log(1 + e^u) + log(1 + e^-u) - c u, whose slope vanishes where tanh(u/2) = c."""
    forms = [Dyadic([[fmpz(6), fmpz(-3)], [fmpz(0), fmpz(0)]], 0), Dyadic([[fmpz(0), fmpz(0)], [fmpz(6), fmpz(-3)]], 0)]
    samples = [exact_sample(form, np.array([1.0, 0.0]), 0.0, 1.0) for form in forms]
    first, (place,) = SoftmaxSlope(samples, 10**9).sign_changes(1e-13)
    assert (first, place) == (-1, pytest.approx(0.5, abs=1e-13))
    soft = [exact_sample(forms[0], np.array([0.75, 0.25]), -1.0, 1.0)]
    first, (place,) = SoftmaxSlope(soft, 10**9).sign_changes(1e-13)
    assert (first, -1 + 2 * place) == (-1, pytest.approx((math.log(3) + 3) / 6, abs=1e-13))
    same = exact_sample(Dyadic([[fmpz(2), fmpz(5)], [fmpz(2), fmpz(1)]], -3), np.array([1.0, 0.0]), 0.0, 1.0)
    assert SoftmaxSlope([same], 10**9).sign_changes(1e-13) == (0, [])
    assert same.differences == [fmpz_poly([-4])]
    assert SoftmaxSlope(soft, -1).sign_changes(1e-13) in (None, (-1, [pytest.approx(place, abs=1e-13)]))
