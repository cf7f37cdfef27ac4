"""Walls of units: what keeps them on their pieces, against what a piece is."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from splinescope.network.ops import Activation, Fold, Maximum, PiecewiseAffine
from splinescope.network.ops.walls import ABSENT, CellWalls
from tests.seeds import large

UNITS = 7


def activation(generator: np.random.Generator, breakpoints: int, *, by_unit: bool) -> Activation:
    """Continuous, some of its breakpoints without a bend."""
    shape = (breakpoints, UNITS) if by_unit else (breakpoints, 1)
    places = np.sort(generator.normal(size=shape), axis=0)
    slopes = generator.integers(-1, 2, size=(breakpoints + 1, shape[1])).astype(float)
    shifts = np.cumsum(np.concatenate([np.zeros((1, shape[1])), (slopes[:-1] - slopes[1:]) * places]), axis=0)
    tables = (torch.from_numpy(table if by_unit else table[:, 0]) for table in (places, slopes, shifts))
    return PiecewiseAffine(*tables)


def maximum(generator: np.random.Generator, size: int) -> Maximum:
    """Groups of several sizes of ten numbers, the first member missing in some."""
    index = np.stack([generator.permutation(10)[:size] for _ in range(UNITS)])
    absent = generator.random(index.shape) < 0.3
    absent[np.arange(UNITS), generator.integers(size, size=UNITS)] = False
    return Maximum(torch.from_numpy(np.where(absent, -1, index)))


def case(seed: int) -> tuple[Fold, CellWalls, torch.Tensor, torch.Tensor]:
    """An op, its walls, inputs, and slopes of these along two directions."""
    generator = np.random.default_rng(seed)
    kinds = [
        activation(generator, 1, by_unit=False),
        activation(generator, 1, by_unit=True),
        activation(generator, 3, by_unit=False),
        activation(generator, 4, by_unit=True),
        maximum(generator, 2),
        maximum(generator, 4),
    ]
    op = kinds[seed % len(kinds)]
    inputs = UNITS if isinstance(op, Activation) else 10
    x = torch.from_numpy(2 * generator.normal(size=(50, inputs)))
    return op, op.cell_walls(UNITS), x, torch.from_numpy(generator.normal(size=(50, 2, inputs)))


seeds = pytest.mark.parametrize("seed", [*range(12), *(large(seed) for seed in range(12, 60))])


def canonical(walls: CellWalls, x: torch.Tensor) -> torch.Tensor:
    """The pieces at inputs, of those that continue each other the first."""
    nothing = torch.zeros_like(x)
    return walls.pieces_beyond(x, nothing, nothing, 0.0)


def by_unit(walls: CellWalls, values: torch.Tensor) -> torch.Tensor:
    return values.reshape(len(values), walls.kinds, walls.units)


@seeds
def test_walls_are_kept_on_the_pieces_and_on_no_others(seed: int) -> None:
    op, walls, x, _ = case(seed)
    pieces = op.pieces(x)
    assert torch.equal(by_unit(walls, walls.values(pieces, x)).amax(dim=1), walls.excess(pieces, x))
    assert (walls.excess(pieces, x) <= 0).all()
    first = canonical(walls, x)
    kept = by_unit(walls, walls.values(pieces.roll(1, dims=0), x) <= 0).all(dim=1)
    assert torch.equal(kept, first.roll(1, dims=0) == first)


@seeds
def test_slopes_are_those_of_the_values(seed: int) -> None:
    op, walls, x, slopes = case(seed)
    pieces = op.pieces(x)
    found = walls.slopes(pieces, slopes, 0.5)
    there = walls.values(pieces, x) > ABSENT
    for direction in range(2):
        moved = walls.values(pieces, x + slopes[:, direction]) - walls.values(pieces, x)
        torch.testing.assert_close(found[:, direction][there], 0.5 * moved[there], atol=1e-12, rtol=0)
    shared = walls.slopes(pieces, slopes[:1])
    assert torch.equal(shared, walls.slopes(pieces, slopes[:1].expand_as(slopes)))


@seeds
def test_results_go_where_they_are_wanted(seed: int) -> None:
    op, walls, x, slopes = case(seed)
    pieces = op.pieces(x)
    values, along = torch.zeros(50, len(walls) + 3).double(), torch.zeros(50, 2, len(walls) + 3).double()
    walls.values(pieces, x, values[:, 2:-1])
    walls.slopes(pieces, slopes, 1.0, along[:, :, 2:-1])
    assert torch.equal(values[:, 2:-1], walls.values(pieces, x))
    assert torch.equal(along[:, :, 2:-1], walls.slopes(pieces, slopes))
    assert not values[:, [0, 1, -1]].any()
    assert not along[:, :, [0, 1, -1]].any()


@seeds
def test_beyond_a_wall_is_the_piece_that_meets_it(seed: int) -> None:
    """Where a wall is met, both pieces have one value; with comparisons, and from the first piece to any other."""
    op, walls, x, _ = case(seed)
    pieces = op.pieces(x)
    values = walls.values(pieces, x)
    for row in range(10):
        found = walls.comparisons(pieces[row].numpy())
        assert np.array_equal(found.walls, np.flatnonzero(values[row].numpy() > ABSENT))
        wide = np.append(x[row].numpy(), 0.0)
        compared = wide[found.over] - wide[found.under] - found.constant
        np.testing.assert_allclose(compared, values[row].numpy()[found.walls], atol=1e-12)
        units = walls.owners[found.walls]
        beyond = walls.beyond(pieces[row].numpy()[units], found.walls)
        for wall, unit, other in zip(range(len(units)), units, beyond, strict=True):
            at, new = x[row].clone(), pieces[row].clone()
            moved = found.over[wall] if found.over[wall] >= 0 else found.under[wall]
            at[moved] -= compared[wall] if found.over[wall] >= 0 else -compared[wall]
            new[unit] = int(other)
            here, there = op.on_pieces(pieces[row : row + 1], at[None]), op.on_pieces(new[None], at[None])
            assert here[0, unit] == pytest.approx(float(there[0, unit]), abs=1e-12)
            assert new[unit] != pieces[row, unit]


@seeds
def test_crossing_walls_from_the_first_piece_finds_the_pieces_just_beyond(seed: int) -> None:
    op, walls, x, slopes = case(seed)
    beyond = walls.pieces_beyond(x, slopes[:, 0], torch.zeros_like(x), 0.0)
    assert torch.equal(op.on_pieces(beyond, x), op.on_pieces(op.pieces(x), x))
    assert (walls.excess(beyond, x) <= 0).all()
    for row in range(10):
        pieces = walls.first.copy()
        wide = np.append(x[row].numpy(), 0.0)
        for _ in range(walls.pieces):
            found = walls.comparisons(pieces)
            crossed = found.walls[wide[found.over] - wide[found.under] - found.constant > 0]
            units, places = np.unique(walls.owners[crossed], return_index=True)
            pieces[units] = walls.beyond(pieces[units], crossed[places])
        assert np.array_equal(pieces, beyond[row].numpy())


def test_beyond_a_breakpoint_the_slope_decides() -> None:
    """At a breakpoint, and where two members are equal."""
    relu = PiecewiseAffine(*(torch.tensor(t).double() for t in ([0.0], [0.0, 1.0], [0.0, 0.0]))).cell_walls(3)
    zero, slopes = torch.zeros(1, 3).double(), torch.tensor([[1.0, -1.0, 0.0]]).double()
    assert relu.pieces_beyond(zero, slopes, zero, 1.0).tolist() == [[1, 0, 0]]
    rivals = Maximum(torch.tensor([[0, 1], [1, 0], [0, 2]])).cell_walls(3)
    assert rivals.pieces_beyond(zero, slopes, zero, 1.0).tolist() == [[0, 1, 0]]


@seeds
def test_a_unit_varies_where_it_is_on_several_pieces(seed: int) -> None:
    _, walls, x, _ = case(seed)
    points = x.reshape(10, 5, -1)
    beyond = canonical(walls, x).reshape(10, 5, -1)
    assert torch.equal(walls.varies(points), (beyond != beyond[:, :1]).any(dim=1))
    assert bool(walls.varies(points).any()) == bool(walls.counts.max() > 1)


@seeds
def test_errors_bound_what_values_are_off(seed: int) -> None:
    op, walls, x, _ = case(seed)
    pieces = op.pieces(x)
    error = torch.full_like(x, 1e-3)
    known = walls.errors(pieces, error, lambda: x.abs())
    off = (walls.values(pieces, x + error * torch.randn(x.shape).double().sign()) - walls.values(pieces, x)).abs()
    there = walls.values(pieces, x) > ABSENT
    assert (off[there] <= known[there] * (1 + 1e-12)).all()
    assert (known[there] < 2.1e-3).all()


@seeds
def test_pieces_are_counted(seed: int) -> None:
    op, walls, _, _ = case(seed)
    x = torch.linspace(-20, 20, 4001).double()[:, None].expand(-1, UNITS)
    if isinstance(op, Activation):
        assert walls.counts.tolist() == [len(column.unique()) for column in canonical(walls, x).T]
    else:
        assert walls.counts.tolist() == [int((group >= 0).sum()) for group in op.index]
