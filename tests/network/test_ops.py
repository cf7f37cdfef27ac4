"""Ops by themselves: evaluation, autograd, and the two bounds that rounding-error analysis needs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor

from splinescope.network import ops
from splinescope.network.ops import Fold, Maximum, Op, PiecewiseAffine

GENERATOR = torch.Generator().manual_seed(0)


def reals(*shape: int) -> Tensor:
    """Random numbers."""
    return torch.randn(shape, generator=GENERATOR, dtype=torch.float64)


AFFINE: list[tuple[Affine, tuple[int, ...]]] = [
    (ops.Dense(reals(3, 6), reals(3)), (2, 3)),
    (ops.SharedDense(reals(3, 4), reals(3)), (2, 4)),
    (ops.Scale(reals(3, 1), reals(4)), (3, 4)),
    (ops.Scale(reals(), reals()), (3, 4)),
    (ops.Select(torch.tensor([[0, 5], [-1, 2]]), reals(2, 2)), (2, 3)),
    (ops.Select(torch.tensor([2, 3, 4])), (2, 3)),
    (ops.AxisMap((reals(2, 3), reals(5, 4)), (0, 1)), (3, 4)),
    (ops.Convolution(reals(2, 3, 2), reals(2), (2,), ((1, 0),), (1,)), (3, 5)),
    (ops.Convolution(reals(4, 1, 2, 3), reals(4), (1, 2), ((1, 1), (2, 2)), (2, 1), 2), (2, 4, 5)),
    (ops.Convolution(reals(4, 1, 2, 3), reals(4), (1, 2), ((1, 1), (2, 2)), (2, 1), 2), (3, 2, 4, 5)),
    (ops.TransposedConvolution(reals(2, 3, 3), reals(3), (2,), ((1, 0),), (1,)), (2, 4)),
    (ops.TransposedConvolution(reals(2, 2, 2, 2), reals(4), (2, 3), ((0, -1), (1, 1)), (1, 2), 2), (2, 3, 4)),
]
NAMES = [type(op).__name__ for op, _ in AFFINE]


def matrix_of(op: Affine, shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """[out, in] matrix and [out] offset, by the op's values at the origin and at unit vectors."""
    size = int(torch.Size(shape).numel())
    offset = op.evaluate(torch.zeros(1, *shape, dtype=torch.float64)).reshape(-1)
    columns = op.evaluate(torch.eye(size, dtype=torch.float64).reshape(size, *shape)).reshape(size, -1)
    return (columns - offset).T, offset


@pytest.mark.parametrize(("op", "shape"), AFFINE, ids=NAMES)
def test_affine_op_is_affine_with_its_bounds(op: Affine, shape: tuple[int, ...]) -> None:
    weight, offset = matrix_of(op, shape)
    x = reals(7, *shape)
    flat = x.reshape(7, -1)
    torch.testing.assert_close(op.evaluate(x).reshape(7, -1), flat @ weight.T + offset)
    magnitude, spread = op.magnitude(x.abs()).reshape(7, -1), op.spread(x.abs()).reshape(7, -1)
    torch.testing.assert_close(magnitude, flat.abs() @ weight.abs().T + offset.abs())
    torch.testing.assert_close(spread, flat.abs() @ weight.square().T)


@pytest.mark.parametrize(("op", "shape"), AFFINE, ids=NAMES)
def test_autograd_goes_through(op: Affine, shape: tuple[int, ...]) -> None:
    assert torch.autograd.gradcheck(op.evaluate, reals(2, *shape).requires_grad_(True))


def test_dense_writes_where_it_is_told() -> None:
    op, x = ops.Dense(reals(3, 4), reals(3)), reals(5, 4)
    out = torch.empty(5, 3, dtype=torch.float64)
    assert op.evaluate(x, out=out) is out
    torch.testing.assert_close(out, x @ op.weight.T + op.bias)


def test_large_batches_of_images_are_taken_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    op, x = ops.Convolution(reals(2, 1, 3, 3), reals(2), (1, 1), ((1, 1), (1, 1)), (1, 1)), reals(9, 1, 4, 4)
    whole = op.evaluate(x)
    monkeypatch.setattr("splinescope.network.ops.convolution.CHUNK", 100)
    torch.testing.assert_close(op.evaluate(x), whole)
    assert torch.autograd.gradcheck(op.evaluate, x.requires_grad_(True))


def test_activation_shared_and_by_unit() -> None:
    clip = PiecewiseAffine(
        torch.tensor([-1.0, 2.0]).double(), torch.tensor([0.0, 1, 0]).double(), torch.tensor([-1.0, 0, 2]).double()
    )
    x = torch.linspace(-3, 3, 13, dtype=torch.float64).reshape(1, 13)
    torch.testing.assert_close(clip.evaluate(x), x.clamp(-1, 2))
    assert clip.pieces(torch.tensor([[-1.0, 0.0, 2.0, 2.5]]).double()).tolist() == [[0, 1, 1, 2]]
    assert not clip.is_relu
    zero, slopes = (
        torch.zeros(1, 13, dtype=torch.float64),
        torch.stack([torch.linspace(0, 1, 13), torch.ones(13)]).double(),
    )
    prelu = PiecewiseAffine(zero, slopes, torch.zeros(2, 13, dtype=torch.float64))
    torch.testing.assert_close(prelu.evaluate(x), torch.where(x > 0, x, slopes[0] * x))
    torch.testing.assert_close(prelu.evaluate(x.reshape(1, 1, 13)), prelu.evaluate(x).reshape(1, 1, 13))
    assert torch.autograd.gradcheck(prelu.evaluate, (x + 0.1).requires_grad_(True))


def test_relu_is_recognised() -> None:
    vectors = [torch.tensor(v).double() for v in ([0.0], [0.0, 1.0], [0.0, 0.0])]
    relu = PiecewiseAffine(*vectors)
    assert relu.is_relu
    x = reals(3, 4)
    torch.testing.assert_close(relu.evaluate(x), torch.relu(x))


def test_maximum_leaves_out_what_is_absent() -> None:
    op = Maximum(torch.tensor([[-1, 0, 1], [2, -1, -1]]))
    x = -reals(6, 3).abs()
    torch.testing.assert_close(op.evaluate(x), torch.stack([x[:, :2].amax(1), x[:, 2]], 1))
    shaped = Maximum(op.index, (2, 1))
    assert shaped.evaluate(x).shape == (6, 2, 1)


def test_joins_and_shapes() -> None:
    x, y = reals(4, 2, 3), reals(4, 2, 3)
    torch.testing.assert_close(ops.Sum((1.0, -2.0)).evaluate(x, y), x - 2 * y)
    torch.testing.assert_close(ops.Sum((3.0,)).evaluate(x), 3 * x)
    torch.testing.assert_close(ops.Concatenate(1).evaluate(x, y), torch.cat([x, y], 2))
    assert ops.Reshape((6,)).evaluate(x).shape == (4, 6)
    assert ops.Input().evaluate(x) is x


OTHERS: list[tuple[Op, int, tuple[int, ...]]] = [
    (ops.Sum((1.0, 2.0)), 2, (3,)),
    (ops.Concatenate(0), 2, (3,)),
    (ops.Reshape((3, 1)), 1, (3,)),
    (Maximum(torch.tensor([[0, 1], [1, 2]])), 1, (3,)),
]


@pytest.mark.parametrize(("op", "count", "shape"), OTHERS, ids=[type(op).__name__ for op, _, _ in OTHERS])
def test_ops_take_empty_batches_and_leave_their_inputs_alone(op: Op, count: int, shape: tuple[int, ...]) -> None:
    inputs = [reals(4, *shape) for _ in range(count)]
    before = [x.clone() for x in inputs]
    op.evaluate(*inputs)
    assert all(torch.equal(x, y) for x, y in zip(inputs, before, strict=True))
    assert len(op.evaluate(*(x[:0] for x in inputs))) == 0


@pytest.mark.parametrize(("op", "shape"), AFFINE, ids=NAMES)
def test_affine_ops_take_empty_batches(op: Affine, shape: tuple[int, ...]) -> None:
    assert np.asarray(op.evaluate(reals(0, *shape))).shape[0] == 0


FOLDS = (
    ops.Clip(torch.tensor([-1.0, 0.0, 0.5, -2.0]).double(), torch.tensor([1.0, 0.25, 0.5, 3.0]).double()),
    PiecewiseAffine(*(torch.tensor(t, dtype=torch.float64) for t in ([0.0], [0.0, 1.0], [0.0, 0.0]))),
    PiecewiseAffine(*(torch.tensor(t, dtype=torch.float64) for t in ([-1.0, 2.0], [0.5, 1.0, 0.0], [-0.5, 0.0, 2.0]))),
    PiecewiseAffine(
        torch.tensor([[0.0, 0.5, -0.5, 1.0]], dtype=torch.float64),
        torch.tensor([[0.0, 0.1, 1.0, -1.0], [1.0, 1.0, 2.0, 1.0]], dtype=torch.float64),
        torch.tensor([[0.0, 0.45, -0.5, 2.0], [0.0, 0.0, 0.0, 0.0]], dtype=torch.float64),
    ),
    Maximum(torch.tensor([[0, 1, 2], [3, -1, 0], [-1, 2, 3]])),
)


@pytest.mark.parametrize("op", FOLDS, ids=["clip with bounds", "relu", "clip", "by unit", "maximum"])
def test_folds_answer_for_their_pieces(op: Fold) -> None:
    """The map of a point's own pieces is the op there; that of other pieces is affine; bits tell pieces apart."""
    x = torch.randn(50, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    pieces = op.pieces(x).reshape(50, -1)
    torch.testing.assert_close(op.on_pieces(pieces, x), op.evaluate(x), rtol=0, atol=1e-15)
    fixed = pieces[:1].expand(50, -1)
    double = op.on_pieces(fixed, 2 * x) - op.on_pieces(fixed, x)
    torch.testing.assert_close(double, op.on_pieces(fixed, x) - op.on_pieces(fixed, 0 * x), rtol=0, atol=1e-13)
    slopes = torch.eye(4, dtype=torch.float64)[None]
    with torch.enable_grad():
        own = x.clone().requires_grad_(True)
        jacobian = torch.stack(
            [torch.autograd.grad(column.sum(), own, retain_graph=True)[0] for column in op.evaluate(own).T]
        )
    torch.testing.assert_close(op.along_pieces(pieces, slopes), jacobian.permute(1, 2, 0))
    bits = op.bits(pieces.to(torch.uint8))
    assert bits.shape == (50, op.levels * pieces.shape[1])
    assert len(bits.unique(dim=0)) == len(pieces.unique(dim=0))
    some = torch.tensor([2, 0])
    part = op.taken(some)
    reads = x if isinstance(op, Maximum) else x[:, some]
    torch.testing.assert_close(part.evaluate(reads), op.evaluate(x)[:, some])


@pytest.mark.parametrize("op", FOLDS, ids=["clip with bounds", "relu", "clip", "by unit", "maximum"])
def test_folds_say_what_they_read_and_where_they_fold(op: Fold) -> None:
    """`reads` are the maps of pieces, `named` is the inverse of `bits`, and pieces agree on the wall between them."""
    x = torch.randn(200, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    pieces = op.pieces(x).reshape(200, -1)
    units = pieces.shape[1]
    reads = op.reads(pieces.numpy())
    read = np.take_along_axis(x.numpy(), reads.places, axis=1)
    np.testing.assert_allclose(reads.slopes * read + reads.intercepts, op.evaluate(x).numpy(), rtol=0, atol=1e-15)
    bits = op.bits(pieces).numpy().reshape(200, op.levels, units)
    named = op.named(bits)
    again = op.reads(named)  # a piece that is no other one in any number may go by another name
    np.testing.assert_array_equal(again.slopes, reads.slopes)
    np.testing.assert_array_equal(again.intercepts, reads.intercepts)
    np.testing.assert_array_equal(op.named(bits[:, :, [1]], np.array([1])), named[:, [1]])
    for one, other in itertools.pairwise(named):
        unit = np.flatnonzero(one != other)
        walls = op.between(unit, one[unit], other[unit])
        sides = [op.reads(side[unit], unit) for side in (one, other)]
        for k in range(len(unit)):
            point = x[0].clone()  # moved onto the wall
            point[walls.plus[k]] = point[walls.minus[k]] if walls.minus[k] >= 0 else walls.shift[k]
            low, high = (s.slopes[k] * float(point[s.places[k]]) + s.intercepts[k] for s in sides)
            assert abs(one[unit[k]] - other[unit[k]]) > 1 or low == pytest.approx(high, abs=1e-15)


@pytest.mark.parametrize("op", FOLDS, ids=["clip with bounds", "relu", "clip", "by unit", "maximum"])
def test_folds_bound_what_errors_do(op: Fold) -> None:
    """Values move by no more than `carried`, pieces change in `open_bits` only, and magnitudes bound values."""
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(500, 4, generator=generator, dtype=torch.float64)
    errors = torch.rand(1, 4, generator=generator, dtype=torch.float64).expand(500, 4) * 0.1
    moved = x + errors * (2 * torch.rand(500, 4, generator=generator, dtype=torch.float64) - 1)
    assert ((op.evaluate(moved) - op.evaluate(x)).abs() <= op.carried(errors) + 1e-15).all()
    assert (op.evaluate(x).abs() <= op.magnitude(x.abs()) + 1e-15).all()
    known = [op.bits(op.pieces(value).reshape(500, -1)).numpy() for value in (x, moved)]
    assert op.open_bits(x.numpy(), errors.numpy())[known[0] != known[1]].all()
    assert (known[0] != known[1]).any()


MANY = [
    (ops.Sum((1.0, -2.5)), ((2, 3), (2, 3))),
    (ops.Concatenate(1), ((2, 3), (2, 1))),
    (ops.Reshape((3, 2)), ((2, 3),)),
    *((op, (shape,)) for op, shape in AFFINE),
]


@pytest.mark.parametrize(("op", "shapes"), MANY, ids=[type(op).__name__ for op, _ in MANY])
def test_affine_ops_of_several_inputs_have_rows_and_bounds(
    op: ops.AffineOp, shapes: tuple[tuple[int, ...], ...]
) -> None:
    inputs = [reals(5, *shape) for shape in shapes]
    flat = torch.cat([x.reshape(5, -1) for x in inputs], dim=1)
    value, offset = op.evaluate(*inputs).reshape(5, -1), torch.from_numpy(op.offsets(*shapes))
    weight = torch.from_numpy(op.rows(np.arange(value.shape[1]), *shapes).toarray())
    torch.testing.assert_close(value, flat @ weight.T + offset)
    torch.testing.assert_close(op.rows(np.array([1, 0]), *shapes).toarray(), weight[[1, 0]].numpy())
    sizes = [x.abs() for x in inputs]
    torch.testing.assert_close(op.magnitude(*sizes).reshape(5, -1), flat.abs() @ weight.abs().T + offset.abs())
    torch.testing.assert_close(op.carried(*sizes).reshape(5, -1), flat.abs() @ weight.abs().T)
    torch.testing.assert_close(op.spread(*sizes).reshape(5, -1), flat.abs() @ weight.square().T)
    torch.testing.assert_close(op.linear.evaluate(*inputs).reshape(5, -1), flat @ weight.T)
    assert len(op.stages) > 1 or int((weight != 0).sum(dim=1).max()) <= op.addends
    out = torch.empty(5, value.shape[1], dtype=torch.float64)
    op.write(out, *inputs)
    torch.testing.assert_close(out, value, rtol=0, atol=1e-14)
    if not op.rounds:
        assert set(weight.unique().tolist()) <= {0.0, 1.0}
        assert torch.equal(value, flat @ weight.T)


@pytest.mark.parametrize("shape", [(4, 7), (4, 5, 6), (2, 4, 5, 4), (4, 3, 4, 3)], ids=str)
@pytest.mark.parametrize("groups", [1, 2])
def test_rows_of_a_convolution_are_its_derivatives(shape: tuple[int, ...], groups: int) -> None:
    d = len(shape) - (2 if shape[0] == 2 else 1)
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(6, 4 // groups, *(3, 2, 1)[:d], generator=generator, dtype=torch.float64).relu()
    pads, steps = ((1, 0), (0, 2), (1, 1))[:d], (2, 1, 2)[:d]
    op = ops.Convolution(weight, torch.zeros(6, dtype=torch.float64), steps, pads, (1, 2, 1)[:d], groups)
    count = op.evaluate(torch.zeros(1, *shape, dtype=torch.float64)).numel()
    units = np.random.default_rng(0).permutation(count)[:40]
    ours, derived = op.rows(units, shape), ops.AffineOp.rows(op, units, shape)
    assert ours.nnz == derived.nnz
    np.testing.assert_array_equal(ours.toarray(), derived.toarray())


@pytest.mark.parametrize("axes", [(0,), (1, 2), (2, 0), (0, 2, 1)], ids=str)
def test_rows_of_maps_along_axes_are_their_derivatives(axes: tuple[int, ...]) -> None:
    generator, shape = torch.Generator().manual_seed(0), (3, 4, 5)
    matrices = [torch.randn(2 + a, shape[a], generator=generator, dtype=torch.float64).relu() for a in axes]
    op = ops.AxisMap(tuple(matrices), axes)
    units = np.random.default_rng(0).permutation(op.evaluate(torch.zeros(1, *shape, dtype=torch.float64)).numel())
    ours, derived = op.rows(units, shape), ops.AffineOp.rows(op, units, shape)
    assert ours.nnz == derived.nnz
    np.testing.assert_array_equal(ours.toarray(), derived.toarray())
