"""Layers of which nearly all weights are zero: what they give, and cells of networks of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import splinescope
from splinescope.network.ops import Dense, sparse_products
from splinescope.network.ops.sparse_products import SparseRows
from splinescope.numerics import UNIT_ROUNDOFF
from tests.network.lattices import two_level_lattice


def layer(outputs: int = 96, inputs: int = 64, share: float = 0.01, seed: int = 0) -> Dense:
    rng = np.random.default_rng(seed)
    weight = np.where(rng.random((outputs, inputs)) < share, rng.normal(size=(outputs, inputs)), 0.0)
    return Dense(torch.from_numpy(weight), torch.from_numpy(rng.normal(size=outputs)))


def test_values_are_those_of_the_matrix() -> None:
    op, x = layer(), torch.randn(50, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert op.nonzeros is not None
    assert op.addends == int((op.weight != 0).sum(dim=1).max()) + 1
    expected = torch.addmm(op.bias, x, op.weight.T)
    bound = 2 * (op.addends + 2) * UNIT_ROUNDOFF * torch.addmm(op.bias.abs(), x.abs(), op.weight.abs().T)
    assert ((op.evaluate(x) - expected).abs() <= bound).all()
    torch.testing.assert_close(op.magnitude(x.abs()), torch.addmm(op.bias.abs(), x.abs(), op.weight.abs().T))
    wide = torch.full((50, 200), 7.0, dtype=torch.float64)
    op.write(wide[:, :96], x)
    assert torch.equal(wide[:, :96], op.evaluate(x))
    assert (wide[:, 96:] == 7).all()
    assert torch.equal(op.evaluate(x.T.contiguous().T), op.evaluate(x))


def test_whole_numbers_are_exact_and_threads_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    weight = np.where(rng.random((128, 128)) < 0.01, rng.integers(-9, 9, (128, 128)), 0).astype(float)
    bias, x = rng.integers(-9, 9, 128).astype(float), rng.integers(-9, 9, (3000, 128)).astype(float)
    rows = SparseRows.of(weight)
    assert rows is not None
    found = []
    for grain in (1 << 16, 1 << 40):
        monkeypatch.setattr(sparse_products, "_GRAIN", grain)
        out = np.empty((3000, 128))
        rows.mapped(x, bias, out)
        found.append(out)
    np.testing.assert_array_equal(found[0], x @ weight.T + bias)
    np.testing.assert_array_equal(found[0], found[1])


def test_derivatives_go_through_the_matrix() -> None:
    op, x = layer(), torch.ones(3, 64, dtype=torch.float64)
    jacobian = torch.func.vmap(torch.func.jacrev(lambda y: op.evaluate(y[None])[0]))(x)
    torch.testing.assert_close(jacobian, op.weight.expand(3, -1, -1))
    y = x.clone().requires_grad_()
    op.evaluate(y).sum().backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(y.grad, op.weight.sum(dim=0).expand(3, -1))
    units = np.array([5, 3, 40])
    np.testing.assert_array_equal(op.rows(units, (64,)).toarray(), op.weight.numpy()[units])


def test_which_matrices_are_sparse() -> None:
    assert layer(share=0.5).nonzeros is None
    assert layer(8, 8, share=0.0).nonzeros is None
    assert SparseRows.of(np.zeros((64, 64))) is not None


def test_cells_of_a_lattice_are_where_its_functions_meet() -> None:
    """On each cell the network is one of its affine functions, the one that the formula says."""
    module, (weights, offsets, chosen) = two_level_lattice(16)
    network = splinescope.load(module, input_shape=(2,))
    assert sum(node.affine is not None and node.affine.nonzeros is not None for node in network.nodes) >= 2
    cells = splinescope.tessellate(network, splinescope.Slice.box([-0.02, -0.02], [0.02, 0.02]), verify="proof")
    assert cells.certificate.level == "proof"
    assert len(cells) > 10
    values = cells.interior_points @ weights.T + offsets
    expected = values[:, chosen].min(axis=2).max(axis=1)
    np.testing.assert_allclose(network(cells.interior_points)[:, 0], expected, atol=1e-13)
    maps = cells.affine_maps()
    rows = np.column_stack([maps.A[:, 0], maps.c[:, 0]])
    known = np.column_stack([weights, offsets])
    assert np.abs(rows[:, None] - known).max(axis=2).min(axis=1).max() < 1e-12
