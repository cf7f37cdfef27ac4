"""Counting again without one unit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import splinescope
from splinescope.complexity.theory.deletion import deletion_restriction, without_unit
from splinescope.errors import InvalidInputError
from splinescope.network import from_torch
from tests.fixtures.cases import Case
from tests.fixtures.degenerate import CASES
from tests.fixtures.engine_networks import to_network
from tests.fixtures.random_nets import random_case
from tests.fixtures.recipes import Builder, clip, mlp
from tests.fixtures.reference_nets import path_of
from tests.queries.scenes import complex_of, gaussian, scene
from tests.seeds import every, seeds
from tests.tessellation.agreement import slice_of


@pytest.mark.parametrize("name", ["plane", "one output", "skew", "ten classes"])
def test_every_last_unit_in_general_position(name: str) -> None:
    _, cells = scene(name)
    units = cells.pattern_nodes[-1][2] - cells.pattern_nodes[-1][1]
    crossed = 0
    for unit in range(units):
        found = deletion_restriction(cells, unit)
        assert found.holds
        assert found.named == found.on_fold
        assert found.faces is not None
        assert found.faces.holds
        assert found.whole == len(cells)
        crossed += found.on_fold > 0
    assert crossed > units // 2


@pytest.mark.parametrize("name", ["N0", "N1", "DUP", "AX", "Z0"])
def test_reference_nets(name: str) -> None:
    cells = splinescope.tessellate(splinescope.load(path_of(f"{name}.npz")), splinescope.Slice.box([-1, -1], [1, 1]))
    folds = cells.edge_unit[cells.edge_op == cells.pattern_nodes[-1][0]]
    unit = int(np.bincount(folds).argmax())
    found = deletion_restriction(cells, unit)
    assert found.holds
    assert found.on_fold > 0
    if name in ("N0", "N1"):
        assert found.faces is not None
        assert found.faces.holds


@pytest.mark.parametrize("case", every(4, CASES), ids=lambda case: case.name)
def test_no_general_position_is_needed(case: Case) -> None:
    """Repeated, parallel, concurrent and dead units; several breakpoints; only branching folds are refused."""
    cells = splinescope.tessellate(splinescope.load(case.module(), input_shape=case.input_shape), slice_of(case))
    if not cells.pattern_nodes:
        return
    node, start, stop = cells.pattern_nodes[-1]
    op = cells.network.nodes[node].op
    for unit in range(min(3, stop - start)):
        if hasattr(op, "index") and int((op.index[unit] >= 0).sum()) > 2:
            with pytest.raises(InvalidInputError, match="a maximum of more than two members"):
                deletion_restriction(cells, unit)
        else:
            assert deletion_restriction(cells, unit).holds


@pytest.mark.parametrize("seed", seeds(range(0, 30, 4), range(30)))
def test_random_networks(seed: int) -> None:
    case = random_case(seed)
    cells = splinescope.tessellate(to_network(case.recipe), slice_of(case))
    node = cells.pattern_nodes[-1][0] if cells.pattern_nodes else 0
    op = cells.network.nodes[node].op
    if cells.pattern_nodes and not (hasattr(op, "index") and op.index.shape[1] > 2):
        assert deletion_restriction(cells, 0).holds


def test_one_layer_by_hand() -> None:
    """Three lines in general position: seven cells; four without the third, which is cut into three."""
    recipe = mlp([[[1, 0], [0, 1], [1, 1]], np.ones((1, 3))], [[0, 0, -0.5], np.zeros(1)])
    found = deletion_restriction(complex_of(recipe), 2)
    assert (found.whole, found.without, found.on_fold, found.named) == (7, 4, 3, 3)


def test_several_breakpoints() -> None:
    recipe = mlp([[[1, 0], [0, 1]], np.ones((1, 2))], [np.zeros(2), np.zeros(1)], clip(-0.5, 0.5))
    found = deletion_restriction(complex_of(recipe), 0)
    assert (found.whole, found.without, found.on_fold) == (9, 3, 6)


def test_removal_of_a_convolutional_unit() -> None:
    torch.manual_seed(3)
    module = nn.Sequential(nn.Conv2d(1, 2, 2), nn.ReLU(), nn.Flatten(), nn.Linear(18, 2)).double()
    network = from_torch(module, input_shape=(1, 4, 4))
    node = next(i for i, n in enumerate(network.nodes) if n.units)
    smaller = without_unit(network, node, 7)
    assert smaller.num_units == network.num_units - 1
    x = torch.randn(5, 1, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    hidden = module[1](module[0](x)).flatten(1)
    hidden[:, 7] = 0
    torch.testing.assert_close(smaller(x), module[3](hidden))
    plane = splinescope.Slice.through(*torch.randn(3, 1, 4, 4, generator=torch.Generator().manual_seed(2)).numpy())
    assert all(deletion_restriction(splinescope.tessellate(network, plane), unit).holds for unit in (0, 7, 17))


def test_the_only_unit() -> None:
    found = deletion_restriction(complex_of(mlp([[[1, 1]], [[1]]], [[0], [0]])), 0)
    assert (found.whole, found.without, found.on_fold) == (2, 1, 1)


def test_refusals() -> None:
    cells = complex_of(gaussian(1, (4, 4)))
    first = cells.pattern_nodes[0][0]
    with pytest.raises(InvalidInputError, match="folds behind node 2; expected a node of the last folding layer"):
        deletion_restriction(cells, 0, first)
    with pytest.raises(InvalidInputError, match="`op`, `unit`: got node 4, unit 9; expected a unit of one of"):
        deletion_restriction(cells, 9)
    with pytest.raises(InvalidInputError, match="node 1 has no unit 0 that folds"):
        without_unit(cells.network, 1, 0)
    part = splinescope.tessellate(cells.network, cells.domain, max_cells=5)
    with pytest.raises(InvalidInputError, match="cells are missing"):
        deletion_restriction(part, 0)
    builder = Builder(2)
    builder.dense([[1, 0], [0, 1], [-1, -1]])
    builder.maximum([[0, 1, 2]])
    with pytest.raises(InvalidInputError, match="maximum of more than two members"):
        deletion_restriction(complex_of(builder.build()), 0)
